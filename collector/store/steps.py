"""How the items of an operation stand, step by step, and the moves of all that wait."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.backends.utils import CursorWrapper

from collector.domain.canary import Progress
from collector.domain.dead_letters import ItemStatus, OperationStatus

UNDER_WAY = (OperationStatus.REQUESTED, OperationStatus.RUNNING)


def progress(
    cursor: CursorWrapper, operation_id: int, ends: Sequence[int], *, now: datetime, wait_seconds: int
) -> list[Progress]:
    """One count for each step; `ends`: where each ends. One statement."""
    cursor.execute(
        "select width_bucket(ordinal, %s::int[]), count(*), count(*) filter (where status in (0, 1)),"
        " count(*) filter (where status = 2 and sent_at > %s), count(*) filter (where status in (4, 5)),"
        " count(*) filter (where status in (3, 6) or (status = 2 and sent_at <= %s))"
        " from retry_item where operation_id = %s group by 1",
        [list(ends), *[now - timedelta(seconds=wait_seconds)] * 2, operation_id],
    )
    found = {step: Progress(*counts) for step, *counts in cursor.fetchall()}
    return [found.get(step, Progress(0, 0, 0, 0, 0)) for step in range(len(ends))]


def to_judge() -> list[int]:
    """Operations that send and have not ended."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id from retry_operation where status = any(%s) and not waits_for_person order by id",
            [[int(status) for status in UNDER_WAY]],
        )
        return [number for (number,) in cursor.fetchall()]


def n_in_flight(cursor: CursorWrapper, operation_id: int) -> int:
    """How many are being sent, or have no outcome yet."""
    cursor.execute("select count(*) from retry_item where operation_id = %s and status in (1, 2)", [operation_id])
    return int(cursor.fetchone()[0])


def cancel_waiting(cursor: CursorWrapper, operation_id: int, *, reason: str, now: datetime) -> list[int]:
    """Cancel everything that was not sent yet; its letters, which the caller moves."""
    cursor.execute(
        "update retry_item set status = %s, ended_at = %s, outcome = %s where operation_id = %s and status = 0"
        " returning dead_letter_id",
        [int(ItemStatus.CANCELLED), now, reason, operation_id],
    )
    return [letter for (letter,) in cursor.fetchall()]


def failure_of_bad(cursor: CursorWrapper, operation_id: int) -> tuple[str, bool, int]:
    """Of those that failed again: the most frequent class, whether all died as before, and how many gave no answer."""
    cursor.execute(
        "select coalesce((select i.outcome from retry_item i where i.operation_id = %(id)s and i.status = 6"
        "  group by 1 order by count(*) desc limit 1), ''),"
        " coalesce((select bool_and(a.same_failure) from retry_item i join dead_letter_again a"
        "  on a.attempt_id = i.attempt_id where i.operation_id = %(id)s and i.status = 6), false),"
        " (select count(*) from retry_item i where i.operation_id = %(id)s and i.status = 6)",
        {"id": operation_id},
    )
    outcome, same, n_failed = cursor.fetchone()
    return outcome, same, n_failed
