"""Retry operations: the list, and one with its items and what is known of each."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from collector.domain.dead_letters import ItemStatus, OperationStatus
from collector.domain.topology import Evidence

PAGE, MOST = 100, 1_000
ANSWER_WITHIN = timedelta(minutes=2)  # as collector.retry.outcomes: later, a send without an outcome has "no answer"
_FINAL = frozenset({ItemStatus.PROCESSED, ItemStatus.PASSED, ItemStatus.FAILED_AGAIN, ItemStatus.NOT_SENT})


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One line of the list. `target` is None where each letter goes where its origin says."""

    id: int
    status: str
    person: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    target: str | None
    n_items: int
    n_requested: int
    n_sent: int
    n_processed: int
    n_passed: int
    n_failed_again: int
    n_waiting: int
    n_unknown: int
    n_not_sent: int


@dataclass(frozen=True, slots=True)
class Item:
    """One send. `outcome`: processed, passed, failed_again, not_sent, no_answer, or None while it is waited for."""

    dead_letter: int
    address: str
    key: str | None
    status: str
    cluster: str
    target: str
    sent_topic: str | None
    sent_partition: int | None
    sent_offset: int | None
    sent_at: datetime | None
    outcome: str | None
    reason: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation(OperationRow):
    """One operation with its items, in the order in which they are sent; `next` is the cursor of those behind."""

    items: tuple[Item, ...]
    next: int | None
    truncated: bool


def retries(*, limit: int = PAGE) -> tuple[OperationRow, ...]:
    """Unfinished operations first, then the newest. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_OPERATIONS} group by o.id, t.name order by o.status in (0, 1, 5) desc, o.id desc limit %s",
            [min(limit, MOST)],
        )
        return tuple(_operation(row) for row in cursor.fetchall())


def retry(number: int, *, now: datetime, after: int | None = None, limit: int = MOST) -> Operation | None:
    """One operation with its items behind the cursor `after`, or None. Two statements."""
    if not 0 < number < 2**63:
        return None
    limit = max(1, min(limit, MOST))
    with connection.cursor() as cursor:
        cursor.execute(f"{_OPERATIONS} where o.id = %s group by o.id, t.name", [number])
        found = cursor.fetchone()
        if found is None:
            return None
        cursor.execute(
            "select i.ordinal, i.dead_letter_id, dt.name, d.kafka_partition, d.kafka_offset, d.key_text, i.status,"
            " c.name, t.name, i.sent_partition, i.sent_offset, i.sent_at, i.outcome, i.evidence from retry_item i"
            " join dead_letter d on d.id = i.dead_letter_id join topic dt on dt.id = d.topic_id"
            " join topic t on t.id = i.target_topic_id join cluster c on c.id = t.cluster_id"
            " where i.operation_id = %s and i.ordinal > %s order by i.ordinal limit %s",
            [number, -1 if after is None else after, limit + 1],
        )
        rows = cursor.fetchall()
    truncated = len(rows) > limit
    shown = rows[:limit]
    items = tuple(_item(row, now) for row in shown)
    row = _operation(found)
    facts = {field.name: getattr(row, field.name) for field in fields(row)}
    return Operation(**facts, items=items, next=shown[-1][0] if truncated else None, truncated=truncated)


_OPERATIONS = (
    "select o.id, o.status, o.person_name, o.created_at, o.started_at, o.ended_at, t.name, count(i.*),"
    " count(*) filter (where i.status in (0, 1)), count(*) filter (where i.sent_at is not null),"
    " count(*) filter (where i.status = 4), count(*) filter (where i.status = 5),"
    " count(*) filter (where i.status = 6), count(*) filter (where i.status in (0, 1, 2)),"
    " count(*) filter (where i.status = 3), count(*) filter (where i.status in (7, 8))"
    " from retry_operation o left join topic t on t.id = o.target_topic_id"
    " left join retry_item i on i.operation_id = o.id"
)


def _operation(row: tuple[Any, ...]) -> OperationRow:
    return OperationRow(row[0], OperationStatus(row[1]).name.lower(), *row[2:])


def _item(row: tuple[Any, ...], now: datetime) -> Item:
    _, letter, topic, partition, offset, key, number, cluster, target = row[:9]
    sent_partition, sent_offset, sent_at, said, bits = row[9:]
    status = ItemStatus(number)
    return Item(
        dead_letter=letter,
        address=f"{topic}/{partition}/{offset}",
        key=key,
        status=status.name.lower(),
        cluster=cluster,
        target=target,
        sent_topic=target if sent_offset is not None else None,
        sent_partition=sent_partition,
        sent_offset=sent_offset,
        sent_at=sent_at,
        outcome=_outcome(status, sent_at, now),
        reason=said,
        evidence=_evidence(status, bits),
    )


def _outcome(status: ItemStatus, sent_at: datetime | None, now: datetime) -> str | None:
    if status in _FINAL:
        return status.name.lower()
    return "no_answer" if status is ItemStatus.SENT and sent_at and now - sent_at > ANSWER_WITHIN else None


def _evidence(status: ItemStatus, bits: int) -> tuple[str, ...]:
    """How the outcome is known."""
    if status is ItemStatus.FAILED_AGAIN:
        return ("dead_letter",)
    return tuple(bit.name.lower() for bit in (Evidence.TRACED, Evidence.OFFSETS) if bits & bit and bit.name)
