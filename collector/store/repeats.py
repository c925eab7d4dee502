"""Spans that were sent more than once: all but the first row go when their leaf closes, with what they counted."""

import logging
from datetime import datetime, timedelta

from django.db import OperationalError, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from collector.store import rollups, ten_seconds
from collector.store.connection import is_out_of_time
from collector.store.partitions import TABLES
from collector.store.rollups import Counts, Level

log = logging.getLogger(__name__)

REPEATED = timedelta(minutes=5)  # so long an OpenTelemetry Collector sends again what it got no answer to
BORDER_SECONDS = 15  # within what a worker's statement may take, with what else closing does


def take_out(cursor: CursorWrapper, leaf: str, *, starts_at: datetime, now: datetime) -> int:
    """Delete all but the first row of each span, and take what they counted off the rollups; how many rows.

    Where the first lies in the leaf before, what was stored soon after it. Histograms keep what repeats gave them.
    """
    kept_10s = TABLES["edge_10s"].kept
    bounds: dict[str, str | list[str]] = {
        **rollups.possible(kept_10s),
        "border": _over_the_border(cursor, leaf, starts_at),
    }
    cursor.execute(sql.SQL(_REPEATS).format(leaf=sql.Identifier(leaf)), bounds)
    rows = cursor.fetchall()
    counts = [Counts(*row[:-1]) for row in rows if row[1] is not None and row[5]]
    horizon = ten_seconds.complete_since(cursor, now=now, kept=kept_10s)
    fresh = [each for each in counts if each.bucket_at >= horizon]
    gone = [each for each in counts if each.bucket_at < horizon]
    if fresh:
        rollups.take_off(cursor, None, fresh)
        rollups.mark_dirty(cursor, Level.MINUTE, {rollups.minute(each.bucket_at) for each in fresh})
    if gone:
        minutes = {rollups.minute(each.bucket_at) for each in gone}
        rollups.sum_up_minutes(cursor, only=minutes)
        rollups.take_off(cursor, Level.MINUTE, gone)
        rollups.mark_dirty(cursor, Level.HOUR, {rollups.hour(each) for each in minutes})
    return sum(row[-1] for row in rows)


def _over_the_border(cursor: CursorWrapper, leaf: str, starts_at: datetime) -> list[str]:
    """Rows of spans that lie in the leaf before, too. None where that takes too long: a leaf must be closed."""
    cursor.execute(
        "select leaf from raw_partition where table_name = 'span' and ends_at = %s and state < 2", [starts_at]
    )
    row = cursor.fetchone()
    if row is None:
        return []
    names = {"leaf": sql.Identifier(leaf), "before": sql.Identifier(row[0])}
    near = {"starts_at": starts_at, "near_from": starts_at - REPEATED, "near_to": starts_at + REPEATED}
    try:
        with transaction.atomic():
            cursor.execute(
                "select current_setting('statement_timeout'), set_config('statement_timeout', %s, true)",
                [f"{BORDER_SECONDS}s"],
            )
            before = cursor.fetchone()[0]
            cursor.execute(sql.SQL(_BORDER).format(**names), near)
            found = [each for (each,) in cursor.fetchall()]
            cursor.execute("select set_config('statement_timeout', %s, true)", [before])
    except OperationalError as error:
        if not is_out_of_time(error):
            raise
        log.warning("%s: spans that %s holds, too, stay counted twice: the search took too long", leaf, row[0])
        return []
    return found


_BORDER = """
    select distinct s.ctid::text from {leaf} s join {before} b using (trace_id, span_id)
    where s.stored_at < %(near_to)s and b.stored_at >= %(near_from)s and b.stored_at < %(starts_at)s
"""
# The same choice of rows as the fold that counted them (collector.store.folds).
_REPEATS = f"""
    with repeated as (
      select trace_id, span_id from {{leaf}} group by 1, 2 having count(*) > 1
    ), ranked as (
      select s.ctid, row_number() over (partition by s.trace_id, s.span_id order by s.stored_at, s.ctid) nth
      from {{leaf}} s join repeated using (trace_id, span_id)
    ), repeats as (
      select ctid at from ranked where nth > 1 union select unnest(%(border)s::text[])::tid
    ), gone as (
      delete from {{leaf}} s using repeats r where s.ctid = r.at
      returning s.started_at, s.stored_at, s.edge_id, s.n_messages, s.status, s.duration_ms
    )
    select {rollups.bucket_at("started_at")} at, edge_id, coalesce(sum(n_messages), 0)::bigint,
      coalesce(sum(n_messages) filter (where status = 2), 0)::bigint,
      coalesce(sum(duration_ms) filter (where n_messages > 0), 0)::float8,
      (count(*) filter (where n_messages > 0))::int, 0, count(*)::int
    from gone group by 1, 2 order by 1, 2
"""  # noqa: S608  # constants of ours only
