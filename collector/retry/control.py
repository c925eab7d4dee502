"""What people do with an operation that runs: pause, resume, continue, cancel the rest, another rate."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.domain.canary import MOST_PER_SECOND
from collector.domain.dead_letters import LetterStatus, OperationStatus
from collector.retry import records
from collector.retry.advancing import progress
from collector.retry.records import Asker
from collector.retry.refusals import NotNow
from collector.retry.waking import wake
from collector.store import operations, steps
from collector.store.letter_states import move

RUNS = (OperationStatus.REQUESTED, OperationStatus.RUNNING)
HOLDS = (OperationStatus.PAUSED, OperationStatus.STOPPED)


def pause(number: int, by: Asker, *, now: datetime) -> None:
    """Send nothing more; what is under way arrives. Raises NotNow."""
    with _deed(number, by, now, "pause retry") as cursor:
        n_open = steps.n_in_flight(cursor, number)
        _move(
            cursor, number, OperationStatus.PAUSED, out_of=RUNS, now=now, problem="Only a running operation is paused."
        )
        _note(cursor, number, by, now, "pause retry", f"paused, {n_open:,} in flight")


def resume(number: int, by: Asker, *, now: datetime) -> None:
    """Go on where it was paused. Raises NotNow."""
    with _deed(number, by, now, "resume retry") as cursor:
        _move(
            cursor, number, OperationStatus.RUNNING, out_of=[OperationStatus.PAUSED], now=now,
            problem="Only a paused operation is resumed.",
        )  # fmt: skip
        _note(cursor, number, by, now, "resume retry", "resumed")


def proceed(number: int, by: Asker, *, now: datetime) -> None:
    """Go on after the first step, or although it stopped: the failures so far are known then. Raises NotNow."""
    with _deed(number, by, now, "continue retry") as cursor:
        found = operations.operation(cursor, number, lock=True)
        if found is None or not (found.waits_for_person or found.status is OperationStatus.STOPPED):
            raise NotNow("This operation does not wait for anybody.")
        ends, counted = progress(cursor, found, now=now)
        bad = sum(one.bad for one in counted)
        following = next((end for end in ends if end > found.released), found.n_items)
        changes: dict[str, object] = {"n_forgiven": bad, "waits_for_person": False, "reason": ""}
        if found.waits_for_person:
            changes["released"] = following
        steps.see_bad(cursor, number, now=now, wait_seconds=found.sending.wait_seconds)
        operations.describe(cursor, number, status=int(OperationStatus.RUNNING), **changes)
        said = "continued" if found.waits_for_person else f"continued after {bad:,} failures"
        _note(cursor, number, by, now, "continue retry", said)


def cancel(number: int, by: Asker, *, now: datetime) -> int:
    """Send nothing of the rest; how many letters are open again. Raises NotNow."""
    with _deed(number, by, now, "cancel retry") as cursor:
        _move(
            cursor, number, OperationStatus.CANCELLED, out_of=(*RUNS, *HOLDS), now=now,
            problem="There is nothing left to cancel.",
        )  # fmt: skip
        letters = steps.cancel_waiting(cursor, number, reason=f"Cancelled by {by.person_name}.", now=now)
        _note(cursor, number, by, now, "cancel retry", f"cancelled the rest: {len(letters):,} not sent")
        move(cursor, letters, LetterStatus.OPEN, out_of=[LetterStatus.RETRY_REQUESTED], now=now)
        return len(letters)


def set_rate(number: int, by: Asker, *, now: datetime, per_second: float) -> None:
    """Send so many a second from now on. Raises NotNow."""
    with _deed(number, by, now, "set retry rate") as cursor:
        if not 0.1 <= per_second <= MOST_PER_SECOND:
            raise NotNow(f"The rate is 0.1 to {MOST_PER_SECOND} a second.")
        found = operations.operation(cursor, number, lock=True)
        if found is None or found.status not in (*RUNS, *HOLDS):
            raise NotNow("This operation sends nothing more.")
        operations.describe(cursor, number, rate_per_second=per_second)
        _note(cursor, number, by, now, "set retry rate", f"rate {per_second:g}/s")


@contextmanager
def _deed(number: int, by: Asker, now: datetime, action: str) -> Iterator[CursorWrapper]:
    with records.refusals(by, now, action, f"retry {number}"), transaction.atomic(), connection.cursor() as cursor:
        yield cursor


def _move(
    cursor: CursorWrapper,
    number: int,
    to: OperationStatus,
    *,
    out_of: tuple[OperationStatus, ...] | list[OperationStatus],
    now: datetime,
    problem: str,
) -> None:
    if not operations.move(cursor, number, to, out_of=out_of, now=now):
        raise NotNow(problem)


def _note(cursor: CursorWrapper, number: int, by: Asker, now: datetime, action: str, said: str) -> None:
    operations.note(cursor, number, said, now=now, by=by.person_name)
    records.done(by, now, action, number, reason=said)
    records.announce(number)
    transaction.on_commit(lambda: wake(number))
