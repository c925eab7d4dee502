"""What each check of retention by age found: how the clock moved since the last one, and what could not be dropped."""

from datetime import datetime, timedelta

from django.db import connection
from psycopg import sql

from collector.domain.clock_jumps import Watch

LATELY = timedelta(minutes=10)
LAST_PAGES = 64  # of a leaf


def last_watch() -> Watch | None:
    """The clock as the last check saw it; None before the first."""
    with connection.cursor() as cursor:
        cursor.execute("select looked_at, doubted_since, jump_seconds from age_check")
        row = cursor.fetchone()
    return Watch(row[0], row[1], timedelta(seconds=row[2])) if row else None


def newest_of_itself(now: datetime) -> datetime | None:
    """The newest time that what was stored lately says of itself; None where nothing was. Three statements.

    Told by other machines' clocks: spans say when they started, records when they were written. Read are the last
    pages of the leaves that are written now: a search by the time of storing would read all that no vacuum has seen.
    """
    found: list[datetime] = []
    with connection.cursor() as cursor:
        cursor.execute(
            "select p.table_name, p.leaf, pg_relation_size(to_regclass(p.leaf)) / current_setting('block_size')::int"
            " from raw_partition p where p.table_name = any(%s) and p.starts_at <= %s and p.ends_at > %s"
            " and to_regclass(p.leaf) is not null",
            [list(_SAYS), now, now],
        )
        for table, leaf, n_pages in cursor.fetchall():
            statement = "select max({said}) from {leaf} where ctid >= %s::tid and stored_at > %s"
            names = {"said": sql.Identifier(_SAYS[table]), "leaf": sql.Identifier(leaf)}
            cursor.execute(sql.SQL(statement).format(**names), [f"({max(0, n_pages - LAST_PAGES)},1)", now - LATELY])
            found += [at for (at,) in cursor.fetchall() if at is not None]
    return max(found, default=None)


_SAYS = {"span": "started_at", "record": "produced_at"}


def note(watch: Watch, problem: str) -> None:
    """Replace what the last check found. `problem`: a sentence, "" where all went well."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into age_check (looked_at, doubted_since, jump_seconds, problem) values (%s, %s, %s, %s)"
            " on conflict (one) do update set looked_at = excluded.looked_at,"
            " doubted_since = excluded.doubted_since, jump_seconds = excluded.jump_seconds, problem = excluded.problem",
            [watch.looked_at, watch.doubted_since, watch.jump.total_seconds(), problem],
        )
