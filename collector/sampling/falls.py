"""Ends that fell on a topic that is still the same: its newest records are lost, as when a broker comes back without.

An id is told a moment after the ends, and by another broker, so that a topic which was just created again may look like
that for one scan. What fell is marked once a later scan has told that the topic is the same.
"""

from collections.abc import Collection

from django.db.backends.utils import CursorWrapper

from collector.domain.ends import fallen, moved
from collector.sampling.memory import Memory
from collector.sampling.scan import Fall, Fast
from collector.store import broker_names
from collector.store.broker_names import Mark
from collector.store.samples import Offsets


def found(known: Memory, fast: Fast) -> dict[str, Fall]:
    """Topics with an id whose ends are lower than they were when last answered."""
    return {
        name: fall
        for name, marks in fast.ends.items()
        if (row := known.topics.get(name)) is not None and row.kafka_id is not None
        if (ends := known.ends.get(row.id)) is not None
        if (fall := _fall(row.id, ends.last, marks.high, fast)) is not None
    }


def waiting(known: Memory) -> set[str]:
    """Topics that have to be asked for their id once more."""
    fallen = {fall.topic_id for fall in known.falls}
    return {name for name, row in known.topics.items() if row.id in fallen} if fallen else set()


def store(cursor: CursorWrapper, known: Memory, fast: Fast, *, told: Collection[str]) -> None:
    """Mark what fell in an earlier scan, of topics whose id was `told` in this one; remember what fell in this one.

    After the names were stored, before the ends are: a topic with another id is another row, and what fell of the one
    before is of no meaning. The ends that came with a topic's first scan may be those of the one before.
    """
    if known.falls or fast.fallen:
        same = {row.id for name in told if (row := known.topics.get(name))}
        for fall in (each for each in known.falls if each.topic_id in same):
            _mark(cursor, known, fall)
        living = {row.id for row in known.topics.values()}
        known.falls = [fall for fall in known.falls if fall.topic_id in living - same]
        known.falls += [fall for fall in fast.fallen.values() if fall.topic_id in living - known.begun]
    known.begun = frozenset(
        row.id
        for name, row in known.topics.items()
        if row.id not in known.ends or (row.id in known.begun and _is_partly_unanswered(fast, name))
    )


def _mark(cursor: CursorWrapper, known: Memory, fall: Fall) -> None:
    offsets, partitions = str(fall.n_offsets), str(fall.n_partitions)
    broker_names.add_mark(
        cursor, Mark.CUT, fall.at, known.cluster_id, topic_id=fall.topic_id, before=offsets, after=partitions
    )


def _is_partly_unanswered(fast: Fast, name: str) -> bool:
    return name not in fast.ends or None in fast.ends[name].high


def _fall(topic_id: int, before: Offsets, after: Offsets, fast: Fast) -> Fall | None:
    if before == after or not (partitions := fallen(before, after)):
        return None
    n_offsets = moved([after[each] for each in partitions], [before[each] for each in partitions], missing=None)
    return Fall(topic_id, fast.at, n_offsets, len(partitions))
