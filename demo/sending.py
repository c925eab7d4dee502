"""Sending records and knowing that they arrived: an idempotent producer whose delivery reports feed the truth log."""

from collections.abc import Callable, Sequence
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, Message, Producer

from demo.journal import Journal
from demo.lifeline import Lifeline, heard
from demo.records import Outgoing, Position

QUIET = 2  # syslog's level: librdkafka would log every failed connection, twenty a second while Kafka is away
MAX_UNSENT = 2_000
ENOUGH_WAIT_SECONDS = 0.5
# A few tens of milliseconds of gathering halve what an order costs: else each record is a request of its own, there to
# write it and there to read it.
GATHER_MS, ENOUGH_BYTES = 50, 64 * 1024
ANY_PARTITION = -1  # librdkafka: the partitioner chooses


class NotDelivered(RuntimeError):
    """Kafka refused a record for good."""


class Sender:
    """One producer, made at the first record. What Kafka has is written to the journal, then `delivered` is called."""

    def __init__(self, *, bootstrap: str, client_id: str, journal: Journal) -> None:
        self._lifeline = Lifeline(bootstrap)
        self._config: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "client.id": client_id,
            "enable.idempotence": True,  # a resend must not make a second record that no report tells of
            "partitioner": "murmur2_random",  # as Java clients choose
            "linger.ms": GATHER_MS,
            "message.timeout.ms": 0,  # while Kafka is away, records wait; they are not given up
            "log.connection.close": False,
            "log_level": QUIET,
            "error_cb": heard,
        }
        self._journal = journal
        self._made: Producer | None = None

    def send(
        self, record: Outgoing, *, causes: Sequence[Position] = (), delivered: Callable[[], None] | None = None
    ) -> None:
        """Queue the record; blocks while too many are unsent. Raises NotDelivered (as later calls do) and CutOff."""
        producer = self._producer()
        while len(producer) >= MAX_UNSENT:
            producer.poll(ENOUGH_WAIT_SECONDS)
            self._lifeline.check(producer)

        def report(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                raise NotDelivered(f"{record.topic}: {error}")
            position = Position(record.topic, _known(message.partition()), _known(message.offset()))
            self._journal.produced(position, key=record.key, causes=causes, letter=record.letter)
            if delivered is not None:
                delivered()

        producer.produce(
            topic=record.topic,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            on_delivery=report,
            partition=ANY_PARTITION if record.partition is None else record.partition,
        )

    def serve(self) -> None:
        """Handle the reports that came. Raises CutOff."""
        if self._made is not None:
            self._made.poll(0)
            self._lifeline.check(self._made)

    def flush(self, *, seconds: float) -> int:
        """Wait for all reports, at most this long; returns how many are still missing."""
        return 0 if self._made is None else self._made.flush(seconds)

    def _producer(self) -> Producer:
        if self._made is None:
            # Looked up on the module now, because an instrumentation puts a class of its own there.
            self._made = confluent_kafka.Producer(self._config)
        return self._made


def _known(number: int | None) -> int:
    if number is None:
        raise NotDelivered("a delivery report without a position")
    return number
