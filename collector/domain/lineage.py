"""Sightings -> the path of one event: who sent it, who read it, what came of it, backwards and forwards."""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from collector.domain.gaps import Missing, missing_around
from collector.domain.readings import ConsumeKey, HopKey, ProduceKey, Result
from collector.domain.sightings import Context, Passing, Place, Service
from collector.domain.ties import How
from collector.domain.weaving import Loom

MOST_CAUSES = 100  # of one hop: a batch of thousands is counted, not followed


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
class Path:
    """Hops in causal order, earlier first. `start`: indexes of the hops that were asked for."""

    hops: tuple[PathHop, ...]
    start: tuple[int, ...]


def path_of_event(loom: Loom, place: Place) -> Path:
    """Everything that the event at `place` comes from, and everything that came of it."""
    return _path(loom, [ProduceKey(place), *loom.readers(place)])


def path_of_trace(loom: Loom, trace_id: UUID) -> Path:
    """Every hop of the trace, what they come from, and what came of them."""
    return _path(loom, loom.of_trace(trace_id))


def first_events(loom: Loom, place: Place) -> tuple[HopKey, ...]:
    """What the event at `place` goes back to: the hops above it that come from nothing known."""
    above = _reached([ProduceKey(place), *loom.readers(place)], lambda key: loom.causes_of(key)[:MOST_CAUSES])
    return tuple(sorted((key for key in above if loom.exists(key) and not loom.causes_of(key)), key=str))


def path_below(loom: Loom, keys: Iterable[HopKey]) -> Path:
    """These hops and all that came of them."""
    start = list(keys)
    return _of_keys(loom, start, _reached(start, loom.effects_of))


def onward(path: Path) -> dict[Place, datetime | None]:
    """The events that were asked for and all that came of them, each with the time it was sent, else was read.

    What other groups made of an event's causes is another branch of its flow, and no part of its path.
    """
    reached = set(path.start)
    for index, hop in enumerate(path.hops):
        if reached.intersection(hop.causes):
            reached.add(index)
    found: dict[Place, datetime | None] = {}
    for kind in ("consume", "produce"):
        found |= {
            hop.place: hop.happened_at
            for index, hop in enumerate(path.hops)
            if index in reached and hop.place and hop.kind == kind
        }
    return found


def with_passings(path: Path, passings: Iterable[Passing]) -> Path:
    """The path with one more hop for every group that read past an event of it and that no hop explains."""
    known = {(hop.place, hop.group) for hop in path.hops if hop.kind == "consume"}
    produced = {hop.place: index for index, hop in enumerate(path.hops) if hop.kind == "produce" and hop.place}
    added = []
    for passing in sorted(passings, key=lambda each: (each.place, each.group)):
        if (passing.place, passing.group) in known:
            continue
        known.add((passing.place, passing.group))
        cause = produced.get(passing.place)
        added.append(_passed(passing, () if cause is None else (cause,)))
    asked = [path.hops[index] for index in path.start]
    start_places = {hop.place for hop in asked if hop.kind == "produce" or hop.place not in produced}
    n_before = len(path.hops)
    started = [n_before + n for n, hop in enumerate(added) if hop.place in start_places]
    return _in_order((*path.hops, *added), (*path.start, *started))


def _path(loom: Loom, start: Sequence[HopKey]) -> Path:
    found = [key for key in start if loom.exists(key)]
    keys = _reached(found, lambda key: loom.causes_of(key)[:MOST_CAUSES]) | _reached(found, loom.effects_of)
    return _of_keys(loom, found, keys)


def _of_keys(loom: Loom, start: Sequence[HopKey], keys: Iterable[HopKey]) -> Path:
    inside = loom.n_inside()
    index = {key: number for number, key in enumerate(sorted(keys, key=str))}
    hops = []
    for key in index:
        causes = tuple(sorted(index[cause] for cause in loom.causes_of(key) if cause in index))
        hop = _produced(loom, key, causes) if isinstance(key, ProduceKey) else _consumed(loom, key, causes)
        within = [] if isinstance(key, ProduceKey) else [span.context for span in loom.readings[key].attempts]
        hops.append(replace(hop, n_inside=sum(inside.get(context, 0) for context in within)))
    return _in_order(hops, [index[key] for key in start])


