"""Samples older than what pages read: from rows to one compressed chunk per hour and topic, or topic and group."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.domain.sample_chunks import Point, packed, unpacked
from collector.store.partitions import TABLES, Leaves

KEPT_AS_ROWS = timedelta(hours=25)  # the longest window of a page is a day, and is read from rows
KEPT_SCANS = timedelta(days=30)
HOUR = timedelta(hours=1)


class Kind(IntEnum):
    """What a chunk holds; stored in sample_chunk.kind."""

    WATERMARKS = 0  # (high, low); group_id 0
    COMMITTED = 1  # (committed,)


def pack_old(leaves: Leaves, *, now: datetime) -> int:
    """Turn hours of rows that are old enough into chunks; how many hours. Safe to run twice, and at the same time.

    Of every topic, and of every group on a topic, the newest of the old rows stays: it says what held since.
    """
    end = (now - KEPT_AS_ROWS).replace(minute=0, second=0, microsecond=0)
    hours = _hours(end)
    for hour in hours:
        leaves.ensure("sample_chunk", hour)
        with transaction.atomic(), connection.cursor() as cursor:
            _add(cursor, Kind.WATERMARKS, hour, _taken(cursor, _TOPICS, hour, end))
            _add(cursor, Kind.COMMITTED, hour, _taken(cursor, _GROUPS, hour, end))
    with connection.cursor() as cursor:
        cursor.execute("delete from scan where sampled_at < %s", [now - KEPT_SCANS])
        cursor.execute("delete from scan_10m where bucket_at < %s", [now - TABLES["topic_1h"].kept])
    return len(hours)


_TOPICS = """
    from topic_sample s where s.sampled_at >= %s and s.sampled_at < %s and exists (select from topic_sample n
      where n.topic_id = s.topic_id and n.sampled_at > s.sampled_at and n.sampled_at < %s)
"""
_GROUPS = """
    from group_sample s where s.sampled_at >= %s and s.sampled_at < %s and exists (select from group_sample n
      where n.topic_id = s.topic_id and n.group_id = s.group_id and n.sampled_at > s.sampled_at and n.sampled_at < %s)
"""
_COLUMNS = {
    _TOPICS: "s.topic_id, 0, s.sampled_at, s.high, s.low",
    _GROUPS: "s.topic_id, s.group_id, s.sampled_at, s.committed",
}


def _hours(end: datetime) -> list[datetime]:
    """The hours that have rows to pack."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"select date_trunc('hour', s.sampled_at, 'UTC') {_TOPICS}"
            f" union select date_trunc('hour', s.sampled_at, 'UTC') {_GROUPS} order by 1",
            [datetime.min.replace(tzinfo=UTC), end, end] * 2,
        )
        return [hour for (hour,) in cursor.fetchall()]


def _taken(cursor: CursorWrapper, which: str, hour: datetime, end: datetime) -> dict[tuple[int, int], list[Point]]:
    """Delete these rows of an hour; their points by (topic id, group id)."""
    cursor.execute(f"delete {which} returning {_COLUMNS[which]}", [hour, hour + HOUR, end])
    found: dict[tuple[int, int], list[Point]] = {}
    for topic_id, group_id, at, *values in cursor.fetchall():
        found.setdefault((topic_id, group_id), []).append(Point(at, tuple(tuple(each or ()) for each in values)))
    return found


def _add(cursor: CursorWrapper, kind: Kind, hour: datetime, found: dict[tuple[int, int], list[Point]]) -> None:
    """Write chunks. A late row (the end of a long silence, or the one that stayed) joins the chunk of its hour."""
    cursor.execute(
        "select topic_id, group_id, body from sample_chunk where kind = %s and from_at = %s"
        " and topic_id = any(%s) for update",
        [int(kind), hour, sorted({topic_id for topic_id, _ in found})],
    )
    for topic_id, group_id, body in cursor.fetchall():
        if (topic_id, group_id) in found:
            found[topic_id, group_id] += unpacked(bytes(body))
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


def points_of(
    cursor: CursorWrapper, kind: Kind, *, topic_id: int, group_id: int = 0, since: datetime, until: datetime
) -> Sequence[Point]:
    """Packed points of a topic, or of a group on it, in order; hours are read whole."""
    cursor.execute(
        "select body from sample_chunk where kind = %s and topic_id = %s and group_id = %s"
        " and from_at > %s and from_at < %s order by from_at",
        [int(kind), topic_id, group_id, since - HOUR, until],
    )
    return [point for (body,) in cursor.fetchall() for point in unpacked(bytes(body))]
