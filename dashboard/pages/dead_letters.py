"""Dead letters: what failed, where, why; groups of failures and the list, and what people do with them."""

import secrets
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, TypedDict, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.http import require_http_methods

from collector.clock import now
from collector.config import declared
from collector.retry import decisions, notes
from collector.retry.records import Asker
from collector.retry.refusals import NotNow, Refusal
from collector.retry.requests import MOST_LETTERS
from dashboard import shell
from dashboard.access import Action, can, needs
from dashboard.audit import address_of, recorded
from dashboard.crowding import heavy
from dashboard.payload_searches import chosen, noted
from dashboard.queries.chips import chips
from dashboard.queries.dead_letters import STATUSES, Letters, parked_letters, state_counts
from dashboard.queries.failure_facts import backfills, expiring, failed_in, failure_facts, letter_topics
from dashboard.queries.failure_groups import MOST_GROUPS, FailureGroup, failure_groups
from dashboard.queries.failure_groups import failure_group as one_group
from dashboard.queries.failure_keys import header_names, key_shelves
from dashboard.queries.failure_parts import merged, rereadings, stands_for
from dashboard.queries.failure_shelves import KIND_WORDS, KINDS, shelves
from dashboard.queries.hiding import masked_topics
from dashboard.queries.letter_export import MOST_LETTERS as MOST_EXPORTED
from dashboard.queries.letter_filter import (
    MOST_READ,
    MOST_VALUE,
    MOST_VALUES,
    BadFilter,
    Condition,
    condition,
    of_clusters,
    tokens,
)
from dashboard.queries.letter_mappings import unexplained
from dashboard.queries.letter_selection import n_matching
from dashboard.queries.letter_words import vocabulary
from dashboard.queries.letters_leaving import MOST_LOOKED, Leaving, leaving_letters
from dashboard.templatetags.states import LETTER

if TYPE_CHECKING:
    from dashboard.models import Person

SHOWN_STATES = ("open", "retry_requested", "sent", "no_answer", "unknown", "processed", "passed", "archived")
COUNTED = 10_000
ALL = "all"
BY_HEADER = "header"
PRESETS = (("Died more than once", "attempt>=2"), ("Last hour", "age<1h"), ("Leaves Kafka within 3 h", "expires<3h"))


class _Wanted(TypedDict):
    """Which letters a list holds, in whatever order."""

    status: str | None
    failure_group: int | None
    filtered: Condition


@needs(Action.VIEW, post=Action.TRIAGE)
@heavy
@require_http_methods(["GET", "HEAD", "POST"])
def dead_letter_list(request: HttpRequest) -> HttpResponse:
    """Failure groups, or with `view=list` one row per letter. POST archives or restores a selection."""
    if request.method == "POST":
        return _shelved(request)
    return _list(request, group=None)


@needs(Action.VIEW, post=Action.TRIAGE)
@heavy
@require_http_methods(["GET", "HEAD", "POST"])
def failure_group(request: HttpRequest, number: int) -> HttpResponse:
    """The letters of one failure; one that was merged leads to the other. POST assigns it, or notes something."""
    found = one_group(number)
    if found is None:
        if other := stands_for(number):
            return HttpResponseRedirect(reverse("failure_group", args=[other]))
        raise Http404(f"There is no failure group {number}.")
    if request.method == "POST":
        return _written(request, number)
    return _list(request, group=found)


def _written(request: HttpRequest, number: int) -> HttpResponse:
    by = _asker(request)
    try:
        if request.POST.get("do") == "assign":
            notes.assign(number, by, to=request.POST.get("assignee", ""), now=now())
        elif request.POST.get("do") == "note":
            notes.note(number, by, text=request.POST.get("note", ""), now=now())
    except NotNow as gone:  # between the question and the deed
        raise Http404(str(gone)) from gone
    return _back(request, reverse("failure_group", args=[number]))


def _shelved(request: HttpRequest) -> HttpResponse:
    names = ("letter", "letters", "group", "within", "status", "q", "matching")
    fields = {name: request.POST.getlist(name) for name in names}
    what, _, whole = request.POST.get("do", "").partition(" ")
    if whole:  # "archive all", "restore all"
        fields["matching"] = ["1"]
    deed = decisions.restore if what == "restore" else decisions.archive
    try:
        found = chosen(request, fields, most=MOST_LETTERS, may_read=can(request.user, Action.SEE_PAYLOADS))
        deed(found.letters, _asker(request), reason=request.POST.get("reason", ""), now=now())
    except (Refusal, BadFilter):
        raise Http404("Nothing was chosen.") from None
    return _back(request, reverse("dead_letters"))


def _back(request: HttpRequest, default: str) -> HttpResponseRedirect:
    """To the page that asked, as it says."""
    back = request.POST.get("next", "")
    safe = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return HttpResponseRedirect(back if safe else default)


def _asker(request: HttpRequest) -> Asker:
    person = cast("Person", request.user)  # as `needs` made sure
    return Asker(person.pk, str(person), address_of(request))


