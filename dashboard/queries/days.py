"""Counts of edges over hours, whole days of them from their sums: a month is 30 rows of an edge instead of 720."""

from datetime import datetime, timedelta

DAY = timedelta(days=1)


def hours(columns: str) -> str:
    """SQL that selects `columns` of edges by hour or day, between the parameters that `bounds` says."""
    return _HOURS.format(columns=columns)


def bounds(from_at: datetime, to_at: datetime) -> dict[str, datetime]:
    """Parameters of `hours` for a stretch of whole hours; it may be empty."""
    days_from, days_to = _midnight(from_at + DAY - timedelta(microseconds=1)), _midnight(to_at)
    if days_from >= days_to:
        days_from = days_to = from_at
    return {"hours_from": from_at, "hours_to": max(from_at, to_at), "days_from": days_from, "days_to": days_to}


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


# A day whose sums are missing, or whose hours changed since, is read by the hour.
_HOURS = """
    select {columns} from edge_1h r where bucket_at >= %(hours_from)s and bucket_at < %(days_from)s
    union all select {columns} from edge_1h r where bucket_at >= %(days_to)s and bucket_at < %(hours_to)s
    union all select {columns} from edge_1d r join edge_day using (bucket_at)
      where bucket_at >= %(days_from)s and bucket_at < %(days_to)s
    union all select {columns} from (
        select d from generate_series(%(days_from)s::timestamptz, %(days_to)s::timestamptz - interval '1 day',
          interval '1 day') d where not exists (select from edge_day where bucket_at = d)
      ) missing join edge_1h r on r.bucket_at >= missing.d and r.bucket_at < missing.d + interval '1 day'
"""
