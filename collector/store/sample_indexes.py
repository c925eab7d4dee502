"""Indexes of samples, made anew when they have become loose.

Of each hour of rows one in six or fewer stays, in its own place among those of its topic or group: a page of an index
is given back when it is empty, never when it is nearly so. Left alone they take seven times the room.
"""

import logging
from collections.abc import Sequence

from django.db import DatabaseError, connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from collector.store.connection import patience
from collector.store.leadership import Lead, locked

log = logging.getLogger(__name__)

STATEMENT_SECONDS = 600  # it waits for everybody's older snapshot, such as a dump's
INDEXES = ("topic_sample_at", "group_sample_at")
LEAST_BYTES = 16 * 1024**2  # what is smaller is not worth it
ENTRY_BYTES = 32  # of a full page each takes so much
LOOSE = 2.0  # times that


def renew() -> Sequence[str]:
    """Make loose ones anew, beside those who read and write; which those were. Not inside a transaction.

    One that was broken off leaves an index that nobody reads and everybody writes: it goes at the next try. One that
    cannot be made anew holds up no other; its error is raised at the end.
    """
    done: list[str] = []
    failed: DatabaseError | None = None
    with locked(Lead.SAMPLE_INDEXES) as is_mine, patience(STATEMENT_SECONDS):
        if not is_mine:
            return []
        with connection.cursor() as cursor:
            _take_away_left_overs(cursor)
            cursor.execute(_LOOSE, {"indexes": list(INDEXES), "least": LEAST_BYTES, "most": LOOSE * ENTRY_BYTES})
            for (index,) in cursor.fetchall():
                try:
                    cursor.execute(sql.SQL("reindex index concurrently {}").format(sql.Identifier(index)))
                except DatabaseError as error:
                    log.warning("%s is not made anew now: %s", index, str(error).strip())
                    failed = error
                else:
                    done.append(index)
    if failed is not None:
        raise failed
    return done


def _take_away_left_overs(cursor: CursorWrapper) -> None:
    """By the names that Postgres gives to what it builds beside one, and to what it has taken the place of."""
    cursor.execute(
        "select indexrelid::regclass::text from pg_index join pg_class i on i.oid = indexrelid"
        " where indrelid in ('topic_sample'::regclass, 'group_sample'::regclass)"
        r" and i.relname ~ '_cc(new|old)\d*$' and pg_has_role(i.relowner, 'usage')"
    )
    for (name,) in cursor.fetchall():
        cursor.execute(sql.SQL("drop index concurrently if exists {}").format(sql.Identifier(name)))


# A table that nobody counted yet has -1 rows: of it nothing is known. Who is not let to may leave it as it is.
_LOOSE = """
    select i.relname::text from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
    where i.relname = any(%(indexes)s) and t.reltuples >= 0 and pg_has_role(i.relowner, 'usage')
      and pg_relation_size(i.oid) > greatest(%(least)s, %(most)s::float8 * t.reltuples)
    order by 1
"""
