"""The fold: which batches wait for it, what their spans add up to, and how far it has come."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql
from psycopg.errors import LockNotAvailable

from collector.domain.topology import Evidence
from collector.store import rollups
from collector.store.rollups import ON_CONFLICT, Counts, bucket_at, is_possible, possible

_LOCK_TIMEOUT = "200ms"


@dataclass(slots=True)
class Counted:
    """What came of some batches: `minutes` that got more ten-second counts, and counts that are too late for those.

    `n_clamped`: spans with an impossible start. `hours` that have no leaves: nothing of theirs was counted.
    """

    minutes: set[datetime] = field(default_factory=set)
    late: list[Counts] = field(default_factory=list)
    hours: set[datetime] = field(default_factory=set)
    n_clamped: int = 0


def is_waiting() -> bool:
    """Whether there is anything to fold."""
    with connection.cursor() as cursor:
        cursor.execute("select exists (select from batch where not folded)")
        return bool(cursor.fetchone()[0])


def claimed(cursor: CursorWrapper, *, limit: int) -> list[datetime]:
    """The oldest unfolded batches, locked: a rival waits here, and then finds them folded."""
    cursor.execute("select stored_at from batch where not folded order by stored_at limit %s for update", [limit])
    return [stored_at for (stored_at,) in cursor.fetchall()]


def counted(
    cursor: CursorWrapper,
    batches: Sequence[datetime],
    *,
    kept_10s: timedelta,
    horizon: datetime,
    hours: Collection[datetime],
) -> Counted:
    """Add up the spans of these batches by the ten seconds they started in; those since `horizon` are in edge_10s then.

    A start more than `kept_10s` before, or more than EARLY after, the time of storing is impossible (or too late): the
    span counts when it was stored, with evidence CLOCK. `hours`: those that have leaves.
    """
    # Of rows that came since the planner's statistics it thinks that there is one: joins are hashed all the same.
    cursor.execute("select set_config('enable_nestloop', 'off', true)")
    cursor.execute(
        _COUNTED,
        {
            **rollups.batches(batches),
            **possible(kept_10s),
            "traced": int(Evidence.TRACED),
            "clock": int(Evidence.CLOCK),
            "sampled": int(Evidence.SAMPLED),
            "horizon": horizon,
            "hours": list(hours),
        },
    )
    rows = cursor.fetchall()
    cursor.execute("select set_config('enable_nestloop', 'on', true)")
    found = Counted()
    for what, n_clamped, *counts in rows:
        if what == _FRESH:
            found.minutes.add(counts[0])
        elif what == _LATE:
            found.late.append(Counts(*counts))
        elif what == _WITHOUT_LEAF:
            found.hours.add(counts[0])
        else:
            found.n_clamped = n_clamped
    return found


_FRESH, _LATE, _WITHOUT_LEAF, _CLAMPED = 0, 1, 2, 3  # what a row of the answer tells
_NOTHING = "0::bigint, 0::bigint, 0::float8, 0, 0::smallint, 0::float8"
# In order of the key, so that rivals never wait for each other in a circle.
_COUNTED = f"""
    with span_counts as (
      select {rollups.ten_seconds_of("case when possible then started_at else stored_at end")} at, edge_id,
        sum(n_messages)::bigint n, coalesce(sum(n_messages) filter (where status = 2), 0)::bigint n_error,
        sum(duration_ms)::float8 duration_ms_sum, count(*)::int n_spans,
        (%(traced)s::int | case when bool_and(possible) then 0 else %(clock)s::int end)::smallint evidence,
        (count(*) filter (where not possible))::int n_clamped
      from (
        select started_at, stored_at, edge_id, n_messages, status, duration_ms, {is_possible("started_at")} possible
        from span where n_messages > 0 and edge_id is not null and {rollups.is_of_batches()}
        offset 0 -- so that what is possible is asked once of each span
      ) s group by 1, 2
    ), taken as (
      delete from batch_weight where stored_at = any(%(batches)s::timestamptz[])
      returning stored_at, edge_id, bucket_at, more
    ), sampled as (
      select {bucket_at("bucket_at")} at, edge_id, sum(more) more from taken group by 1, 2
    ), counts as materialized (
      select at, edge_id, n, n_error, duration_ms_sum, n_spans,
        (evidence | case when w.more > 0 then %(sampled)s::int else 0 end)::smallint evidence,
        coalesce(w.more, 0)::float8 more, n_clamped,
        at >= %(horizon)s fresh, date_trunc('hour', at) = any(%(hours)s::timestamptz[]) has_leaf
      from span_counts left join sampled w using (at, edge_id)
    ), added as (
      insert into edge_10s as r (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence, sample_weight)
      select at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence, more::real from counts
      where fresh and has_leaf order by 1, 2
      {ON_CONFLICT}
    )
    select {_FRESH}, 0, date_trunc('minute', at), 0, {_NOTHING} from counts where fresh group by 3
    union all
    select {_LATE}, 0, at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence, more from counts where not fresh
    union all select {_WITHOUT_LEAF}, 0, date_trunc('hour', at), 0, {_NOTHING} from counts where not has_leaf group by 3
    union all select {_CLAMPED}, coalesce(sum(n_clamped), 0)::int, null::timestamptz, 0, {_NOTHING} from counts
