"""Sightings -> the path of one event: who sent it, who read it, what came of it, backwards and forwards."""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from collector.domain.gaps import missing_around
from collector.domain.paths import WHOLE, End, Extent, Path, PathHop, in_order
from collector.domain.readings import ConsumeKey, HopKey, ProduceKey
from collector.domain.sightings import Context, Passing, Place
from collector.domain.weaving import Loom

MOST_CAUSES = 100  # of one hop: a batch of thousands is counted, not followed


def path_of_event(loom: Loom, place: Place, extent: Extent = WHOLE) -> Path:
    """Everything that the event at `place` comes from, and everything that came of it."""
    return _path(loom, [ProduceKey(place), *loom.readers(place)], extent)


def path_of_trace(loom: Loom, trace_id: UUID, extent: Extent = WHOLE) -> Path:
    """Every hop of the trace, what they come from, and what came of them."""
    return _path(loom, loom.of_trace(trace_id), extent)


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
    if not added:
        return path
    n_before = len(path.hops)
    started = [n_before + n for n, hop in enumerate(added) if hop.place in start_places]
    return in_order((*path.hops, *added), (*path.start, *started), path.ends)


class _Walk:
    """A way through the ties, one step at a time: all hops at the same distance together."""

    def __init__(self, start: Iterable[HopKey], step: Callable[[HopKey], Sequence[HopKey]]) -> None:
        self.step = step
        self.seen = dict.fromkeys(start)
        self.rim = list(self.seen)

    def go(self) -> list[HopKey]:
        """The hops one step further on."""
        further = {key: None for at in self.rim for key in self.step(at) if key not in self.seen}
        self.seen |= further
        self.rim = list(further)
        return self.rim


def _path(loom: Loom, start: Sequence[HopKey], extent: Extent) -> Path:
    found = dict.fromkeys(key for key in start if loom.exists(key))
    up = _Walk(found if extent.up else (), lambda key: loom.causes_of(key)[:MOST_CAUSES])
    down = _Walk(found if extent.down else (), loom.effects_of)
    first, most = list(found), extent.most or sys.maxsize
    while (up.rim or down.rim) and len(found) < most:
        for key in (*up.go(), *down.go()):
            if len(found) < most:
                found[key] = None
    open_ends = [*_ends(up, "before", found, extent), *_ends(down, "after", found, extent)]
    return _of_keys(loom, first, found, open_ends)


def _ends(
    walk: _Walk, side: Literal["before", "after"], found: Collection[HopKey], extent: Extent
) -> Iterable[tuple[HopKey, Literal["before", "after"], int | None]]:
    """Where hops that are tied are not in the path; and, where not all was read, where nothing is tied."""
    for key in walk.seen:
        if key in found:
            next_ones = walk.step(key)
            if n := sum(each not in found for each in next_ones):
                yield key, side, n
            elif extent.is_cut and not next_ones and (isinstance(key, ProduceKey) or side == "before"):
                yield key, side, None


def _of_keys(
    loom: Loom,
    start: Sequence[HopKey],
    keys: Iterable[HopKey],
    open_ends: Iterable[tuple[HopKey, Literal["before", "after"], int | None]] = (),
) -> Path:
    inside = loom.n_inside()
    index = {key: number for number, key in enumerate(sorted(keys, key=_steady))}
    hops = []
    for key in index:
        causes = tuple(sorted(index[cause] for cause in loom.causes_of(key) if cause in index))
        hops.append(
            _produced(loom, key, causes) if isinstance(key, ProduceKey) else _consumed(loom, key, causes, inside)
        )
    ends = [End(index[key], side, n) for key, side, n in open_ends]
    return in_order(hops, [index[key] for key in start], ends)


def _steady(key: HopKey) -> tuple[object, ...]:
    """An order of hops that does not depend on the order in which they were seen."""
    return (len(key.node), key.node, key[1:])


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


def _consumed(loom: Loom, key: ConsumeKey, causes: tuple[int, ...], inside: Mapping[Context, int]) -> PathHop:
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
        n_inside=sum(inside.get(span.context, 0) for span in attempts) if inside else 0,
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
