"""`manage.py sample`: asks the observed cluster for topics, groups and offsets, again and again."""

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection

from collector import clock, wiring
from collector.management.health import PartReport
from collector.management.running import run
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
        run(work.step, every_seconds=settings.WEIR_SAMPLE_SECONDS, at_end=work.report.withdraw)


class _Work:
    """A scan while this process holds the cluster's lock; standing by while another does."""

    def __init__(self) -> None:
        self.report = PartReport("sample")
        self._broker = wiring.broker_metadata()
        self._sampler: Sampler | None = None
        self._leadership: Leadership | None = None
        self._is_ready = False

    def step(self) -> None:
        if self._leadership is None or self._sampler is None:
            with connection.cursor() as cursor:
                cluster_id = broker_names.cluster_row(cursor, settings.WEIR_CLUSTER_NAME)
            self._leadership = Leadership(Lead.SAMPLER, cluster_id)
            self._sampler = Sampler(self._broker, cluster_id=cluster_id, now=clock.now)
        if self._leadership.held():
            self._scan(self._sampler)
        else:
            self._sampler.forget()
            self.report.say("Stands by: another process samples this cluster.", ok=True, now=clock.now())
        if not self._is_ready:
            announce_ready()
            self._is_ready = True

    def _scan(self, sampler: Sampler) -> None:
        began = clock.now()
        reason = sampler.tick()
        now = clock.now()
        seconds = (now - began).total_seconds()
        if reason is None:
            sentence = f"Scanned {settings.WEIR_CLUSTER_NAME} in {seconds:.2f} s."
            self.report.say(sentence, ok=True, now=now, value={"scan_seconds": round(seconds, 3)})
        else:
            self.report.say(f"{settings.WEIR_CLUSTER_NAME} does not answer: {reason}", ok=False, now=now)
