"""Overview: what flows where, and what needs me now?"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse

from collector.clock import now
from collector.domain.identities import parts
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.queries import wire
from dashboard.queries.graph import Edge, Graph, Node, graph

MOST_ATTENTION = 5
LABELS = (("rate", "Rate"), ("wait-p95", "Wait p95"), ("lag", "Lag"), ("failed", "Failed"), ("none", "None"))
_LEVELS = ("failing", "degraded")


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


@dataclass(frozen=True, slots=True)
class Attention:
    """One line of the attention list."""

    level: str
    title: str
    sentence: str
    url: str


@dataclass(frozen=True, slots=True)
class Panel:
    """What the side panel shows: a node with its edges, or one edge."""

    id: str
    node: Node | None
    row: Row | None
    into: tuple[Row, ...]
    out: tuple[Row, ...]
    url: str


@needs(Action.VIEW)
def overview(request: HttpRequest) -> HttpResponse:
    """The graph with its table twin; parts: `graph` (JSON), `panel`, `attention`."""
    span = shell.window(request)
    drawn = graph(span, now=now())
    if shell.wants_part(request, "graph"):
        return JsonResponse(wire.graph(drawn))
    rows = _rows(drawn)
    facts = {
        "graph": drawn,
        "rows": rows,
        "lonely": _lonely(drawn),
        "attention": _attention(drawn, rows),
        "panel": _panel(request.GET.get("sel", ""), drawn, rows),
        "state": _state(drawn),
        "n_topics": sum(node.kind == "topic" for node in drawn.nodes),
        "n_groups": sum(node.kind == "group" for node in drawn.nodes),
        "n_traced": sum("traced" in row.edge.evidence for row in rows),
        "n_unhealthy": sum(node.health in _LEVELS for node in drawn.nodes),
        "otlp_endpoint": f"http://127.0.0.1:{settings.WEIR_OTLP_HTTP_PORT}",
        "data": wire.graph(drawn),
        "view": request.GET.get("view", "auto"),
        "labels": LABELS,
        "label": request.GET.get("label", "rate"),
    }
    for part in ("panel", "attention"):
        if shell.wants_part(request, part):
            return render(request, f"overview/{part}.html", facts)
    return shell.page(
        request,
        "overview/overview.html",
        facts,
        section="overview",
        crumbs=[shell.Crumb("Overview")],
        span=span,
        as_of=drawn.as_of,
        delayed=drawn.freshness.delayed,
        streams=shell.stream("graph", span),
    )


def _rows(drawn: Graph) -> list[Row]:
    nodes = {node.id: node for node in drawn.nodes}
    found = [
        Row(edge, nodes[edge.source], nodes[edge.target])
        for edge in drawn.edges
        if edge.source in nodes and edge.target in nodes
    ]
    return sorted(found, key=lambda row: (row.source.name, row.edge.kind, row.target.name))


def _lonely(drawn: Graph) -> list[Node]:
    touched = {end for edge in drawn.edges for end in (edge.source, edge.target)}
    return [node for node in drawn.nodes if node.id not in touched]


def _attention(drawn: Graph, rows: list[Row]) -> Mapping[str, object]:
    found = [
        Attention(
            row.edge.health,
            f"{row.edge.group_name or row.target.name} on {row.source.name}"
            if row.edge.kind == "consume"
            else f"{row.source.name} to {row.target.name}",
            row.edge.sentence,
            _address(row),
        )
        for row in rows
        if row.edge.health in _LEVELS
    ]
    found += [
        Attention("degraded", node.name, f"{node.n_dead_letters:,} open dead letters", reverse("dead_letters"))
        for node in drawn.nodes
        if node.n_dead_letters
    ]
    found.sort(key=lambda item: _LEVELS.index(item.level))
    return {"items": found[:MOST_ATTENTION], "n_more": max(0, len(found) - MOST_ATTENTION), "n_all": len(found)}


def _address(row: Row) -> str:
    """Where an edge is looked into: a group on its page, others beside the graph."""
    if row.edge.group and (named := parts(row.edge.group)):
        return reverse("group", args=named[1])
    return f"{reverse('overview')}?{urlencode({'sel': f'edge:{row.edge.id}'})}"


def _panel(selected: str, drawn: Graph, rows: list[Row]) -> Panel | None:
    if selected.startswith("edge:"):
        row = next((row for row in rows if row.edge.id == selected.removeprefix("edge:")), None)
        return Panel(selected, None, row, (), (), "") if row else None
    node = next((node for node in drawn.nodes if node.id == selected), None)
    if node is None:
        return None
    url = reverse(node.kind, args=[node.cluster, node.name]) if node.kind in {"topic", "group"} else ""
    into = tuple(row for row in rows if row.target.id == node.id)
    out = tuple(row for row in rows if row.source.id == node.id)
    return Panel(selected, node, None, into, out, url)


def _state(drawn: Graph) -> str:
    """Which of the page's states it is in: new, empty, untraced or full."""
    if drawn.freshness.scanned_at is None and not drawn.nodes:
        return "new"
    if not drawn.edges and not any(node.rate_in for node in drawn.nodes):
        return "empty"
    return "full" if any("traced" in edge.evidence for edge in drawn.edges) else "untraced"


urlpatterns = [
    path("", overview, name="overview"),
]
