"""Send what was asked for: check, claim, send, record the report; after a crash, look for what may have been sent."""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from collector.clock import running_seconds
from collector.domain.positions import Position
from collector.domain.resending import UNREADABLE, Attempt, attempt_id, outgoing
from collector.ports import (
    KafkaRefused,
    KafkaUnreachable,
    Lookup,
    NotDelivered,
    NotTaken,
    Outgoing,
    Publisher,
    QueueFull,
    Rights,
    Unreadable,
)
from collector.retry.allowed import Allowance
from collector.retry.pacing import Pace
from collector.retry.patience import PATIENCE, Patience
from collector.retry.proofs import refusals
from collector.retry.restoring import pauses_all
from collector.retry.targets import ELSEWHERE, Ends, Grants, astray
from collector.store import operations, retries, retry_turns
from collector.store.retries import Item

log = logging.getLogger(__name__)

AT_ONCE = 100  # items of one claim
CLAIM_SECONDS = 0.2  # about how much sending one claim is: a pause takes effect after it
REPORT_SECONDS = 20.0  # more than the publisher takes to deliver or give up
ABANDONED_AFTER = timedelta(minutes=2)  # a claim this old has no bytes on the way to a broker any more (see _settled)
LOOKS_BACK_SECONDS = 30.0  # so often a long run looks for claims that were abandoned
QUIET_SECONDS = 5.0  # a broker that answers has, after so long, taken in what waited in its sockets
TURN_SECONDS = 10.0  # so long an operation keeps its place from others that could send
FRESH_SECONDS = 5.0  # whoever stood still for longer after a claim sends no more: another may have it by now
MOST_CLAIMS = 3
_REPLACED = "{} is compacted: a copy may have been there, and have given way to a newer event of its key."
STOPPING = threading.Event()  # of this process: it was told to end


@dataclass(slots=True)
class Sender:
    """One worker's way to one cluster. `name` is told on the claims, for people; `stopping` is set when it shall stop.

    `cluster` is its shown name; topics of another may have the same names.
    """

    lookup: Lookup
    publisher: Publisher
    rights: Rights
    cluster: str
    name: str
    now: Callable[[], datetime]
    stopping: threading.Event = field(default_factory=threading.Event)
    quiet_seconds: float = QUIET_SECONDS
    turn_seconds: float = TURN_SECONDS
    ends: Ends = field(init=False)
    grants: Grants = field(init=False)
    allowance: Allowance = field(default_factory=Allowance)
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        self.grants = Grants(self.rights)
        self.ends = Ends(self.lookup, has_shrunk=self.grants.forget)


class NotObserved(Exception):
    """The settings do not name this cluster any more: nothing can be sent there, and nothing looked for."""


MakeSender = Callable[[str], AbstractContextManager[Sender]]
"""Connects to the cluster of this name. Raises NotObserved, KafkaRefused."""


def dispatch(operation_id: int, make_sender: MakeSender, *, now: datetime, patience: Patience = PATIENCE) -> None:
    """Send an operation's waiting items until none is left, or Kafka does not answer; the sweep comes again.

    Only one session sends an operation, and few operations are sent at once: who finds no place leaves at once.
    Clients are made only where there is work, and not while the cluster has just not answered.
    """
    found = retry_turns.unfinished_one(operation_id)
    if found is None or pauses_all(now=now):
        return
    cluster = found.cluster
    with retry_turns.turn(found) as held:
        if not held or not _has_work(operation_id, now) or not patience.may_ask(cluster):
            return
        try:
            with make_sender(cluster) as sender:
                _run(operation_id, sender)
                patience.answered(cluster)
        except NotObserved:
            _give_up(operation_id, cluster, now)
        except (KafkaUnreachable, KafkaRefused) as error:
            if isinstance(error, KafkaUnreachable):
                patience.did_not_answer(cluster)
            log.warning("retry %d waits: %s", operation_id, error)
            operations.note_trouble(operation_id, str(error))


def _give_up(operation_id: int, cluster: str, now: datetime) -> None:
    """Nothing leads to the cluster: what was claimed is for a person to decide, the rest is not sent."""
    claimed = retries.abandoned(operation_id, after=ABANDONED_AFTER, limit=1_000)
    retries.mark_unknown({item.attempt_id: ELSEWHERE.format(cluster) for item in claimed}, now=now)
    waiting = retries.waiting(operation_id, limit=1_000, now=now)
    retries.mark_not_sent({item.attempt_id: ELSEWHERE.format(cluster) for item in waiting}, now=now)


