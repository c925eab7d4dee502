"""Since when counts by ten seconds are all there: minutes before are counted directly, and never summed up again.

Their age says so, and the disk budget, for which they may go sooner.
"""

from datetime import datetime, timedelta

from django.db import connection
from django.db.backends.utils import CursorWrapper

from collector.store import rollups
from collector.store.rollups import Level

_LOCK = 0x57454952_0002  # shared: who counts; alone: who gives some up. In this database


def complete_since(cursor: CursorWrapper, *, now: datetime, kept: timedelta) -> datetime:
    """A whole minute, so that none is counted in part directly and then summed up again from what is left of it.

    It stays true to the end of the transaction: who gives some up waits for it.
    """
    cursor.execute("select pg_advisory_xact_lock_shared(%s)", [_LOCK])
    by_age = rollups.minute(now - kept) + timedelta(minutes=1)
    cursor.execute("select greatest(max(tens_since), %s) from fold_state where tens_since <= %s", [by_age, now])
    found: datetime = cursor.fetchone()[0]
    return found


def given_up_before(now: datetime) -> datetime | None:
    """The end of the newest that are gone; None where none went yet, or the clock was set back since. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("select max(tens_since) from fold_state where tens_since <= %s", [now])
        found: datetime | None = cursor.fetchone()[0]
        return found


def give_up(cursor: CursorWrapper, *, before: datetime) -> None:
    """Nobody adds to those before this full hour any more, and what was added is in the minutes. Then they may go."""
    cursor.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
    cursor.execute(
        "select bucket_at from rollup_dirty where level = %s and bucket_at < %s", [int(Level.MINUTE), before]
    )
    rollups.sum_up_minutes(cursor, only={at for (at,) in cursor.fetchall()})
    cursor.execute("update fold_state set tens_since = greatest(tens_since, %s)", [before])
