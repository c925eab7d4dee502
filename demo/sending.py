"""Sending records and knowing that they arrived: an idempotent producer whose delivery reports feed the truth log."""

from collections.abc import Callable

import confluent_kafka
from confluent_kafka import KafkaError, Message

from demo.journal import Journal
from demo.records import Outgoing, Position

MAX_UNSENT = 2_000
ENOUGH_WAIT_SECONDS = 0.5
ANY_PARTITION = -1  # librdkafka: the partitioner chooses


class NotDelivered(RuntimeError):
    """Kafka refused a record for good."""


class Sender:
    """One producer. Each record that Kafka has is written to the journal, then `delivered` is called."""

    def __init__(self, *, bootstrap: str, client_id: str, journal: Journal) -> None:
        # Looked up on the module at run time: an instrumentation replaces the class there.
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": bootstrap,
                "client.id": client_id,
                "enable.idempotence": True,  # a resend must not make a second record that no report tells of
                "partitioner": "murmur2_random",  # as Java clients choose
                "message.timeout.ms": 0,  # while Kafka is away, records wait; they are not given up
                "log.connection.close": False,
            }
        )
        self._journal = journal

    def send(self, record: Outgoing, *, cause: Position | None, delivered: Callable[[], None] | None = None) -> None:
        """Queue the record. Blocks while too many are unsent. Raises NotDelivered from this or any later call."""
        while len(self._producer) >= MAX_UNSENT:
            self._producer.poll(ENOUGH_WAIT_SECONDS)

        def report(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                raise NotDelivered(f"{record.topic}: {error}")
            position = Position(record.topic, _known(message.partition()), _known(message.offset()))
            self._journal.produced(position, key=record.key, cause=cause, letter=record.letter)
            if delivered is not None:
                delivered()

        self._producer.produce(
            topic=record.topic,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            on_delivery=report,
            partition=ANY_PARTITION if record.partition is None else record.partition,
        )

    def serve(self) -> None:
        """Handle the reports that came."""
        self._producer.poll(0)

    def flush(self, *, seconds: float) -> int:
        """Wait for all reports, at most this long; returns how many are still missing."""
        return self._producer.flush(seconds)


def _known(number: int | None) -> int:
    if number is None:
        raise NotDelivered("a delivery report without a position")
    return number
