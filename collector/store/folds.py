"""The fold: which batches wait for it, what their spans add up to, and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql
from psycopg.errors import LockNotAvailable

from collector.domain.topology import EARLY, Evidence
from collector.store import weights
from collector.store.rollups import Counts

_LOCK_TIMEOUT = "200ms"


@dataclass(frozen=True, slots=True)
class Counted:
    """What some batches add up to: counts per ten seconds and edge, in order, and how many spans were clamped."""

    counts: Sequence[Counts]
    n_clamped: int


def is_waiting() -> bool:
    """Whether there is anything to fold."""
    with connection.cursor() as cursor:
        cursor.execute("select exists (select from batch where not folded)")
        return bool(cursor.fetchone()[0])


def claimed(cursor: CursorWrapper, *, limit: int) -> list[datetime]:
    """The oldest unfolded batches, locked: a rival waits here, and then finds them folded."""
    cursor.execute("select stored_at from batch where not folded order by stored_at limit %s for update", [limit])
    return [stored_at for (stored_at,) in cursor.fetchall()]


def counted(cursor: CursorWrapper, batches: Sequence[datetime], *, kept_10s: timedelta) -> Counted:
    """Sums over the spans of these batches, by the ten seconds they started in.

    A start more than `kept_10s` before, or more than EARLY after, the time of storing is impossible (or too late):
    the span counts when it was stored, with evidence CLOCK.
    """
    cursor.execute(
        _COUNTED,
        {
            "batches": list(batches),
            "kept": f"{kept_10s.total_seconds()} s",
            "early": f"{EARLY.total_seconds()} s",
            "traced": int(Evidence.TRACED),
            "clock": int(Evidence.CLOCK),
        },
    )
    rows = cursor.fetchall()
    more = weights.taken(cursor, batches, kept_10s=kept_10s)
    return Counted([_weighted(Counts(*row[:-1]), more) for row in rows], sum(row[-1] for row in rows))


def _weighted(counts: Counts, more: Mapping[tuple[datetime, int], float]) -> Counts:
    found = more.get((counts.bucket_at, counts.edge_id), 0.0)
    return replace(counts, more=found, evidence=counts.evidence | Evidence.SAMPLED) if found else counts


_COUNTED = """
    select date_bin('10 s', case when x.possible then s.started_at else s.stored_at end, '2000-01-01 00:00+00') at,
      s.edge_id, sum(s.n_messages)::bigint, coalesce(sum(s.n_messages) filter (where s.status = 2), 0)::bigint,
      sum(s.duration_ms)::float8, count(*)::int,
      bit_or(%(traced)s::int | case when x.possible then 0 else %(clock)s::int end)::smallint,
      (count(*) filter (where not x.possible))::int
    from span s
    cross join lateral (
      select s.started_at between s.stored_at - %(kept)s::interval and s.stored_at + %(early)s::interval possible
    ) x
    where s.stored_at = any(%(batches)s::timestamptz[]) and s.edge_id is not null and s.n_messages > 0
    group by 1, 2 order by 1, 2
"""


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
