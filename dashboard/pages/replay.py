"""Frames of a replay, as the overview's script fetches them."""

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from collector.clock import now
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.crowding import heavy
from dashboard.queries.asked import asked
from dashboard.queries.replay import MOST_FRAMES, as_plain, frames, step_of
from dashboard.queries.window import Window


@needs(Action.VIEW)
@heavy
def replay_frames(request: HttpRequest) -> HttpResponse:
    """The window `from` to `to` and the `n` - 1 after it, each a step later, as far as a request's work goes."""
    span, within, shown = shell.window(request), shell.scope(request), asked(request.GET).shown
    text = request.GET.get("n", str(MOST_FRAMES))
    if not text.isdecimal() or len(text) > 2 or not 1 <= int(text) <= MOST_FRAMES:
        raise BadRequest(f"n is a number from 1 to {MOST_FRAMES}.")
    first = Window(span.from_at, span.to_at, live=False)
    step = step_of(first, now=now())
    found = frames(first, step, int(text), now=now(), clusters=within.chosen, idle=shown.idle, internal=shown.internal)
    return JsonResponse(as_plain(list(found), step))


urlpatterns = [
    path("replay/frames/", replay_frames, name="replay_frames"),
]