def _run(operation_id: int, sender: Sender) -> None:
    looked_back, began = -math.inf, time.monotonic()
    _keep_pace(operation_id, sender)
    while not sender.stopping.is_set():
        if time.monotonic() - looked_back > LOOKS_BACK_SECONDS:
            recover(operation_id, sender)
            looked_back = time.monotonic()
        if not send_some(operation_id, sender):
            return
        operations.note_trouble(operation_id, "")
        if time.monotonic() - began > sender.turn_seconds:
            if _others_wait(operation_id, sender):
                return
            retry_turns.begin_turn(operation_id)
            began = time.monotonic()


def _others_wait(operation_id: int, sender: Sender) -> bool:
    """Whether another operation could send something now, and got no place for as long as this turn lasts."""
    now = sender.now()
    return any(_has_work(other, now) for other in retry_turns.kept_waiting(operation_id))


def _keep_pace(operation_id: int, sender: Sender) -> None:
    """Go on at the rate of the dispatch before, where that has just sent: at a low rate few are sent by each."""
    sent_at, per_second = retries.last_sent_at(operation_id), retries.rate(operation_id)
    if sent_at is None or per_second is None:
        return
    whole = _share(per_second) / per_second
    left = whole - (sender.now() - sent_at).total_seconds()
    if left > 0:
        sender.pace.begin(min(left, whole))  # a clock that was set back holds nobody up


def _has_work(operation_id: int, now: datetime) -> bool:
    if retries.due(operation_id, limit=1, now=now):
        return True
    return bool(retries.abandoned(operation_id, after=ABANDONED_AFTER, limit=1))


def send_some(operation_id: int, sender: Sender) -> bool:
    """Send the next few, when their time has come. True while there may be more."""
    per_second = retries.rate(operation_id)
    if per_second is None:
        return False
    items = retries.waiting(operation_id, limit=_share(per_second), now=sender.now())
    if not items:
        return False
    ends = {topic: sender.ends.of(topic) for topic in sorted({i.target for i in items if i.cluster == sender.cluster})}
    refused = astray(items, sender.cluster, sender.grants)
    refused |= sender.allowance.refusals([item for item in items if item.attempt_id not in refused])
    items = [item for item in items if item.attempt_id not in refused]
    sender.grants.need({item.target for item in items})
    refused |= retries.held_back(operation_id, [item.attempt_id for item in items])
    unproven = refusals([item for item in items if item.attempt_id not in refused], sender.ends.of, sender.lookup)
    refused |= {item.attempt_id: why for item, why in unproven}
    retries.mark_not_sent(refused, now=sender.now())
    kept = [item for item in items if item.attempt_id not in refused]
    sender.pace.wait(len(kept), per_second, stopping=sender.stopping)
    claiming = running_seconds()
    claimed = retries.claim(
        kept,
        ends={topic: {number: high for number, (_, high) in found.items()} for topic, found in ends.items()},
        by=sender.name,
        now=sender.now(),
    )
    is_clear = _send(claimed, ends, sender, until=claiming + FRESH_SECONDS)
    return is_clear and bool(claimed or refused)


def _share(per_second: float) -> int:
    return max(1, min(AT_ONCE, round(per_second * CLAIM_SECONDS)))


def recover(operation_id: int, sender: Sender) -> None:
    """Find out what became of items that a dead sender had claimed (its lock is ours now, so it sends no more).

    Found in the target: sent. Not found up to the end: they wait again, or are given up after the third time.
    Not readable: unknown, and never sent again by machine.
    """
    items = retries.abandoned(operation_id, after=ABANDONED_AFTER, limit=1_000)
    for topic in {item.target for item in items}:
        sender.grants.forget(topic)
    lost = astray(items, sender.cluster, sender.grants)
    retries.mark_unknown(lost, now=sender.now())
    items = [item for item in items if item.attempt_id not in lost]
    for topic in sorted({item.target for item in items}):
        _recover([item for item in items if item.target == topic], topic, sender)


def _settled(topic: str, sender: Sender) -> bool:
    """Whether everything that a dead sender's machine still sent to the target's brokers has arrived.

    Its claim is two minutes old: its own client gave up after eight seconds, its kernel 102 s later (Linux,
    tcp_orphan_retries). What a broker that stood still has in its sockets, it takes in once it answers again.
    """
    sender.lookup.ends(topic)
    return not sender.stopping.wait(sender.quiet_seconds)


def _recover(items: Sequence[Item], topic: str, sender: Sender) -> None:
    if not _settled(topic, sender):
        return
    try:
        found, replaced = _search(items, topic, sender.lookup)
    except Unreadable as error:
        retries.mark_unknown({item.attempt_id: str(error) for item in items}, now=sender.now())
        return
    retries.mark_sent(found, now=sender.now())
    retries.mark_unknown(dict.fromkeys(replaced, _REPLACED.format(topic)), now=sender.now())
    missing = [item for item in items if item.attempt_id not in found.keys() | replaced]
    given_up = {item.attempt_id: "Kafka did not take it." for item in missing if item.n_claims >= MOST_CLAIMS}
    retries.mark_not_sent(given_up, now=sender.now())
    retries.put_back([item.attempt_id for item in missing if item.attempt_id not in given_up], now=sender.now())


