"""Counts and histograms per edge: ten seconds, minutes, hours; and which of them wait to be summed up again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from django.db.backends.utils import CursorWrapper

from collector.domain.histograms import Histogram, decoded, encoded, merged
from collector.domain.topology import EARLY, Evidence

DAY = timedelta(days=1)


class Level(IntEnum):
    """What is to be summed up again. The numbers are stored in rollup_dirty.level."""

    MINUTE = 1
    HOUR = 2


@dataclass(frozen=True, slots=True)
class Counts:
    """One edge in one bucket. `n`: messages; `n_spans`: what the duration is the sum of.

    `more`: messages whose spans were dropped by sampling, as those that were kept say.
    """

    bucket_at: datetime
    edge_id: int
    n: int
    n_error: int
    duration_ms_sum: float
    n_spans: int
    evidence: int
    more: float = 0.0


@dataclass(slots=True)
class Measured:
    """Durations of one edge in one minute, as histograms."""

    waits: dict[int, int] = field(default_factory=dict)
    processings: dict[int, int] = field(default_factory=dict)
    is_skewed: bool = False


def minute(at: datetime) -> datetime:
    """The minute `at` lies in."""
    return at.replace(second=0, microsecond=0)


def hour(at: datetime) -> datetime:
    """The hour `at` lies in."""
    return at.replace(minute=0, second=0, microsecond=0)


def day(at: datetime) -> datetime:
    """The day `at` lies in, UTC."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def add_minutes(cursor: CursorWrapper, counts: Iterable[Counts]) -> None:
    """Add to edge_1m directly: for buckets whose ten-second rows are gone."""
    total: dict[tuple[datetime, int], Counts] = {}
    for each in counts:
        key = (minute(each.bucket_at), each.edge_id)
        total[key] = _plus(total.get(key), each, key[0])
    cursor.execute(_ADD, _columns([total[key] for key in sorted(total)]))


def take_off(cursor: CursorWrapper, level: Level | None, counts: Iterable[Counts]) -> None:
    """Take off edge_1m, or edge_10s where `level` is None, what was counted twice: of what sampled spans stand for,
    the same share as of the messages. Nothing is taken off what is not there.
    """
    total: dict[tuple[datetime, int], Counts] = {}
    for each in counts:
        key = (each.bucket_at if level is None else minute(each.bucket_at), each.edge_id)
        total[key] = _plus(total.get(key), each, key[0])
    table = "edge_10s" if level is None else "edge_1m"
    cursor.execute(_TAKE_OFF.format(table=table), _columns([total[key] for key in sorted(total)])[:6])


def _plus(one: Counts | None, other: Counts, at: datetime) -> Counts:
    if one is None:
        return replace(other, bucket_at=at)
    return Counts(
        at,
        one.edge_id,
        one.n + other.n,
        one.n_error + other.n_error,
        one.duration_ms_sum + other.duration_ms_sum,
        one.n_spans + other.n_spans,
        one.evidence | other.evidence,
        one.more + other.more,
    )


def is_possible(said: str, row: str = "") -> str:
    """SQL: whether a time that a span says of itself is less than `kept` before, and `early` after, it was stored.

    `row`: alias and dot. The parameters are those of `possible`.
    """
    return f"{row}{said} between {row}stored_at - %(kept)s::interval and {row}stored_at + %(early)s::interval"


def is_of_batches(row: str = "") -> str:
    """SQL: whether a row was stored with one of %(batches)s. By their bounds the rows are found: for each batch of a
    list Postgres would read the whole BRIN index, which takes milliseconds once a leaf holds millions of rows.
    """
    bounds = f"{row}stored_at >= %(oldest)s::timestamptz and {row}stored_at <= %(newest)s::timestamptz"
    return f"{bounds} and ({row}stored_at = any(%(batches)s::timestamptz[])) is true"


def batches(stored_at: Sequence[datetime]) -> dict[str, Any]:
    """Parameters of `is_of_batches`; there is at least one."""
    return {"batches": list(stored_at), "oldest": min(stored_at), "newest": max(stored_at)}


def counted_at(said: str, row: str = "") -> str:
    """SQL: the time at which a span counts: what it says, or when it was stored where that is impossible."""
    return f"case when {is_possible(said, row)} then {row}{said} else {row}stored_at end"


def bucket_at(said: str, row: str = "") -> str:
    """SQL: the ten seconds in which a span counts."""
    return ten_seconds_of(counted_at(said, row))


def ten_seconds_of(at: str) -> str:
    """SQL: the ten seconds that this time lies in."""
    return f"date_bin('10 s', {at}, '2000-01-01 00:00+00')"


