"""Retry operations: the list, and one with its items and what is known of each."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from collector.domain.canary import Sending
from collector.domain.dead_letters import ItemStatus, OperationStatus
from collector.domain.topology import Evidence
from dashboard.queries.retry_steps import LogLine, Step, log_of, steps_of

PAGE, MOST = 100, 1_000
MOST_NEW = 1_000  # new failures are counted up to here
RATE_SECONDS = 5
_FINAL = frozenset({ItemStatus.PROCESSED, ItemStatus.PASSED, ItemStatus.FAILED_AGAIN, ItemStatus.NOT_SENT})


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One line of the list. `target` is None where each letter goes where its origin says.

    `n_waiting` have no outcome yet, `n_silent` gave none within the wait; `waits_for_person`: after the first step.
    """

    id: int
    status: str
    person: str
    name: str
    selection: str
    reason: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    target: str | None
    waits_for_person: bool
    n_items: int
    n_requested: int
    n_sent: int
    n_processed: int
    n_passed: int
    n_failed_again: int
    n_open: int
    n_silent: int
    n_unknown: int
    n_not_sent: int
    cluster: str

    @property
    def n_waiting(self) -> int:
        """Letters whose outcome is still waited for."""
        return self.n_requested + self.n_open

    @property
    def n_lost(self) -> int:
        """Without an answer in time, or of which nobody knows whether they were sent."""
        return self.n_silent + self.n_unknown

    @property
    def n_done(self) -> int:
        """Processed or passed."""
        return self.n_processed + self.n_passed


@dataclass(frozen=True, slots=True)
class Item:
    """One send. `outcome`: processed, passed, failed_again, not_sent, no_answer, or None while it is waited for.

    `in_retry`: which delivery by its group's own retries it waits for.
    """

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
    in_retry: int | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation with its items, in the order in which they are sent; `next` is the cursor of those behind.

    `n_new`: failures of the same groups since it was confirmed. `rate_now`: sent a second, over the last 5 s.
    `failure_groups`: whose letters these are.
    """

    row: OperationRow
    sending: Sending
    trouble: str
    left_out: Mapping[str, int]
    rate_now: float
    n_new: int
    failure_groups: tuple[int, ...]
    steps: tuple[Step, ...]
    log: tuple[LogLine, ...]
    items: tuple[Item, ...]
    next: int | None
    truncated: bool

    @property
    def at_step(self) -> int | None:
        """The first step that is not over, from 1; None where it has no steps, or all are over."""
        return next((step.number for step in self.steps if step.stand != "passed"), None)


def retries(*, now: datetime, clusters: Collection[str] | None = None, limit: int = PAGE) -> tuple[OperationRow, ...]:
    """Unfinished operations first, then the newest, of these clusters alone where that is not None; drafts are not
    among them. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_OPERATIONS.format(_NEWEST)} order by o.status in (0, 1, 3, 5, 7) desc, o.id desc",
            {"now": now, "limit": min(limit, MOST), "clusters": None if clusters is None else list(clusters)},
        )
        return tuple(_operation(row) for row in cursor.fetchall())


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A plan that its person has not confirmed yet."""

    id: int
    created_at: datetime
    selection: str
    n: int


def drafts(*, person_id: int | None, since: datetime) -> tuple[DraftRow, ...]:
    """This person's own plans that were frozen after `since`, newest first; nobody else sees them. One statement."""
    if person_id is None:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, created_at, selection, n_items from retry_operation"
            " where status = 6 and person_id = %s and created_at > %s order by id desc limit 20",
            [person_id, since],
        )
        return tuple(DraftRow(*row) for row in cursor.fetchall())


def retry(number: int, *, now: datetime, after: int | None = None, limit: int = MOST) -> Operation | None:
    """One operation with its items behind the cursor `after`, or None. Five statements."""
    if not 0 < number < 2**63:
        return None
    limit = max(1, min(limit, MOST))
    with connection.cursor() as cursor:
        cursor.execute(_OPERATIONS.format(_ONE), {"now": now, "id": number})
        found = cursor.fetchone()
        if found is None:
            return None
        cursor.execute(_MORE, {"now": now, "id": number, "most": MOST_NEW, "seconds": RATE_SECONDS})
        more = dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))
        sending = Sending(**{name: more[name] for name in Sending.__slots__} | {"steps": tuple(more["steps"])})
        wait = timedelta(seconds=sending.wait_seconds)
        cursor.execute(
            "select i.ordinal, i.dead_letter_id, dt.name, d.kafka_partition, d.kafka_offset, d.key_text, i.status,"
            " c.name, t.name, i.sent_partition, i.sent_offset, i.sent_at, i.outcome, i.evidence, i.in_retry"
            " from retry_item i"
            " join dead_letter d on d.id = i.dead_letter_id join topic dt on dt.id = d.topic_id"
            " join topic t on t.id = i.target_topic_id join cluster c on c.id = t.cluster_id"
            " where i.operation_id = %s and i.ordinal > %s order by i.ordinal limit %s",
            [number, -1 if after is None else after, limit + 1],
        )
        rows = cursor.fetchall()
        steps = steps_of(cursor, number, sending, n_items=found[11], released=more["released"], now=now)
        log = log_of(cursor, number)
    shown = rows[:limit]
    return Operation(
        row=_operation(found),
        sending=sending,
        trouble=more["trouble"],
        left_out=json.loads(more["left_out"]) if isinstance(more["left_out"], str) else more["left_out"],
        rate_now=more["n_lately"] / RATE_SECONDS,
        n_new=more["n_new"],
        failure_groups=tuple(more["failure_groups"]),
        steps=steps,
        log=log,
        items=tuple(_item(row, now - wait) for row in shown),
        next=shown[-1][0] if len(rows) > limit else None,
        truncated=len(rows) > limit,
    )


