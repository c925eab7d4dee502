"""`manage.py fold`: turns stored batches into counts and durations per edge, again and again."""

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand

from collector import clock, telemetry
from collector.folding.folder import Folder
from collector.management.health import PartReport
from collector.management.running import Part, run
from collector.ready import announce_ready
from collector.store.leadership import Lead, Leadership


class Command(BaseCommand):
    """Folds what the collectors stored. One process works; others stand by to take over."""

    help = "Fold stored batches into rollups, with a pause of WEIR_FOLD_SECONDS after each fold."
    requires_system_checks = (Tags.security,)  # the settings'; that of addresses loads all pages

    def handle(self, *_args: object, **_options: object) -> None:
        """Run until SIGTERM."""
        work = _Work()
        part = Part("fold", settings.WEIR_FOLD_PORT, lambda: work.is_ready)
        run(work.step, part=part, every_seconds=settings.WEIR_FOLD_SECONDS, at_end=work.report.withdraw)


class _Work:
    """A round while this process holds the lock; standing by while another does."""

    def __init__(self) -> None:
        self.report = PartReport("fold")
        self._folder = Folder(now=clock.now)
        self._leadership = Leadership(Lead.FOLDER)
        self.is_ready = False
        self._n_folded = 0
        telemetry.observe(
            "counter", "weir.fold.batches", lambda: self._n_folded, unit="{batch}", description="Batches folded"
        )

    def step(self) -> float | None:
        is_mine = self._leadership.held()
        if is_mine:
            with telemetry.span("fold"):
                self._n_folded += self._folder.step()
            sentence = f"Folded {self._n_folded:,} batches since its start."
            self.report.say(sentence, ok=True, now=clock.now(), value={"n_batches": self._n_folded})
        else:
            self.report.say("Stands by: another process folds.", ok=True, now=clock.now())
        if not self.is_ready:
            announce_ready()
            self.is_ready = True
        return self._folder.folded_at if is_mine else None
