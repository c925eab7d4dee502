"""Samples older than what pages read: from rows to one compressed chunk per hour and topic, or topic and group."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.domain.sample_chunks import KEPT_AS_ROWS, KEPT_SCANS, TICK, Point, packed, unpacked
from collector.store.partitions import EPOCH, TABLES, Leaves

KEPT_BY_MINUTE = timedelta(hours=25)  # the longest window that lists read from rows is a day
HOUR = timedelta(hours=1)
TOPICS_AT_ONCE = 25
LOOKED_BACK = timedelta(hours=3)  # hours that a worker was away for are packed when they are a day old


_Stretch = Mapping[str, datetime | list[int]]


class Kind(IntEnum):
    """What a chunk holds; stored in sample_chunk.kind."""

    WATERMARKS = 0  # (high, low); group_id 0
    COMMITTED = 1  # (committed,)


def pack_old(leaves: Leaves, *, now: datetime) -> int:
    """Turn hours of rows that are old enough into chunks; how many hours. Safe to run twice, and at the same time.

    After 80 minutes an hour is packed, and what is not the last of its minute goes, nor the end of a topic's silence:
    a sampler that starts anew takes ages from rows. After a day the rest goes. The newest row of every topic, and of
    every group on a topic, stays: it says what held since.
    """
    by_minute, end = _hour(now - KEPT_AS_ROWS), _hour(now - KEPT_BY_MINUTE)
    hours = [(hour, _OLD, end) for hour in _hours(_OLD, datetime.min.replace(tzinfo=UTC), end)]
    hours += [(hour, _WITHIN, by_minute) for hour in _hours(_WITHIN, by_minute - LOOKED_BACK, by_minute)]
    for hour, which, before in hours:
        is_kept = hour + HOUR > now - TABLES["sample_chunk"].kept
        if is_kept:
            leaves.ensure("sample_chunk", hour)
        with transaction.atomic(), connection.cursor() as cursor:
            for kind, table in TABLES_OF.items():
                for topics in _topics(cursor, table, hour):
                    stretch: _Stretch = {"from": hour, "to": hour + HOUR, "before": before, "topics": topics}
                    gone = _points(cursor, f"delete {which} and {_OF_TOPICS} returning {{columns}}", table, stretch)
                    if not is_kept:  # it would make a leaf anew that is too old, or was dropped
                        continue
                    left = _points(cursor, _LEFT, table, stretch) if which is _WITHIN else {}
                    keys = gone.keys() | left
                    _add(cursor, kind, hour, {key: [*gone.get(key, ()), *left.get(key, ())] for key in keys})
    with connection.cursor() as cursor:
        if hours:  # once an hour
            for statement in _LEFT_BEHIND:
                cursor.execute(statement, [now - TABLES["sample_chunk"].kept])
        kept_scans = max(KEPT_SCANS, TABLES["sample_chunk"].kept)  # they tell where a chart has gaps
        cursor.execute("delete from scan where sampled_at < %s", [now - kept_scans])
        cursor.execute("delete from scan_10m where bucket_at < %s", [now - TABLES["topic_1h"].kept])
        cursor.execute("delete from group_gone where gone_at < %s", [now - TABLES["group_1h"].kept])
    return len(hours)


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    same: str  # of whom a row is
    columns: str
    after: str = "true"  # what a row comes after that goes within its day

    def told(self, statement: str) -> str:
        """A statement about this table."""
        return statement.format(name=self.name, same=self.same, columns=self.columns, after=self.after)


TABLES_OF = {
    Kind.WATERMARKS: _Table(
        "topic_sample",
        "n.topic_id = s.topic_id",
        "s.topic_id, 0, s.sampled_at, s.high, s.low",
        "exists (select from topic_sample p where p.topic_id = s.topic_id and p.sampled_at < s.sampled_at"
        " and p.sampled_at >= s.sampled_at - interval '1 min')",
    ),
    Kind.COMMITTED: _Table(
        "group_sample",
        "n.topic_id = s.topic_id and n.group_id = s.group_id",
        "s.topic_id, s.group_id, s.sampled_at, s.committed",
    ),
}
# Rows of a stretch that a newer one follows before some time.
_OLD = """
    from {name} s where s.sampled_at >= %(from)s and s.sampled_at < %(to)s and exists (select from {name} n
      where {same} and n.sampled_at > s.sampled_at and n.sampled_at < %(before)s)
