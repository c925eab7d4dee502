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


MOST_OF_EACH = 100


@dataclass(frozen=True, slots=True)
class Attempts:
    """Oldest first. `n_more` are left out: between the first death, and the newest 100 sends and 100 deaths."""

    items: tuple[Attempt, ...]
    n_more: int


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


def attempts(cursor: CursorWrapper, letter: int, *, first_died_at: datetime, died_of: str) -> Attempts:
    """Of one letter. Two statements."""
    found = [Attempt(first_died_at, _died(died_of), None, "", "", None)]
    cursor.execute(
        "select coalesce(i.sent_at, i.claimed_at, o.created_at), o.id, o.person_name, t.name, i.sent_partition,"
        " i.sent_offset, i.status, i.outcome, i.in_retry, count(*) over ()"
        " from retry_item i join retry_operation o on o.id = i.operation_id"
        " join topic t on t.id = i.target_topic_id where i.dead_letter_id = %s order by o.id desc limit %s",
        [letter, MOST_OF_EACH],
    )
    sends = cursor.fetchall()
    cursor.execute(
        "select a.failed_at, a.exception_class, t.name, a.kafka_partition, a.kafka_offset, count(*) over ()"
        " from dead_letter_again a"
        " join topic t on t.id = a.topic_id where a.dead_letter_id = %s order by a.seen_at desc limit %s",
        [letter, MOST_OF_EACH],
    )
    deaths = cursor.fetchall()
    found += [_sent(row) for row in sends]
    found += [
        Attempt(at, _died(of), f"{topic}/{partition}/{offset}", "", "", None)
        for at, of, topic, partition, offset, _ in deaths
    ]
    n_more = sum(rows[0][-1] - len(rows) for rows in (sends, deaths) if rows)
    return Attempts(tuple(sorted(found, key=lambda attempt: attempt.at)), n_more)


def _sent(row: tuple[Any, ...]) -> Attempt:
    at, operation, person, topic, partition, offset, number, reason, in_retry, _ = row
    status = ItemStatus(number)
    sent = f"{topic}/{partition}/{offset}" if offset is not None else None
    said = OUTCOMES[status] + (f": {short_class(reason)}" if status is ItemStatus.FAILED_AGAIN and reason else "")
    if status in {ItemStatus.NOT_SENT, ItemStatus.UNKNOWN} and reason:
        said = f"{said}. {reason}"
    if status is ItemStatus.SENT and in_retry:
        said = f"In retry, attempt {in_retry}: no outcome yet"
    return Attempt(at, f"Retry #{operation} by {person}", sent, said, status.name.lower(), operation)


def _died(exception_class: str) -> str:
    return f"Died of {short_class(exception_class)}" if exception_class else "Died"
