"""Offsets as they stood at a moment: from rows of samples, or packed ones where those are gone."""

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import connection

from collector.domain.sample_chunks import opened
from dashboard.queries.offsets import Offsets
from dashboard.queries.sums import LONGEST_FINE

Pair = tuple[int, int]  # topic id, group id; group 0: the topic's own ends
_Held = tuple[datetime, tuple[Offsets, ...]]


def held(pairs: Collection[Pair], moment: datetime, *, now: datetime) -> Mapping[Pair, tuple[Offsets, ...]]:
    """(committed,) of a group on a topic, (high, low) of a topic. Who was not known is missing.

    One statement, two of more than a day ago.
    """
    parameters: dict[str, list[int] | datetime] = {
        "topics": [topic_id for topic_id, _ in pairs],
        "groups": [group_id for _, group_id in pairs],
        "at": moment,
    }
    found: dict[Pair, _Held] = {}
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, parameters)
        for topic_id, group_id, at, *values in cursor.fetchall():
            found[topic_id, group_id] = at, tuple(each for each in values if each is not None)
        if moment < now - LONGEST_FINE:
            cursor.execute(_PACKED, parameters)
            packed: dict[Pair, list[tuple[datetime, bytes]]] = {}
            for topic_id, group_id, from_at, body in cursor.fetchall():
                packed.setdefault((topic_id, group_id), []).append((from_at, bytes(body)))
            for pair, bodies in packed.items():
                take_in(found, pair, bodies, moment)
    return {pair: values for pair, (_, values) in found.items()}


def take_in(found: dict[Pair, _Held], pair: Pair, bodies: list[tuple[datetime, bytes]], moment: datetime) -> None:
    """The last packed values before a moment, where they are newer than those that are known.

    An hour of a thousand partitions takes a while to unpack: the one before is, only where this one began later.
    """
    for _, body in sorted(bodies, reverse=True):
        hour = opened(body)
        before = [number for number, at in enumerate(hour.times) if at <= moment]
        if before:
            newest = max(before, key=lambda number: hour.times[number])
            if pair not in found or hour.times[newest] > found[pair][0]:
                (point,) = hour.points([newest])
                found[pair] = point.at, tuple(list(each) for each in point.values)
            return


_ROWS = """
    with n as (select * from unnest(%(topics)s::int[], %(groups)s::int[]) n (topic_id, group_id))
    select n.topic_id, n.group_id, g.sampled_at, g.committed, null::bigint[] from n
      cross join lateral (select sampled_at, committed from group_sample s where s.topic_id = n.topic_id
        and s.group_id = n.group_id and s.sampled_at <= %(at)s order by s.sampled_at desc limit 1) g
      where n.group_id > 0
    union all
    select n.topic_id, 0, t.sampled_at, t.high, coalesce(t.low, '{}') from n
      cross join lateral (select sampled_at, high, low from topic_sample s where s.topic_id = n.topic_id
        and s.sampled_at <= %(at)s order by s.sampled_at desc limit 1) t
      where n.group_id = 0
"""
# Of the hour around a moment all may have come after it: then the hour before that has any tells what held.
_PACKED = """
    select n.topic_id, n.group_id, c.from_at, c.body
    from unnest(%(topics)s::int[], %(groups)s::int[]) n (topic_id, group_id)
    cross join lateral (select from_at, body from sample_chunk s where s.topic_id = n.topic_id
      and s.kind = case when n.group_id > 0 then 1 else 0 end and s.group_id = n.group_id and s.from_at <= %(at)s
      order by s.from_at desc limit 2) c
"""
