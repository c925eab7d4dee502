"""The plan of one retry: four blocks on one page, and the one button that sends."""

import secrets
from typing import TYPE_CHECKING, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods

from collector.clock import now
from collector.retry import records
from collector.retry.plans import Plan, plan, targets
from collector.retry.records import Asker
from collector.retry.refusals import Refusal
from collector.retry.requests import Requested, retry
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.audit import address_of
from dashboard.queries.dead_letter import Letter, letter

if TYPE_CHECKING:
    from dashboard.models import Person

LONGEST_TOPIC = 249  # Kafka's limit of a topic's name
OTHER = "*other"  # the one whose name is typed


@needs(Action.RETRY)
@require_http_methods(["GET", "HEAD", "POST"])
def retry_plan(request: HttpRequest, number: int) -> HttpResponse:
    """GET says what would happen and sends nothing, to the target that is chosen or where the letter goes by itself;
    POST sends this one letter to the target that was shown, once per form.
    """
    wanted = _wanted(request)
    found = letter(number)
    made = plan(number, target=wanted or None, now=now()) if found else None
    if found is None or made is None:
        raise Http404(f"There is no dead letter {number}.")
    if request.method != "POST":
        return _page(request, found, made, token=secrets.token_urlsafe(24))
    try:
        asked = _asked(request, made, target=wanted or None)
    except Refusal as refusal:
        return _page(request, found, made, token=secrets.token_urlsafe(24), error=str(refusal), status=409)
    there = reverse("retry", args=[asked.id])
    return HttpResponseRedirect(f"{there}?already=1" if asked.repeated else there)


def _wanted(request: HttpRequest) -> str:
    """The target that is asked for; "" for where the letter goes by itself."""
    said = request.POST if request.method == "POST" else request.GET
    name = said.get("target", "")
    return (said.get("other", "").strip() if name == OTHER else name)[:LONGEST_TOPIC]


def _asked(request: HttpRequest, made: Plan, *, target: str | None) -> Requested:
    """Send it, if what is to be confirmed was. Raises a Refusal, which is audited."""
    person = cast("Person", request.user)  # as `needs` made sure
    by, moment, number = Asker(person.pk, str(person), address_of(request)), now(), made.dead_letter
    typed = request.POST.get("typed", "")
    with records.refusals(by, moment, "retry", records.subject_of([number]), letters=1):
        made.agree(typed)
    return retry(
        [number],
        person_id=by.person_id,
        person_name=by.person_name,
        token=request.POST.get("token", ""),
        target=target,
        expect=1 if typed.strip() == "1" else None,  # who was not asked has not seen that the order is not known
        now=moment,
        address=by.address,
        sends_newer=request.POST.get("newer") == "send",
    )


def _page(
    request: HttpRequest, found: Letter, made: Plan, *, token: str, error: str = "", status: int = 200
) -> HttpResponse:
    within = shell.scope(request)
    choices = targets(found.id, chosen=made.target) if made.is_sendable else ()
    chosen = next((choice.value for choice in choices if made.target in choice.topics), made.target)
    facts = {
        "letter": found,
        "plan": made,
        "token": token,
        "error": error,
        "choices": choices,
        "chosen": chosen,
        "away": within.away(made.cluster),
    }
    crumbs = [
        shell.Crumb("Dead letters", reverse("dead_letters")),
        shell.Crumb(found.address, reverse("dead_letter", args=[found.id])),
        shell.Crumb("Retry plan"),
    ]
    return shell.page(
        request, "retry_plans/plan.html", facts, section="dead_letters", crumbs=crumbs, within=within, status=status
    )


urlpatterns = [
    path("dead-letters/<int:number>/retry/", retry_plan, name="retry_plan"),
]
