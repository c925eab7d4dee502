"""Offsets as samples: what changed, the end of every flat run, and the newest value with its lag and verdict."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import count
from operator import eq

from django.db.backends.utils import CursorWrapper

from collector.domain.brokers import HIDDEN
from collector.domain.brokers import Offsets as Committed
from collector.domain.ends import Ring, answered, fallen, moved
from collector.domain.lag import Behind, FirstUnread, behind, is_blocked, lags, nothing_left
from collector.domain.verdicts import Standing
from collector.sampling import sums
from collector.sampling.judging import judge
from collector.sampling.looks import Looks
from collector.sampling.memory import Ends, Group, Looked, Memory, Pair, Told, room
from collector.sampling.scan import Fast
from collector.store import broker_names, sample_sums, samples
from collector.store.broker_names import DEAD, Mark
from collector.store.samples import MARKERS, OPEN_TRANSACTION, GroupNow, GroupPoint, Offsets, TopicNow, TopicPoint

_NO_OFFSETS: Mapping[int, int | None] = {}
_NONE_FOUND: Mapping[int, FirstUnread] = {}  # nearly always, and kept for each pair


def store_topics(cursor: CursorWrapper, known: Memory, fast: Fast) -> None:
    """Samples of the topics that changed."""
    added: list[TopicPoint] = []
    now: list[TopicNow] = []
    new = {name: row.id for name in unseen(known, fast) if (row := known.topics.get(name))}
    broker_names.set_older(cursor, [number for name, number in new.items() if name in fast.older])
    totals = sample_sums.topic_totals(cursor, list(new.values()))
    most_points = room(sum(len(marks.high) for marks in fast.ends.values()))
    for name, marks in fast.ends.items():
        row = known.topics.get(name)
        if row is None or known.is_internal(name) or not marks.high:
            continue
        ends, ring = known.ends.get(row.id), known.rings.get(row.id)
        if ring is None:
            ring = known.rings[row.id] = Ring(most_points)
        leaders = fast.overview.leaders[name]
        if ends is not None and (ends.low, ends.high, ends.leaders) == (marks.low, marks.high, leaders):
            ring.add(fast.now, marks.high)
            continue
        before: Offsets = () if ends is None else ends.last
        n_total, summed = (totals.get(row.id, 0), None) if ends is None else (ends.n_total, ends.summed)
        n_total += moved(before, marks.high, missing=0) if before else 0
        ring.add(fast.now, marks.high)
        if ends is not None and (flat_until := _flat_until(ends.written_at, known.scanned_at)):
            added.append(TopicPoint(flat_until, row.id, ends.low, ends.high))
        added.append(TopicPoint(fast.at, row.id, marks.low, marks.high))
        now.append(TopicNow(row.id, marks.low, marks.high, leaders, n_total))
        last = answered(marks.high, before=before)
        known.ends[row.id] = Ends(marks.low, marks.high, leaders, fast.at, last, n_total, summed)
    samples.add_topic_points(cursor, added)
    samples.set_topics_now(cursor, fast.at, now)


def unseen(known: Memory, fast: Fast) -> list[str]:
    """Topics that are seen for the first time, or again: these count on from where they were."""
    return [
        name
        for name, marks in fast.ends.items()
        if marks.high and ((row := known.topics.get(name)) is None or row.id not in known.ends)
    ]


def store_groups(cursor: CursorWrapper, known: Memory, fast: Fast) -> None:
    """Samples of the groups that moved; lag and verdict of all that changed."""
    added: list[GroupPoint] = []
    now: list[GroupNow] = []
    seen: set[tuple[int, int]] = set()
    began: list[tuple[int, int]] = []
    looks = Looks(known, fast)
    for name, offsets in fast.committed.items():
        group = known.groups[name]
        for topic, committed, silent in _by_topic(known, fast, group, offsets):
            key = (known.topics[topic].id, group.id)
            seen.add(key)
            pair = known.pairs.get(key)
            if pair is None:
                pair = known.pairs[key] = Pair(committed, fast.at, None, fast.now, None, None, None)
                added.append(GroupPoint(fast.at, *key, committed))
                began.append(key)
            elif pair.committed != committed:
                _mark_rewind(cursor, known, key, pair.committed, committed, fast.at)
                added += _moved(pair, key, committed, known.scanned_at, fast.at)
            shown = _shown(known, key, pair, group, fast, looks.at(topic, pair, key[0]), silent)
            if pair.lost == 0 < shown.behind.lost:
                _mark(cursor, Mark.LOST, known, key, fast.at, before="0", after=str(shown.behind.lost))
            pair.lost = shown.behind.lost
            if shown is not pair.shown and shown != pair.shown:
                pair.shown = shown
                now.append(shown)
    looks.keep()
    samples.add_group_points(cursor, added)
    samples.forget_gone(cursor, began)
    samples.set_groups_now(cursor, fast.at, _counted_on(cursor, known, began, now))
    gone = _gone_pairs(known, fast, seen)
    sums.end(cursor, known, gone, fast.at)
    samples.forget_groups_now(cursor, gone, now=fast.at)
    for key in gone:
        del known.pairs[key]


def _counted_on(
    cursor: CursorWrapper, known: Memory, began: list[tuple[int, int]], now: list[GroupNow]
) -> list[GroupNow]:
    """Who was gone and is seen again counts on from where it was: a counter that fell would be a negative rate."""
    totals = sample_sums.group_totals(cursor, began)
    if not totals:
        return now
    for key, n_total in totals.items():
        known.pairs[key].sums.n_total += n_total
    found = []
    for each in now:
        pair = known.pairs[each.topic_id, each.group_id]
        pair.shown = shown = replace(each, n_total=pair.sums.n_total)
        found.append(shown)
    return found


def _moved(
    pair: Pair, key: tuple[int, int], committed: Offsets, scanned_at: datetime | None, at: datetime
) -> Iterator[GroupPoint]:
    """Its offsets are others: the samples to write, the end of the silence before first."""
    if flat_until := _flat_until(pair.written_at, scanned_at):
        yield GroupPoint(flat_until, *key, pair.committed)
    yield GroupPoint(at, *key, committed)
    pair.sums.n_total += moved(pair.committed, committed, missing=None)
    if _has_committed(pair.committed, committed):
        pair.moved_at, pair.still_since = at, at.timestamp()
    pair.committed, pair.written_at = committed, at


def _has_committed(before: Offsets, after: Offsets) -> bool:
    """False where partitions were added, or offsets ran out, and nothing else."""
    known = len(before)
    return any(
        offset is not None and (partition >= known or offset != before[partition])
        for partition, offset in enumerate(after)
    )


def _by_topic(
    known: Memory, fast: Fast, group: Group, offsets: Committed
) -> Iterator[tuple[str, Offsets, Collection[int]]]:
    """Topics that the group committed to or was given, with one element per partition that has an end.

    Third are partitions of which the broker told an error: as if nothing had happened there. A topic that the group was
    never seen on waits until all is known.
    A group that keeps up stands at the end: then the number is kept once.
    """
    for topic in sorted(offsets.keys() | group.topics):
        row = known.topics.get(topic)
        if row is None or topic not in fast.ends or row.id not in known.ends or known.is_internal(topic):
            continue
        told, high = offsets.get(topic, _NO_OFFSETS), known.ends[row.id].high
        pair, committed_at = known.pairs.get((row.id, group.id)), told.get
        if pair is not None and len(high) == len(pair.committed) and _is_as_before(told, pair.committed):
            yield topic, pair.committed, ()
            continue
        committed = tuple(
            [end if end == (offset := committed_at(number)) else offset for number, end in enumerate(high)]
        )
        if None not in told.values():
            yield topic, committed, ()
        elif pair is not None:
            silent = [partition for partition, offset in told.items() if offset is None]
            yield topic, _carried(committed, pair.committed, silent), silent


def _is_as_before(told: Mapping[int, int | None], committed: Offsets) -> bool:
    """Whether a group committed what it had committed, on all partitions: as most have, from scan to scan."""
    return len(told) == len(committed) and None not in committed and all(map(eq, map(told.get, count()), committed))


def _carried(committed: Offsets, before: Offsets, silent: Collection[int]) -> Offsets:
    """What was committed where the broker tells no error, else what was known of it: an error is no missing commit."""
    return tuple(
        [
            before[partition] if partition in silent and partition < len(before) else offset
            for partition, offset in enumerate(committed)
        ]
    )


def _shown(
    known: Memory,
    key: tuple[int, int],
    pair: Pair,
    group: Group,
    fast: Fast,
    looked: Mapping[int, Looked],
    silent: Collection[int],
) -> GroupNow:
    topic_id, group_id = key
    ends, now = known.ends[topic_id], fast.now
    records = {partition: look.found for partition, look in looked.items()} or _NONE_FOUND
    told = pair.told
    if told is not None and told.behind.age is not None and told.holds(pair.committed, ends, records):
        found = told.behind_at(now)
    else:
        history = known.rings[topic_id].points
        found = behind(pair.committed, low=ends.low, high=ends.high, history=history, now=now, records=records)
        of_each = lags(pair.committed, low=ends.low, high=ends.high)
        told = pair.told = Told(now, pair.committed, ends, records, found, of_each)
    unread, notes = told.lags, list[tuple[int, str]]()
    for partition, record in records.items():
        if nothing_left(record, high=ends.high[partition]):
            unread = (*unread[:partition], 0, *unread[partition + 1 :])
            notes.append((partition, MARKERS))
        elif is_blocked(record, high=ends.high[partition]):
            notes.append((partition, OPEN_TRANSACTION))
    if silent:
        found = Behind(None, found.lost, found.n_uncommitted, None)
        unread = tuple([None if partition in silent else lag for partition, lag in enumerate(unread)])
    judge(pair, Standing(now, group.state, group.n_members, pair.committed, unread), fast.at)
    pair.sums.take_in(found)
    if (shown := pair.shown) is not None and _is_as_shown(shown, pair, found, notes):
        return shown
    return GroupNow(
        topic_id,
        group_id,
        pair.committed,
        found,
        pair.moved_at,
        pair.verdict,
        pair.verdict_at,
        pair.n_judged,
        tuple(notes),
        pair.sums.n_total,
        pair.sums.worst_lag,
        pair.sums.worst_seconds,
    )


def _is_as_shown(shown: GroupNow, pair: Pair, found: Behind, notes: Collection[tuple[int, str]]) -> bool:
    """Told without making it anew, which for nearly all pairs is what takes most: these hold the very same."""
    sums = pair.sums
    return (
        shown.behind is found
        and shown.committed is pair.committed
        and shown.verdict is pair.verdict
        and shown.verdict_at is pair.verdict_at
        and shown.moved_at is pair.moved_at
        and shown.n_judged == pair.n_judged
        and not notes
        and not shown.notes
        and shown.n_total == sums.n_total
        and shown.worst_lag == sums.worst_lag
        and shown.worst_seconds == sums.worst_seconds
    )


def _mark_rewind(
    cursor: CursorWrapper, known: Memory, key: tuple[int, int], before: Offsets, after: Offsets, at: datetime
) -> None:
    if partitions := fallen(before, after):
        old, new = (json.dumps({str(partition): of[partition] for partition in partitions}) for of in (before, after))
        _mark(cursor, Mark.REWIND, known, key, at, before=old, after=new)


def _mark(
    cursor: CursorWrapper, kind: Mark, known: Memory, key: tuple[int, int], at: datetime, *, before: str, after: str
) -> None:
    broker_names.add_mark(
        cursor, kind, at, known.cluster_id, topic_id=key[0], group_id=key[1], before=before, after=after
    )


def _gone_pairs(known: Memory, fast: Fast, seen: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs of groups that answered without them, and of groups that are gone. Who was silent keeps its pairs."""
    settled = {
        group.id for name, group in known.groups.items() if name in fast.committed or group.state in (DEAD, HIDDEN)
    }
    asked = {known.topics[topic].id for topic in fast.ends if topic in known.topics}
    return [key for key in known.pairs if key not in seen and key[1] in settled and key[0] in asked]


def _flat_until(written_at: datetime | None, scanned_at: datetime | None) -> datetime | None:
    """When the value that now changed was last seen, if that is not in the samples yet."""
    if scanned_at is None or (written_at is not None and written_at >= scanned_at):
        return None
    return scanned_at
