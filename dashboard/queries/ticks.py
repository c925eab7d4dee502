"""What ticks on a page, as one body per stream: names, numbers and states only, fit for every viewer."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard.queries import wire
from dashboard.queries.graph import Graph
from dashboard.queries.groups import groups
from dashboard.queries.topics import topics
from dashboard.queries.window import Window


@dataclass(frozen=True, slots=True)
class Tick:
    """The newest state of a stream. `body` maps sections to keyed rows: {"nodes": {id: {…}}, …}."""

    as_of: datetime | None
    body: dict[str, dict[str, Any]]


def graph_tick(drawn: Graph) -> Tick:
    """A graph."""
    return Tick(
        drawn.as_of,
        {
            "nodes": {row.id: wire.node(row) for row in drawn.nodes},
            "edges": {row.id: wire.edge(row) for row in drawn.edges},
            "about": {"graph": _about(drawn)},
        },
    )


def topics_tick(window_seconds: int, *, now: datetime, clusters: Collection[str] | None = None) -> Tick:
    """The list of topics of the last `window_seconds`."""
    found = topics(live(window_seconds, now=now), now=now, clusters=clusters)
    rows = {row.id: wire.topic_row(row) for row in found.items}
    about = {"n_all": found.n_all, "truncated": found.truncated, **wire.ages(found.freshness)}
    return Tick(found.freshness.scanned_at, {"topics": rows, "about": {"topics": about}})


def groups_tick(window_seconds: int, *, now: datetime, clusters: Collection[str] | None = None) -> Tick:
    """The list of groups of the last `window_seconds`."""
    found = groups(live(window_seconds, now=now), now=now, clusters=clusters)
    about = {"n_all": found.n_all, "truncated": found.truncated, **wire.ages(found.freshness)}
    rows = {row.id: wire.group_row(row) for row in found.items}
    return Tick(found.freshness.scanned_at, {"groups": rows, "about": {"groups": about}})


def _about(drawn: Graph) -> dict[str, Any]:
    return {
        "n_idle": drawn.n_idle,
        "n_nodes": len(drawn.nodes),
        "n_edges": len(drawn.edges),
        **wire.ages(drawn.freshness),
    }


def live(window_seconds: int, *, now: datetime) -> Window:
    """The last so many seconds."""
    return Window(now - timedelta(seconds=window_seconds), now, live=True, from_text=f"now-{window_seconds}s")
