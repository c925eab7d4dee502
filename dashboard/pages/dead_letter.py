"""One dead letter: reason and stack, payload and headers, attempts, and what a person decides about it."""

import secrets
from typing import TYPE_CHECKING, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods

from collector.clock import now
from collector.retry import decisions, plans
from collector.retry.records import Asker
from collector.retry.refusals import Refusal
from dashboard import shell, unmasking
from dashboard.access import Action, can, needs, sentence
from dashboard.audit import address_of, recorded
from dashboard.payloads import readable, readable_headers
from dashboard.queries.dead_letter import Letter, letter
from dashboard.queries.letter_bodies import letter_body

if TYPE_CHECKING:
    from dashboard.models import Person

TABS = (("reason", "Reason and stack"), ("payload", "Payload and headers"), ("attempts", "Attempts"))
MOVES = ("processed", "open", "again")


@needs(Action.VIEW, post=Action.RETRY)
@require_http_methods(["GET", "HEAD", "POST"])
def dead_letter(request: HttpRequest, number: int) -> HttpResponse:
    """One letter: reason and stack, payload and headers, attempts. POST decides about one that may have been sent."""
    error = ""
    if request.method == "POST":
        try:
            return _decided(request, number)
        except Refusal as refusal:
            error = str(refusal)
    found = letter(number)
    if found is None:
        raise Http404(f"There is no dead letter {number}.")
    tab = request.GET.get("tab", "reason")
    facts = {
        "letter": found,
        "order": plans.order_of(number) if found.status == "open" or found.undecided else None,
        "why_not": plans.why_not(number) if found.status == "open" else None,
        "error": error,
        "token": secrets.token_urlsafe(24),
        "tabs": TABS,
        "tab": tab if tab in dict(TABS) else "reason",
        "event_url": reverse("event", args=[found.cluster, found.topic, found.partition, found.offset]),
        "may_retry": can(request.user, Action.RETRY),
        "may_triage": can(request.user, Action.TRIAGE),
        **_bytes(request, found, tab),
    }
    crumbs = [shell.Crumb("Dead letters", reverse("dead_letters"))]
    if found.failure_group:
        crumbs.append(shell.Crumb(found.failure_title, reverse("failure_group", args=[found.failure_group])))
    crumbs.append(shell.Crumb(found.address))
    return shell.page(
        request,
        "dead_letters/dead_letter.html",
        facts,
        section="dead_letters",
        crumbs=crumbs,
        streams=" ",
        status=409 if error else 200,
    )


def _decided(request: HttpRequest, number: int) -> HttpResponse:
    """Back to the letter, or to the operation that sends it again. Raises a Refusal, and Http404."""
    person = cast("Person", request.user)  # as `needs` made sure
    what = request.POST.get("do", "")
    if what not in MOVES or letter(number) is None:
        raise Http404(f"There is no dead letter {number}.")
    made = decisions.decide(
        number,
        Asker(person.pk, str(person), address_of(request)),
        what=cast("decisions.Move", what),
        reason=request.POST.get("reason", ""),
        typed=request.POST.get("typed", ""),
        token=request.POST.get("token", "")[:200],
        now=now(),
    )
    return HttpResponseRedirect(reverse("retry", args=[made.id]) if made else reverse("dead_letter", args=[number]))


def _bytes(request: HttpRequest, found: Letter, tab: str) -> dict[str, object]:
    """Value and headers for who may see them and asks; looking is written down."""
    if tab != "payload":
        return {}
    if not can(request.user, Action.SEE_PAYLOADS):
        return {"refusal": sentence(Action.SEE_PAYLOADS)}
    name = f"dead letter {found.id}"
    what = unmasking.view(request, now=now()).of([each for each in (found.topic, found.origin_topic) if each])
    what = unmasking.noted(request, what, name)
    with recorded("see payload", request, object=name):
        body = letter_body(found.id, lifted=what.lifted)
    if body is None:
        raise Http404(f"There is no dead letter {found.id}.")
    return {
        "key": readable(body.key) if found.key is None and body.key else None,
        "value": readable(body.value, n_bytes=body.n_bytes),
        "masked_by": body.rules,
        "masks": {"topics": body.maskable, "unmasked": what.granted, "may": can(request.user, Action.UNMASK)},
        "headers": None if body.headers is None else readable_headers(body.headers),
        "raw_headers": None if body.raw_headers is None else readable(body.raw_headers),
    }


urlpatterns = [
    path("dead-letters/<int:number>/", dead_letter, name="dead_letter"),
]
