"""The sweep of outcomes: failed again, processed, passed, or still no answer."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.changes import announce
from collector.retry.advancing import advance
from collector.store import outcomes

TRACED_WAIT = timedelta(seconds=5)  # a dead letter is written at the end of the work that the span describes
PASSED_WAIT = timedelta(seconds=10)  # and before the commit; longer, for a trace says more than an offset


Step = Callable[[CursorWrapper], int]


def settle(*, now: datetime, looks_far: bool = True) -> int:
    """Draw what can be concluded now; how many sends got an outcome.

    One transaction for each step, so that letters are always locked in one order. `looks_far`: also at what has been
    silent for longer than its wait.
    """
    steps: tuple[Step, ...] = (
        partial(outcomes.failed_again, now=now, looks_far=looks_far),
        partial(outcomes.processed, now=now, wait=TRACED_WAIT, looks_far=looks_far),
        partial(outcomes.passed, now=now, wait=PASSED_WAIT, looks_far=looks_far),
    )
    n = sum(_alone(step) for step in steps)
    if n:
        announce("letters")
    advance(now=now)
    if n + _alone(partial(outcomes.finish, now=now)):
        announce("retries")
    return n


def _alone(step: Step) -> int:
    """Run one step; of two workers at once the second does nothing."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(hashtext('weir.outcomes'))")
        return step(cursor) if cursor.fetchone()[0] else 0
