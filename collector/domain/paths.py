"""A path: hops in causal order, and where it goes on."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from collector.domain.gaps import Missing
from collector.domain.readings import Result
from collector.domain.sightings import Context, Place, Service
from collector.domain.ties import How


@dataclass(frozen=True, slots=True)
class PathHop:
    """One event sent, or read by one party. `causes` are indexes into the path: where it comes from.

    result: ok, failed; received = only a poll was seen; waiting = put off, not tried yet; passed = the group's
    committed offset is beyond it, and no span says more. `place` is None where nothing tells the record's offset.
    `evidence`: traced, record (the tap saw it), offsets, membership, declared, dead letter, retry. `known_by`: how its
    causes are known. `n_causes`: all of them, also those that are not in the path. `missing`: what is not stored.
    `skew_seconds`: by how much it seems to have been read before it was sent; the wait is then 0 and not known.
    `n_inside`: spans that are no messages (HTTP, database), within its work.
    """

    kind: Literal["produce", "consume"]
    service: Service | None
    version: str
    topic: int | None
    place: Place | None
    group: int | None
    happened_at: datetime | None
    margin_seconds: float | None
    wait_seconds: float | None
    processing_seconds: float | None
    result: Result
    exception: tuple[str, str] | None
    n_attempts: int
    evidence: tuple[str, ...]
    causes: tuple[int, ...]
    context: Context | None
    known_by: tuple[How, ...] = ()
    n_causes: int = 0
    missing: tuple[Missing, ...] = ()
    skew_seconds: float | None = None
    n_inside: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """Where a path goes on beyond what is in it. `n`: hops right behind; None where nobody looked further."""

    hop: int
    side: Literal["before", "after"]
    n: int | None


@dataclass(frozen=True, slots=True)
class Path:
    """Hops in causal order, earlier first. `start`: indexes of the hops that were asked for."""

    hops: tuple[PathHop, ...]
    start: tuple[int, ...]
    ends: tuple[End, ...] = ()


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a path is wanted: which way, and how many hops, the nearest first.

    `is_cut`: not everything around the event was read, so that a hop without effects need not be the last.
    """

    up: bool = True
    down: bool = True
    most: int | None = None
    is_cut: bool = False


WHOLE = Extent()


def in_order(hops: Sequence[PathHop], start: Sequence[int], ends: Sequence[End]) -> Path:
    """Causes before effects; among those that may come next, the earlier first. A loop is cut at its earliest hop."""
    effects: dict[int, list[int]] = {}
    n_open = [len(set(hop.causes)) for hop in hops]
    for index, hop in enumerate(hops):
        for cause in set(hop.causes):
            effects.setdefault(cause, []).append(index)
    rank = {index: (_moment(hop), index) for index, hop in enumerate(hops)}
    ready = [rank[index] for index, n in enumerate(n_open) if n == 0]
    heapq.heapify(ready)
    rest = sorted(rank.values(), reverse=True)
    order: dict[int, int] = {}
    while len(order) < len(hops):
        _, index = heapq.heappop(ready) if ready else rest.pop()
        if index in order:
            continue
        order[index] = len(order)
        for effect in effects.get(index, ()):
            n_open[effect] -= 1
            if n_open[effect] == 0:
                heapq.heappush(ready, rank[effect])
    moved = [
        replace(hops[index], causes=tuple(sorted(order[cause] for cause in hops[index].causes))) for index in order
    ]
    at_ends = sorted((order[end.hop], end.side, end) for end in ends)
    return Path(
        tuple(moved),
        tuple(sorted(order[index] for index in start)),
        tuple(replace(end, hop=hop) for hop, _, end in at_ends),
    )


def _moment(hop: PathHop) -> float:
    return hop.happened_at.timestamp() if hop.happened_at else float("inf")
