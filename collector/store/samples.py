"""Broker samples: rows of what changed, the newest value of everything, and one row per scan."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.domain.lag import Behind
from collector.domain.verdicts import Verdict
from collector.store.arrays import known, moments, numbers, words

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
    n_judged: int  # partitions that the verdict was found on
    notes: tuple[tuple[int, str], ...]  # (partition, a word of NOTES)
    n_total: int  # offsets committed since Weir first looked
    worst_lag: int | None  # the highest of the ten minutes that are open
    worst_seconds: float | None


MARKERS, OPEN_TRANSACTION = "markers", "open transaction"
"""Why an offset that is left may be no event to read: NOTES."""


@dataclass(frozen=True, slots=True)
class TopicNow:
    """The newest ends of a topic, and the broker that leads each partition. `n_total`: written since Weir looks."""

    topic_id: int
    low: Offsets
    high: Offsets
    leaders: Offsets
    n_total: int


def add_topic_points(cursor: CursorWrapper, points: Sequence[TopicPoint]) -> None:
    """Append rows to topic_sample."""
    if points:
        cursor.execute(
            "insert into topic_sample (sampled_at, topic_id, high, low)"
            " select at, topic_id, high::bigint[], low::bigint[]"
            " from unnest(%s::timestamptz[], %s::int[], string_to_array(%s, '|'), string_to_array(%s, '|'))"
            " n (at, topic_id, high, low)",
            [
                moments(point.at for point in points),
                numbers(point.topic_id for point in points),
                _texts(known(point.high) for point in points),
                _texts(known(point.low) for point in points),
            ],
        )


def add_group_points(cursor: CursorWrapper, points: Sequence[GroupPoint]) -> None:
    """Append rows to group_sample."""
    if points:
        cursor.execute(
            "insert into group_sample (sampled_at, topic_id, group_id, committed)"
            " select at, topic_id, group_id, committed::bigint[]"
            " from unnest(%s::timestamptz[], %s::int[], %s::int[], string_to_array(%s, '|'))"
            " n (at, topic_id, group_id, committed)",
            [
                moments(point.at for point in points),
                numbers(point.topic_id for point in points),
                numbers(point.group_id for point in points),
                _texts(known(point.committed) for point in points),
            ],
        )


def set_topics_now(cursor: CursorWrapper, at: datetime, ends: Sequence[TopicNow]) -> None:
    """Replace topic_now for these."""
    if ends:
        cursor.execute(
            "insert into topic_now (topic_id, sampled_at, low, high, leaders, n_total)"
            " select topic_id, %s, low::bigint[], high::bigint[], leaders::integer[], n_total"
            " from unnest(%s::int[], string_to_array(%s, '|'), string_to_array(%s, '|'), string_to_array(%s, '|'),"
            " %s::bigint[]) n (topic_id, low, high, leaders, n_total) order by topic_id"
            " on conflict (topic_id) do update set"
            " sampled_at = excluded.sampled_at, low = excluded.low, high = excluded.high, leaders = excluded.leaders,"
            " n_total = excluded.n_total",
            [
                at,
                numbers(each.topic_id for each in ends),
                _texts(known(each.low) for each in ends),
                _texts(known(each.high) for each in ends),
                _texts(known(each.leaders) for each in ends),
                numbers(each.n_total for each in ends),
            ],
        )


def set_groups_now(cursor: CursorWrapper, at: datetime, groups: Sequence[GroupNow]) -> None:
    """Replace group_now for these."""
    if not groups:
        return
    ages = [group.behind.age for group in groups]
    columns: tuple[tuple[str, str, str], ...] = (
        ("topic_id", "int", numbers(group.topic_id for group in groups)),
        ("group_id", "int", numbers(group.group_id for group in groups)),
        ("committed", "bigint[]", _texts(known(group.committed) for group in groups)),
        ("lag", "bigint", known(group.behind.lag for group in groups)),
        ("lost", "bigint", numbers(group.behind.lost for group in groups)),
        ("n_uncommitted", "int", numbers(group.behind.n_uncommitted for group in groups)),
        ("lag_seconds", "float8", known(age.seconds if age else None for age in ages)),
        ("lag_seconds_margin", "float8", known(age.margin_seconds if age else None for age in ages)),
        ("lag_seconds_from_record", "bool", known(age is not None and age.from_record for age in ages)),
        ("moved_at", "timestamptz", moments(group.moved_at for group in groups)),
        ("verdict", "text", words(group.verdict.value if group.verdict else "" for group in groups)),
        ("verdict_at", "timestamptz", moments(group.verdict_at for group in groups)),
        ("n_judged", "int", numbers(group.n_judged for group in groups)),
        ("notes", "jsonb", _texts(json.dumps(dict(group.notes)) if group.notes else "{}" for group in groups)),
        ("n_total", "bigint", numbers(group.n_total for group in groups)),
        ("worst_lag", "bigint", known(group.worst_lag for group in groups)),
        ("worst_seconds", "real", known(group.worst_seconds for group in groups)),
    )
    names = [name for name, _, _ in columns]
    texts = {"bigint[]", "jsonb"}
    holders = ["string_to_array(%s, '|')" if kind in texts else f"%s::{kind}[]" for _, kind, _ in columns]
    cursor.execute(
        f"insert into group_now (sampled_at, {', '.join(names)})"  # noqa: S608 our own names
        f" select %s, {', '.join(f'{name}::{kind}' for name, kind, _ in columns)}"
        f" from unnest({', '.join(holders)})"
        f" n ({', '.join(names)}) order by topic_id, group_id"
        f" on conflict (topic_id, group_id) do update set sampled_at = excluded.sampled_at,"
        f" {', '.join(f'{name} = excluded.{name}' for name in names[2:])}",
        [at, *(values for _, _, values in columns)],
    )


def forget_groups_now(cursor: CursorWrapper, pairs: Collection[tuple[int, int]], *, now: datetime) -> None:
    """Drop group_now for these (topic id, group id): the group reads the topic no more."""
    if pairs:
        cursor.execute(_FORGET.format(which=f"using {_PAIRS} where {_SAME}"), [*_columns(pairs), now])


def forget_topics_now(cursor: CursorWrapper, topic_ids: Sequence[int], *, now: datetime) -> None:
    """Drop the newest values of topics that are gone, and of who read them."""
    if topic_ids:
        cursor.execute(_FORGET.format(which="where g.topic_id = any(%s)"), [list(topic_ids), now])
        cursor.execute("delete from topic_now where topic_id = any(%s)", [list(topic_ids)])


def forget_gone(cursor: CursorWrapper, pairs: Collection[tuple[int, int]]) -> None:
    """These (topic id, group id) read, or read again."""
    if pairs:
        cursor.execute(f"delete from group_gone g using {_PAIRS} where {_SAME}", _columns(pairs))  # noqa: S608


def _columns(pairs: Collection[tuple[int, int]]) -> list[list[int]]:
    return [[topic_id for topic_id, _ in pairs], [group_id for _, group_id in pairs]]


_PAIRS = "unnest(%s::int[], %s::int[]) n (topic_id, group_id)"
_SAME = "g.topic_id = n.topic_id and g.group_id = n.group_id"
_FORGET = """
    with gone as (delete from group_now g {which} returning g.topic_id, g.group_id)
    insert into group_gone (topic_id, group_id, gone_at) select topic_id, group_id, %s from gone order by 1, 2
    on conflict (topic_id, group_id) do update set gone_at = excluded.gone_at