_NEWEST = (
    "select * from retry_operation where status <> 6 and (%(clusters)s::text[] is null"
    "  or cluster_id in (select id from cluster where name = any(%(clusters)s)))"
    " order by status in (0, 1, 3, 5, 7) desc, id desc limit %(limit)s"
)
_ONE = "select * from retry_operation where status <> 6 and id = %(id)s"
_OPERATIONS = (
    "select o.id, o.status, o.person_name, o.name, o.selection, o.reason, o.created_at, o.started_at, o.ended_at,"
    " t.name, o.waits_for_person, n.n_all, n.n_requested, n.n_sent, n.n_processed, n.n_passed, n.n_failed, w.n_open,"
    " n.n_unsure - w.n_open, n.n_unknown, n.n_not_sent, coalesce(c.name, '') from ({}) o"
    " left join topic t on t.id = o.target_topic_id left join cluster c on c.id = o.cluster_id"
    " cross join lateral (select coalesce(sum(n), 0)::int n_all,"
    "  coalesce(sum(n) filter (where status in (0, 1)), 0)::int n_requested,"
    "  coalesce(sum(n) filter (where is_sent), 0)::int n_sent,"
    "  coalesce(sum(n) filter (where status = 2), 0)::int n_unsure,"
    "  coalesce(sum(n) filter (where status = 3), 0)::int n_unknown,"
    "  coalesce(sum(n) filter (where status = 4), 0)::int n_processed,"
    "  coalesce(sum(n) filter (where status = 5), 0)::int n_passed,"
    "  coalesce(sum(n) filter (where status = 6), 0)::int n_failed,"
    "  coalesce(sum(n) filter (where status in (7, 8)), 0)::int n_not_sent"
    "  from retry_count c where c.operation_id = o.id) n"
    " cross join lateral (select count(*)::int n_open from retry_item i where i.operation_id = o.id"
    "  and i.sent_at > %(now)s - make_interval(secs => o.wait_seconds) and i.status = 2) w"
)
_MORE = """
select o.rate_per_second, o.steps, o.wait_seconds, o.asks_after_first, o.stop_first, o.stop_percent, o.one_per_key,
  o.released, o.trouble, o.left_out, o.failure_groups,
  (select count(*) from retry_item i where i.operation_id = o.id
    and i.sent_at > %(now)s - make_interval(secs => %(seconds)s)) n_lately,
  (select count(*) from (select 1 from letter_state s join dead_letter d on d.id = s.dead_letter_id
    where s.failure_group_id = any(o.failure_groups) and d.seen_at > coalesce(o.confirmed_at, o.created_at)
    limit %(most)s) f) n_new
from retry_operation o where o.id = %(id)s
"""


def _operation(row: tuple[Any, ...]) -> OperationRow:
    return OperationRow(row[0], OperationStatus(row[1]).name.lower(), *row[2:])


def _item(row: tuple[Any, ...], silent_since: datetime) -> Item:
    _, letter, topic, partition, offset, key, number, cluster, target = row[:9]
    sent_partition, sent_offset, sent_at, said, bits, in_retry = row[9:]
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
        outcome=_outcome(status, sent_at, silent_since),
        reason=said,
        evidence=_evidence(status, bits),
        in_retry=in_retry if status is ItemStatus.SENT else None,
    )


def _outcome(status: ItemStatus, sent_at: datetime | None, silent_since: datetime) -> str | None:
    if status in _FINAL:
        return status.name.lower()
    return "no_answer" if status is ItemStatus.SENT and sent_at and sent_at < silent_since else None


def _evidence(status: ItemStatus, bits: int) -> tuple[str, ...]:
    """How the outcome is known."""
    if status is ItemStatus.FAILED_AGAIN:
        return ("dead_letter",)
    return tuple(bit.name.lower() for bit in (Evidence.TRACED, Evidence.OFFSETS) if bits & bit and bit.name)
