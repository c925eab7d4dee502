"""Stored batches -> counts per edge, exactly once: ledger, counts and notice in one transaction."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from collector.changes import announce
from collector.store import day_counts, folds, rollups, ten_seconds
from collector.store.partitions import TABLES, Leaves
from collector.store.rollups import Level

BATCHES_AT_ONCE = 200
DAYS_AT_ONCE = 3  # of many edges a second's work each
ROLLUPS = ("edge_10s", "edge_1m", "edge_1h")


class MissingLeaves(Exception):
    """Rows fall into leaves that may not be there. Make them, outside of the transaction, and start it again."""

    def __init__(self, hours: Iterable[datetime]) -> None:
        super().__init__("leaves are missing")
        self.hours = sorted(hours)


class RollupLeaves:
    """Which hours have leaves in all rollup tables."""

    def __init__(self) -> None:
        self._leaves = Leaves()
        self._hours: set[datetime] = set()

    @property
    def hours(self) -> Collection[datetime]:
        """Those that have leaves, as far as is known."""
        return self._hours

    def check(self, times: Iterable[datetime]) -> None:
        """Raises MissingLeaves unless rows of all these times have a place. Costs nothing."""
        missing = {rollups.hour(at) for at in times} - self._hours
        if missing:
            raise MissingLeaves(missing)

    def make(self, missing: MissingLeaves, *, now: datetime) -> None:
        """Make what is missing, but not what was given up. Not inside a transaction."""
        given_up = ten_seconds.given_up_before(now)
        for hour in missing.hours:
            for table in ROLLUPS:
                if table != "edge_10s" or given_up is None or hour >= given_up:
                    self._leaves.ensure(table, hour)
            self._hours.add(hour)

    def forget(self) -> None:
        """Leaves may have been dropped."""
        self._leaves.forget()
        self._hours.clear()


@dataclass(frozen=True, slots=True)
class Folded:
    """What one fold did. `is_full`: as many batches as one fold takes, so more may wait."""

    n_batches: int
    is_full: bool


def fold(leaves: RollupLeaves, *, now: datetime, limit: int = BATCHES_AT_ONCE) -> Folded:
    """Fold what waits. Crash anywhere: nothing is flipped, and it is folded again. Raises MissingLeaves."""
    kept_10s = TABLES["edge_10s"].kept
    with transaction.atomic(), connection.cursor() as cursor:
        batches = folds.claimed(cursor, limit=limit)
        if not batches:
            folds.note_fold(cursor, now=now, n_clamped=0, moved=False)
            return Folded(0, is_full=False)
        horizon = ten_seconds.complete_since(cursor, now=now, kept=kept_10s)
        found = folds.counted(cursor, batches, kept_10s=kept_10s, horizon=horizon, hours=leaves.hours)
        leaves.check(found.hours)
        rollups.mark_dirty(cursor, Level.MINUTE, found.minutes)
        if found.late:
            minutes = {rollups.minute(each.bucket_at) for each in found.late}
            rollups.sum_up_minutes(cursor, only=minutes)  # before what comes now is added: it would be overwritten
            rollups.add_minutes(cursor, found.late)
            rollups.mark_dirty(cursor, Level.HOUR, {rollups.hour(each) for each in minutes})
        folds.mark_folded(cursor, batches)
        seq = folds.note_fold(cursor, now=now, n_clamped=found.n_clamped, moved=True)
        announce("topology", seq)
    return Folded(len(batches), is_full=len(batches) == limit)


def sum_up_minutes() -> int:
    """Recompute dirty minutes; how many there were."""
    with transaction.atomic(), connection.cursor() as cursor:
        return rollups.sum_up_minutes(cursor)


def sum_up_hours() -> int:
    """Recompute dirty hours; how many there were."""
    with transaction.atomic(), connection.cursor() as cursor:
        return rollups.sum_up_hours(cursor)


def sum_up_days(*, now: datetime) -> int:
    """Sum up days that wait for it, a few at once; how many there were."""
    with transaction.atomic(), connection.cursor() as cursor:
        return day_counts.sum_up_days(cursor, now=now, most=DAYS_AT_ONCE)
