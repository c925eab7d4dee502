"""The Peek of real Kafka: one consumer that fetches little ahead, and one admin client for ends."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from collector.domain.lookups import MOST_BYTES
from collector.kafka.errors import NO_SUCH_OFFSET, NO_SUCH_PARTITION, REFUSED, answered, translated
from collector.kafka.log import EARLIEST, EPOCH, LATEST, as_record
from collector.kafka.metadata_values import is_sayable
from collector.kafka.raw_headers import RawHeaders
from collector.ports import KafkaRefused, KafkaUnreachable, Partition, Taken

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
AT_ONCE = 64
PARTITIONS_PER_CALL = 400
LEAST_FETCH = 16_384  # bytes of a partition: a usual batch of a producer
CONSUMER: dict[str, str | int | bool] = {
    "group.id": "weir-lookup",  # the client wants one; nothing is ever committed to it
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    # What is fetched beyond what is looked at is thrown away: no more than one fetch of each broker.
    "fetch.max.bytes": MOST_BYTES,
    "queued.min.messages": 1,
    "queued.max.messages.kbytes": 1_024,
    "fetch.queue.backoff.ms": 5,
    "fetch.wait.max.ms": 20,
}


class KafkaPeek:
    """See collector.ports.Peek. For one question: it is made, asked and closed."""

    def __init__(self, properties: Mapping[str, str | int]) -> None:
        self._properties: dict[str, str | int | float | bool] = dict(properties)
        self._admin = AdminClient(self._properties, logger=log)
        self._raw = RawHeaders(properties)
        self._consumer: Consumer | None = None
        self._topic = ""
        self._held: set[int] = set()

    def partitions(self, topic: str) -> Sequence[int]:
        """DescribeTopics never creates a topic, unlike a metadata request."""
        if not is_sayable(topic):
            return []
        asked = self._admin.describe_topics(TopicCollection([topic]), request_timeout=ANSWER_SECONDS)
        found = answered(asked[topic], topic=topic)
        return sorted(each.id for each in found.partitions) if found is not None else []

    def ends(self, topic: str, numbers: Collection[int]) -> Mapping[int, tuple[int, int]]:
        """An open transaction is beyond the end."""
        lows, highs = (self._offsets(topic, numbers, end) for end in (EARLIEST, LATEST))
        both = ((number, low, highs.get(number)) for number, low in lows.items())
        return {number: (low, max(low, high)) for number, low, high in both if low is not None and high is not None}

    def since(self, topic: str, numbers: Collection[int], at: datetime) -> Mapping[int, int | None]:
        """By the records' timestamps."""
        milliseconds = (at - EPOCH) // timedelta(milliseconds=1)
        return self._offsets(topic, numbers, lambda: OffsetSpec.for_timestamp(milliseconds))

    def begin(self, topic: str, positions: Mapping[int, int]) -> None:
        """The client is made for as many partitions as it first reads."""
        try:
            if self._consumer is None:
                size = max(LEAST_FETCH, MOST_BYTES // max(1, len(positions)))
                made = {**self._properties, **CONSUMER, "max.partition.fetch.bytes": size}
                self._consumer = Consumer(made, logger=log)
            self._consumer.assign([TopicPartition(topic, number, offset) for number, offset in positions.items()])
        except KafkaException as error:
            raise translated(error) from error
        self._topic, self._held = topic, set(positions)

    def take(self, wait: float) -> Taken:
        """The first message as soon as it is there, and what lies behind it already.

        Raises KafkaUnreachable where records with raw names in their headers, each of which is read a second time, take
        more than five seconds of it.
        """
        consumer, held = self._consumer, self._held
        first = consumer.poll(wait) if consumer is not None else None
        if consumer is None or first is None:
            return Taken((), frozenset())
        messages = [first, *consumer.consume(AT_ONCE, 0.0)]
        lost: set[Partition] = set()
        refused: set[Partition] = set()
        ends: dict[Partition, int] = {}
        records = []
        until = time.monotonic() + ANSWER_SECONDS
        for message in messages:
            if time.monotonic() > until:
                raise KafkaUnreachable(f"{self._topic}: records whose headers have names that are no text come slowly.")
            number, error = message.partition(), message.error()
            if error is not None:
                self._notice(error, message, lost=lost, refused=refused, ends=ends)
            elif number in held:
                records.append(as_record(message, self._raw))
        return Taken(tuple(records), frozenset(lost), frozenset(refused), ends)

    def leave(self, numbers: Collection[int]) -> None:
        """What was fetched of them goes."""
        gone = self._held & set(numbers)
        if self._consumer is not None and gone:
            try:
                self._consumer.incremental_unassign([TopicPartition(self._topic, number) for number in gone])
            except KafkaException as error:
                raise translated(error) from error
            self._held -= gone

    def close(self) -> None:
        """Leave without waiting."""
        self._raw.close()
        if self._consumer is not None:
            self._consumer.close()

    def _notice(
        self,
        error: KafkaError,
        message: Message,
        *,
        lost: set[Partition],
        refused: set[Partition],
        ends: dict[Partition, int],
    ) -> None:
        code, number = error.code(), message.partition()
        places = [Partition(self._topic, each) for each in self._held if number in (None, -1, each)]
        if code == KafkaError._PARTITION_EOF:
            ends |= dict.fromkeys(places, message.offset() or 0)
        elif code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            refused |= set(places)
        elif code in NO_SUCH_OFFSET or code in NO_SUCH_PARTITION:
            lost |= set(places)
        elif code in REFUSED and code != KafkaError.GROUP_AUTHORIZATION_FAILED:  # no group is needed
            raise KafkaRefused(f"Kafka refused: {error.str()}")
        else:
            log.info("Kafka said while a topic was looked at: %s", error.str())  # librdkafka goes on by itself

    def _offsets(self, topic: str, numbers: Collection[int], spec: Callable[[], OffsetSpec]) -> dict[int, int | None]:
        """Of those that answer: one without a leader does not, and keeps nobody else from being read.

        None: it has no such record.
        """
        found: dict[int, int | None] = {}
        trouble: KafkaUnreachable | None = None
        ordered = sorted(numbers)
        for start in range(0, len(ordered), PARTITIONS_PER_CALL):
            asked = {TopicPartition(topic, number): spec() for number in ordered[start : start + PARTITIONS_PER_CALL]}
            answers = self._admin.list_offsets(
                asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=ANSWER_SECONDS
            )
            for place, answer in answers.items():
                try:
                    told = answered(answer, topic=topic)
                except KafkaUnreachable as error:
                    trouble = error
                    continue
                if told is not None:
                    found[place.partition] = told.offset if told.offset >= 0 else None
        if trouble is not None and not found:
            raise trouble
        return found
