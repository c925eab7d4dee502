"""Overview: what flows where, and what needs me now?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse

from collector.clock import now
from collector.domain.identities import tail
from dashboard import shell
from dashboard.access import Action, can, needs
from dashboard.attention import as_plain, attention
from dashboard.queries import wire
from dashboard.queries.clusters import Scope
from dashboard.queries.filters import BadFilter, Filter, parse
from dashboard.queries.graph import Edge, Graph, Node, facts
from dashboard.queries.graph import drawn as graph
from dashboard.queries.narrowing import FLOWS, HOPS, USUAL_FLOW, USUAL_HOPS, Focus, Narrowed, narrowed
from dashboard.queries.tidiness import tidiness
from dashboard.templatetags.sorting import badness, ordered

LABELS = (("rate", "Rate"), ("wait-p95", "Wait p95"), ("lag", "Lag"), ("failed", "Failed"), ("none", "None"))
PRESETS = (
    ("lag>30s", "slow"),
    ("health:failing", "failing"),
    ("-known:traced", "not traced"),
    ("has:dead-letters", "with dead letters"),
)
DEFAULT_SORT = "from"


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
class Asked:
    """How the person narrowed the graph, from the address; a filter that is wrong narrows nothing and says why."""

    find: str
    hide: str
    focus: Focus | None
    filters: tuple[Filter, Filter]
    problems: tuple[str, ...]


@needs(Action.VIEW)
def overview(request: HttpRequest) -> HttpResponse:
    """The graph with its table twin; parts: `graph` (JSON), `panel`."""
    span, within = shell.window(request), shell.scope(request)
    known = facts(span, now=now(), clusters=within.chosen)
    drawn = graph(known, idle=False)
    asked = _asked(request)
    narrow = narrowed(drawn, find=asked.filters[0], hide=asked.filters[1], focus=asked.focus)
    selected, sort = request.GET.get("sel", ""), request.GET.get("sort", "")
    shown = {**_facts(drawn, narrow, within, selected=selected, sort=sort), **_toolbar(request, asked, drawn)}
    if shell.wants_part(request, "panel"):
        about = {"range": shell.time_range(request, span), "clusters": within}
        return render(request, "overview/panel.html", {**shown, **about})
    needed = attention(known, drawn, now=now())
    data = {
        **wire.graph(drawn),
        **wire.ages(drawn.freshness),
        "found": narrow.found,
        "left_out": sorted(narrow.left_out),
        "attention": {"list": as_plain(needed)},
    }
    if shell.wants_part(request, "graph"):
        return JsonResponse(data)
    return shell.page(
        request,
        "overview/overview.html",
        {
            **shown,
            "attention": needed,
            "data": data,
            "tidiness": tidiness(now=now()) if can(request.user, Action.ARRANGE) else None,
        },
        section="overview",
        crumbs=_crumbs(asked, drawn),
        span=span,
        fresh=drawn.freshness,
        streams=shell.stream("graph", span, within.chosen),
        within=within,
    )


def _facts(drawn: Graph, narrow: Narrowed, within: Scope, *, selected: str, sort: str) -> dict[str, object]:
    rows = ordered(_rows(drawn), sort or DEFAULT_SORT, _COLUMNS)
    kept = [row for row in rows if not narrow.left_out & {row.source.id, row.target.id}]
    return {
        "graph": drawn,
        "narrow": narrow,
        "rows": kept,
        "default_sort": DEFAULT_SORT,
        "lonely": [node for node in _lonely(drawn) if node.id not in narrow.left_out],
        "n_nodes": len(drawn.nodes) - len(narrow.left_out),
        "panel": _panel(selected, drawn, rows),
        "state": _state(drawn, within),
        "n_topics": sum(node.kind == "topic" for node in drawn.nodes),
        "n_groups": sum(node.kind == "group" for node in drawn.nodes),
        "otlp_endpoint": f"http://127.0.0.1:{settings.WEIR_OTLP_HTTP_PORT}",
    }


def _toolbar(request: HttpRequest, asked: Asked, drawn: Graph) -> dict[str, object]:
    return {
        "asked": asked,
        "focus_name": _name_of(asked.focus, drawn),
        "hops": HOPS,
        "flows": FLOWS,
        "view": request.GET.get("view", "auto"),
        "labels": LABELS,
        "label": request.GET.get("label", "rate"),
        "presets": PRESETS,
    }


def _asked(request: HttpRequest) -> Asked:
    problems, filters = [], []
    for name in ("find", "hide"):
        try:
            filters.append(parse(request.GET.get(name, "")))
        except BadFilter as error:
            filters.append(Filter())
            problems.append(f"{name.capitalize()}: {error}")
    hops, flow = request.GET.get("hops", ""), request.GET.get("flow", "")
    focus = Focus(
        request.GET.get("focus", ""),
        int(hops) if hops in {str(number) for number in HOPS} else USUAL_HOPS,
        flow if flow in FLOWS else USUAL_FLOW,
    )
    return Asked(
        request.GET.get("find", ""),
        request.GET.get("hide", ""),
        focus if focus.id else None,
        (filters[0], filters[1]),
        tuple(problems),
    )


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
