"""Send what was asked for: check, claim, send, record the report; after a crash, look for what may have been sent."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from collector.domain.positions import Position
from collector.domain.resending import Attempt, attempt_id, outgoing, unsendable
from collector.ports import (
    KafkaRefused,
    KafkaUnreachable,
    Lookup,
    NotDelivered,
    Outgoing,
    Publisher,
    QueueFull,
    Unreadable,
)
from collector.store import retries
from collector.store.retries import Item

log = logging.getLogger(__name__)

AT_ONCE = 50  # items of one claim
PER_SECOND = 500
REPORT_SECONDS = 20.0  # more than the publisher takes to deliver or give up
ABANDONED_AFTER = timedelta(seconds=20)  # a claim this old has no send under way any more: the publisher gave up before
MOST_CLAIMS = 3


@dataclass(frozen=True, slots=True)
class Sender:
    """One worker's way to Kafka. `name` is told on the claims, for people."""

    lookup: Lookup
    publisher: Publisher
    name: str
    now: Callable[[], datetime]


def dispatch(operation_id: int, make_sender: Callable[[], AbstractContextManager[Sender]], *, now: datetime) -> None:
    """Send an operation's waiting items until none is left, or Kafka does not answer; the sweep comes again.

    Only one session sends an operation: a second worker leaves at once. Clients are made only where there is work.
    """
    if operation_id not in retries.unfinished():
        return
    with retries.sole_sender(operation_id) as held:
        if not held or not _has_work(operation_id, now):
            return
        try:
            with make_sender() as sender:
                recover(operation_id, sender)
                while send_some(operation_id, sender):
                    pass
        except (KafkaUnreachable, KafkaRefused) as error:
            log.warning("retry %d waits: %s", operation_id, error)


def _has_work(operation_id: int, now: datetime) -> bool:
    if retries.waiting(operation_id, limit=1):
        return True
    return bool(retries.abandoned(operation_id, claimed_before=now - ABANDONED_AFTER, limit=1))


def send_some(operation_id: int, sender: Sender) -> bool:
    """Send the next few. True while there may be more."""
    began = time.monotonic()
    items = retries.waiting(operation_id, limit=AT_ONCE)
    if not items:
        return False
    ends = {topic: dict(sender.lookup.ends(topic)) for topic in sorted({item.target for item in items})}
    refused = {item.attempt_id: why for item in items if (why := _refusal(item, ends[item.target], sender.lookup))}
    retries.mark_not_sent(refused, now=sender.now())
    claimed = retries.claim(
        [item for item in items if item.attempt_id not in refused],
        ends={topic: {number: high for number, (_, high) in found.items()} for topic, found in ends.items()},
        by=sender.name,
        now=sender.now(),
    )
    is_clear = _send(claimed, ends, sender)
    time.sleep(max(0.0, len(claimed) / PER_SECOND - (time.monotonic() - began)))
    return is_clear and bool(claimed or refused)


def recover(operation_id: int, sender: Sender) -> None:
    """Find out what became of items that a dead sender had claimed (its lock is ours now, so it sends no more).

    Found in the target: sent. Not found up to the end: they wait again, or are given up after the third time.
    Not readable: unknown, and never sent again by machine.
    """
    items = retries.abandoned(operation_id, claimed_before=sender.now() - ABANDONED_AFTER, limit=1_000)
    for topic in sorted({item.target for item in items}):
        _recover([item for item in items if item.target == topic], topic, sender)


def _recover(items: Sequence[Item], topic: str, sender: Sender) -> None:
    try:
        found = _search(items, topic, sender.lookup)
    except Unreadable as error:
        retries.mark_unknown({item.attempt_id: str(error) for item in items}, now=sender.now())
        return
    retries.mark_sent(found, now=sender.now())
    missing = [item for item in items if item.attempt_id not in found]
    given_up = {item.attempt_id: "Kafka did not take it." for item in missing if item.n_claims >= MOST_CLAIMS}
    retries.mark_not_sent(given_up, now=sender.now())
    retries.put_back([item.attempt_id for item in missing if item.attempt_id not in given_up])


def _search(items: Sequence[Item], topic: str, lookup: Lookup) -> dict[UUID, Position]:
    """Where the target holds these attempts: our id, and the letter's own value (an id alone could be forged)."""
    ends = lookup.ends(topic)
    if not ends:
        raise Unreadable(f"{topic} does not exist any more.")
    spans = {}
    for number, (low, high) in ends.items():
        starts = [item.search_from.get(number, 0) for item in items if item.target_partition in {None, number}]
        if starts and min(starts) < low and high > low:
            raise Unreadable(f"{topic}/{number} no longer holds the time of the send.")
        if starts:
            spans[number] = (min(starts), high)
    values = {item.attempt_id: item.value for item in items}
    found = {}
    for record in lookup.between(topic, spans):
        claimed = attempt_id(record)
        if claimed in values and record.value == values[claimed]:
            found[claimed] = Position(record.topic, record.partition, record.offset)
    return found


def _refusal(item: Item, ends: Mapping[int, tuple[int, int]], lookup: Lookup) -> str | None:
    """Why this item must not be sent, or None. The claimed origin is compared byte for byte (security: S40)."""
    if not ends:
        return f"{item.target} does not exist. Weir never creates topics."
    if why := unsendable(item.headers):
        return why
    if item.origin is None:
        return None
    try:
        origin = lookup.record_at(item.origin)
    except Unreadable as error:
        return str(error)
    if origin is None:
        return f"The original at {item.origin} is gone, so nothing proves the target. An admin may allow it."
    if (origin.key, origin.value) != (item.key, item.value):
        return f"The record at {item.origin} has another key or value, so the target is not proven."
    return None


def _send(items: Sequence[Item], ends: Mapping[str, Mapping[int, tuple[int, int]]], sender: Sender) -> bool:
    """Publish all, then record every report. False when the rest should wait: the queue is full or a report is missing.

    An item without a good report stays claimed: it may have been sent, and the search will tell.
    """
    waiting: list[tuple[Item, Future[Position]]] = []
    refused: dict[UUID, str] = {}
    unsent: list[UUID] = []
    for item in items:
        try:
            waiting.append((item, sender.publisher.publish(_outgoing(item, ends[item.target], sender.now()))))
        except NotDelivered as error:
            refused[item.attempt_id] = str(error)
        except QueueFull:
            unsent.append(item.attempt_id)
    retries.put_back(unsent)
    retries.mark_not_sent(refused, now=sender.now())
    reports = {item.attempt_id: place for item, future in waiting if (place := _report(item, future)) is not None}
    retries.mark_sent(reports, now=sender.now())
    return not unsent and len(reports) == len(waiting)


def _report(item: Item, future: Future[Position]) -> Position | None:
    try:
        return future.result(timeout=REPORT_SECONDS)
    except (NotDelivered, TookTooLong) as error:
        log.warning("retry %d: no report for item %d: %s", item.operation_id, item.ordinal, error)
        return None


def _outgoing(item: Item, ends: Mapping[int, tuple[int, int]], now: datetime) -> Outgoing:
    attempt = Attempt(item.attempt_id, item.operation_id, item.number, str(item.dead_letter), now)
    partition = item.target_partition if item.target_partition in ends else None
    return Outgoing(item.target, item.key, item.value, outgoing(item.headers, attempt), partition)
