"""`manage.py sample`: asks the observed cluster for topics, groups and offsets, again and again."""

from dataclasses import dataclass

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection

from collector import clock, telemetry, wiring
from collector.config import declared
from collector.management.health import PartReport
from collector.management.running import Part, run
from collector.ports import KafkaRefused
from collector.ready import announce_ready
from collector.sampling.sampler import Sampler
from collector.store import broker_names
from collector.store.leadership import Lead, Leadership


class Command(BaseCommand):
    """Samples the observed cluster. One process per cluster works; others stand by to take over."""

    help = "Sample topics, groups and offsets of the observed cluster, every WEIR_SAMPLE_SECONDS."

    def handle(self, *_args: object, **_options: object) -> None:
        """Run until SIGTERM."""
        work = _Work()
        part = Part("sample", settings.WEIR_SAMPLE_PORT, lambda: work.is_ready)
        run(work.step, part=part, every_seconds=settings.WEIR_SAMPLE_SECONDS, at_end=work.report.withdraw)


@dataclass(frozen=True, slots=True)
class _Watch:
    """The cluster that is sampled, under the settings of this version."""

    cluster: str
    version: int
    sampler: Sampler
    leadership: Leadership


class _Work:
    """A scan while this process holds the cluster's lock; standing by while another does."""

    def __init__(self) -> None:
        self.report = PartReport("sample")
        self._watch: _Watch | None = None
        self.is_ready = False
        self._scans = telemetry.meter.create_counter(
            "weir.sample.scans", unit="{scan}", description="Scans, by outcome"
        )
        self._seconds = telemetry.meter.create_histogram(
            "weir.sample.duration", unit="s", description="Length of scans"
        )

    def step(self) -> None:
        if self._watch is None or declared.version() != self._watch.version:
            self._watch = self._begun()
        if self._watch is None:
            return
        if self._watch.leadership.held():
            self._scan(self._watch)
        else:
            self._watch.sampler.forget()
            self.report.say("Stands by: another process samples this cluster.", ok=True, now=clock.now())
        if not self.is_ready:
            announce_ready()
            self.is_ready = True

    def _begun(self) -> "_Watch | None":
        """What to watch, as is declared now; None, said on Health, where that names what cannot be used."""
        version = declared.version()
        if self._watch is not None:
            self._watch.leadership.give_up()
        try:
            where = wiring.observed()
            broker, records = wiring.broker_metadata(where), wiring.first_records(where)
        except (KafkaRefused, declared.Broken) as problem:
            self.report.say(str(problem), ok=False, now=clock.now())
            return None
        with connection.cursor() as cursor:
            cluster_id = broker_names.cluster_row(cursor, where.name)
        sampler = Sampler(broker, records=records, cluster_id=cluster_id, now=clock.now)
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
            self.report.say(sentence, ok=True, now=now, value={"scan_seconds": round(seconds, 3)})
        else:
            self.report.say(f"{watch.cluster} does not answer: {reason}", ok=False, now=now)