"""
_OF_TOPICS = "s.topic_id = any(%(topics)s)"
_ALL = "from {name} s where s.sampled_at >= %(from)s and s.sampled_at < %(to)s"
_LEFT = "select {columns} " + _ALL + " and " + _OF_TOPICS
# Those that a newer one follows before their minute is over: what held at each full minute stays.
_WITHIN = """
    from {name} s where s.sampled_at >= %(from)s and s.sampled_at < %(to)s and exists (select from {name} n
      where {same} and n.sampled_at > s.sampled_at and n.sampled_at <= %(before)s
        and n.sampled_at <= date_bin('1 min', s.sampled_at - interval '1 us', '2000-01-01Z') + interval '1 min')
      and {after}
"""


# The newest row of who is gone has nobody to say anything of, when its chunks went.
_LEFT_BEHIND = (
    "delete from topic_sample s where s.sampled_at < %s"
    " and not exists (select from topic_now n where n.topic_id = s.topic_id)",
    "delete from group_sample s where s.sampled_at < %s"
    " and not exists (select from group_now n where n.topic_id = s.topic_id and n.group_id = s.group_id)",
)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _hours(which: str, since: datetime, before: datetime) -> list[datetime]:
    """The hours that have rows to pack."""
    selects = (table.told(f"select date_trunc('hour', s.sampled_at, 'UTC') {which}") for table in TABLES_OF.values())
    with connection.cursor() as cursor:
        cursor.execute(f"{' union '.join(selects)} order by 1", {"from": since, "to": before, "before": before})
        return [hour for (hour,) in cursor.fetchall()]


def _topics(cursor: CursorWrapper, table: _Table, hour: datetime) -> Iterator[list[int]]:
    """Those that have rows in an hour, some at once: each row takes a kilobyte here until it is packed."""
    cursor.execute(table.told(f"select distinct s.topic_id {_ALL} order by 1"), {"from": hour, "to": hour + HOUR})
    found = [topic_id for (topic_id,) in cursor.fetchall()]
    for start in range(0, len(found), TOPICS_AT_ONCE):
        yield found[start : start + TOPICS_AT_ONCE]


def _points(
    cursor: CursorWrapper, statement: str, table: _Table, stretch: _Stretch
) -> dict[tuple[int, int], list[Point]]:
    """Points of these rows of an hour by (topic id, group id)."""
    cursor.execute(table.told(statement), stretch)
    found: dict[tuple[int, int], list[Point]] = {}
    for topic_id, group_id, at, *values in cursor.fetchall():
        found.setdefault((topic_id, group_id), []).append(Point(at, tuple(tuple(each or ()) for each in values)))
    return found


def _add(cursor: CursorWrapper, kind: Kind, hour: datetime, found: dict[tuple[int, int], list[Point]]) -> None:
    """Write chunks. A late row (the end of a long silence, or the one that stayed) joins the chunk of its hour.

    A chunk that has them all is not written anew: a day's leaf would grow by as much again.
    """
    cursor.execute(
        "select topic_id, group_id, body from sample_chunk where kind = %s and from_at = %s"
        " and topic_id = any(%s) for update",
        [int(kind), hour, sorted({topic_id for topic_id, _ in found})],
    )
    for topic_id, group_id, body in cursor.fetchall():
        if new := found.pop((topic_id, group_id), None):
            known = unpacked(bytes(body))
            there = {_tick(point.at) for point in known}
            if more := [point for point in new if _tick(point.at) not in there]:
                found[topic_id, group_id] = known + more
    rows = []
    for (topic_id, group_id), points in sorted(found.items()):
        ordered = sorted(points, key=lambda point: point.at)
        rows.append((int(kind), topic_id, group_id, hour, len(ordered), packed(ordered)))
    if rows:
        cursor.execute(
            "insert into sample_chunk (kind, topic_id, group_id, from_at, n_points, body)"
            " select * from unnest(%s::smallint[], %s::int[], %s::int[], %s::timestamptz[], %s::int[], %s::bytea[])"
            " on conflict (topic_id, kind, group_id, from_at) do update set"
            " n_points = excluded.n_points, body = excluded.body",
            [list(column) for column in zip(*rows, strict=True)],
        )


def _tick(at: datetime) -> int:
    return (at - EPOCH) // TICK
