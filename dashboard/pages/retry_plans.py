"""The plan of one retry: four blocks on one page, and the one button that sends."""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods

from collector.clock import now
from collector.retry.plans import Plan, plan
from collector.retry.refusals import Refusal
from collector.retry.requests import retry
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.audit import address_of
from dashboard.queries.dead_letter import Letter, letter

if TYPE_CHECKING:
    from dashboard.models import Person

LONGEST_TOPIC = 249  # Kafka's limit of a topic's name


@needs(Action.RETRY)
@require_http_methods(["GET", "HEAD", "POST"])
def retry_plan(request: HttpRequest, number: int) -> HttpResponse:
    """GET says what would happen and sends nothing; POST sends this one letter, once per form."""
    wanted = (request.POST if request.method == "POST" else request.GET).get("target", "")[:LONGEST_TOPIC]
    found = letter(number)
    made = plan(number, target=wanted or None, now=now()) if found else None
    if found is None or made is None:
        raise Http404(f"There is no dead letter {number}.")
    if request.method != "POST":
        return _page(request, found, made, token=secrets.token_urlsafe(24))
    person = cast("Person", request.user)  # as `needs` made sure
    token = request.POST.get("token", "")
    try:
        asked = retry(
            [number],
            person_id=person.pk,
            person_name=str(person),
            token=token,
            target=wanted or None,
            expect=1,
            now=now(),
            address=address_of(request),
        )
    except Refusal as refusal:
        return _page(request, found, made, token=secrets.token_urlsafe(24), error=str(refusal), status=409)
    there = reverse("retry", args=[asked.id])
    return HttpResponseRedirect(f"{there}?already=1" if asked.repeated else there)


def _page(
    request: HttpRequest, found: Letter, made: Plan, *, token: str, error: str = "", status: int = 200
) -> HttpResponse:
    facts = {"letter": found, "plan": made, "token": token, "error": error, "targets": _targets(found, made)}
    crumbs = [
        shell.Crumb("Dead letters", reverse("dead_letters")),
        shell.Crumb(found.address, reverse("dead_letter", args=[found.id])),
        shell.Crumb("Retry plan"),
    ]
    return shell.page(request, "retry_plans/plan.html", facts, section="dead_letters", crumbs=crumbs, status=status)


def _targets(found: Letter, made: Plan) -> Sequence[str]:
    """What may be chosen: where it goes by itself, and where it came from."""
    usual = plan(found.id, now=now())
    wanted = [usual.target if usual else None, found.origin_topic, made.target]
    return list(dict.fromkeys(name for name in wanted if name))


urlpatterns = [
    path("dead-letters/<int:number>/retry/", retry_plan, name="retry_plan"),
]
