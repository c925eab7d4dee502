"""The one layout of the graph: asking to tidy it up and to undo that, which a worker does; pins. All pages see it."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from collector.clock import now
from collector.domain.texts import storable
from dashboard import placements
from dashboard.access import Action, needs
from dashboard.audit import recorded

_DEEDS = {"tidy": "tidy up the graph", "undo": "undo tidying up the graph"}
_PINS = {"pin": 0, "up": -1, "down": 1}
_PIN_DEEDS = {
    "pin": "pin a node",
    "up": "move a pinned node up",
    "down": "move a pinned node down",
    "unpin": "unpin a node",
}


@require_POST
@needs(Action.ARRANGE)
def layout(request: HttpRequest) -> HttpResponse:
    """Ask for `wanted`: tidy or undo."""
    wanted = request.POST.get("wanted", "")
    if wanted not in _DEEDS:
        return HttpResponseBadRequest("wanted is tidy or undo.", content_type="text/plain")
    with recorded(_DEEDS[wanted], request, object="layout"):
        placements.ask(wanted)
    return HttpResponseRedirect(reverse("overview"))


@require_POST
@needs(Action.ARRANGE)
def pins(request: HttpRequest) -> HttpResponse:
    """Pin `node` to its place, a row further up or down, or let it go: `wanted` is pin, up, down or unpin."""
    wanted, node = request.POST.get("wanted", ""), storable(request.POST.get("node", ""))
    if wanted not in _PIN_DEEDS or not node:
        return HttpResponseBadRequest("wanted is pin, up, down or unpin; node is an id.", content_type="text/plain")
    with recorded(_PIN_DEEDS[wanted], request, object=node):
        if wanted == "unpin":
            placements.unpin(node)
        else:
            placements.pin(node, rows=_PINS[wanted], who=str(request.user), now=now())
    return HttpResponseRedirect(f"{reverse('overview')}?{urlencode({'sel': node})}")


urlpatterns = [
    path("layout/", layout, name="layout"),
    path("layout/pins/", pins, name="pins"),
]
