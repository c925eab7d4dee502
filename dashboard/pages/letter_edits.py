"""Edit one dead letter and send the copy: two texts side by side, the difference, a reason, and one button."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods

from collector.clock import now
from collector.domain.editing import NotEditable
from collector.retry import approvals, consent, edits, records
from collector.retry.edits import Edit, Made, Offer
from collector.retry.plans import plan
from collector.retry.records import Asker
from collector.retry.refusals import Refusal
from collector.retry.requests import retry
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.audit import address_of, recorded
from dashboard.queries.dead_letter import Letter, letter

if TYPE_CHECKING:
    from dashboard.models import Person

MOST_REASON = 500
UNSEEN = "You changed it since the check. Look at the difference, then send."
LONGEST_TOPIC = 249  # Kafka's limit of a topic's name


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person sent: the value's text, headers by their place (None takes one out), the reason."""

    value: str
    headers: Mapping[int, str | None]
    reason: str


@needs(Action.RETRY)
@needs(Action.SEE_PAYLOADS)
@require_http_methods(["GET", "HEAD", "POST"])
def letter_edit(request: HttpRequest, number: int) -> HttpResponse:
    """GET shows both texts and sends nothing; POST `do=check` the difference, `do=send` sends the edited copy once."""
    found = letter(number)
    if found is None:
        raise Http404(f"There is no dead letter {number}.")
    offer, refusal = _offer(request, number)
    if offer is None or request.method != "POST":
        return _page(request, found, offer, refusal=refusal, status=409 if request.method == "POST" else 200)
    typed = _typed(request, offer)
    try:
        made = edits.made(number, value=typed.value, headers=typed.headers, reason=typed.reason)
        if request.POST.get("do") != "send":
            return _page(request, found, offer, typed=typed, made=made)
        if request.POST.get("checked") != made.digest:
            return _page(request, found, offer, typed=typed, made=made, error=UNSEEN, status=409)
        return _sent(request, number, made.edit)
    except NotEditable as problem:
        return _page(request, found, offer, typed=typed, error=str(problem), field=problem.field, status=409)
    except Refusal as refused:
        return _page(request, found, offer, typed=typed, made=made, error=str(refused), status=409)


def _offer(request: HttpRequest, number: int) -> tuple[Offer | None, str]:
    """What can be edited, or why nothing can; looking at it is written down."""
    with recorded("see payload", request, object=f"dead letter {number}"):
        try:
            return edits.offer(number), ""
        except NotEditable as problem:
            return None, str(problem)


def _typed(request: HttpRequest, offer: Offer) -> Typed:
    changes: dict[int, str | None] = {}
    for header in offer.headers:
        if f"remove-{header.index}" in request.POST:
            changes[header.index] = None
        elif f"header-{header.index}" in request.POST:
            changes[header.index] = request.POST[f"header-{header.index}"]
    return Typed(request.POST.get("value", ""), changes, request.POST.get("reason", "").strip()[:MOST_REASON])


def _sent(request: HttpRequest, number: int, edit: Edit) -> HttpResponse:
    """Send the copy, or let it wait for a second person."""
    person = cast("Person", request.user)  # as `needs` made sure
    by, moment = Asker(person.pk, str(person), address_of(request)), now()
    token, sends_newer = request.POST.get("token", ""), request.POST.get("newer") == "send"
    target = request.POST.get("target", "")[:LONGEST_TOPIC] or None  # as the check said
    expect = 1 if (typed := request.POST.get("typed", "")).strip() == "1" else None
    with records.refusals(by, moment, "edit and retry", records.subject_of([number]), letters=1):
        if (plan_now := plan(number, target=target, now=moment)) is not None:
            plan_now.agree(typed)
    if consent.needed(1, edited=True):
        asked = approvals.ask_for_edit(
            number, edit, by, token=token, now=moment, target=target, expect=expect, sends_newer=sends_newer
        )
        return HttpResponseRedirect(reverse("retry", args=[asked.id]))
    made = retry(
        [number],
        person_id=by.person_id,
        person_name=by.person_name,
        token=token,
        target=target,
        expect=expect,
        now=moment,
        address=by.address,
        sends_newer=sends_newer,
        name=approvals.COPY,
        edit=edit,
    )
    return HttpResponseRedirect(f"{reverse('retry', args=[made.id])}{'?already=1' if made.repeated else ''}")


def _page(
    request: HttpRequest,
    found: Letter,
    offer: Offer | None,
    *,
    refusal: str = "",
    typed: Typed | None = None,
    made: Made | None = None,
    error: str = "",
    field: str = "",
    status: int = 200,
) -> HttpResponse:
    facts: dict[str, object] = {
        "letter": found,
        "error": error,
        "field": field,
        "refusal": refusal,
        "made": made,
        "token": secrets.token_urlsafe(24),
    }
    if offer is not None:
        facts["original"] = offer.text
        facts["n_hidden"] = offer.n_hidden
        facts["value"] = typed.value if typed else offer.text
        facts["headers"] = [
            (header, typed.headers.get(header.index, header.text) if typed else header.text) for header in offer.headers
        ]
        facts["reason"] = typed.reason if typed else ""
        facts["plan"] = plan(found.id, now=now())
        facts["asks"] = consent.needed(1, edited=True)
    crumbs = [
        shell.Crumb("Dead letters", reverse("dead_letters")),
        shell.Crumb(found.address, reverse("dead_letter", args=[found.id])),
        shell.Crumb("Edit"),
    ]
    return shell.page(request, "dead_letters/edit.html", facts, section="dead_letters", crumbs=crumbs, status=status)


urlpatterns = [
    path("dead-letters/<int:number>/edit/", letter_edit, name="letter_edit"),
]
