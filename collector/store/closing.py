"""The end of a leaf: repeats taken out and bounds noted when it is full, detached and dropped when it is too old."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from collector.store import day_counts, details, repeats, rollups, ten_seconds
from collector.store.broker_names import Mark
from collector.store.connection import patience
from collector.store.partitions import LOCK_TIMEOUT, RAW_TABLES, TABLES

log = logging.getLogger(__name__)

STATEMENT_SECONDS = 600  # tens of millions of rows are read several times; the worker's own limit is for what is short
SETTLE = timedelta(minutes=2)  # no transaction that took its time before the end writes so long after it
_IN_USE = ("55", "40")  # classes: not in a state for it (a lock, a detach that is pending), rolled back (a deadlock)
_PASSING_MARKS = (Mark.REWIND, Mark.REBALANCE, Mark.LOST, Mark.CUT)  # a group, or a broker, can make thousands a day
HELD_REQUESTS, HELD_BATCHES = timedelta(hours=1), timedelta(days=1)


class State(IntEnum):
    """How far a leaf is, as stored in raw_partition.state."""

    OPEN = 0
    CLOSED = 1
    DETACHING = 2


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf by name, with its table."""

    table: str
    name: str


@dataclass(frozen=True, slots=True)
class Sized:
    """A leaf with its bounds and its bytes on disk."""

    leaf: Leaf
    starts_at: datetime
    ends_at: datetime
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Leaves of one kind that go together, with the time and the room that they take."""

    kind: str
    leaves: tuple[Leaf, ...]
    from_at: datetime
    to_at: datetime
    n_bytes: int


def ended(kind: str, leaves: Sequence[Sized]) -> Ended:
    """These leaves as one; there is at least one."""
    return Ended(
        kind,
        tuple(each.leaf for each in leaves),
        min(each.starts_at for each in leaves),
        max(each.ends_at for each in leaves),
        sum(each.n_bytes for each in leaves),
    )


KINDS = {
    "attributes of spans": ("span_detail",),
    "raw spans": ("span", "span_link", "span_error", "span_detail_kept", "undecodable"),
    "taps": ("record_body", "record", "record_key"),
    "samples": ("sample_chunk",),
    "sums of samples by ten minutes": ("topic_10m", "group_10m"),
    "sums of samples by hour": ("topic_1h", "group_1h"),
    "counts by ten seconds": ("edge_10s",),
    "counts by minute": ("edge_1m",),
    "counts by hour": ("edge_1h",),
}
"""What leaves hold, in words for people."""
KIND_OF = {table: kind for kind, tables in KINDS.items() for table in tables}


def close_full(now: datetime) -> list[Leaf]:
    """Close every raw leaf that ended; those closed. A leaf of spans waits until all its batches are folded.

    One that cannot be closed holds up no other; its error is raised at the end.
    """
    closed: list[Leaf] = []
    failed: Exception | None = None
    with patience(STATEMENT_SECONDS):
        for leaf in _ended(now - SETTLE):
            try:
                if _close(leaf, now):
                    closed.append(leaf)
            except Exception as error:  # noqa: BLE001  bytes that cannot be read, too: raised below
                log.warning("%s is not closed now: %s", leaf.name, str(error).strip())
                failed = error
        for leaf in _unvacuumed():  # those closed just now, and those whose vacuum did not come to its end
            try:
                _vacuum(leaf)
            except DatabaseError as error:
                log.warning("%s is not vacuumed now: %s", leaf.name, str(error).strip())
                failed = error
    if failed is not None:
        raise failed
    return closed


def _vacuum(leaf: Leaf) -> None:
    """So that wrap-around never reads it again. Leaves it to whoever does it already."""
    with connection.cursor() as cursor:
        cursor.execute(_named("vacuum (freeze, analyze, skip_locked) {leaf}", leaf))


def _unvacuumed() -> list[Leaf]:
    """Closed leaves that no vacuum has been through. One that came to its end while somebody's old snapshot was held
    leaves pages that not all see: another would find the same.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select p.table_name, p.leaf from raw_partition p join pg_class c on c.oid = to_regclass(p.leaf)"
            " where p.state = %s and p.table_name = any(%s) and c.relallvisible = 0 and pg_relation_size(c.oid) > 0"
            " and pg_stat_get_last_vacuum_time(c.oid) is null and pg_stat_get_last_autovacuum_time(c.oid) is null"
            " order by p.starts_at",
            [int(State.CLOSED), list(RAW_TABLES)],
        )
        return [Leaf(*row) for row in cursor.fetchall()]


