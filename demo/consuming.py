"""A consumer by poll(): reads, works, sends on, and commits what is settled."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import confluent_kafka
from confluent_kafka import Consumer, Message, TopicPartition

from demo.journal import Journal
from demo.lifeline import Lifeline, heard
from demo.parts import Part, instance
from demo.records import Outcome, Position, Record
from demo.sending import ENOUGH_BYTES, GATHER_MS, QUIET, Sender
from demo.settling import Settling
from demo.steps import digest

if TYPE_CHECKING:
    from demo.letters import Headers

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
FLUSH_SECONDS = 1.0
MOST_OF_A_BATCH, BATCH_SECONDS = 20, 0.4


@dataclass(frozen=True, slots=True)
class Hours:
    """When a service that works in waves rests, so that it falls behind and catches up."""

    works_seconds: float
    rests_seconds: float

    def resting(self, since_start_seconds: float) -> bool:
        """Is it a time of rest, that many seconds after the start?"""
        return since_start_seconds % (self.works_seconds + self.rests_seconds) >= self.works_seconds


WAVES = Hours(works_seconds=45, rests_seconds=15)


class Reader:
    """One membership in the part's group, from subscribing to leaving."""

    def __init__(
        self,
        part: Part,
        *,
        bootstrap: str,
        sender: Sender,
        journal: Journal,
        work: Callable[[Record], Outcome],
        ready: Callable[[], None],
        hours: Hours | None = None,
    ) -> None:
        self._sender = sender
        self._journal = journal
        self._work = work
        self._ready = ready
        self._hours = hours
        self._settling = Settling()
        self._lifeline = Lifeline(bootstrap)
        self._consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": part.group,
                "client.id": instance(part),
                "auto.offset.reset": "earliest",
                "enable.auto.offset.store": False,  # stored when settled, committed once a second and on leaving
                "auto.commit.interval.ms": 1000,
                "fetch.wait.max.ms": GATHER_MS,
                "fetch.min.bytes": ENOUGH_BYTES,
                "session.timeout.ms": 10_000,
                "heartbeat.interval.ms": 2_000,
                # Also how long librdkafka waits for the answer to a JoinGroup, which a broker may lose as it restarts.
                "max.poll.interval.ms": 15_000,
                "log.connection.close": False,
                "log_level": QUIET,
                "error_cb": heard,
            }
        )
        self._consumer.subscribe(
            list(part.reads), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def read(self, wanted: Callable[[], bool]) -> None:
        """Work until `wanted` says no, then finish what was begun, commit and leave the group. Raises CutOff."""
        started, resting = time.monotonic(), False
        try:
            while wanted():
                self._take()
                self._sender.serve()
                self._store()
                self._lifeline.check(self._consumer)
                if self._hours is not None:
                    resting = self._rest(resting=self._hours.resting(time.monotonic() - started), was=resting)
        finally:
            self._consumer.close()

    def _take(self) -> None:
        message = self._consumer.poll(POLL_SECONDS)  # also ends the span of the record before
        if message is not None:
            self._handle(message)

    def _handle(self, message: Message) -> None:
        if (error := message.error()) is not None:
            log.warning("%s", error)
            return
        record = record_of(message)
        outcome = self._work(record)
        self._journal.consumed(record, outcome)
        delivered = self._settling.handled(record.position, n_results=len(outcome.outgoing))
        for outgoing in outcome.outgoing:
            self._sender.send(outgoing, causes=[record.position], delivered=delivered)

    def _store(self) -> None:
        done = [TopicPartition(at.topic, at.partition, at.offset + 1) for at in self._settling.settled()]
        if done:
            self._consumer.store_offsets(offsets=done)

    def _rest(self, *, resting: bool, was: bool) -> bool:
        if resting and not was:
            self._consumer.pause(self._consumer.assignment())
        elif was and not resting:
            self._consumer.resume(self._consumer.assignment())
        return resting

    def _assigned(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("reading %d partitions", len(partitions))
        self._ready()

    def _revoked(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        # Also called by close(). What is stored now is committed by the client before it lets the partitions go.
        self._sender.flush(seconds=FLUSH_SECONDS)
        self._store()
        self._settling.forget()

    def _lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.warning("lost %d partitions: their last records may be read again", len(partitions))
        self._settling.forget()


class BatchReader(Reader):
    """Reads many at once, works on each, and sends one record for all of them together."""

    def _take(self) -> None:
        records = []
        for message in self._consumer.consume(MOST_OF_A_BATCH, timeout=BATCH_SECONDS):
            if (error := message.error()) is not None:
                log.warning("%s", error)
            else:
                records.append(record_of(message))
        for record in records:
            self._journal.consumed(record, self._work(record))
        if records:
            settled = [self._settling.handled(record.position, n_results=1) for record in records]

            def delivered() -> None:
                for each in settled:
                    each()

            self._sender.send(digest(records), causes=[each.position for each in records], delivered=delivered)


def record_of(message: Message) -> Record:
    """The message as a Record. Raises ValueError for one without a position, which poll() never returns."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if topic is None or partition is None or offset is None:
        raise ValueError("a message without a position")
    headers = cast("Headers", message.headers() or [])  # poll() gives pairs of text and bytes, or None for no headers
    _, timestamp_ms = message.timestamp()
    return Record(Position(topic, partition, offset), message.key(), message.value(), headers, timestamp_ms)
