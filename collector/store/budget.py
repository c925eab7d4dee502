"""How much is stored, and which leaves go first when that is more than the disk budget."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from collector.store.closing import KINDS, SETTLE, Ended, Leaf, Sized, State, ended
from collector.store.partitions import RAW_TABLES

KEPT = (
    "dead_letter", "dead_letter_body", "dead_letter_again", "letter_state", "retry_operation", "retry_item",
    "retry_count", "retry_head", "dashboard_keptpath",
)  # fmt: skip
MOST_KEPT_SHARE = 0.8  # of the budget; above it the budget must be raised
HELD_DROPS = timedelta(days=90)
PATIENCE = timedelta(hours=6)  # so long what is to be closed first is waited for: the disk must not fill for it


ORDER = ("attributes of spans", "raw spans", "taps", "samples", "counts by ten seconds")
"""In this order, each kind oldest first. Counts by minute and hour, dead letters, kept paths and settings never go."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes on disk. `kept`: what never goes for the budget."""

    used_bytes: int
    kept_bytes: int


def usage() -> Usage:
    """What is used now. The write-ahead log counts where this role may see it. Two or three statements."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_database_size(current_database()), (select sum(pg_total_relation_size(to_regclass(t)))::bigint"
            " from unnest(%s::text[]) t), has_function_privilege('pg_ls_waldir()', 'execute')",
            [list(KEPT)],
        )
        used, kept, may_see_log = cursor.fetchone()
        if may_see_log:
            cursor.execute("select coalesce(sum(size), 0)::bigint from pg_ls_waldir()")
            used += cursor.fetchone()[0]
    return Usage(used, kept or 0)


def first_to_go(now: datetime, *, but: Collection[str] = ()) -> Ended | None:
    """What goes next: the oldest leaves of the first kind that has some which are full. At most one statement a kind.

    Spans that are not counted and measured yet wait until they are, and what must be closed first until it is: else
    repeats stayed counted, and what is kept for dead letters went. `but`: leaves that just could not be dropped.
    """
    for kind in ORDER:
        with connection.cursor() as cursor:
            cursor.execute(
                _OLDEST,
                {
                    "tables": list(KINDS[kind]),
                    "before": now - SETTLE,
                    "but": list(but),
                    "raw": list(RAW_TABLES),
                    "closed": int(State.CLOSED),
                    "waited_for": now - PATIENCE,
                },
            )
            found = [Sized(Leaf(*row[:2]), *row[2:]) for row in cursor.fetchall()]
        if found:
            return ended(kind, found)
    return None


_OLDEST = """
with ended as (
  select table_name, leaf, starts_at, ends_at, coalesce(pg_total_relation_size(to_regclass(leaf)), 0)::bigint n_bytes
  from raw_partition p where table_name = any(%(tables)s) and ends_at <= %(before)s and leaf <> all(%(but)s::text[])
  and (state >= %(closed)s or table_name <> all(%(raw)s) or ends_at <= %(waited_for)s)
  and (table_name <> 'span' or not exists
    (select from batch b where not (b.folded and b.measured)
      and b.stored_at >= p.starts_at and b.stored_at < p.ends_at))
) select * from ended where ends_at <= (select min(ends_at) from ended where n_bytes > 0) order by table_name
"""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the last check of the budget found."""

    budget_bytes: int | None
    used_bytes: int
    problem: str


def last_check() -> Checked | None:
    """None before the first."""
    with connection.cursor() as cursor:
        cursor.execute("select budget_bytes, used_bytes, problem from disk_check")
        row = cursor.fetchone()
    return Checked(*row) if row else None


def note_drop(gone: Ended, *, reason: str, now: datetime) -> None:
    """Remember for Health what was dropped, and forget what was dropped long ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into dropped_data (at, kind, reason, from_at, to_at, n_bytes) values (%s, %s, %s, %s, %s, %s)",
            [now, gone.kind, reason, gone.from_at, gone.to_at, gone.n_bytes],
        )
        cursor.execute("delete from dropped_data where at < %s", [now - HELD_DROPS])


def note_check(found: Usage, *, budget_bytes: int | None, problem: str, now: datetime) -> None:
    """Replace what the last check found."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into disk_check (checked_at, budget_bytes, used_bytes, kept_bytes, problem)"
            " values (%(now)s, %(budget)s, %(used)s, %(kept)s, %(problem)s) on conflict (one) do update set"
            " checked_at = excluded.checked_at, budget_bytes = excluded.budget_bytes,"
            " used_bytes = excluded.used_bytes, kept_bytes = excluded.kept_bytes, problem = excluded.problem",
            {
                "now": now,
                "budget": budget_bytes,
                "used": found.used_bytes,
                "kept": found.kept_bytes,
                "problem": problem,
            },
        )
