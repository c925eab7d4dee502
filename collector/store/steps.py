"""How the items of an operation stand, step by step, and the moves of all that wait."""

from datetime import datetime, timedelta

from django.db import connection
from django.db.backends.utils import CursorWrapper

from collector.domain.canary import Progress
from collector.domain.dead_letters import ItemStatus, OperationStatus

UNDER_WAY = (OperationStatus.REQUESTED, OperationStatus.RUNNING)


# Of the items themselves only those are read whose outcome is still waited for.
_PROGRESS = """
select c.step, c.n, c.waiting, coalesce(o.n, 0), c.good, c.bad + c.sent - coalesce(o.n, 0)
from (select step, sum(n)::int n, coalesce(sum(n) filter (where status in (0, 1)), 0)::int waiting,
    coalesce(sum(n) filter (where status = 2), 0)::int sent,
    coalesce(sum(n) filter (where status in (4, 5)), 0)::int good,
    coalesce(sum(n) filter (where status in (3, 6)), 0)::int bad
  from retry_count where operation_id = %(id)s group by 1) c
left join (select step, count(*)::int n from retry_item
  where operation_id = %(id)s and sent_at > %(since)s and status = 2 group by 1) o using (step)
"""


def progress(
    cursor: CursorWrapper, operation_id: int, n_steps: int, *, now: datetime, wait_seconds: int
) -> list[Progress]:
    """How the items of each step stand. One statement."""
    cursor.execute(_PROGRESS, {"id": operation_id, "since": now - timedelta(seconds=wait_seconds)})
    found = {step: Progress(*counts) for step, *counts in cursor.fetchall()}
    return [found.get(step, Progress(0, 0, 0, 0, 0)) for step in range(n_steps)]


_BAD = "operation_id = %s and (status in (3, 6) or (status = 2 and sent_at <= %s))"


def see_bad(cursor: CursorWrapper, operation_id: int, *, now: datetime, wait_seconds: int) -> None:
    """Mark the failures and the silent ones that there are as seen. What changes at this moment is left out."""
    cursor.execute(
        "update retry_item set seen_bad = true where (operation_id, ordinal) in (select operation_id, ordinal"  # noqa: S608
        f" from retry_item where {_BAD} and not seen_bad for update skip locked)",
        [operation_id, now - timedelta(seconds=wait_seconds)],
    )


def n_seen_bad(cursor: CursorWrapper, operation_id: int, *, now: datetime, wait_seconds: int) -> int:
    """How many of those that a person saw are still failures, or silent."""
    cursor.execute(
        f"select count(*) from retry_item where seen_bad and {_BAD}",  # noqa: S608
        [operation_id, now - timedelta(seconds=wait_seconds)],
    )
    return int(cursor.fetchone()[0])


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
    cursor.execute(
        "select coalesce(sum(n), 0) from retry_count where operation_id = %s and status in (1, 2)", [operation_id]
    )
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
