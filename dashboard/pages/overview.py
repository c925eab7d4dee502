"""Overview: what flows where, and what needs me now?"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse

from collector.clock import now
from dashboard import shell
from dashboard.access import Action, can, needs
from dashboard.attention import AttentionList, as_plain, attention
from dashboard.crowding import heavy_where
from dashboard.difference_words import Words, differing, words
from dashboard.edge_table import edge_table
from dashboard.graph_toolbar import toolbar
from dashboard.past import Past, beside_live, past, settled
from dashboard.queries import wire
from dashboard.queries.asked import Asked, asked, is_long
from dashboard.queries.changed import changed_things
from dashboard.queries.clusters import Scope
from dashboard.queries.comparing import compared, versus
from dashboard.queries.event_nodes import nodes_of_events
from dashboard.queries.graph import Facts, Graph, facts
from dashboard.queries.graph import drawn as graph
from dashboard.queries.grouping import owned
from dashboard.queries.narrowing import Focus, Narrowed, narrowed
from dashboard.queries.seats import seated
from dashboard.queries.tidiness import tidiness
from dashboard.queries.view import MOST_DRAWN, View, view
from dashboard.queries.window import BadWindow, Window, moment
from dashboard.selection import selected


@dataclass(frozen=True, slots=True)
class Look:
    """What is drawn for one request. `told`, `diffs`: where two moments are compared."""

    wanted: Asked
    within: Scope
    known: Facts
    drawn: Graph
    narrow: Narrowed
    told: Words | None
    diffs: Mapping[str, Mapping[str, Any]]


@needs(Action.VIEW)
@heavy_where(lambda request: is_long(request.GET))
def overview(request: HttpRequest) -> HttpResponse:
    """The graph with its table twin, now or of any moment, or of two; parts: `graph` (JSON), `panel`."""
    span, then, address = _windows(request)
    if address:
        return HttpResponseRedirect(address)
    look = _look(request, span, then)
    wanted, drawn = look.wanted, look.drawn
    if shell.wants_part(request, "panel"):
        beside = {**_panel(request, look), "clusters": look.within, "range": shell.time_range(request, span)}
        return render(request, "overview/panel.html", beside)
    seen = view(drawn, left_out=look.narrow.left_out, asked=wanted.grouped, is_part=wanted.is_part)
    before = None if span.live else past(span, now=now())
    needed = None if look.told else _needed(look, before)
    data = {
        **wire.graph(drawn, look.diffs),
        **wire.ages(drawn.freshness),
        **({"attention": {"list": as_plain(needed)}} if needed else {}),
        "found": look.narrow.found,
        "left_out": sorted(look.narrow.left_out | seen.cut),
        "view": wire.view(seen),
    }
    if shell.wants_part(request, "graph"):
        return JsonResponse(data)
    told = {
        **_facts(request, drawn, look.narrow, seen, look.within),
        **toolbar(wanted, drawn, seen),
        "focus_name": _name_of(wanted.focus, drawn),
        "view": request.GET.get("view", "auto"),
        **beside_live(span),
        **_panel(request, look),
        "attention": needed,
        "told": look.told,
        "past": before,
        "data": data,
        "tidiness": tidiness(now=now()) if can(request.user, Action.ARRANGE) else None,
    }
    return shell.page(
        request,
        "overview/overview.html",
        told,
        section="overview",
        crumbs=_crumbs(wanted, drawn),
        span=span,
        fresh=drawn.freshness,
        streams=shell.stream("graph", span, look.within.chosen),
        within=look.within,
    )


def _panel(request: HttpRequest, look: Look) -> dict[str, object]:
    return {
        **selected(look.drawn, look.known, look.wanted.selected, now=now()),
        **_both(look.wanted, look.told),
        "graph": look.drawn,
        "may_arrange": can(request.user, Action.ARRANGE),
    }


def _needed(look: Look, before: Past | None) -> AttentionList:
    """What needs attention; where nobody looked nothing is said to be well."""
    found, unseen = attention(look.known, look.drawn, now=now()), before is not None and before.is_unseen
    return replace(found, fine="Nobody looked: what flowed is unknown.", level="unknown") if unseen else found


def _look(request: HttpRequest, span: Window, then: Window | None) -> Look:
    wanted, within = asked(request.GET), shell.scope(request)
    shown = wanted.shown
    known = facts(span, now=now(), clusters=within.chosen)
    drawn = graph(known, idle=shown.idle, internal=shown.internal)
    told, diffs = None, {}
    if then:
        found = compared(known, then, now=now(), clusters=within.chosen, idle=shown.idle, internal=shown.internal)
        told, drawn = words(found, now=now()), found.union
        diffs = differing(found, told)
    drawn = owned(drawn)
    if not span.live:
        drawn = seated(drawn, known.names.places)
    find, hide = wanted.filters
    text = f"{wanted.find} {wanted.hide}"
    events, changed = nodes_of_events(text), changed_things(text, span)
    narrow = narrowed(drawn, find=find, hide=hide, focus=wanted.focus, shown=shown, events=events, changed=changed)
    return Look(wanted, within, known, drawn, narrow, told, diffs)


def _windows(request: HttpRequest) -> tuple[Window, Window | None, str]:
    """The window, the one it is compared with, and where to go first: words that move with the clock stand still."""
    try:
        fixed = settled(request.GET.dict(), now=now())
        span = shell.window(request)
        then = versus(moment(request.GET["vs"], now=now()), span, now=now()) if request.GET.get("vs") else None
    except BadWindow as error:
        raise BadRequest(str(error)) from error
    if fixed is None:
        return span, then, ""
    query = request.GET.copy()
    for name, text in fixed.items():
        query[name] = text
    return span, then, f"{reverse('overview')}?{query.urlencode()}"


def _both(wanted: Asked, told: Words | None) -> dict[str, object]:
    """What differs of the one thing that is selected."""
    if told is None or len(wanted.selected) != 1:
        return {}
    own = [each for each in told.told if each.sel == wanted.selected[0] or wanted.selected[0] in each.carried]
    return {"both": own, "unsure": [each for each in told.unsure if each.sel == wanted.selected[0]], "told": told}


def _facts(request: HttpRequest, drawn: Graph, narrow: Narrowed, seen: View, within: Scope) -> dict[str, object]:
    return {
        "graph": drawn,
        "narrow": narrow,
        "seen": seen,
        "most_drawn": MOST_DRAWN,
        **edge_table(drawn, narrow, request.GET),
        "n_nodes": len(drawn.nodes) - len(narrow.left_out),
        "state": _state(drawn, within),
        "n_topics": sum(node.kind == "topic" for node in drawn.nodes),
        "n_groups": sum(node.kind == "group" for node in drawn.nodes),
        "otlp_endpoint": f"http://127.0.0.1:{settings.WEIR_OTLP_HTTP_PORT}",
    }


def _name_of(focus: Focus | None, drawn: Graph) -> str | None:
    """The name of the node in focus; None where there is none, or it is not on the graph."""
    return next((node.name for node in drawn.nodes if focus and node.id == focus.id), None)


def _crumbs(asked: Asked, drawn: Graph) -> list[shell.Crumb]:
    name = _name_of(asked.focus, drawn)
    if asked.focus is None or name is None:
        return [shell.Crumb("Overview")]
    hops = asked.focus.hops
    return [
        shell.Crumb("Overview", reverse("overview")),
        shell.Crumb(f"around {name}, {hops} hop{'s' if hops > 1 else ''}"),
    ]


def _state(drawn: Graph, within: Scope) -> str:
    """Which of the page's states it is in: new, empty, untraced or full."""
    if drawn.freshness.scanned_at is None and not drawn.nodes and not within.chosen:
        return "new"
    if not drawn.edges and not any(node.rate_in for node in drawn.nodes):
        return "empty"
    return "full" if any("traced" in edge.evidence for edge in drawn.edges) else "untraced"


urlpatterns = [
    path("", overview, name="overview"),
]
