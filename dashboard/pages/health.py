"""Health: is Weir itself keeping up?"""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from collector.clock import now
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.queries.health import health
from dashboard.queries.intake_losses import intake_losses

_LEVELS = {"ok": "ok", "failing": "failing", "delayed": "degraded", "missing": "unknown"}
_WORDS = {"ok": "OK", "failing": "Failing", "delayed": "Delayed", "missing": "Not seen"}


@needs(Action.VIEW)
def health_page(request: HttpRequest) -> HttpResponse:
    """Every part with its state, what it last said, and what it means when it is late."""
    page, losses = health(now=now()), intake_losses(now=now())
    parts = [(part, _LEVELS.get(part.state, "unknown"), _WORDS.get(part.state, part.state)) for part in page.parts]
    return shell.page(
        request,
        "health/health.html",
        {"health": page, "losses": losses, "parts": parts},
        section="health",
        crumbs=[shell.Crumb("Health")],
        streams=" ",
    )


urlpatterns = [
    path("health/", health_page, name="health"),
]
