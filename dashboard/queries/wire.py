"""Rows as the API, the pages' data blocks and the live socket write them: plain values, ISO times, no surprises."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from math import inf
from typing import Any

from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Edge, Graph, Node
from dashboard.queries.groups import GroupRow
from dashboard.queries.marks import Mark
from dashboard.queries.services import ServiceRow
from dashboard.queries.topics import TopicRow
from dashboard.queries.view import View


def iso(moment: datetime | None) -> str | None:
    """ISO 8601, UTC, with milliseconds and Z."""
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ages(fresh: Freshness) -> dict[str, str | None]:
    """Until when spans are counted, and when brokers were last asked."""
    return {"folded_at": iso(fresh.folded_at), "scanned_at": iso(fresh.scanned_at)}


def node(row: Node) -> dict[str, Any]:
    """A node as an object of its own fields, and the one number on it."""
    return {**_plain(row), "rate": rounded(row.rate)}


def edge(row: Edge) -> dict[str, Any]:
    """An edge as an object of its own fields."""
    return _plain(row)


def seconds(value: float | None) -> float | str | None:
    """A time until something happens: infinity is "never", which JSON has no number for."""
    return "never" if value == inf else rounded(value)


def mark(row: Mark) -> dict[str, Any]:
    """A change as an object."""
    return {
        "at": iso(row.at),
        "kind": row.kind,
        "who": row.who,
        "sentence": row.sentence,
        "changes": [{"name": each.name, "before": each.before, "after": each.after} for each in row.changes],
    }


def group_row(row: GroupRow) -> dict[str, Any]:
    """A line of the list of groups: what ticks."""
    return {
        "health": row.health.level,
        "sentence": row.health.sentence,
        "state": row.state,
        "n_members": row.n_members,
        "lag": row.lag,
        "lag_seconds": rounded(row.lag_seconds),
    }


def service_row(row: ServiceRow) -> dict[str, Any]:
    """A line of the list of services as an object of its own fields."""
    covered = rounded(row.coverage.ratio) if row.coverage else None
    return {**_plain(row), "coverage": covered, "version_since": iso(row.version_since), "last_at": iso(row.last_at)}


def topic_row(row: TopicRow) -> dict[str, Any]:
    """A line of the list of topics as an object of its own fields."""
    return {**_plain(row), "loses_in_seconds": seconds(row.loses_in_seconds), "share": rounded(row.share.ratio)}


def graph(drawn: Graph, diffs: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """The graph as `GET /api/v1/graph` answers it. `diffs`: more fields, by the id of a node or an edge."""
    more = diffs or {}
    return {
        "as_of": iso(drawn.as_of),
        "from": iso(drawn.window.from_at),
        "to": iso(drawn.window.to_at),
        "rate_seconds": drawn.rate_seconds,
        "latencies_from": iso(drawn.latencies_from),
        "delayed": drawn.freshness.delayed,
        "n_idle": drawn.n_idle,
        "nodes": [{**node(row), **more.get(row.id, {})} for row in drawn.nodes],
        "edges": [{**edge(row), **more.get(row.id, {})} for row in drawn.edges],
    }


def view(drawn: View) -> dict[str, Any]:
    """How a graph is drawn: which group stands for which nodes, places, frames, and points on the way of edges."""
    named = {box.id: box for box in (*drawn.closed, *drawn.open)}
    return {
        "by": drawn.by,
        "of": dict(drawn.of),
        "boxes": [{"id": box.id, "by": box.by, "name": box.name} for box in drawn.closed],
        "frames": [
            {
                "id": group,
                "name": named[group].name,
                "n_nodes": len(named[group].members),
                "x": frame.x,
                "y": frame.y,
                "width": frame.width,
                "height": frame.height,
            }
            for group, frame in sorted(drawn.frames.items())
        ],
        "places": {name: list(spot) for name, spot in drawn.places.items()},
        "routes": {">".join(arrow): [list(point) for point in points] for arrow, points in drawn.routes.items()},
        "n_matching": drawn.n_matching,
        "n_cut": len(drawn.cut),
    }


def _plain(row: Node | Edge | TopicRow | ServiceRow) -> dict[str, Any]:
    return {name: _value(getattr(row, name)) for name in _NAMES[type(row)]}


_NAMES: dict[type, tuple[str, ...]] = {
    Node: tuple(field.name for field in fields(Node)),
    Edge: tuple(field.name for field in fields(Edge)),
    TopicRow: tuple(field.name for field in fields(TopicRow)),
    ServiceRow: tuple(field.name for field in fields(ServiceRow)),
}


def _value(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, float):
        return rounded(value)
    return list(value) if isinstance(value, tuple) else value


def rounded(value: float | None) -> float | None:
    """Four significant digits: finer differences are noise, and would be pushed to every browser."""
    return None if value is None else float(f"{value:.4g}")