def _close(leaf: Leaf, now: datetime) -> bool:
    """False where somebody else does it."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not _claim(cursor, leaf):
            return False
        if leaf.table == "span":
            n_repeats = repeats.take_out(cursor, leaf.name, starts_at=_bounds(cursor, leaf)[0], now=now)
            _note_bounds(cursor, leaf)
            cursor.execute("update fold_state set n_repeated = n_repeated + %s", [n_repeats])
        elif leaf.table == "span_detail":
            starts_at, ends_at = _bounds(cursor, leaf)
            details.keep_for_letters(cursor, from_at=starts_at, to_at=ends_at)
        cursor.execute(_named("alter table {leaf} reset (autovacuum_enabled)", leaf))
        cursor.execute(
            _named(
                "update raw_partition set state = %s, n_rows = (select count(*) from {leaf}),"
                " n_bytes = pg_total_relation_size(%s::regclass) where leaf = %s",
                leaf,
            ),
            [int(State.CLOSED), leaf.name, leaf.name],
        )
    return True


class StillRead(Exception):
    """Somebody reads or writes this leaf, and has for longer than we wait. It goes at the next try."""


@dataclass(frozen=True, slots=True)
class Expired:
    """What was too old: what went, by kind, and the leaves that could not go."""

    gone: Sequence[Ended]
    stuck: Sequence[Leaf]


def drop_expired(now: datetime) -> Expired:
    """Drop every leaf whose rows are all too old; one that cannot go holds up no other. Not inside a transaction."""
    dropped: dict[str, list[Sized]] = {}
    stuck: list[Leaf] = []
    for table, spec in TABLES.items():
        for each in _older(table, now - spec.kept):
            try:
                drop(each.leaf)
            except StillRead:
                stuck.append(each.leaf)
                continue
            log.info("dropped %s: older than %s", each.leaf.name, spec.kept)
            dropped.setdefault(KIND_OF[table], []).append(each)
    return Expired([ended(kind, leaves) for kind, leaves in dropped.items()], stuck)


def drop(leaf: Leaf) -> None:
    """Drop one leaf. Detached concurrently first: a plain drop would block all readers of the table behind one.

    Of ten seconds what was counted is in the minutes before, and nobody counts there after.

    Raises StillRead.
    """
    with connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
        try:
            cursor.execute("update raw_partition set state = %s where leaf = %s", [int(State.DETACHING), leaf.name])
            if leaf.table == "edge_10s":
                _give_up(cursor, leaf)
            _detach(cursor, leaf)
            cursor.execute(_named("drop table if exists {leaf}", leaf))
        except OperationalError as error:
            code = str(getattr(error.__cause__, "sqlstate", None) or "")
            if not code.startswith(_IN_USE):
                raise
            log.warning("%s is not dropped now: %s", leaf.name, str(error).strip())
            raise StillRead(StillRead.__doc__) from None
        finally:
            cursor.execute("select set_config('lock_timeout', '0', false)")
        cursor.execute("delete from raw_partition where leaf = %s", [leaf.name])


def forget_old(now: datetime) -> None:
    """Ledger rows, request digests, reports of processes that are long gone, and what groups did, with its samples."""
    with connection.cursor() as cursor:
        cursor.execute(_OLD_REQUESTS, {"recent": now - HELD_REQUESTS, "oldest": now - HELD_BATCHES})
        cursor.execute("delete from batch where stored_at < %s and folded and measured", [now - HELD_BATCHES])
        day_counts.forget_days(cursor, before=rollups.day(now - TABLES["edge_1h"].kept))
        cursor.execute(
            "delete from part_report r where at < %s"  # the newest of a part tells until when it worked
            " and exists (select from part_report n where n.part = r.part and n.at > r.at)",
            [now - HELD_BATCHES],
        )
        cursor.execute(
            "delete from change_mark where at < %s and kind = any(%s)",
            [now - TABLES["sample_chunk"].kept, [int(kind) for kind in _PASSING_MARKS]],
        )


# A copy of a request may lie in a partition that is read late: what was read since its last record is kept for it.
_OLD_REQUESTS = """
delete from seen_request where seen_at < greatest(%(oldest)s, least(%(recent)s, (
  select min(p.stored_at) - interval '1 hour' from intake_position p join input i on i.id = p.input_id
  where i.kind = 1 and p.stored_at > %(oldest)s)))
