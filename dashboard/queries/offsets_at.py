"""Where a group stood on topics at a moment, and where these ended: from rows, or packed ones where those are gone."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from collector.domain.sample_chunks import unpacked
from dashboard.queries.offsets import Offsets
from dashboard.queries.sums import LONGEST_FINE

_WATERMARKS, _COMMITTED = 0, 1  # sample_chunk.kind


class Stood(NamedTuple):
    """Offsets of a group on a topic, and of the topic, by partition."""

    topic_id: int
    committed: Offsets
    high: Offsets
    low: Offsets


_Held = tuple[datetime, tuple[Offsets, ...]]


def stood(group_id: int, topic_ids: Collection[int], moment: datetime, *, now: datetime) -> list[Stood]:
    """Of those topics on which both are known. One statement, two of more than a day ago."""
    with connection.cursor() as cursor:
        parameters: dict[str, int | list[int] | datetime] = {"group": group_id, "topics": list(topic_ids), "at": moment}
        cursor.execute(_ROWS, parameters)
        held: dict[tuple[int, int], _Held] = {}
        for topic_id, committed_at, committed, ended_at, high, low in cursor.fetchall():
            if committed_at is not None:
                held[topic_id, _COMMITTED] = committed_at, (committed,)
            if ended_at is not None:
                held[topic_id, _WATERMARKS] = ended_at, (high, low)
        if moment < now - LONGEST_FINE:
            cursor.execute(_PACKED, parameters)
            for topic_id, kind, body in cursor.fetchall():
                _take_in(held, (topic_id, kind), bytes(body), moment)
    return [
        Stood(topic_id, *held[topic_id, _COMMITTED][1], *held[topic_id, _WATERMARKS][1])
        for topic_id in sorted(topic_ids)
        if (topic_id, _COMMITTED) in held and (topic_id, _WATERMARKS) in held
    ]


def _take_in(held: dict[tuple[int, int], _Held], key: tuple[int, int], body: bytes, moment: datetime) -> None:
    """The last packed values before a moment, where they are newer than those that are known."""
    newest = max((point for point in unpacked(body) if point.at <= moment), key=lambda point: point.at, default=None)
    if newest is not None and (key not in held or newest.at > held[key][0]):
        held[key] = newest.at, tuple(list(each) for each in newest.values)


_ROWS = """
    select n.topic_id, g.sampled_at, g.committed, t.sampled_at, t.high, t.low
    from unnest(%(topics)s::int[]) n (topic_id)
    left join lateral (select sampled_at, committed from group_sample s where s.topic_id = n.topic_id
      and s.group_id = %(group)s and s.sampled_at <= %(at)s order by s.sampled_at desc limit 1) g on true
    left join lateral (select sampled_at, high, coalesce(low, '{}') low from topic_sample s
      where s.topic_id = n.topic_id and s.sampled_at <= %(at)s order by s.sampled_at desc limit 1) t on true
"""
# Of the hour around a moment all may have come after it: then the hour before that has any tells what held.
_PACKED = """
    select n.topic_id, k.kind, c.body from unnest(%(topics)s::int[]) n (topic_id)
    cross join (values (0::smallint, 0), (1::smallint, %(group)s::int)) k (kind, group_id)
    cross join lateral (select body from sample_chunk s where s.topic_id = n.topic_id and s.kind = k.kind
      and s.group_id = k.group_id and s.from_at <= %(at)s order by s.from_at desc limit 2) c
"""
