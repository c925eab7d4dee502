"""`manage.py collect`: takes in spans from the spool and records of observed topics, until SIGTERM."""

import gc
import logging
import sys
import time
from collections import Counter
from datetime import datetime
from functools import partial

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand

from collector import clock, telemetry, wiring
from collector.config import declared
from collector.intake.collecting import STEP_SECONDS, Collector
from collector.management.health import PartReport
from collector.management.running import Part, run
from collector.ports import KafkaRefused
from collector.ready import announce_ready
from collector.store.reports import EVERY_SECONDS

_COUNTED = {"batches": "batch", "spans": "span", "records": "record", "repeated": "span", "undecodable": "record"}

log = logging.getLogger(__name__)

WHOLE_EVERY = 60  # steps
SWITCH_SECONDS = 0.0005  # what saves must not wait 5 ms for what decodes, at each of its dozen steps


class Command(BaseCommand):
    """Several may run; they share the partitions, and each may be killed at any time."""

    help = "Store what comes in by the spool and by tapped topics."
    requires_system_checks = (Tags.security,)  # the settings'; that of addresses loads all pages

    def handle(self, *_args: object, **_options: object) -> None:
        """Run until SIGTERM."""
        sys.setswitchinterval(SWITCH_SECONDS)
        by_the_clock()
        work = _Work()
        part = Part("collect", settings.WEIR_COLLECT_PORT, work.is_ready)
        run(work.step, part=part, every_seconds=STEP_SECONDS, at_end=work.end)


def by_the_clock() -> None:
    """Look for garbage at each step only: a batch makes many objects that all live until it is saved, none in a cycle.

    By their number it would be looked for in the midst of each batch, which took a fifth of a tapped record's time.
    """
    gc.disable()
    gc.freeze()  # modules and settings are never garbage


class _Work:
    """The collector, made at the first step that finds the database there."""

    def __init__(self) -> None:
        self._report = PartReport("collect")
        self._collector: Collector | None = None
        self._version = 0
        self._has_announced = False
        self._window: Counter[str] = Counter()  # since the last report
        self._total: Counter[str] = Counter()  # since the start
        self._trouble: str | None = None
        self._since = time.monotonic()
        self._newest: datetime | None = None
        self._n_steps = 0
        self._observe()

    def is_ready(self) -> bool:
        """Whether every source is being read now."""
        return self._collector is not None and self._collector.is_ready

    def step(self) -> None:
        """One round of housekeeping."""
        self._n_steps += 1
        gc.collect(2 if self._n_steps % WHOLE_EVERY == 0 else 1)
        if self._collector is not None and declared.version() != self._version:
            log.info("other settings were applied: the collector begins anew with them")
            self._collector.stop()
            self._collector = None
        collector = self._collector or self._begun()
        if collector is None:
            return
        collector.step()
        if not self._has_announced and collector.is_ready:
            announce_ready()
            self._has_announced = True
        self._say(collector, clock.now())

    def _begun(self) -> Collector | None:
        """A collector as is declared now; None, said on Health, where that names what cannot be used."""
        version = declared.version()
        try:
            made = wiring.collecting()
        except (KafkaRefused, declared.Broken) as problem:
            self._report.say(str(problem), ok=False, now=clock.now())
            return None
        made.start()
        self._collector, self._version = made, version
        return made

    def _observe(self) -> None:
        for name, what in _COUNTED.items():
            read = partial(self._total.__getitem__, f"n_{name}")
            telemetry.observe("counter", f"weir.collect.{name}", read, unit=f"{{{what}}}", description=f"Stored {name}")
        telemetry.observe(
            "gauge", "weir.collect.waiting", self._n_waiting, unit="{record}", description="In Kafka, not yet stored"
        )

    def _n_waiting(self) -> int:
        return sum(worker.n_waiting for worker in self._collector.workers) if self._collector else 0

    def end(self) -> None:
        """Finish the batches under way."""
        if self._collector is not None:
            self._collector.stop()
        self._report.withdraw()

    def _say(self, collector: Collector, now: datetime) -> None:
        for worker in collector.workers:
            counts = worker.taken_counts()
            self._window += counts
            self._total += counts
            self._newest = now if counts["n_batches"] else self._newest
        seconds = time.monotonic() - self._since
        trouble = collector.trouble
        if seconds < EVERY_SECONDS and trouble == self._trouble:
            return
        spans, records = (round(self._window[name] / seconds, 1) for name in ("n_spans", "n_records"))
        sentence = f"Stores {spans:g} spans and {records:g} records a second."
        self._report.say(
            sentence if trouble is None else f"{sentence} {trouble}" if collector.is_ready else trouble,
            ok=trouble is None,
            now=now,
            value={
                "spans_per_second": spans,
                "records_per_second": records,
                "n_waiting": self._n_waiting(),
                "n_undecodable": self._total["n_undecodable"],
                "n_repeated": self._total["n_repeated"],
                "n_members": collector.n_members,
                "waits_for": collector.trouble_of,
                "newest_stored_at": self._newest.isoformat() if self._newest else None,
            },
        )
        self._window.clear()
        self._since = time.monotonic()
        self._trouble = trouble
