"""Counts and histograms of edges by day: what windows of weeks are read from."""

from datetime import datetime, timedelta

from django.db.backends.utils import CursorWrapper

from collector.store.partitions import TABLES
from collector.store.rollups import DAY, Level, day, merged_bytes

_SETTLED = timedelta(hours=2)  # after a day's end: late spans have come, and its hours are summed up


def sum_up_days(cursor: CursorWrapper, *, now: datetime, most: int) -> int:
    """Sum up days that are over and are not yet, or whose hours were summed up again; the newest first. How many."""
    cursor.execute(
        _MISSING,
        {
            "kept": day(now - TABLES["edge_1h"].kept),  # a leaf holds hours for a while that are older: see forget_days
            "last": day(now - DAY - _SETTLED),
            "hour": int(Level.HOUR),
            "most": most,
        },
    )
    days = [at for (at,) in cursor.fetchall()]
    for each in days:
        cursor.execute(_HOURS, [each, each])
        rows = [
            (*sums, merged_bytes(waits), merged_bytes(processings)) for *sums, waits, processings in cursor.fetchall()
        ]
        cursor.execute("delete from edge_1d where bucket_at = %s", [each])
        if rows:
            cursor.execute(_ADD, [each, *(list(column) for column in zip(*rows, strict=True))])
        cursor.execute("insert into edge_day (bucket_at) values (%s)", [each])
    return len(days)


def forget_days(cursor: CursorWrapper, *, before: datetime) -> None:
    """Drop what is too old."""
    for table in ("edge_day", "edge_1d"):
        cursor.execute(f"delete from {table} where bucket_at < %s", [before])  # noqa: S608 our own names


# A day with hours that wait to be summed up again waits for them.
_MISSING = """
    with first as (select bucket_at from edge_1h order by bucket_at limit 1)
    select d from first, generate_series(greatest(date_trunc('day', first.bucket_at, 'UTC'), %(kept)s), %(last)s,
      interval '1 day') d
    where not exists (select from edge_day where bucket_at = d)
      and not exists (select from rollup_dirty r where r.level = %(hour)s and r.bucket_at >= d
        and r.bucket_at < d + interval '1 day')
    order by d desc limit %(most)s
"""
_HOURS = """
    select edge_id, sum(n)::bigint, sum(n_error)::bigint, sum(sample_weight)::float8, bit_or(evidence)::smallint,
      array_agg(wait) filter (where wait is not null), array_agg(processing) filter (where processing is not null)
    from edge_1h where bucket_at >= %s and bucket_at < %s::timestamptz + interval '1 day' group by 1 order by 1
"""
_ADD = """
    insert into edge_1d (bucket_at, edge_id, n, n_error, sample_weight, evidence, wait, processing)
    select %s, * from unnest(%s::int[], %s::bigint[], %s::bigint[], %s::float8[], %s::smallint[], %s::bytea[],
      %s::bytea[])
"""
