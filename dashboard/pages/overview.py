"""Overview: what flows where, and what needs me now?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse

from collector.clock import now
from collector.domain.identities import tail
from dashboard import selection, shell
from dashboard.access import Action, can, needs
from dashboard.attention import AttentionList, as_plain, attention
from dashboard.crowding import heavy_where
from dashboard.difference_words import Words, differing, words
from dashboard.past import Past, beside_live, past, settled
from dashboard.queries import wire
from dashboard.queries.asked import LABELS, Asked, asked, is_long, switches, toggled
from dashboard.queries.changed import changed_things
from dashboard.queries.clusters import Scope
from dashboard.queries.comparing import compared, versus
from dashboard.queries.event_nodes import nodes_of_events
from dashboard.queries.filters import vocabulary
from dashboard.queries.graph import Edge, Facts, Graph, Node, facts
from dashboard.queries.graph import drawn as graph
from dashboard.queries.grouping import BYS, GROUPINGS, boxes, owned
from dashboard.queries.narrowing import FLOWS, HOPS, Focus, Narrowed, narrowed
from dashboard.queries.owners import owners_of
from dashboard.queries.seats import seated
from dashboard.queries.tidiness import pinned_by, tidiness
from dashboard.queries.view import MOST_DRAWN, View, view
from dashboard.queries.ways import way
from dashboard.queries.window import BadWindow, Window, moment
from dashboard.templatetags.sorting import badness, ordered

PRESETS = (
    ("lag>30s", "Slow"),
    ("health:failing", "Failing"),
    ("is:idle", "Idle"),
    ("-known:traced", "Not traced"),
    ("has:dead-letters", "Dead letters"),
    ("changed:yes", "Changed since yesterday"),
)
SWITCHES = {
    "idle": "Idle",
    "internal": "Internal topics",
    "dead-letters": "Dead-letter topics",
    "retry": "Retry topics",
    "traffic": "Animate traffic of the selection",
}
WHY_NOT = {
    "wait-p50": "needs traced consumers",
    "wait-p95": "needs traced consumers",
    "lag": "needs a cluster that tells offsets",
    "failed": "needs traced services",
    "team": "no team is known",
    "cluster": "there is one",
}
ROWS, MOST_ROWS, DEFAULT_SORT = 100, 1_000, "from"


@dataclass(frozen=True, slots=True)
class Row:
    """One edge with its two ends, as the table shows it."""

    edge: Edge
    source: Node
    target: Node

    @property
    def failed(self) -> float | None:
        """Share of the deliveries that failed; None where spans do not say."""
        return self.edge.errors / self.edge.messages if self.edge.messages and self.edge.errors is not None else None


_COLUMNS: dict[str, Callable[[Row], Any]] = {
    "from": lambda row: (row.source.name, row.edge.kind, row.target.name),
    "to": lambda row: (row.target.name, row.edge.kind, row.source.name),
    "rate": lambda row: row.edge.rate,
    "messages": lambda row: row.edge.messages,
    "lag": lambda row: row.edge.lag_seconds if row.edge.lag_seconds is not None else row.edge.lag,
    "wait": lambda row: row.edge.wait_p95_seconds,
    "failed": lambda row: row.failed,
    "health": lambda row: badness(row.edge.health),
}


@dataclass(frozen=True, slots=True)
class Panel:
    """What the side panel shows: a node with its edges, or one edge."""

    id: str
    node: Node | None
    row: Row | None
    into: tuple[Row, ...]
    out: tuple[Row, ...]
    url: str


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
    panel = {**_panel_facts(request, wanted, drawn, look.known), **_both(wanted, look.told), "graph": drawn}
    if shell.wants_part(request, "panel"):
        beside = {**panel, "clusters": look.within, "range": shell.time_range(request, span)}
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
        **_toolbar(request, wanted, drawn, seen),
        **beside_live(span),
        **panel,
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
    rows = ordered(_rows(drawn), request.GET.get("sort") or DEFAULT_SORT, _COLUMNS)
    kept = [row for row in rows if not narrow.left_out & {row.source.id, row.target.id}]
    lonely = [node for node in _lonely(drawn) if node.id not in narrow.left_out]
    asked_rows = request.GET.get("rows", "")
    n_shown = min(MOST_ROWS, int(asked_rows)) if asked_rows.isdecimal() and len(asked_rows) < 5 else ROWS
    return {
        "graph": drawn,
        "narrow": narrow,
        "seen": seen,
        "most_drawn": MOST_DRAWN,
        "rows": kept[:n_shown],
        "n_rows": len(kept),
        "more_rows": min(MOST_ROWS, n_shown + ROWS) if n_shown < min(MOST_ROWS, len(kept)) else None,
        "default_sort": DEFAULT_SORT,
        "lonely": lonely[: max(0, n_shown - len(kept))],
        "n_lonely": len(lonely),
        "n_nodes": len(drawn.nodes) - len(narrow.left_out),
        "state": _state(drawn, within),
        "n_topics": sum(node.kind == "topic" for node in drawn.nodes),
        "n_groups": sum(node.kind == "group" for node in drawn.nodes),
        "otlp_endpoint": f"http://127.0.0.1:{settings.WEIR_OTLP_HTTP_PORT}",
    }


def _toolbar(request: HttpRequest, wanted: Asked, drawn: Graph, seen: View) -> dict[str, object]:
    without = _without(drawn)
    return {
        "asked": wanted,
        "focus_name": _name_of(wanted.focus, drawn),
        "hops": HOPS,
        "flows": FLOWS,
        "view": request.GET.get("view", "auto"),
        "labels": [(name, word, WHY_NOT[name] if name in without else "") for name, word in LABELS],
        "bys": [(name, name.capitalize(), WHY_NOT[name] if name in without else "") for name in BYS],
        "switches": [(word, SWITCHES[word], on, toggled(wanted.shown, word)) for word, on in switches(wanted.shown)],
        "presets": PRESETS,
        "words": vocabulary(),
        "open_boxes": [(box, [each for each in wanted.grouped.open if each != box.id]) for box in seen.open],
    }


def _without(drawn: Graph) -> set[str]:
    """Labels and groupings that nothing on the graph has a value for."""
    values = {
        "wait-p50": any(edge.wait_p50_seconds is not None for edge in drawn.edges),
        "wait-p95": any(edge.wait_p95_seconds is not None for edge in drawn.edges),
        "lag": any(edge.lag is not None for edge in drawn.edges),
        "failed": any(edge.errors is not None for edge in drawn.edges),
        "team": any(node.team for node in drawn.nodes),
        "cluster": len({node.cluster for node in drawn.nodes if node.cluster}) > 1,
    }
    return {name for name, known in values.items() if not known}


def _panel_facts(request: HttpRequest, wanted: Asked, drawn: Graph, known: Facts) -> dict[str, object]:
    """The panel of what is selected: a node, an edge, a group of nodes, or the way between two nodes."""
    first = wanted.selected[0] if wanted.selected else ""
    if len(wanted.selected) == 2:
        named = {node.id: node.shown_name for node in drawn.nodes}
        found = way(known, drawn, *wanted.selected) if named.keys() >= set(wanted.selected) else None
        ends = (found.source, found.target) if found else wanted.selected
        return {"pair": [named.get(each, each) for each in ends], "way": found}
    by, _, _ = first.partition(":")
    if by in GROUPINGS:
        box = next((box for box in boxes(drawn, by) if box.id == first), None)
        return {"inside": selection.inside(box, drawn) if box else None}
    panel = _panel(first, drawn, _rows(drawn))
    if panel is None or panel.node is None:
        return {"panel": panel}
    return {
        "panel": panel,
        "owners": owners_of(panel.node.id),
        "beside": selection.beside(panel.node, known, now=now()),
        "may_arrange": can(request.user, Action.ARRANGE),
        "pinned_by": pinned_by(panel.node.id),
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


def _rows(drawn: Graph) -> list[Row]:
    nodes = {node.id: node for node in drawn.nodes}
    return [
        Row(edge, nodes[edge.source], nodes[edge.target])
        for edge in drawn.edges
        if edge.source in nodes and edge.target in nodes
    ]


def _lonely(drawn: Graph) -> list[Node]:
    touched = {end for edge in drawn.edges for end in (edge.source, edge.target)}
    return [node for node in drawn.nodes if node.id not in touched]


def _panel(selected: str, drawn: Graph, rows: list[Row]) -> Panel | None:
    if selected.startswith("edge:"):
        row = next((row for row in rows if row.edge.id == selected.removeprefix("edge:")), None)
        return Panel(selected, None, row, (), (), "") if row else None
    node = next((node for node in drawn.nodes if node.id == selected), None)
    if node is None:
        return None
    url = reverse(node.kind, args=[tail(node.id)] if node.kind == "service" else [node.cluster, node.name])
    into = tuple(row for row in rows if row.target.id == node.id)
    out = tuple(row for row in rows if row.source.id == node.id)
    return Panel(selected, node, None, into, out, url)


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