"""


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


def topics_now(cursor: CursorWrapper, topic_ids: Sequence[int]) -> dict[int, tuple[Offsets, Offsets, Offsets, int]]:
    """topic id -> (low, high, leaders, n_total)."""
    cursor.execute(
        "select topic_id, low, high, leaders, n_total from topic_now where topic_id = any(%s)", [list(topic_ids)]
    )
    return {
        topic_id: (tuple(low), tuple(high), tuple(leaders), n_total)
        for topic_id, low, high, leaders, n_total in cursor.fetchall()
    }


@dataclass(frozen=True, slots=True)
class Kept:
    """What group_now remembers of a group on a topic from an earlier run."""

    sampled_at: datetime
    committed: Offsets
    moved_at: datetime | None
    verdict: Verdict | None
    verdict_at: datetime | None
    lost: int
    lag: int | None
    lag_seconds: float | None
    n_total: int
    worst_lag: int | None
    worst_seconds: float | None
    n_judged: int


def groups_now(cursor: CursorWrapper, topic_ids: Sequence[int]) -> dict[tuple[int, int], Kept]:
    """By (topic id, group id)."""
    cursor.execute(
        "select topic_id, group_id, sampled_at, committed, moved_at, verdict, verdict_at, lost, lag, lag_seconds,"
        " n_total, worst_lag, worst_seconds, n_judged from group_now where topic_id = any(%s)",
        [list(topic_ids)],
    )
    return {
        (topic_id, group_id): Kept(at, tuple(committed), moved_at, Verdict(verdict) if verdict else None, *more)
        for topic_id, group_id, at, committed, moved_at, verdict, *more in cursor.fetchall()
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


def recent_commits(
    cursor: CursorWrapper, pairs: Sequence[tuple[int, int]], *, since: datetime
) -> Iterable[tuple[tuple[int, int], datetime, Offsets]]:
    """((topic id, group id), time, committed) of all samples of these since then, by time."""
    if not pairs:
        return ()
    cursor.execute(
        "select s.topic_id, s.group_id, s.sampled_at, s.committed from unnest(%s::int[], %s::int[])"
        " n (topic_id, group_id) join group_sample s using (topic_id, group_id) where s.sampled_at >= %s order by 3",
        [[topic_id for topic_id, _ in pairs], [group_id for _, group_id in pairs], since],
    )
    return (((topic_id, group_id), at, tuple(found)) for topic_id, group_id, at, found in cursor.fetchall())


def _texts(texts: Iterable[str]) -> str:
    """Texts as one parameter, which costs the driver a tenth of a list of them; none holds a bar.

    Of arrays, too: those of several lengths cannot be one parameter.
    """
    return "|".join(texts)
