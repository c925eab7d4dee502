"""The one layout of the graph: asking to tidy it up, and to undo that. A worker does it, all pages see it."""

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from dashboard import placements
from dashboard.access import Action, needs
from dashboard.audit import recorded

_DEEDS = {"tidy": "tidy up the graph", "undo": "undo tidying up the graph"}


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


urlpatterns = [
    path("layout/", layout, name="layout"),
]
