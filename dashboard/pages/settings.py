"""Settings: what Weir is told, and from where; who may sign in, and which tokens there are."""

from django.conf import settings as process
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from collector.clock import now
from dashboard import shell
from dashboard.access import Action, can, needs
from dashboard.queries.settings import MOST_LISTED, people, standing, tokens

_OF_ENVIRONMENT = {  # where a declared table says nothing, this counts
    "taps": ("WEIR_TAP", "WEIR_TAP_PAYLOADS", "WEIR_BUSINESS_KEYS"),
    "clusters": ("WEIR_KAFKA_BOOTSTRAP",),
}
_KEPT = ("WEIR_KEEP_RAW", "WEIR_KEEP_DETAILS", "WEIR_KEEP_CHUNKS", "WEIR_KEEP_10S", "WEIR_KEEP_1M", "WEIR_KEEP_1H")


@needs(Action.VIEW)
@require_safe
def settings(request: HttpRequest) -> HttpResponse:
    """All that is set; viewers and operators see names. Settings are changed by a file, and on the pages it links."""
    may_see = can(request.user, Action.SEE_SETTINGS)
    moment = now()
    found = standing()
    facts = {
        "standing": found,
        "kinds": [(kind, _environment(kind.key)) for kind in found.kinds],
        "kept": [(name, getattr(process, name).total_seconds()) for name in _KEPT],
        "may_see": may_see,
        "may_describe": can(request.user, Action.DESCRIBE),
        "most_listed": MOST_LISTED,
        **({"tokens": tokens(now=moment), "people": people()} if may_see else {}),
    }
    return shell.page(request, "settings/settings.html", facts, section="settings", crumbs=[shell.Crumb("Settings")])


def _environment(kind: str) -> list[tuple[str, str]]:
    return [(name, _written(getattr(process, name))) for name in _OF_ENVIRONMENT.get(kind, ())]


def _written(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


urlpatterns = [
    path("settings/", settings, name="settings"),
]
