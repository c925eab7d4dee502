"""Broker samples: rows of what changed, the newest value of everything, and one row per scan."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.domain.lag import Behind, Verdict

Offsets = tuple[int | None, ...]  # element p is partition p; None: no answer, or no commit


@dataclass(frozen=True, slots=True)
class TopicPoint:
    """First and next offsets of a topic at one time."""

    at: datetime
    topic_id: int
    low: Offsets
    high: Offsets


@dataclass(frozen=True, slots=True)
class GroupPoint:
    """Committed offsets of a group on a topic at one time."""

    at: datetime
    topic_id: int
    group_id: int
    committed: Offsets


@dataclass(frozen=True, slots=True)
class GroupNow:
    """A group on a topic as of its last change. `moved_at` None: it was never seen to commit."""

    topic_id: int
    group_id: int
    committed: Offsets
    behind: Behind
    moved_at: datetime | None
    verdict: Verdict | None
    verdict_at: datetime | None


def add_topic_points(cursor: CursorWrapper, points: Sequence[TopicPoint]) -> None:
    """Append rows to topic_sample."""
    if points:
        cursor.execute(
            "insert into topic_sample (sampled_at, topic_id, high, low)"
            " select at, topic_id, high::bigint[], low::bigint[]"
            " from unnest(%s::timestamptz[], %s::int[], %s::text[], %s::text[]) n (at, topic_id, high, low)",
            [
                [point.at for point in points],
                [point.topic_id for point in points],
                [_array(point.high) for point in points],
                [_array(point.low) for point in points],
            ],
        )


def add_group_points(cursor: CursorWrapper, points: Sequence[GroupPoint]) -> None:
    """Append rows to group_sample."""
    if points:
        cursor.execute(
            "insert into group_sample (sampled_at, topic_id, group_id, committed)"
            " select at, topic_id, group_id, committed::bigint[]"
            " from unnest(%s::timestamptz[], %s::int[], %s::int[], %s::text[]) n (at, topic_id, group_id, committed)",
            [
                [point.at for point in points],
                [point.topic_id for point in points],
                [point.group_id for point in points],
                [_array(point.committed) for point in points],
            ],
        )


def set_topics_now(cursor: CursorWrapper, at: datetime, ends: Sequence[tuple[int, Offsets, Offsets]]) -> None:
    """Replace topic_now for these (topic id, low, high)."""
    if ends:
        cursor.execute(
            "insert into topic_now (topic_id, sampled_at, low, high)"
            " select topic_id, %s, low::bigint[], high::bigint[]"
            " from unnest(%s::int[], %s::text[], %s::text[]) n (topic_id, low, high) order by topic_id"
            " on conflict (topic_id) do update set"
            " sampled_at = excluded.sampled_at, low = excluded.low, high = excluded.high",
            [
                at,
                [topic_id for topic_id, _, _ in ends],
                [_array(low) for _, low, _ in ends],
                [_array(high) for _, _, high in ends],
            ],
        )


def set_groups_now(cursor: CursorWrapper, at: datetime, groups: Sequence[GroupNow]) -> None:
    """Replace group_now for these."""
    if not groups:
        return
    cursor.execute(
        "insert into group_now (topic_id, group_id, sampled_at, committed, lag, lost, n_uncommitted,"
        " lag_seconds, lag_seconds_margin, moved_at, verdict, verdict_at)"
        " select topic_id, group_id, %s, committed::bigint[], lag, lost, n_uncommitted, seconds, margin, moved_at,"
        " verdict, verdict_at"
        " from unnest(%s::int[], %s::int[], %s::text[], %s::bigint[], %s::bigint[], %s::int[], %s::float8[],"
        " %s::float8[], %s::timestamptz[], %s::text[], %s::timestamptz[])"
        " n (topic_id, group_id, committed, lag, lost, n_uncommitted, seconds, margin, moved_at, verdict, verdict_at)"
        " order by 1, 2"
        " on conflict (topic_id, group_id) do update set sampled_at = excluded.sampled_at,"
        " committed = excluded.committed, lag = excluded.lag, lost = excluded.lost,"
        " n_uncommitted = excluded.n_uncommitted, lag_seconds = excluded.lag_seconds,"
        " lag_seconds_margin = excluded.lag_seconds_margin, moved_at = excluded.moved_at,"
        " verdict = excluded.verdict, verdict_at = excluded.verdict_at",
        [
            at,
            [group.topic_id for group in groups],
            [group.group_id for group in groups],
            [_array(group.committed) for group in groups],
            [group.behind.lag for group in groups],
            [group.behind.lost for group in groups],
            [group.behind.n_uncommitted for group in groups],
            [group.behind.age.seconds if group.behind.age else None for group in groups],
            [group.behind.age.margin_seconds if group.behind.age else None for group in groups],
            [group.moved_at for group in groups],
            [group.verdict.value if group.verdict else "" for group in groups],
            [group.verdict_at for group in groups],
        ],
    )


def forget_groups_now(cursor: CursorWrapper, pairs: Collection[tuple[int, int]]) -> None:
    """Drop group_now for these (topic id, group id): the group reads the topic no more."""
    if pairs:
        cursor.execute(
            "delete from group_now g using unnest(%s::int[], %s::int[]) n (topic_id, group_id)"
            " where g.topic_id = n.topic_id and g.group_id = n.group_id",
            [[topic_id for topic_id, _ in pairs], [group_id for _, group_id in pairs]],
        )


def forget_topics_now(cursor: CursorWrapper, topic_ids: Sequence[int]) -> None:
    """Drop the newest values of topics that are gone."""
    if topic_ids:
        cursor.execute("delete from group_now where topic_id = any(%s)", [list(topic_ids)])
        cursor.execute("delete from topic_now where topic_id = any(%s)", [list(topic_ids)])


def add_scan(
    cursor: CursorWrapper,
    *,
    cluster_id: int,
    at: datetime,
    n_topics: int,
    n_groups: int,
    wall_ms: int,
    failed: str | None = None,
) -> None:
    """One row per look at a cluster. `failed` says why it saw nothing: a missing sample is no unchanged one."""
    cursor.execute(
        "insert into scan (cluster_id, sampled_at, ok, n_topics, n_groups, wall_ms, reason)"
        " values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        [cluster_id, at, failed is None, n_topics, n_groups, wall_ms, failed or ""],
    )


def last_scan_at(cursor: CursorWrapper, cluster_id: int) -> datetime | None:
    """When the cluster was last seen."""
    cursor.execute("select max(sampled_at) from scan where cluster_id = %s and ok", [cluster_id])
    found: datetime | None = cursor.fetchone()[0]
    return found


def topics_now(cursor: CursorWrapper, topic_ids: Sequence[int]) -> dict[int, tuple[Offsets, Offsets]]:
    """topic id -> (low, high)."""
    cursor.execute("select topic_id, low, high from topic_now where topic_id = any(%s)", [list(topic_ids)])
    return {topic_id: (tuple(low), tuple(high)) for topic_id, low, high in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Kept:
    """What group_now remembers of a group on a topic from an earlier run."""

    committed: Offsets
    moved_at: datetime | None
    verdict: Verdict | None
    verdict_at: datetime | None


def groups_now(cursor: CursorWrapper, topic_ids: Sequence[int]) -> dict[tuple[int, int], Kept]:
    """By (topic id, group id)."""
    cursor.execute(
        "select topic_id, group_id, committed, moved_at, verdict, verdict_at from group_now where topic_id = any(%s)",
        [list(topic_ids)],
    )
    return {
        (topic_id, group_id): Kept(tuple(committed), moved_at, Verdict(verdict) if verdict else None, verdict_at)
        for topic_id, group_id, committed, moved_at, verdict, verdict_at in cursor.fetchall()
    }


def recent_ends(
    cursor: CursorWrapper, topic_ids: Sequence[int], *, since: datetime
) -> Iterable[tuple[int, datetime, Offsets]]:
    """(topic id, time, high) of all samples since then, by topic and time."""
    cursor.execute(
        "select topic_id, sampled_at, high from topic_sample where topic_id = any(%s) and sampled_at >= %s"
        " order by 1, 2",
        [list(topic_ids), since],
    )
    return ((topic_id, at, tuple(high)) for topic_id, at, high in cursor.fetchall())


def _array(offsets: Offsets) -> str:
    """As Postgres reads an array. Arrays of several lengths cannot be one parameter; their texts can."""
    return "{" + ",".join("null" if offset is None else str(offset) for offset in offsets) + "}"
