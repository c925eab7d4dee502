"""From step to step: what the outcomes so far say about the rest of an operation."""

from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.domain.canary import Progress, Verdict, bounds, verdict
from collector.domain.dead_letters import OperationStatus
from collector.domain.fingerprints import short_class
from collector.retry import records
from collector.retry.waking import wake
from collector.store import operations, steps
from collector.store.operations import Operation


def progress(cursor: CursorWrapper, found: Operation, *, now: datetime) -> tuple[tuple[int, ...], list[Progress]]:
    """Where each step of the operation ends, and how each stands."""
    ends = bounds(found.sending.steps, found.n_items)
    return ends, steps.progress(cursor, found.id, len(ends), now=now, wait_seconds=found.sending.wait_seconds)


def advance(*, now: datetime) -> int:
    """Judge every operation that sends; how many went on, asked, or stopped. Safe to run twice and at once."""
    return sum(_advance(number, now) for number in steps.to_judge())


def _advance(number: int, now: datetime) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        found = operations.operation(cursor, number, lock=True)
        if found is None or found.status not in steps.UNDER_WAY or found.waits_for_person or not found.n_items:
            return 0
        ends, counted = progress(cursor, found, now=now)
        forgiven = 0  # by who continued. Some may have answered since, and the next failures are others
        if found.n_forgiven:
            forgiven = steps.n_seen_bad(cursor, number, now=now, wait_seconds=found.sending.wait_seconds)
        said = verdict(found.sending, ends, counted, released=found.released, forgiven=forgiven)
        if said.what == "wait":
            return 0
        _act(cursor, found, said, now=now)
        records.announce(number)
        return 1


def _act(cursor: CursorWrapper, found: Operation, said: Verdict, *, now: datetime) -> None:
    if said.what == "stop":
        reason = _reason(cursor, found, said)
        operations.move(cursor, found.id, OperationStatus.STOPPED, out_of=steps.UNDER_WAY, now=now, reason=reason)
        operations.note(cursor, found.id, reason, now=now, step=said.step)
        records.stopped(now, found.id, reason)
        return
    operations.note(cursor, found.id, f"step {said.step} passed", now=now, step=said.step)
    if said.what == "ask":
        operations.describe(cursor, found.id, waits_for_person=True)
        return
    operations.describe(cursor, found.id, released=said.released)
    transaction.on_commit(lambda: wake(found.id))


def _reason(cursor: CursorWrapper, found: Operation, said: Verdict) -> str:
    outcome, same, n_failed = steps.failure_of_bad(cursor, found.id)
    n_silent = said.bad - n_failed
    parts = []
    if n_failed:
        like = " (same fingerprint)" if same else ""
        with_what = f" with {short_class(outcome)}{like}" if outcome else ""
        parts.append(f"{n_failed:,} of {said.of:,} failed again{with_what}")
    if n_silent:
        parts.append(f"{n_silent:,} of {said.of:,} did not answer")
    return f"Stopped: {' and '.join(parts)}."