"""  # noqa: S608  # constants of ours only


def mark_folded(cursor: CursorWrapper, batches: Sequence[datetime]) -> None:
    """These count. Never again."""
    cursor.execute("update batch set folded = true where stored_at = any(%s)", [list(batches)])


def note_fold(cursor: CursorWrapper, *, now: datetime, n_clamped: int, moved: bool) -> int:
    """Keep how far folding came: everything up to `as_of` is folded. Returns the sequence number, one more if `moved`.

    `now` must have been read before the batches were claimed.
    """
    cursor.execute(
        "update fold_state set seq = seq + %s::int, ran_at = %s, n_clamped = n_clamped + %s::int,"
        " n_waiting = w.n, as_of = coalesce(w.oldest - interval '1 microsecond', %s)"
        " from (select count(*)::int n, min(stored_at) oldest from batch where not folded) w returning seq",
        [int(moved), now, n_clamped, now],
    )
    return int(cursor.fetchone()[0])


class Summaries:
    """Keeps the BRIN index of the open leaf fit: without it, finding a fresh batch reads the whole tail."""

    def __init__(self) -> None:
        self._indexes: dict[str, str] = {}

    def refresh(self, now: datetime) -> None:
        """Summarise the newest pages of the leaf that takes spans of `now`. Gives way to a vacuum; no transaction."""
        with connection.cursor() as cursor:
            cursor.execute(
                "select leaf from raw_partition where table_name = 'span' and starts_at <= %s and ends_at > %s",
                [now, now],
            )
            row = cursor.fetchone()
            if row is None:
                return
            index = self._indexes.get(row[0]) or self._index_of(cursor, row[0])
            cursor.execute("select set_config('lock_timeout', %s, false)", [_LOCK_TIMEOUT])
            try:
                cursor.execute("select brin_summarize_new_values(%s::regclass)", [index])
            except OperationalError as problem:
                if not isinstance(problem.__cause__, LockNotAvailable):
                    raise
            finally:
                cursor.execute("select set_config('lock_timeout', '0', false)")

    def _index_of(self, cursor: CursorWrapper, leaf: str) -> str:
        cursor.execute(
            "select i.inhrelid::regclass::text from pg_inherits i join pg_index x on x.indexrelid = i.inhrelid"
            " where i.inhparent = 'span_stored'::regclass and x.indrelid = %s::regclass",
            [leaf],
        )
        self._indexes = {leaf: str(cursor.fetchone()[0])}
        return self._indexes[leaf]


def prefer_indexes() -> None:
    """For this connection: the newest rows are always found by an index, whatever stale statistics say."""
    with connection.cursor() as cursor:
        cursor.execute("set enable_seqscan = off")


def leaves_around(cursor: CursorWrapper, table: str, *, oldest: datetime, newest: datetime) -> list[sql.Identifier]:
    """The leaves that took rows between the two, and the one before: where the other side of a hop is found by name."""
    cursor.execute(
        "select leaf from raw_partition where table_name = %s and state < 2 and starts_at <= %s and ends_at >="
        " (select max(starts_at) from raw_partition where table_name = %s and starts_at <= %s) order by starts_at",
        [table, newest, table, oldest],
    )
    return [sql.Identifier(leaf) for (leaf,) in cursor.fetchall()]
