"""What each check of retention by age found: how the clock moved since the last one, and what could not be dropped."""

from datetime import datetime, timedelta

from django.db import connection

from collector.domain.clock_jumps import Watch

LATELY = timedelta(minutes=10)
MOST_BATCHES = 20


def last_watch() -> Watch | None:
    """The clock as the last check saw it; None before the first."""
    with connection.cursor() as cursor:
        cursor.execute("select looked_at, doubted_since, jump_seconds from age_check")
        row = cursor.fetchone()
    return Watch(row[0], row[1], timedelta(seconds=row[2])) if row else None


def newest_of_itself(now: datetime) -> datetime | None:
    """The newest time that what was stored lately says of itself; None where nothing was. One statement.

    Told by other machines' clocks: spans say when they started, records when they were written.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "with b as (select stored_at from batch where stored_at > %s order by stored_at desc limit %s)"
            " select greatest("
            "  (select max(s.started_at) from b cross join lateral"
            "    (select max(started_at) started_at from span where stored_at = b.stored_at) s),"
            "  (select max(r.produced_at) from b cross join lateral"
            "    (select max(produced_at) produced_at from record where stored_at = b.stored_at) r))",
            [now - LATELY, MOST_BATCHES],
        )
        found: datetime | None = cursor.fetchone()[0]
    return found


def note(watch: Watch, problem: str) -> None:
    """Replace what the last check found. `problem`: a sentence, "" where all went well."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into age_check (looked_at, doubted_since, jump_seconds, problem) values (%s, %s, %s, %s)"
            " on conflict (one) do update set looked_at = excluded.looked_at,"
            " doubted_since = excluded.doubted_since, jump_seconds = excluded.jump_seconds, problem = excluded.problem",
            [watch.looked_at, watch.doubted_since, watch.jump.total_seconds(), problem],
        )
