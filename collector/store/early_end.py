"""Open leaves that fill faster than was thought end early: a leaf goes for the disk budget only when it has ended.

How long a leaf is was chosen by the rate of that hour. Ending it earlier moves its upper bound: a CHECK that holds for
the bounds to be is added, proved while rows still come in, and only then is the leaf detached and attached again, in
one transaction that reads nothing. Whoever dies between leaves the CHECK, whose name says the new end: the next run
goes on with it, or takes it away before it refuses rows.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from collector.store.closing import IN_USE, Leaf, State
from collector.store.partitions import EPOCH, LOCK_TIMEOUT, RAW_LENGTHS, RAW_TABLES, TABLES

log = logging.getLogger(__name__)

MOST_OPEN_SHARE = 8  # open leaves may take one part in so many of the budget
SHORTEST = RAW_LENGTHS[0]
TIME_TO_PROVE = timedelta(minutes=5)  # reading 10 GB once, and tries again while a query holds the leaf
LAST_TRY = timedelta(minutes=1)
_NAME = re.compile(r"ends_(\d{8}_\d{4})")


@dataclass(frozen=True, slots=True)
class _Open:
    leaf: Leaf
    starts_at: datetime
    ends_at: datetime
    n_bytes: int


def end_early(now: datetime, *, budget_bytes: int) -> list[Leaf]:
    """End all open raw leaves at the next quarter of an hour where they take too much of the budget; those that will.

    Not inside a transaction. A leaf that somebody holds for long waits for the next run.
    """
    there = _open(now)
    soon = EPOCH + ((now + TIME_TO_PROVE - EPOCH) // SHORTEST + 1) * SHORTEST
    too_much = sum(each.n_bytes for each in there) * MOST_OPEN_SHARE > budget_bytes
    ended = []
    for each in there:
        begun = _begun(each.leaf)
        if begun is None and not (too_much and each.ends_at > soon):
            continue
        try:
            if _ended_at(each, begun or soon, now=now, begun=begun is not None):
                ended.append(each.leaf)
        except OperationalError as error:
            if not str(getattr(error.__cause__, "sqlstate", None) or "").startswith(IN_USE):
                raise
            log.warning("%s does not end early now: %s", each.leaf.name, str(error).strip())
    return ended


def _open(now: datetime) -> Sequence[_Open]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name, leaf, starts_at, ends_at,"
            " coalesce(pg_total_relation_size(to_regclass(leaf)), 0)::bigint from raw_partition"
            " where table_name = any(%s) and state = %s and starts_at <= %s and ends_at > %s"
            " order by table_name",
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
    with connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
        try:
            if begun and at < now + LAST_TRY:
                _run(cursor, words, "alter table {leaf} drop constraint {check}")
                return False
            if not begun:
                _run(cursor, words, _CHECK)
            _run(cursor, words, "alter table {leaf} validate constraint {check}")
            with transaction.atomic():
                for statement in _MOVE:
                    _run(cursor, words, statement)
                cursor.execute("update raw_partition set ends_at = %s where leaf = %s", [at, each.leaf.name])
        finally:
            cursor.execute("select set_config('lock_timeout', '0', false)")
    log.info("%s ends at %s instead of %s: it fills faster than was thought", each.leaf.name, at, each.ends_at)
    return True


_CHECK = "alter table {leaf} add constraint {check} check ({column} >= {starts} and {column} < {ends}) not valid"
_MOVE = (
    "alter table {table} detach partition {leaf}",
    "alter table {table} attach partition {leaf} for values from ({starts}) to ({ends})",  # proved: reads no row
    "alter table {leaf} drop constraint {check}",
)


def _run(cursor: CursorWrapper, words: dict[str, sql.Composable], statement: str) -> None:
    cursor.execute(sql.SQL(statement).format(**words))