"""


def _ended(before: datetime) -> list[Leaf]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select p.table_name, p.leaf from raw_partition p where p.state = %s and p.ends_at < %s"
            " and p.table_name = any(%s) and (p.table_name <> 'span' or not exists"
            "  (select from batch b where not b.folded and b.stored_at < p.ends_at)) order by p.starts_at",
            [int(State.OPEN), before, list(RAW_TABLES)],
        )
        return [Leaf(*row) for row in cursor.fetchall()]


def _claim(cursor: CursorWrapper, leaf: Leaf) -> bool:
    cursor.execute(
        "select from raw_partition where leaf = %s and state = %s for update skip locked", [leaf.name, int(State.OPEN)]
    )
    return cursor.fetchone() is not None


def _bounds(cursor: CursorWrapper, leaf: Leaf) -> tuple[datetime, datetime]:
    cursor.execute("select starts_at, ends_at from raw_partition where leaf = %s", [leaf.name])
    found: tuple[datetime, datetime] = cursor.fetchone()
    return found


def _note_bounds(cursor: CursorWrapper, leaf: Leaf) -> None:
    """Searches by event time pick leaves by these."""
    cursor.execute(
        _named(
            "update raw_partition set (min_started_at, max_started_at) ="
            " (select min(started_at), max(started_at) from {leaf}) where leaf = %s",
            leaf,
        ),
        [leaf.name],
    )


def _older(table: str, before: datetime) -> list[Sized]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name, leaf, starts_at, ends_at,"
            " coalesce(pg_total_relation_size(to_regclass(leaf)), 0)::bigint from raw_partition"
            " where table_name = %s and ends_at <= %s order by starts_at",
            [table, before],
        )
        return [Sized(Leaf(*row[:2]), *row[2:]) for row in cursor.fetchall()]


def _detach(cursor: CursorWrapper, leaf: Leaf) -> None:
    """Detach wherever an earlier try was interrupted."""
    cursor.execute("select inhdetachpending from pg_inherits where inhrelid = to_regclass(%s)", [leaf.name])
    row = cursor.fetchone()
    if row is not None:
        how = "finalize" if row[0] else "concurrently"
        cursor.execute(_named(f"alter table {{table}} detach partition {{leaf}} {how}", leaf))


def _give_up(cursor: CursorWrapper, leaf: Leaf) -> None:
    cursor.execute("select ends_at from raw_partition where leaf = %s", [leaf.name])
    row = cursor.fetchone()
    if row is not None:  # else somebody else dropped it meanwhile
        with transaction.atomic():
            ten_seconds.give_up(cursor, before=row[0])


def _named(statement: str, leaf: Leaf) -> sql.Composed:
    return sql.SQL(statement).format(leaf=sql.Identifier(leaf.name), table=sql.Identifier(leaf.table))
