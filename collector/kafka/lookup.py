"""The Lookup of real Kafka: one consumer without a group's ways, assigned by hand for each question."""

import logging
import time
from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from collector.domain.positions import Position
from collector.domain.records import Record
from collector.kafka.errors import NO_SUCH_OFFSET, NO_SUCH_PARTITION, translated
from collector.kafka.log import as_record
from collector.kafka.raw_headers import RawHeaders
from collector.ports import KafkaUnreachable, Unreadable

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
AT_ONCE = 500
READ_SECONDS = 60.0  # for everything between two ends
CONSUMER: dict[str, str | int | bool] = {
    "group.id": "weir-lookup",  # the client wants one; nothing is ever committed to it
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "isolation.level": "read_uncommitted",
    "allow.auto.create.topics": False,
    # A question is about few records: what is fetched beyond them is thrown away, and a full queue stops fetching for
    # the next question, too, by default for a second.
    "queued.min.messages": 1_000,
    "queued.max.messages.kbytes": 4_096,
    "max.partition.fetch.bytes": 262_144,
    "fetch.queue.backoff.ms": 5,
    # The broker answers a question only after it let go of the one before, which asked for what is yet to come.
    "fetch.wait.max.ms": 20,
}


class KafkaLookup:
    """See collector.ports.Lookup."""

    def __init__(self, properties: Mapping[str, str | int]) -> None:
        self._consumer = Consumer({**properties, **CONSUMER}, logger=log)
        self._raw = RawHeaders(properties)

    def ends(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """Ask the broker for both ends of each partition."""
        try:
            seen = self._consumer.list_topics(timeout=ANSWER_SECONDS)  # asking for the one topic could create it
            if not seen.brokers:
                raise KafkaUnreachable("The broker does not know its own cluster yet.")
            found = seen.topics.get(topic)
            return {number: self._ends(topic, number) for number in sorted(found.partitions)} if found else {}
        except KafkaException as error:
            raise translated(error) from error

    def record_at(self, position: Position) -> Record | None:
        """Read one record."""
        low, high = self.ends(position.topic).get(position.partition, (0, 0))
        if not low <= position.offset < high:
            return None
        spans = {position.partition: (position.offset, position.offset + 1)}
        return next(iter(self.between(position.topic, spans)), None)

    def between(self, topic: str, spans: Mapping[int, tuple[int, int]]) -> Iterator[Record]:
        """Read partition by partition's own order, all at once, until each has reached its end."""
        waiting = {number: to for number, (start, to) in spans.items() if start < to}
        reached = {number: spans[number][0] for number in waiting}
        if not waiting:
            return
        deadline = time.monotonic() + READ_SECONDS
        try:
            self._consumer.assign([TopicPartition(topic, number, spans[number][0]) for number in waiting])
            while waiting:
                if time.monotonic() > deadline:
                    self.ends(topic)  # raises KafkaUnreachable where that is why
                    raise Unreadable(f"{topic} could not be read to its end within {READ_SECONDS:.0f} s.")
                yield from self._some(topic, waiting, reached)
            self._consumer.unassign()
        except KafkaException as error:
            raise translated(error) from error

    def close(self) -> None:
        """Leave without waiting."""
        self._raw.close()
        self._consumer.close()

    def _some(self, topic: str, waiting: dict[int, int], reached: dict[int, int]) -> Iterator[Record]:
        """The next records before the ends; partitions that reached theirs leave `waiting`.

        The client waits until it has as many as it was asked for: never for more than can come.
        """
        most = sum(to - reached[number] for number, to in waiting.items())
        for message in self._consumer.consume(max(1, min(AT_ONCE, most)), 0.5):
            number, offset = message.partition(), message.offset()
            error = message.error()
            if number is None or offset is None or number not in waiting:
                continue
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                if error.code() in NO_SUCH_OFFSET | NO_SUCH_PARTITION:
                    raise Unreadable(f"{topic}/{number} no longer holds all of the records asked for.")
                raise translated(error)
            reached[number] = min(offset + (error is None), waiting[number])
            if error is None and offset < waiting[number]:
                yield as_record(message, self._raw)
            # At an end the "offset" is that of the next record: markers before it are no records.
            if offset >= waiting[number] - (error is None):
                del waiting[number]

    def _ends(self, topic: str, number: int) -> tuple[int, int]:
        ends = self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ANSWER_SECONDS)
        if ends is None:
            raise translated(KafkaError(KafkaError._TIMED_OUT))
        return ends[0], ends[1]