def possible(kept_10s: timedelta) -> dict[str, str]:
    """Parameters of `is_possible`: no ten seconds are kept for later spans, and clocks run ahead by so much at most."""
    return {"kept": f"{kept_10s.total_seconds()} s", "early": f"{EARLY.total_seconds()} s"}


ON_CONFLICT = """
    on conflict (bucket_at, edge_id) do update set n = r.n + excluded.n, n_error = r.n_error + excluded.n_error,
      duration_ms_sum = r.duration_ms_sum + excluded.duration_ms_sum, n_spans = r.n_spans + excluded.n_spans,
      evidence = r.evidence | excluded.evidence, sample_weight = r.sample_weight + excluded.sample_weight
"""
"""Counts are added to those that are there. The table is called r."""
_ADD = f"""
    insert into edge_1m as r (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence, sample_weight)
    select * from unnest(%s::timestamptz[], %s::int[], %s::bigint[], %s::bigint[], %s::float8[], %s::int[],
      %s::smallint[], %s::real[]) order by 1, 2
    {ON_CONFLICT}
"""  # noqa: S608  # column names only


# Locked in order of the key, as those who add do.
_TAKE_OFF = """
    with o as (
      select * from unnest(%s::timestamptz[], %s::int[], %s::bigint[], %s::bigint[], %s::float8[], %s::int[])
        o(bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans)
    ), held as materialized (
      select r.bucket_at, r.edge_id from {table} r join o using (bucket_at, edge_id) order by 1, 2 for update of r
    )
    update {table} r set n = r.n - o.n, n_error = r.n_error - o.n_error, n_spans = r.n_spans - o.n_spans,
      duration_ms_sum = r.duration_ms_sum - o.duration_ms_sum,
      sample_weight = case when r.n > o.n then (r.sample_weight * (r.n - o.n) / r.n)::real else 0 end
    from o join held using (bucket_at, edge_id) where r.bucket_at = o.bucket_at and r.edge_id = o.edge_id
"""


def _columns(counts: Sequence[Counts]) -> list[list[object]]:
    return [
        [each.bucket_at for each in counts],
        [each.edge_id for each in counts],
        [each.n for each in counts],
        [each.n_error for each in counts],
        [each.duration_ms_sum for each in counts],
        [each.n_spans for each in counts],
        [each.evidence for each in counts],
        [each.more for each in counts],
    ]


def mark_dirty(cursor: CursorWrapper, level: Level, buckets: Collection[datetime]) -> None:
    """These minutes or hours are to be summed up again."""
    if buckets:
        cursor.execute(
            "insert into rollup_dirty (level, bucket_at) select %s, b from unnest(%s::timestamptz[]) b"
            " on conflict do nothing",
            [int(level), sorted(buckets)],
        )


def sum_up_minutes(cursor: CursorWrapper, *, only: Collection[datetime] | None = None) -> int:
    """Recompute dirty minutes from their ten seconds (idempotent). Returns how many. Their hours become dirty.

    Histograms belong to the measuring pass and are left alone, and so is its SKEW bit. A minute whose ten seconds are
    gone keeps what it has.
    """
    minutes = _taken(cursor, Level.MINUTE, only)
    if minutes:
        cursor.execute(_MINUTES, {"minutes": minutes, "skew": int(Evidence.SKEW)})
        mark_dirty(cursor, Level.HOUR, {hour(each) for each in minutes})
    return len(minutes)


def _taken(cursor: CursorWrapper, level: Level, only: Collection[datetime] | None = None) -> list[datetime]:
    if only is None:
        cursor.execute("delete from rollup_dirty where level = %s returning bucket_at", [int(level)])
    else:
        cursor.execute(
            "delete from rollup_dirty where level = %s and bucket_at = any(%s) returning bucket_at",
            [int(level), sorted(only)],
        )
    return sorted(bucket_at for (bucket_at,) in cursor.fetchall())


_SUMS = (
    "sum(n)::bigint, sum(n_error)::bigint, sum(n_bytes)::bigint, sum(duration_ms_sum), sum(n_spans)::int,"
    " bit_or(evidence)::smallint, sum(sample_weight)::real"
)
_MINUTES = f"""
    insert into edge_1m as r (bucket_at, edge_id, n, n_error, n_bytes, duration_ms_sum, n_spans, evidence,
      sample_weight)
    select m, edge_id, {_SUMS}
    from unnest(%(minutes)s::timestamptz[]) m join edge_10s s on s.bucket_at >= m and s.bucket_at < m + interval '1 min'
    group by 1, 2 order by 1, 2
    on conflict (bucket_at, edge_id) do update set n = excluded.n, n_error = excluded.n_error,
      n_bytes = excluded.n_bytes, duration_ms_sum = excluded.duration_ms_sum, n_spans = excluded.n_spans,
      evidence = excluded.evidence | (r.evidence & %(skew)s::smallint), sample_weight = excluded.sample_weight
"""  # noqa: S608  # column names only


