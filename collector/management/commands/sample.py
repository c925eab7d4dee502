"""`manage.py sample`: asks the observed clusters for topics, groups and offsets, again and again."""

import gc
import os
import sys
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand

from collector import clock, observing, telemetry
from collector.config import declared
from collector.config.readers import group_of
from collector.management.children import Children, end_with_parent
from collector.management.health import PartReport
from collector.management.running import Part, run
from collector.ports import KafkaRefused
from collector.ready import announce_ready
from collector.sampling.sampler import Sampler
from collector.store import clusters
from collector.store.leadership import Lead, Leadership

COLLECT_AFTER = (50_000, 20, 50)
"""Garbage is looked for seldom: a scan makes many objects, none in a cycle, beside many that stay."""


class Command(BaseCommand):
    """Samples the observed cluster; of several each in a process of its own, for a client library may end its process.

    For each cluster one process works; others stand by to take over.
    """

    requires_system_checks = (Tags.security,)  # the settings'; that of addresses loads all pages: 25 MB
    help = "Sample topics, groups and offsets of the observed clusters, every WEIR_SAMPLE_SECONDS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which cluster."""
        parser.add_argument("--cluster", help="sample this one alone; without it all that are declared")
        parser.add_argument("--with-parent", action="store_true", help=SUPPRESS)

    def handle(self, *_args: object, **options: object) -> None:
        """Run until SIGTERM."""
        gc.set_threshold(*COLLECT_AFTER)
        if options["with_parent"]:
            end_with_parent()
        name = options["cluster"]
        work = _OneCluster(str(name)) if name else _AllClusters()
        part = Part("sample", settings.WEIR_SAMPLE_PORT, lambda: work.is_ready)
        run(work.step, part=part, every_seconds=settings.WEIR_SAMPLE_SECONDS, at_end=work.end)


@dataclass(frozen=True, slots=True)
class _Watch:
    """The cluster that is sampled, under the settings of this version."""

    cluster: str
    version: int
    sampler: Sampler
    leadership: Leadership


class _OneCluster:
    """A scan while this process holds the cluster's lock; standing by while another does. `name` None: the only one."""

    def __init__(self, name: str | None) -> None:
        self.is_ready = False
        self.has_begun = False
        self._name = name
        self._report = PartReport("sample")
        self._watch: _Watch | None = None
        self._scans = telemetry.meter.create_counter(
            "weir.sample.scans", unit="{scan}", description="Scans, by outcome"
        )
        self._seconds = telemetry.meter.create_histogram(
            "weir.sample.duration", unit="s", description="Length of scans"
        )

    def step(self) -> None:
        """One round."""
        if self._watch is None or declared.version() != self._watch.version:
            self._watch = self._begun()
        if self._watch is None:
            return
        if self._watch.leadership.held():
            self._scan(self._watch)
        else:
            self._watch.sampler.forget()
            sentence = f"Stands by: another process samples {self._watch.cluster}."
            self._report.say(sentence, ok=True, now=clock.now())
        if not self.is_ready:
            announce_ready()
            self.is_ready = True

    def end(self) -> None:
        """Let others go on at once."""
        if self._watch is not None:
            self._watch.leadership.give_up()
        self._report.withdraw()

    def _begun(self) -> "_Watch | None":
        """What to watch, as is declared now; None, said on Health, where that names what cannot be used."""
        version = declared.version()
        if self._watch is not None:
            self._watch.leadership.give_up()
        try:
            document = declared.document()
            found = observing.observed(document)
            where = next((each for each in found if self._name in (None, each.name)), None)
            if where is None:
                self._report.say(f"No cluster is called {self._name} in the settings.", ok=False, now=clock.now())
                return None
            broker, records = observing.broker_metadata(where), observing.first_records(where)
        except (KafkaRefused, declared.Broken) as problem:
            self._report.say(str(problem), ok=False, now=clock.now())
            return None
        self.has_begun = True
        numbers = clusters.observe([each.name for each in found], version=version, now=clock.now())
        cluster_id = numbers[where.name]
        sampler = Sampler(
            broker,
            records=records,
            cluster_id=cluster_id,
            now=clock.now,
            holds_letters=observing.holds_letters(),
            group_of=group_of(document.readers.values(), where.name),
        )
        return _Watch(where.name, version, sampler, Leadership(Lead.SAMPLER, cluster_id))

    def _scan(self, watch: "_Watch") -> None:
        began = clock.now()
        with telemetry.span("scan"):
            reason = watch.sampler.tick()
        now = clock.now()
        seconds = (now - began).total_seconds()
        self._scans.add(1, {"outcome": "failed" if reason else "ok"})
        self._seconds.record(seconds)
        if reason is None:
            sentence = f"Scanned {watch.cluster} in {seconds:.2f} s."
            self._report.say(sentence, ok=True, now=now, value={"scan_seconds": round(seconds, 3)})
        else:
            sentence = f"{watch.cluster} does not answer: {reason}"
            self._report.say(sentence, ok=False, now=now, value={"waits_for": [watch.cluster]})


class _AllClusters:
    """The only cluster here; several by a process each, none of which ends with another."""

    def __init__(self) -> None:
        self.is_ready = False
        self._report = PartReport("sample")
        self._only = _OneCluster(None)
        self._children = Children(_command, self._environ)
        self._version = -1
        self._names: tuple[str, ...] = ()

    def step(self) -> None:
        """One round."""
        version = declared.version()
        if version != self._version:
            try:
                self._names = tuple(each.name for each in observing.observed(declared.document()))
            except declared.Broken as problem:
                self._report.say(str(problem), ok=False, now=clock.now())
                return
            self._version = version
        if len(self._names) == 1:
            self._children.stop()
            self._only.step()
            self.is_ready = self._only.is_ready
        else:
            self._keep_children()

    def end(self) -> None:
        """End the children first: their stop takes longest."""
        self._children.stop()
        self._only.end()

    def _keep_children(self) -> None:
        if self._only.has_begun:  # with its clients, which may end this process and all children with it
            self._only.end()
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  ourselves, anew
        self._children.keep(self._names)
        trouble = self._children.trouble
        sentence = trouble or f"Keeps a process for each of {len(self._names)} clusters."
        self._report.say(sentence, ok=trouble is None, now=clock.now())
        if not self.is_ready:
            announce_ready()
            self.is_ready = True

    def _environ(self, name: str) -> Mapping[str, str]:
        """Ours, with a port of its own for probes, and nobody to be told that it is ready."""
        port = settings.WEIR_SAMPLE_PORT
        own = str(port + 1 + self._names.index(name)) if port else ""
        return {**os.environ, "WEIR_READY_FILE": "", "WEIR_SAMPLE_PORT": own}


def _command(name: str) -> list[str]:
    return [sys.executable, *sys.orig_argv[1:], "--cluster", name, "--with-parent"]
