"""Rows as the API, the pages' data blocks and the live socket write them: plain values, ISO times, no surprises."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from dashboard.queries.graph import Edge, Graph, Node
from dashboard.queries.topics import TopicRow


def iso(moment: datetime | None) -> str | None:
    """ISO 8601, UTC, with milliseconds and Z."""
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def node(row: Node) -> dict[str, Any]:
    """A node as an object of its own fields, and the one number on it."""
    return {**_plain(row), "rate": _rounded(row.rate)}


def edge(row: Edge) -> dict[str, Any]:
    """An edge as an object of its own fields."""
    return _plain(row)


def topic_row(row: TopicRow) -> dict[str, Any]:
    """A line of the list of topics as an object of its own fields."""
    return _plain(row)


def graph(drawn: Graph) -> dict[str, Any]:
    """The graph as `GET /api/v1/graph` answers it."""
    return {
        "as_of": iso(drawn.as_of),
        "from": iso(drawn.window.from_at),
        "to": iso(drawn.window.to_at),
        "rate_seconds": drawn.rate_seconds,
        "latencies_from": iso(drawn.latencies_from),
        "delayed": drawn.freshness.delayed,
        "n_idle": drawn.n_idle,
        "nodes": [node(row) for row in drawn.nodes],
        "edges": [edge(row) for row in drawn.edges],
    }


def _plain(row: Node | Edge | TopicRow) -> dict[str, Any]:
    return {field.name: _value(getattr(row, field.name)) for field in fields(row)}


def _value(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, float):
        return _rounded(value)
    return list(value) if isinstance(value, tuple) else value


def _rounded(value: float | None) -> float | None:
    """Four significant digits: finer differences are noise, and would be pushed to every browser."""
    return None if value is None else float(f"{value:.4g}")