def sum_up_hours(cursor: CursorWrapper) -> int:
    """Recompute dirty hours from their minutes, histograms included (idempotent). Returns how many.

    Their days are read from hours until they are summed up again (collector/store/day_counts.py).
    """
    hours = _taken(cursor, Level.HOUR)
    if hours:
        cursor.execute("delete from edge_day where bucket_at = any(%s)", [sorted({day(each) for each in hours})])
    for each in hours:
        cursor.execute(_HOUR, [each, each])
        rows = [
            (*sums, merged_bytes(waits), merged_bytes(processings)) for *sums, waits, processings in cursor.fetchall()
        ]
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            cursor.execute(_SET_HOUR, [each, *columns])
    return len(hours)


_HOUR = f"""
    select edge_id, {_SUMS}, sum(n_wait)::int, array_agg(wait) filter (where wait is not null),
      array_agg(processing) filter (where processing is not null)
    from edge_1m where bucket_at >= %s and bucket_at < %s::timestamptz + interval '1 h' group by 1 order by 1
"""  # noqa: S608  # column names only
_SET_HOUR = """
    insert into edge_1h (bucket_at, edge_id, n, n_error, n_bytes, duration_ms_sum, n_spans, evidence, sample_weight,
      n_wait, wait, processing)
    select %s, * from unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::float8[], %s::int[],
      %s::smallint[], %s::real[], %s::int[], %s::bytea[], %s::bytea[])
    on conflict (bucket_at, edge_id) do update set n = excluded.n, n_error = excluded.n_error,
      n_bytes = excluded.n_bytes, duration_ms_sum = excluded.duration_ms_sum, n_spans = excluded.n_spans,
      evidence = excluded.evidence, sample_weight = excluded.sample_weight,
      n_wait = excluded.n_wait, wait = excluded.wait, processing = excluded.processing
"""


def merged_bytes(bodies: Sequence[bytes] | None) -> bytes | None:
    """Histograms as one; None for none."""
    return encoded(merged(decoded(bytes(body)) for body in bodies)) if bodies else None


def add_histograms(cursor: CursorWrapper, measured: Mapping[tuple[datetime, int], Measured]) -> None:
    """Add durations to edge_1m by (minute, edge id); the hours become dirty."""
    keys = sorted(measured)
    if not keys:
        return
    cursor.execute(
        "select r.bucket_at, r.edge_id, r.wait, r.processing from edge_1m r"
        " join unnest(%s::timestamptz[], %s::int[]) n (bucket_at, edge_id)"
        " on r.bucket_at = n.bucket_at and r.edge_id = n.edge_id for update of r",
        [[at for at, _ in keys], [edge_id for _, edge_id in keys]],
    )
    there = {(at, edge_id): (wait, work) for at, edge_id, wait, work in cursor.fetchall()}
    rows = [_histogram_row(key, measured[key], *there.get(key, (None, None))) for key in keys]
    cursor.execute(_SET_HISTOGRAMS, [list(column) for column in zip(*rows, strict=True)])
    mark_dirty(cursor, Level.HOUR, {hour(at) for at, _ in keys})


def _histogram_row(
    key: tuple[datetime, int], new: Measured, wait_before: bytes | None, processing_before: bytes | None
) -> tuple[object, ...]:
    wait = _plus_durations(wait_before, new.waits)
    processing = _plus_durations(processing_before, new.processings)
    return (
        *key,
        int(Evidence.SKEW) if new.is_skewed else 0,
        sum(wait.values()),
        encoded(wait) if wait else None,
        encoded(processing) if processing else None,
    )


def _plus_durations(before: bytes | None, more: Histogram) -> Histogram:
    return more if before is None else merged([decoded(bytes(before)), more])


_SET_HISTOGRAMS = """
    insert into edge_1m as r (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence, n_wait, wait,
      processing)
    select bucket_at, edge_id, 0, 0, 0, 0, evidence, n_wait, wait, processing
    from unnest(%s::timestamptz[], %s::int[], %s::smallint[], %s::int[], %s::bytea[], %s::bytea[])
      n (bucket_at, edge_id, evidence, n_wait, wait, processing) order by 1, 2
    on conflict (bucket_at, edge_id) do update set n_wait = excluded.n_wait, wait = excluded.wait,
      processing = excluded.processing, evidence = r.evidence | excluded.evidence
"""
