"""Open leaves that fill faster than was thought end early: a leaf goes for the disk budget only when it has ended.

How long a leaf is was chosen by the rate of that hour. Ending it earlier moves its upper bound: a CHECK that holds for
the bounds to be is added, proved while rows still come in, and only then is the leaf detached and attached again, in
one transaction that reads nothing. Whoever dies between leaves the CHECK, whose name says the new end: the next run
goes on with it, or takes it away before it refuses rows. Where none comes, what is refused waits: see `is_ending`.
"""

import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from collector.store.closing import Leaf, State
from collector.store.leadership import Lead, locked
from collector.store.partitions import EPOCH, RAW_LENGTHS, RAW_TABLES, TABLES

log = logging.getLogger(__name__)

MOST_OPEN_SHARE = 8  # open leaves may take one part in so many of the budget
SHORTEST = RAW_LENGTHS[0]
TIME_TO_PROVE = timedelta(minutes=5)  # reading a leaf once takes at most half of it
LAST_TRY = timedelta(minutes=2)
LOCK_TIMEOUT = "300ms"  # whoever saves or reads queues behind us meanwhile
_NAME = re.compile(r"ends_(\d{8}_\d{4})")


@dataclass(frozen=True, slots=True)
class _Open:
    leaf: Leaf
    starts_at: datetime
    ends_at: datetime
    n_bytes: int


def end_early(now: datetime, *, budget_bytes: int | None) -> list[Leaf]:
    """End all open raw leaves at the next quarter of an hour where they take too much of the budget; those that will.

    Not inside a transaction, one run at a time. Where somebody holds a leaf, it and the rest wait for the next run: who
    saves needs them all, and queues behind whoever asks for one.
    """
    with locked(Lead.ENDING_LEAVES) as is_alone:
        if not is_alone:
            return []
        there = _open(now)
        soon = EPOCH + ((now + TIME_TO_PROVE - EPOCH) // SHORTEST + 1) * SHORTEST
        too_much = budget_bytes is not None and sum(each.n_bytes for each in there) * MOST_OPEN_SHARE > budget_bytes
        began, ended = time.monotonic(), []
        for each in there:
            at = now + timedelta(seconds=time.monotonic() - began)
            begun = _begun(each.leaf)
            if begun is None and not (too_much and each.ends_at > soon and at + TIME_TO_PROVE / 2 < soon):
                continue
            try:
                if _ended_at(each, begun or soon, now=at, begun=begun is not None):
                    ended.append(each.leaf)
            except DatabaseError as error:
                log.warning("%s does not end early now: %s", each.leaf.name, str(error).strip())
                break
        return ended


def is_ending(error: DatabaseError) -> bool:
    """Whether a row was refused because its leaf was to end before it, and no run has moved the bound yet."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return bool(diagnosis and _NAME.fullmatch(diagnosis.constraint_name or ""))


def _open(now: datetime) -> Sequence[_Open]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name, leaf, starts_at, ends_at,"
            " coalesce(pg_total_relation_size(to_regclass(leaf)), 0)::bigint from raw_partition"
            " where table_name = any(%s) and state = %s and starts_at <= %s and ends_at > %s"
            " order by 5 desc",
            [list(RAW_TABLES), int(State.OPEN), now, now],
        )
        return [_Open(Leaf(*row[:2]), *row[2:]) for row in cursor.fetchall()]


def _begun(leaf: Leaf) -> datetime | None:
    """The end that an earlier run chose and did not come to."""
    with connection.cursor() as cursor:
        cursor.execute("select conname from pg_constraint where conrelid = to_regclass(%s)", [leaf.name])
        found = [_NAME.fullmatch(name) for (name,) in cursor.fetchall()]
    return next((datetime.strptime(each[1], "%Y%m%d_%H%M").replace(tzinfo=UTC) for each in found if each), None)


def _ended_at(each: _Open, at: datetime, *, now: datetime, begun: bool) -> bool:
    """Move the upper bound of this leaf to `at`; False where it was too late for it."""
    words = {
        "table": sql.Identifier(each.leaf.table),
        "leaf": sql.Identifier(each.leaf.name),
        "check": sql.Identifier(f"ends_{at:%Y%m%d_%H%M}"),
        "column": sql.Identifier(TABLES[each.leaf.table].column),
        "starts": sql.Literal(each.starts_at.isoformat()),
        "ends": sql.Literal(at.isoformat()),
    }
    with connection.cursor() as cursor, _limited(cursor):
        if begun and at < now + LAST_TRY:
            _run(cursor, words, _TAKE_BACK)
            return False
        if not begun:
            _run(cursor, words, _CHECK)
        try:
            _run(cursor, words, "alter table {leaf} validate constraint {check}")
            with transaction.atomic():
                for statement in _MOVE:
                    _run(cursor, words, statement)
                cursor.execute("update raw_partition set ends_at = %s where leaf = %s", [at, each.leaf.name])
        except DatabaseError:
            _run(cursor, words, _TAKE_BACK)  # where this fails, too, the next run does it
            raise
    log.info("%s ends at %s instead of %s: it fills faster than was thought", each.leaf.name, at, each.ends_at)
    return True


@contextmanager
def _limited(cursor: CursorWrapper) -> Iterator[None]:
    """No statement waits long for a lock, nor reads for long."""
    cursor.execute(
        "select set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false),"
        " current_setting('statement_timeout')",
        [LOCK_TIMEOUT, f"{TIME_TO_PROVE.total_seconds() / 2:.0f}s"],
    )
    before = cursor.fetchone()[2]
    try:
        yield
    finally:
        cursor.execute(
            "select set_config('lock_timeout', '0', false), set_config('statement_timeout', %s, false)", [before]
        )


_CHECK = "alter table {leaf} add constraint {check} check ({column} >= {starts} and {column} < {ends}) not valid"
_TAKE_BACK = "alter table {leaf} drop constraint {check}"
_MOVE = (
    "alter table {table} detach partition {leaf}",
    "alter table {table} attach partition {leaf} for values from ({starts}) to ({ends})",  # proved: reads no row
    _TAKE_BACK,
)


def _run(cursor: CursorWrapper, words: dict[str, sql.Composable], statement: str) -> None:
    cursor.execute(sql.SQL(statement).format(**words))