def _reached(start: Iterable[HopKey], step: Callable[[HopKey], Sequence[HopKey]]) -> set[HopKey]:
    found = set(start)
    waiting = list(found)
    while waiting:
        for key in step(waiting.pop()):
            if key not in found:
                found.add(key)
                waiting.append(key)
    return found


def _produced(loom: Loom, key: ProduceKey, causes: tuple[int, ...]) -> PathHop:
    node = loom.nodes[key.node]
    span, record, resent = node.span, node.record, node.resent
    evidence = [
        *(["traced"] if span else []),
        *(["record"] if record else []),
        *(["dead letter"] if node.letter else []),
        *(["retry"] if resent else []),
    ]
    return PathHop(
        kind="produce",
        service=span.service if span else None,
        version=span.version if span else "",
        topic=node.topic,
        place=node.place,
        group=None,
        happened_at=node.happened_at,
        margin_seconds=None,
        wait_seconds=None,
        processing_seconds=None,
        result="failed" if span and span.failed else "ok",
        exception=span.exception if span else None,
        n_attempts=1,
        evidence=tuple(evidence),
        causes=causes,
        context=span.context if span else record.context if record else None,
        known_by=loom.known_by(key),
        n_causes=len(loom.causes_of(key)),
        missing=missing_around(loom, key),
    )


def _consumed(loom: Loom, key: ConsumeKey, causes: tuple[int, ...]) -> PathHop:
    node, reading = loom.nodes.get(key.node), loom.readings[key]
    attempts = reading.attempts
    first, last = (attempts[0], attempts[-1]) if attempts else (None, None)
    letter = reading.letter
    sent_at = node.happened_at if node else None
    happened_at = first.started_at if first else letter.failed_at if letter else None
    wait = (first.started_at - sent_at).total_seconds() if first and sent_at else None
    failed = letter is not None or (last is not None and last.failed)
    exception = (letter.exception if letter else None) or (last.exception if last else None)
    return PathHop(
        kind="consume",
        service=first.service if first else None,
        version=first.version if first else "",
        topic=reading.topic,
        place=reading.place,
        group=reading.group,
        happened_at=happened_at,
        margin_seconds=None,
        wait_seconds=None if wait is None else max(0.0, wait),
        processing_seconds=last.seconds if last else None,
        result="failed" if failed else reading.result,
        exception=exception if failed else None,
        n_attempts=max(1, len(attempts)),
        evidence=reading.evidence,
        causes=causes,
        context=last.context if last else None,
        known_by=loom.known_by(key),
        n_causes=len(causes),
        missing=missing_around(loom, key),
        skew_seconds=-wait if wait is not None and wait < 0 else None,
    )


def _passed(passing: Passing, causes: tuple[int, ...]) -> PathHop:
    return PathHop(
        kind="consume",
        service=None,
        version="",
        topic=passing.place[0],
        place=passing.place,
        group=passing.group,
        happened_at=passing.at,
        margin_seconds=passing.margin_seconds,
        wait_seconds=None,
        processing_seconds=None,
        result="passed",
        exception=None,
        n_attempts=1,
        evidence=("offsets",),
        causes=causes,
        context=None,
        known_by=("position",),
        n_causes=len(causes),
    )


def _in_order(hops: Sequence[PathHop], start: Sequence[int]) -> Path:
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
    return _renumbered(hops, start, order)


def _renumbered(hops: Sequence[PathHop], start: Sequence[int], order: Mapping[int, int]) -> Path:
    moved = [
        replace(hops[index], causes=tuple(sorted(order[cause] for cause in hops[index].causes))) for index in order
    ]
    return Path(tuple(moved), tuple(sorted(order[index] for index in start)))


def _moment(hop: PathHop) -> float:
    return hop.happened_at.timestamp() if hop.happened_at else float("inf")
