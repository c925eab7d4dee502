"""How long events waited and were worked on: a second look at batches, late enough for both sides to be there."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from collector.folding.fold import RollupLeaves
from collector.store import folds, measures, rollups
from collector.store.measures import Found
from collector.store.partitions import TABLES

BEHIND = timedelta(seconds=15)
RETRY_AFTER = timedelta(minutes=1)
GIVE_UP_AFTER = timedelta(minutes=10)
BATCHES_AT_ONCE = 500
SPANS_AT_ONCE = 100_000  # a tenth of a second's work of Postgres


def measure(leaves: RollupLeaves, *, now: datetime) -> bool:
    """Measure the batches that are old enough; whether more may wait. Raises MissingLeaves."""
    with transaction.atomic(), connection.cursor() as cursor:
        batches = measures.claimed(cursor, before=now - BEHIND, limit=BATCHES_AT_ONCE, most_spans=SPANS_AT_ONCE)
        if not batches:
            return False
        near = {
            table: folds.leaves_around(cursor, table, oldest=batches[0], newest=batches[-1])
            for table in measures.PARENTS
        }
        _add(leaves, measures.paired(cursor, batches, leaves=near, now=now, kept_10s=TABLES["edge_10s"].kept))
        measures.mark_measured(cursor, batches)
        return bool(measures.claimed(cursor, before=now - BEHIND, limit=1, most_spans=1))


def retry_unpaired(leaves: RollupLeaves, *, now: datetime) -> None:
    """Look again for producers that were missing, everywhere. Raises MissingLeaves.

    After ten minutes a delivery is given up, and counted.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        found = measures.paired_later(
            cursor,
            now=now,
            tried_before=now - RETRY_AFTER,
            came_since=now - GIVE_UP_AFTER,
            kept_10s=TABLES["edge_10s"].kept,
        )
        _add(leaves, found)


def _add(leaves: RollupLeaves, found: Found) -> None:
    leaves.check(minute for minute, _ in found.durations)
    with connection.cursor() as cursor:
        rollups.add_histograms(cursor, found.durations)
        measures.count_given_up(cursor, found.n_given_up)
