"""Edit one dead letter and send the copy: two texts side by side, the difference, a reason, and one button."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods

from collector.clock import now
from collector.domain import editing
from collector.domain.editing import NotEditable
from collector.domain.records import Headers
from collector.retry.plans import plan
from collector.retry.refusals import Refusal
from collector.retry.requests import Edit, retry
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.audit import address_of, recorded
from dashboard.queries.dead_letter import Body, Letter, letter, letter_body
from dashboard.queries.hiding import aim_for

if TYPE_CHECKING:
    from dashboard.models import Person

MOST_REASON = 500


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
    with recorded("see payload", request, object=f"dead letter {number}"):
        body = letter_body(number)
    if body is None:
        raise Http404(f"There is no dead letter {number}.")
    if request.method != "POST":
        return _page(request, found, body, typed=None)
    typed = _typed(request, body.headers or ())
    try:
        edit = _edit(found, body, typed)
        if request.POST.get("do") != "send":
            return _page(request, found, body, typed=typed, edit=edit)
        return _sent(request, number, edit)
    except (NotEditable, Refusal) as problem:
        return _page(request, found, body, typed=typed, error=str(problem), status=409)


def _typed(request: HttpRequest, headers: Headers) -> Typed:
    changes: dict[int, str | None] = {}
    for header in editing.editable_headers(headers):
        if f"remove-{header.index}" in request.POST:
            changes[header.index] = None
        elif f"header-{header.index}" in request.POST:
            changes[header.index] = request.POST[f"header-{header.index}"]
    return Typed(request.POST.get("value", ""), changes, request.POST.get("reason", "").strip()[:MOST_REASON])


def _edit(found: Letter, body: Body, typed: Typed) -> Edit:
    """What would be sent. Raises NotEditable."""
    _masks(found)
    value = editing.edited_value(body.value or b"", typed.value)
    headers = editing.edited_headers(_headers(body), typed.headers)
    if (value, headers) == (body.value, body.headers):
        raise NotEditable("Nothing is changed. Use Retry to send the original.")
    if not typed.reason:
        raise NotEditable("Give a reason.")
    return Edit(value, headers, typed.reason)


def _headers(body: Body) -> Headers:
    """Raises NotEditable where what was stored of them cannot be read."""
    if body.headers is None:
        raise NotEditable("Cannot be edited: its stored headers cannot be read.")
    return body.headers


def _masks(found: Letter) -> None:
    """Raises NotEditable where a person does not see all of what they would send."""
    if aim_for(found.topic, found.origin_topic):
        raise NotEditable("Cannot be edited: parts of it are masked. Retry sends the original bytes.")


def _sent(request: HttpRequest, number: int, edit: Edit) -> HttpResponse:
    person = cast("Person", request.user)  # as `needs` made sure
    made = retry(
        [number],
        person_id=person.pk,
        person_name=str(person),
        token=request.POST.get("token", ""),
        target=None,
        expect=1,
        now=now(),
        address=address_of(request),
        name="edited copy",
        edit=edit,
    )
    return HttpResponseRedirect(f"{reverse('retry', args=[made.id])}{'?already=1' if made.repeated else ''}")


def _page(
    request: HttpRequest,
    found: Letter,
    body: Body,
    *,
    typed: Typed | None,
    edit: Edit | None = None,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    facts: dict[str, object] = {"letter": found, "error": error, "edit": edit, "token": secrets.token_urlsafe(24)}
    try:
        _masks(found)
        facts["original"] = editing.editable_text(body.value)
        facts["value"] = typed.value if typed else facts["original"]
        facts["headers"] = [
            (header, typed.headers.get(header.index, header.text) if typed else header.text)
            for header in editing.editable_headers(_headers(body))
        ]
        facts["reason"] = typed.reason if typed else ""
        facts["plan"] = plan(found.id, now=now())
        if edit is not None:
            facts["lines"] = editing.difference(body.value or b"", edit.value)
            facts["n_headers"] = _n_changed(_headers(body), edit.headers)
    except NotEditable as problem:
        facts["refusal"] = str(problem)
    crumbs = [
        shell.Crumb("Dead letters", reverse("dead_letters")),
        shell.Crumb(found.address, reverse("dead_letter", args=[found.id])),
        shell.Crumb("Edit"),
    ]
    return shell.page(request, "dead_letters/edit.html", facts, section="dead_letters", crumbs=crumbs, status=status)


def _n_changed(before: Headers, after: Headers) -> int:
    """How many headers are other than before, or gone."""
    return sum(pair not in after for pair in before)


urlpatterns = [
    path("dead-letters/<int:number>/edit/", letter_edit, name="letter_edit"),
]
