"""Indexes of samples, made anew when they have become loose.

Of each hour of rows one in six or fewer stays, in its own place among those of its topic or group: a page of an index
is given back when it is empty, never when it is nearly so. Left alone they take seven times the room.
"""

from collections.abc import Sequence

from django.db import connection
from psycopg import sql

from collector.store.leadership import Lead, locked

INDEXES = ("topic_sample_at", "group_sample_at")
LEAST_BYTES = 16 * 1024**2  # what is smaller is not worth it
ENTRY_BYTES = 32  # of a full page each takes so much
LOOSE = 2.0  # times that


def renew() -> Sequence[str]:
    """Make loose ones anew, beside those who read and write; which those were. Not inside a transaction.

    One that was broken off leaves an index that nobody reads and everybody writes: it goes at the next try.
    """
    with locked(Lead.SAMPLE_INDEXES) as is_mine, connection.cursor() as cursor:
        if not is_mine:
            return []
        cursor.execute(_LOOSE, {"indexes": list(INDEXES), "least": LEAST_BYTES, "most": LOOSE * ENTRY_BYTES})
        found = [name for (name,) in cursor.fetchall()]
        for index in found:
            for left_behind in (f"{index}_ccnew", f"{index}_ccold"):
                cursor.execute(sql.SQL("drop index concurrently if exists {}").format(sql.Identifier(left_behind)))
            cursor.execute(sql.SQL("reindex index concurrently {}").format(sql.Identifier(index)))
    return found


# A table that nobody counted yet has -1 rows: of it nothing is known. Who is not let to may leave it as it is.
_LOOSE = """
    select i.relname::text from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
    where i.relname = any(%(indexes)s) and t.reltuples >= 0 and pg_has_role(i.relowner, 'usage')
      and pg_relation_size(i.oid) > greatest(%(least)s, %(most)s::float8 * t.reltuples)
    order by 1
"""
