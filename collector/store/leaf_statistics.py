"""What the planner knows of open leaves: nobody vacuums them, so nobody else counts them either."""

from django.db import connection
from psycopg import sql

from collector.store.partitions import RAW_TABLES

LEAST_ROWS, SHARE = 10_000, 0.2  # new since the last time: as autovacuum does, but for rows that are only added


def refresh() -> list[str]:
    """ANALYZE every open raw leaf that has grown by a fifth; which those were. Each takes well under a second."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select r.leaf from raw_partition r join pg_stat_user_tables s on s.relid = to_regclass(r.leaf)"
            " join pg_class c on c.oid = s.relid where r.table_name = any(%s) and r.state = 0"
            " and s.n_mod_since_analyze > %s + %s::float8 * greatest(c.reltuples, 0)",
            [list(RAW_TABLES), LEAST_ROWS, SHARE],
        )
        leaves = [leaf for (leaf,) in cursor.fetchall()]
        for leaf in leaves:
            cursor.execute(sql.SQL("analyze {}").format(sql.Identifier(leaf)))
    return leaves