def _search(items: Sequence[Item], topic: str, lookup: Lookup) -> tuple[dict[UUID, Position], set[UUID]]:
    """Where the target holds these attempts: our id, and the letter's own value (an id alone could be forged).

    And which may have been there: an offset without a record, where copies give way to newer events of their key.
    """
    ends = lookup.ends(topic)
    if not ends:
        raise Unreadable(f"{topic} does not exist any more.")
    spans = {}
    for number, (low, high) in ends.items():
        starts = [item.search_from.get(number, 0) for item in items if number in _places(item, ends)]
        if starts and min(starts) < low and high > low:
            raise Unreadable(f"{topic}/{number} no longer holds the time of the send.")
        if starts and max(starts) > high:
            raise Unreadable(f"{topic}/{number} ends before the send: it was created again, or lost records.")
        if starts:
            spans[number] = (min(starts), high)
    values = {item.attempt_id: item.value for item in items}
    found = {}
    n_absent = {number: high - start for number, (start, high) in spans.items()}
    for record in lookup.between(topic, spans):
        n_absent[record.partition] -= 1
        claimed = attempt_id(record)
        if claimed in values and record.value == values[claimed]:
            found[claimed] = Position(record.topic, record.partition, record.offset)
    holed = {number for number, n in n_absent.items() if n}
    may_be_gone = {item.attempt_id for item in items if item.is_compacted and holed & _places(item, ends)}
    return found, may_be_gone - found.keys()


def _places(item: Item, ends: Mapping[int, tuple[int, int]]) -> set[int]:
    """The partitions that it may have been sent to."""
    fixed = item.target_partition
    return set(ends) if fixed is None or fixed not in ends else {fixed}


def _send(
    items: Sequence[Item], ends: Mapping[str, Mapping[int, tuple[int, int]]], sender: Sender, *, until: float
) -> bool:
    """Publish all, then record every report. False when the rest should wait: the queue is full or a report is missing.

    An item without a good report stays claimed: it may have been sent, and the search will tell. So does what is not
    sent `until` then.
    """
    waiting: list[tuple[Item, Future[Position]]] = []
    refused: dict[UUID, str] = {}
    unsent: list[UUID] = []
    for item in items:
        if running_seconds() > until:
            log.warning("retry %d: item %d stays claimed: this worker stood still", item.operation_id, item.ordinal)
            continue
        try:
            waiting.append((item, sender.publisher.publish(_outgoing(item, ends[item.target], sender.now()))))
        except NotDelivered as error:
            refused[item.attempt_id] = str(error)
        except QueueFull:
            unsent.append(item.attempt_id)
    retries.put_back(unsent, now=sender.now())
    retries.mark_not_sent(refused, now=sender.now())
    told = [(item, _report(item, future)) for item, future in waiting]
    if len(told) > 1:
        told = [
            (item, _alone(item, ends, sender, until=until) if isinstance(said, NotTaken) else said)
            for item, said in told
        ]
    reports = {item.attempt_id: place for item, place in told if isinstance(place, Position)}
    not_taken = {item.attempt_id: str(why) for item, why in told if isinstance(why, NotTaken)}
    retries.mark_sent(reports, now=sender.now())
    retries.mark_not_sent(not_taken, now=sender.now())
    return not unsent and len(reports) + len(refused) + len(not_taken) == len(items)


def _alone(
    item: Item, ends: Mapping[str, Mapping[int, tuple[int, int]]], sender: Sender, *, until: float
) -> Position | NotTaken | None:
    """Once more, by itself: brokers refuse all that went together with a record that they do not take."""
    if running_seconds() > until:
        return None
    try:
        return _report(item, sender.publisher.publish(_outgoing(item, ends[item.target], sender.now())))
    except (QueueFull, NotDelivered):
        return None


def _report(item: Item, future: Future[Position]) -> Position | NotTaken | None:
    try:
        return future.result(timeout=REPORT_SECONDS)
    except NotTaken as error:
        return error
    except (NotDelivered, TookTooLong) as error:
        log.warning("retry %d: no report for item %d: %s", item.operation_id, item.ordinal, error)
        return None


def _outgoing(item: Item, ends: Mapping[int, tuple[int, int]], now: datetime) -> Outgoing:
    if item.headers is None:
        raise NotDelivered(UNREADABLE)
    attempt = Attempt(item.attempt_id, item.operation_id, item.number, str(item.dead_letter), now)
    partition = item.target_partition if item.target_partition in ends else None
    return Outgoing(item.target, item.key, item.value, outgoing(item.headers, attempt), partition)
