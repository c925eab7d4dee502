"""Sums of samples by ten minutes and by the hour: rows of what changed, and of everything as each day begins."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.backends.utils import CursorWrapper

TEN_MINUTES, HOUR = timedelta(minutes=10), timedelta(hours=1)
TABLES = ("topic_10m", "group_10m", "topic_1h", "group_1h")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TopicSum:
    """What a topic had counted up to the end of ten minutes."""

    topic_id: int
    n_total: int


@dataclass(frozen=True, slots=True)
class GroupSum:
    """What a group on a topic had counted, its lag at the end, and the highest in between. None is unknown, or gone."""

    topic_id: int
    group_id: int
    n_total: int
    lag: int | None
    worst_lag: int | None
    worst_seconds: float | None


def bucket(at: datetime) -> datetime:
    """The beginning of the ten minutes that `at` is in."""
    return _EPOCH + (at - _EPOCH) // TEN_MINUTES * TEN_MINUTES


def set_topic_sums(cursor: CursorWrapper, bucket_at: datetime, sums: Sequence[TopicSum]) -> None:
    """Rows of topic_10m; a bucket that is closed a second time is replaced."""
    if sums:
        ordered = sorted(sums, key=lambda each: each.topic_id)
        cursor.execute(
            "insert into topic_10m (bucket_at, topic_id, n_total) select %s, * from unnest(%s::int[], %s::bigint[])"
            " on conflict (topic_id, bucket_at) do update set n_total = excluded.n_total",
            [bucket_at, [each.topic_id for each in ordered], [each.n_total for each in ordered]],
        )


def set_group_sums(cursor: CursorWrapper, bucket_at: datetime, sums: Sequence[GroupSum]) -> None:
    """Rows of group_10m; a bucket that is closed a second time is replaced."""
    if sums:
        ordered = sorted(sums, key=lambda each: (each.topic_id, each.group_id))
        cursor.execute(
            "insert into group_10m (bucket_at, topic_id, group_id, n_total, lag, worst_lag, worst_seconds)"
            " select %s, * from unnest(%s::int[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::real[])"
            " on conflict (topic_id, group_id, bucket_at) do update set n_total = excluded.n_total,"
            " lag = excluded.lag, worst_lag = excluded.worst_lag, worst_seconds = excluded.worst_seconds",
            [
                bucket_at,
                [each.topic_id for each in ordered],
                [each.group_id for each in ordered],
                [each.n_total for each in ordered],
                [each.lag for each in ordered],
                [each.worst_lag for each in ordered],
                [each.worst_seconds for each in ordered],
            ],
        )


def topic_totals(cursor: CursorWrapper, topic_ids: Collection[int]) -> dict[int, int]:
    """What these topics had counted when they were last summed up; those that never were are missing."""
    if not topic_ids:
        return {}
    cursor.execute(_TOPIC_TOTALS, {"topics": sorted(topic_ids)})
    return dict(cursor.fetchall())


def group_totals(cursor: CursorWrapper, pairs: Collection[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """The same by (topic id, group id)."""
    if not pairs:
        return {}
    ordered = sorted(pairs)
    cursor.execute(
        _GROUP_TOTALS,
        {"topics": [topic_id for topic_id, _ in ordered], "groups": [group_id for _, group_id in ordered]},
    )
    return {(topic_id, group_id): n_total for topic_id, group_id, n_total in cursor.fetchall()}


# The last row of each of the two tables: a probe of each leaf at most. An hour is summed up later than its ten minutes.
_LAST = "(select s.n_total from {table} s where {same} order by s.bucket_at desc limit 1)"
_SAME_TOPIC = "s.topic_id = n.topic_id"
_SAME_GROUP = f"{_SAME_TOPIC} and s.group_id = n.group_id"
_TOPIC_TOTALS = f"""
    select * from (select topic_id, greatest({_LAST.format(table="topic_10m", same=_SAME_TOPIC)},
      {_LAST.format(table="topic_1h", same=_SAME_TOPIC)}) n_total
      from unnest(%(topics)s::int[]) n (topic_id)) found where n_total is not null
"""  # noqa: S608
_GROUP_TOTALS = f"""
    select * from (select topic_id, group_id, greatest({_LAST.format(table="group_10m", same=_SAME_GROUP)},
      {_LAST.format(table="group_1h", same=_SAME_GROUP)}) n_total
      from unnest(%(topics)s::int[], %(groups)s::int[]) n (topic_id, group_id)) found where n_total is not null
"""  # noqa: S608


def sum_up_hour(cursor: CursorWrapper, bucket_at: datetime, topic_ids: Collection[int]) -> None:
    """Recompute the hour around ten minutes from those that there are of it (idempotent), for these topics."""
    hour = bucket_at.replace(minute=0)
    parameters: dict[str, datetime | list[int]] = {
        "hour": hour,
        "until": hour + HOUR,
        "topics": sorted(topic_ids),
    }
    cursor.execute(_TOPIC_HOUR, parameters)
    cursor.execute(_GROUP_HOUR, parameters)


_OF_HOUR = "bucket_at >= %(hour)s and bucket_at < %(until)s and topic_id = any(%(topics)s)"
_TOPIC_HOUR = f"""
    insert into topic_1h (bucket_at, topic_id, n_total)
    select %(hour)s, topic_id, max(n_total) from topic_10m where {_OF_HOUR} group by topic_id order by topic_id
    on conflict (topic_id, bucket_at) do update set n_total = excluded.n_total
"""  # noqa: S608
_GROUP_HOUR = f"""
    insert into group_1h (bucket_at, topic_id, group_id, n_total, lag, worst_lag, worst_seconds)
    select %(hour)s, topic_id, group_id, max(n_total), (array_agg(lag order by bucket_at desc))[1], max(worst_lag),
      max(worst_seconds)
    from group_10m where {_OF_HOUR} group by topic_id, group_id order by topic_id, group_id
    on conflict (topic_id, group_id, bucket_at) do update set n_total = excluded.n_total, lag = excluded.lag,
      worst_lag = excluded.worst_lag, worst_seconds = excluded.worst_seconds
"""  # noqa: S608


def count_scans(cursor: CursorWrapper, cluster_id: int, bucket_at: datetime) -> None:
    """How many scans saw the cluster in these ten minutes."""
    cursor.execute(
        "insert into scan_10m (cluster_id, bucket_at, n_scans) select %s, %s, count(*) from scan"
        " where cluster_id = %s and ok and sampled_at >= %s and sampled_at < %s"
        " on conflict (cluster_id, bucket_at) do update set n_scans = excluded.n_scans",
        [cluster_id, bucket_at, cluster_id, bucket_at, bucket_at + TEN_MINUTES],
    )