def _list(request: HttpRequest, *, group: FailureGroup | None) -> HttpResponse:
    query = request.GET.get("q", "").strip()
    view = "list" if group or query or request.GET.get("view") == "list" else "groups"
    within = shell.scope(request)
    if view == "list" and not group and within.chosen and "cluster:" not in query:
        return HttpResponseRedirect(_narrowed(request, query, within.chosen))
    status = request.GET.get("status", "all" if group else "open")
    status = status if status in {ALL, *STATUSES} else "open"
    wanted = None if status == ALL else status
    may_retry = can(request.user, Action.RETRY)
    facts = {
        "view": view,
        "group": group,
        "status": wanted,
        "shown_status": status,
        "kept_status": status if "status" in request.GET else "",
        "word": LETTER[status][1] if wanted else "",
        "q": query,
        **_asking(),
        "may_retry": may_retry,
        "may_triage": can(request.user, Action.TRIAGE),
        "token": secrets.token_urlsafe(24),
        "most_groups": MOST_GROUPS,
        "most_letters": MOST_LETTERS,
        "expiring": expiring(now=now(), clusters=within.chosen),
        "backfills": backfills(within.chosen),
        "rereadings": rereadings(),
        "unexplained": unexplained(within.chosen),
        "letter_topics": letter_topics,  # asked where the page is empty
        "may_describe": can(request.user, Action.DESCRIBE),
        **(_groups(request, group, within.chosen) if view == "groups" or group else {}),
        **(_letters(request, query, wanted, group) if view == "list" else {}),
        **({"merged": merged(group.id), "failed_in": failed_in(group.id)} if group else {}),
    }
    counts = state_counts(within.chosen)
    n_all = sum(counts.values())
    facts["n_unfiltered"] = _unfiltered(group, wanted, counts, n_all)
    facts["states"] = [*((name, LETTER[name][1], counts.get(name, 0)) for name in SHOWN_STATES), (ALL, "All", n_all)]
    crumbs = [shell.Crumb("Dead letters", reverse("dead_letters") if group else "")]
    if group:
        crumbs.append(shell.Crumb(group.title))
    return shell.page(
        request,
        "dead_letters/dead_letters.html",
        facts,
        section="dead_letters",
        crumbs=crumbs,
        streams=" ",
        within=within,
    )


def _asking() -> dict[str, object]:
    """What can be asked for."""
    return {"presets": PRESETS, "words": vocabulary()}


def _unfiltered(group: FailureGroup | None, status: str | None, counts: Mapping[str, int], n_all: int) -> int | None:
    """How many there are without a filter; None where nobody counts them."""
    if group:
        return group.n_all if status is None else None
    return n_all if status is None else counts.get(status)


def _narrowed(request: HttpRequest, query: str, clusters: Collection[str]) -> str:
    """This page with the chosen clusters in its filter: what is acted on below must be what the filter says."""
    asked = request.GET.copy()
    asked["q"] = of_clusters(query, clusters)
    return f"{request.path}?{asked.urlencode()}"


def _groups(request: HttpRequest, group: FailureGroup | None, clusters: Collection[str] | None) -> dict[str, object]:
    """One, or all of them; below what they have in common, or a header that their letters carry, where `by` asks.

    Values of headers are for those who may see payloads, and each look at them is written down.
    """
    found = (group,) if group else failure_groups(clusters)
    by = request.GET.get("by", "")
    names = () if group or not can(request.user, Action.SEE_PAYLOADS) else header_names()
    if by == BY_HEADER and names:
        name = request.GET.get("header", "")
        with recorded("group by header", request, object=(name := name if name in names else names[0])):
            of_header = key_shelves(found, name)
        return {"groups": found, "kinds": KIND_WORDS, "by": by, "header_names": names, "of_header": of_header}
    known = failure_facts([one.id for one in found], now=now())
    pairs = [(one, known.get(one.id)) for one in found]
    facts: dict[str, object] = {
        "groups": pairs,
        "kinds": KIND_WORDS,
        "by": "",
        "header_names": names,
    }
    return facts if group or by not in KINDS else {**facts, "by": by, "shelves": shelves(pairs, by)}


def _letters(request: HttpRequest, query: str, status: str | None, group: FailureGroup | None) -> dict[str, object]:
    after, sort = request.GET.get("after", "")[:40], request.GET.get("sort", "")
    cursor = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else None
    filtered, problem = _condition(request, query)
    number = group.id if group else None
    wanted: _Wanted = {"status": status, "failure_group": number, "filtered": filtered}
    letters: Letters | Leaving
    with noted(request, filtered, query):
        if sort.removeprefix("-") == "expires":
            letters = leaving_letters(**wanted, after=after, last_first=sort[0] == "-", now=now())
        else:
            letters = parked_letters(**wanted, after=cursor, oldest_first=sort == "came")
        n = n_matching(filtered, status=status or "open", group=number, most=COUNTED)
    return {
        "filtered": filtered,
        "problem": problem,
        "chips": () if problem else chips(tokens(query)),
        "letters": letters,
        "default_sort": "-came",
        "leaving": isinstance(letters, Leaving),
        "most_looked": MOST_LOOKED,
        "n_matching": n,
        "counted": COUNTED,
        "most_read": MOST_READ,
        "most_values": MOST_VALUES,
        "most_value": MOST_VALUE,
        **_export(request, query, status, number),
    }


def _export(request: HttpRequest, query: str, status: str | None, group: int | None) -> dict[str, object]:
    """The address of a file with what the list shows, for who may have it."""
    asked = {"q": query, "status": status, "group": group}
    return {
        "may_export": can(request.user, Action.EXPORT) and declared.document().permissions.export,
        "most_exported": MOST_EXPORTED,
        "export_query": urlencode({name: value for name, value in asked.items() if value}),
    }


def _condition(request: HttpRequest, query: str) -> tuple[Condition, str]:
    """What the text asks for, and what is wrong with it: then everything is shown."""
    try:
        return condition(query, masked=masked_topics(), may_read=can(request.user, Action.SEE_PAYLOADS)), ""
    except BadFilter as problem:
        return condition(""), str(problem)


urlpatterns = [
    path("dead-letters/", dead_letter_list, name="dead_letters"),
    path("dead-letters/groups/<int:number>/", failure_group, name="failure_group"),
]
