"""After how long an event counts as stuck, where somebody who may says so."""

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from collector.clock import now
from collector.config.stuck_limits import NotALimit, Waiting, clear_limit, set_limit
from collector.domain.durations import seconds_of
from collector.domain.identities import parts
from dashboard.access import Action, needs
from dashboard.audit import recorded


@require_POST
@needs(Action.SET_LIMITS)
def stuck_limit_page(request: HttpRequest) -> HttpResponse:
    """Set a limit, or with `clear` let what is usual count again; then back to what is stuck."""
    waiting, clears = _waiting(request.POST), bool(request.POST.get("clear"))
    who = request.POST.get("who", "") + (f" → {waiting.next_topic}" if waiting.next_topic else "")
    name = f"{request.POST.get('topic', '')} {who}"[:400]
    with recorded("clear stuck limit" if clears else "set stuck limit", request, object=name) as deed:
        try:
            if clears:
                clear_limit(waiting)
            else:
                deed.facts["seconds"] = seconds = _seconds(request.POST)
                set_limit(waiting, seconds, by=str(request.user), now=now())
        except NotALimit as error:
            raise BadRequest(str(error)) from error
    return HttpResponseRedirect(f"{reverse('events')}?view=stuck#limits")


def _seconds(fields: QueryDict) -> float:
    seconds = seconds_of(fields.get("limit", ""))
    if seconds is None:
        raise BadRequest("Give a time with its unit, such as 30 s, 5 min or 2 h.")
    return seconds


def _waiting(fields: QueryDict) -> Waiting:
    topic, who = parts(fields.get("topic", "")), parts(fields.get("who", ""))
    following = fields.get("next_topic") or None
    if topic is None or topic[0] != "topic" or who is None or who[0] == "topic":
        raise BadRequest("Name a topic, and a group or a service.")
    cluster, name = topic[1]
    if who[0] == "group":
        if who[1][0] != cluster or following:
            raise BadRequest("A group reads topics of its own cluster.")
        return Waiting(cluster, name, group=who[1][1])
    namespace, service = who[1] if len(who[1]) > 1 else ("", who[1][0])
    return Waiting(cluster, name, service=(namespace, service), next_topic=following)


urlpatterns = [
    path("events/limits/", stuck_limit_page, name="stuck_limit"),
]
