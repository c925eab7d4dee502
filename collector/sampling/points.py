"""Offsets as samples: what changed, the end of every flat run, and the newest value with its lag and verdict."""

import json
from collections.abc import Iterator
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.domain.brokers import Offsets as Committed
from collector.domain.lag import Standing, behind, verdict
from collector.sampling.memory import Ends, Group, Memory, Pair
from collector.sampling.ring import Ring
from collector.sampling.scan import Fast
from collector.store import broker_names, samples
from collector.store.broker_names import Mark
from collector.store.samples import GroupNow, GroupPoint, Offsets, TopicPoint

STANDING_SECONDS = 5
MOST_STANDINGS = 13  # a minute


def cut_topics(known: Memory, fast: Fast) -> set[str]:
    """Topics whose end fell: created again, or cut by a broker that lost records. Their id tells which."""
    return {
        name
        for name, marks in fast.ends.items()
        if (row := known.topics.get(name)) and (ends := known.ends.get(row.id)) and _fell(ends.high, marks.high)
    }


def store_topics(cursor: CursorWrapper, known: Memory, fast: Fast) -> None:
    """Samples of the topics that changed."""
    added: list[TopicPoint] = []
    now: list[tuple[int, Offsets, Offsets]] = []
    for name, marks in fast.ends.items():
        row = known.topics.get(name)
        if row is None or known.is_internal(name) or not marks.high:
            continue
        ends = known.ends.get(row.id)
        known.rings.setdefault(row.id, Ring()).add(fast.at.timestamp(), marks.high)
        if ends is not None and (ends.low, ends.high) == (marks.low, marks.high):
            continue
        if ends is not None and (flat_until := _flat_until(ends.written_at, known.scanned_at)):
            added.append(TopicPoint(flat_until, row.id, ends.low, ends.high))
        added.append(TopicPoint(fast.at, row.id, marks.low, marks.high))
        now.append((row.id, marks.low, marks.high))
        known.ends[row.id] = Ends(marks.low, marks.high, fast.at)
    samples.add_topic_points(cursor, added)
    samples.set_topics_now(cursor, fast.at, now)


def store_groups(cursor: CursorWrapper, known: Memory, fast: Fast) -> None:
    """Samples of the groups that moved; lag and verdict of all that changed."""
    added: list[GroupPoint] = []
    now: list[GroupNow] = []
    seen: set[tuple[int, int]] = set()
    for name, offsets in fast.committed.items():
        group = known.groups[name]
        for topic, committed in _by_topic(known, fast, group, offsets):
            key = (known.topics[topic].id, group.id)
            seen.add(key)
            pair = known.pairs.get(key)
            if pair is None:
                pair = known.pairs[key] = Pair(committed, fast.at, None, None, None)
                added.append(GroupPoint(fast.at, *key, committed))
            elif pair.committed != committed:
                if flat_until := _flat_until(pair.written_at, known.scanned_at):
                    added.append(GroupPoint(flat_until, *key, pair.committed))
                added.append(GroupPoint(fast.at, *key, committed))
                _mark_rewind(cursor, known, key, pair.committed, committed, fast.at)
                pair.committed, pair.written_at, pair.moved_at = committed, fast.at, fast.at
            if (shown := _shown(known, key, pair, group, fast.at)) != pair.shown:
                pair.shown = shown
                now.append(shown)
    samples.add_group_points(cursor, added)
    samples.set_groups_now(cursor, fast.at, now)
    gone = _gone_pairs(known, fast, seen)
    samples.forget_groups_now(cursor, gone)
    for key in gone:
        del known.pairs[key]


def _by_topic(known: Memory, fast: Fast, group: Group, offsets: Committed) -> Iterator[tuple[str, Offsets]]:
    """Topics that the group committed to or was given, with one element per partition that has an end."""
    for topic in sorted(offsets.keys() | group.topics):
        row = known.topics.get(topic)
        if row is None or topic not in fast.ends or row.id not in known.ends or known.is_internal(topic):
            continue
        of_topic = offsets.get(topic, {})
        yield topic, tuple(of_topic.get(partition) for partition in range(len(known.ends[row.id].high)))


def _shown(known: Memory, key: tuple[int, int], pair: Pair, group: Group, at: datetime) -> GroupNow:
    topic_id, group_id = key
    ends = known.ends[topic_id]
    found = behind(
        pair.committed, low=ends.low, high=ends.high, history=known.rings[topic_id].points, now=at.timestamp()
    )
    _stand(pair, Standing(at.timestamp(), group.state, group.n_members, found.lag, pair.committed))
    word = verdict(pair.standings)
    if word != pair.verdict:
        pair.verdict, pair.verdict_at = word, at
    return GroupNow(topic_id, group_id, pair.committed, found, pair.moved_at, pair.verdict, pair.verdict_at)


def _stand(pair: Pair, newest: Standing) -> None:
    """Keep one standing every few seconds, and always the newest."""
    standings = pair.standings
    if len(standings) > 1 and newest.at - standings[-2].at < STANDING_SECONDS:
        standings.pop()
    standings.append(newest)
    del standings[:-MOST_STANDINGS]


def _mark_rewind(
    cursor: CursorWrapper, known: Memory, key: tuple[int, int], before: Offsets, after: Offsets, at: datetime
) -> None:
    fallen = [
        partition
        for partition, (old, new) in enumerate(zip(before, after, strict=False))
        if old is not None and new is not None and new < old
    ]
    if fallen:
        old, new = (json.dumps({str(partition): of[partition] for partition in fallen}) for of in (before, after))
        broker_names.add_mark(
            cursor, Mark.REWIND, at, known.cluster_id, topic_id=key[0], group_id=key[1], before=old, after=new
        )


def _gone_pairs(known: Memory, fast: Fast, seen: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pairs of groups that answered without them, and of groups that are gone. Who was silent keeps its pairs."""
    listed = {group.name for group in fast.groups}
    settled = {group.id for name, group in known.groups.items() if name in fast.committed or name not in listed}
    asked = {known.topics[topic].id for topic in fast.ends if topic in known.topics}
    return [key for key in known.pairs if key not in seen and key[1] in settled and key[0] in asked]


def _flat_until(written_at: datetime | None, scanned_at: datetime | None) -> datetime | None:
    """When the value that now changed was last seen, if that is not in the samples yet."""
    if scanned_at is None or (written_at is not None and written_at >= scanned_at):
        return None
    return scanned_at


def _fell(before: Offsets, after: Offsets) -> bool:
    return len(after) < len(before) or any(
        old is not None and new is not None and new < old for old, new in zip(before, after, strict=False)
    )
