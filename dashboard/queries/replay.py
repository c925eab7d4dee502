"""Frames of a replay: the graph of one moment after the other, as many as one request may cost."""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard.queries import wire
from dashboard.queries.body_changes import changes
from dashboard.queries.catalogue import catalogue
from dashboard.queries.edges import BUCKET, HOUR, MINUTE, steps
from dashboard.queries.freshness import freshness
from dashboard.queries.graph import Graph, drawn, facts_of
from dashboard.queries.timeline import timeline
from dashboard.queries.window import Window

MOST_FRAMES = 30
MOST_SECONDS = 1.0  # of work for one request: what is not done by then is the next one's
STEPS = (BUCKET, MINUTE, HOUR)


@dataclass(frozen=True, slots=True)
class Frame:
    """The graph of one window. `is_seen`: somebody looked in its last step; else what flowed then is unknown."""

    graph: Graph
    is_seen: bool


def step_of(window: Window, *, now: datetime) -> timedelta:
    """The length of a step of a replay through windows like this one: what is kept of its time, no finer."""
    return steps(window, now=now).last


def frames(
    first: Window,
    step: timedelta,
    n: int,
    *,
    now: datetime,
    clusters: Collection[str] | None = None,
    idle: bool = False,
    internal: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Frame]:
    """At most `n` (and 30) windows, each a step later than the one before, none beyond `now`; after a second no more.

    Nine statements, and for each frame three, seven where samples are no rows any more, one more where nothing flowed.
    """
    until, number = clock() + MOST_SECONDS, 0
    windows = list(_windows(first, step, min(n, MOST_FRAMES), now))
    if not windows:
        return
    fresh = freshness(now=now).only(clusters)
    names = catalogue(since=first.from_at).only(clusters)
    looked = timeline(Window(first.to_at - step, windows[-1].to_at, live=False), now=now)
    for number, window in enumerate(windows):
        if number and clock() >= until:
            return
        known = facts_of(window, fresh, names, now=now, timed=False)
        is_seen = not any(start <= window.to_at - step and window.to_at <= end for start, end in looked.gaps)
        yield Frame(drawn(known, idle=idle, internal=internal), is_seen)


def as_plain(found: list[Frame], step: timedelta) -> dict[str, Any]:
    """As the pages and the API have them: the first one whole, the others as what changed.

    Waits and processing times are in none: they are read by whole minutes.
    """
    before: dict[str, dict[str, Any]] = {}
    rows = []
    for frame in found:
        graph = frame.graph
        body = {
            "nodes": {node.id: wire.node(node) for node in graph.nodes},
            "edges": {edge.id: wire.edge(edge) for edge in graph.edges},
        }
        rows.append(
            {
                "from": wire.iso(graph.window.from_at),
                "to": wire.iso(graph.window.to_at),
                "is_seen": frame.is_seen,
                "n_idle": graph.n_idle,
                **changes(before, body),
            }
        )
        before = body
    end = found[-1].graph.window.to_at + step if found else None
    return {"step_seconds": step.total_seconds(), "frames": rows, "next": wire.iso(end)}


def _windows(first: Window, step: timedelta, n: int, now: datetime) -> Iterator[Window]:
    for number in range(n):
        shift = step * number
        if first.to_at + shift > now:
            return
        yield Window(first.from_at + shift, first.to_at + shift, live=False)
