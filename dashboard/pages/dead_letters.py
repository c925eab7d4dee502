"""Dead letters: what failed, where, why; groups of failures, the list, and one letter."""

import secrets

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse

from dashboard import shell
from dashboard.access import Action, can, needs, sentence
from dashboard.audit import recorded
from dashboard.payloads import readable, readable_headers
from dashboard.queries.dead_letters import (
    MOST_GROUPS,
    STATUSES,
    FailureGroup,
    Letter,
    failure_groups,
    letter,
    letter_body,
    parked_letters,
    state_counts,
)
from dashboard.queries.dead_letters import failure_group as one_group
from dashboard.templatetags.states import LETTER

SHOWN_STATES = ("open", "retry_requested", "sent", "unknown", "processed", "passed", "archived")
TABS = (("reason", "Reason and stack"), ("payload", "Payload and headers"), ("attempts", "Attempts"))


@needs(Action.VIEW)
def dead_letter_list(request: HttpRequest) -> HttpResponse:
    """Failure groups, or with `view=list` one row per letter."""
    return _list(request, group=None)


@needs(Action.VIEW)
def failure_group(request: HttpRequest, number: int) -> HttpResponse:
    """The letters of one failure."""
    found = one_group(number)
    if found is None:
        raise Http404(f"There is no failure group {number}.")
    return _list(request, group=found)


@needs(Action.VIEW)
def dead_letter(request: HttpRequest, number: int) -> HttpResponse:
    """One letter: reason and stack, payload and headers, attempts."""
    found = letter(number)
    if found is None:
        raise Http404(f"There is no dead letter {number}.")
    tab = request.GET.get("tab", "reason")
    facts = {
        "letter": found,
        "tabs": TABS,
        "tab": tab if tab in dict(TABS) else "reason",
        "event_url": reverse("event", args=[found.cluster, found.topic, found.partition, found.offset]),
        "may_retry": can(request.user, Action.RETRY),
        **_bytes(request, found, tab),
    }
    crumbs = [shell.Crumb("Dead letters", reverse("dead_letters"))]
    if found.failure_group:
        crumbs.append(shell.Crumb(found.failure_title, reverse("failure_group", args=[found.failure_group])))
    crumbs.append(shell.Crumb(found.address))
    return shell.page(
        request, "dead_letters/dead_letter.html", facts, section="dead_letters", crumbs=crumbs, streams=" "
    )


def _list(request: HttpRequest, *, group: FailureGroup | None) -> HttpResponse:
    view = "list" if group or request.GET.get("view") == "list" else "groups"
    status = request.GET.get("status", "open")
    status = status if status in STATUSES else "open"
    after = request.GET.get("after", "")
    cursor = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else None
    counts = state_counts()
    wanted = None if group and "status" not in request.GET else status
    facts = {
        "view": view,
        "group": group,
        "status": wanted,
        "word": LETTER[status][1],
        "states": [(name, LETTER[name][1], counts.get(name, 0)) for name in SHOWN_STATES],
        "may_retry": can(request.user, Action.RETRY),
        "token": secrets.token_urlsafe(24),
        "groups": failure_groups() if view == "groups" else (),
        "most_groups": MOST_GROUPS,
        "letters": parked_letters(status=wanted, failure_group=group.id if group else None, after=cursor)
        if view == "list"
        else None,
    }
    crumbs = [shell.Crumb("Dead letters", reverse("dead_letters") if group else "")]
    if group:
        crumbs.append(shell.Crumb(group.title))
    return shell.page(
        request, "dead_letters/dead_letters.html", facts, section="dead_letters", crumbs=crumbs, streams=" "
    )


def _bytes(request: HttpRequest, found: Letter, tab: str) -> dict[str, object]:
    """Value and headers for who may see them and asks; looking is written down."""
    if tab != "payload":
        return {}
    if not can(request.user, Action.SEE_PAYLOADS):
        return {"refusal": sentence(Action.SEE_PAYLOADS)}
    with recorded("see payload", request, object=f"dead letter {found.id}"):
        body = letter_body(found.id)
    if body is None:
        raise Http404(f"There is no dead letter {found.id}.")
    return {"value": readable(body.value, n_bytes=body.n_bytes), "headers": readable_headers(body.headers)}


urlpatterns = [
    path("dead-letters/", dead_letter_list, name="dead_letters"),
    path("dead-letters/groups/<int:number>/", failure_group, name="failure_group"),
    path("dead-letters/<int:number>/", dead_letter, name="dead_letter"),
]
