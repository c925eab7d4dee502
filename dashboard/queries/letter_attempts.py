"""What happened to one dead letter, in order: its deaths, and each time it was sent again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import ItemStatus
from collector.domain.fingerprints import short_class


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line: a death ("Died of CardDeclined") or a send ("Retry #118 by operator1"), and what came of it.

    `sent`: where the copy is, as topic/partition/offset. `status`: of a send, a word as in retries; "" for a death.
    """

    at: datetime
    what: str
    sent: str | None
    outcome: str
    status: str
    operation: int | None


OUTCOMES = {
    ItemStatus.REQUESTED: "Waits to be sent",
    ItemStatus.CLAIMED: "Being sent",
    ItemStatus.SENT: "No outcome yet",
    ItemStatus.UNKNOWN: "Unknown: may have been sent",
    ItemStatus.PROCESSED: "Processed (traced)",
    ItemStatus.PASSED: "Passed (the group's offset moved on)",
    ItemStatus.FAILED_AGAIN: "Failed again",
    ItemStatus.NOT_SENT: "Not sent",
    ItemStatus.CANCELLED: "Cancelled",
}


def attempts(cursor: CursorWrapper, letter: int, *, first_died_at: datetime, died_of: str) -> tuple[Attempt, ...]:
    """All of them, oldest first. Two statements."""
    found = [Attempt(first_died_at, _died(died_of), None, "", "", None)]
    cursor.execute(
        "select coalesce(i.sent_at, i.claimed_at, o.created_at), o.id, o.person_name, t.name, i.sent_partition,"
        " i.sent_offset, i.status, i.outcome from retry_item i join retry_operation o on o.id = i.operation_id"
        " join topic t on t.id = i.target_topic_id where i.dead_letter_id = %s order by o.id desc limit 100",
        [letter],
    )
    found += [_sent(row) for row in cursor.fetchall()]
    cursor.execute(
        "select a.failed_at, a.exception_class, t.name, a.kafka_partition, a.kafka_offset from dead_letter_again a"
        " join topic t on t.id = a.topic_id where a.dead_letter_id = %s order by a.seen_at desc limit 100",
        [letter],
    )
    found += [
        Attempt(at, _died(of), f"{topic}/{partition}/{offset}", "", "", None)
        for at, of, topic, partition, offset in cursor.fetchall()
    ]
    return tuple(sorted(found, key=lambda attempt: attempt.at))


def _sent(row: tuple[Any, ...]) -> Attempt:
    at, operation, person, topic, partition, offset, number, reason = row
    status = ItemStatus(number)
    sent = f"{topic}/{partition}/{offset}" if offset is not None else None
    said = OUTCOMES[status] + (f": {short_class(reason)}" if status is ItemStatus.FAILED_AGAIN and reason else "")
    if status in {ItemStatus.NOT_SENT, ItemStatus.UNKNOWN} and reason:
        said = f"{said}. {reason}"
    return Attempt(at, f"Retry #{operation} by {person}", sent, said, status.name.lower(), operation)


def _died(exception_class: str) -> str:
    return f"Died of {short_class(exception_class)}" if exception_class else "Died"
