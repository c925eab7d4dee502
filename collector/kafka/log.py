"""The Log of real Kafka: one consumer that is told its partitions, and one admin client for names and low ends."""

import base64
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from operator import methodcaller
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition, Uuid
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from collector.domain.records import Headers, Record
from collector.kafka.errors import NO_SUCH_OFFSET, NO_SUCH_PARTITION, REFUSED, translated
from collector.ports import Identity, KafkaRefused, KafkaUnreachable, Partition, Taken

if TYPE_CHECKING:
    from concurrent.futures import Future

log = logging.getLogger(__name__)
T = TypeVar("T")

GROUP = "weir-collector"
EARLIEST: Callable[[], OffsetSpec] = OffsetSpec.earliest
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHUNK_RECORDS = 64  # one look at the byte limit per so many records
ANSWER_SECONDS = 5.0
TOPICS_PER_CALL = 100
PARTITIONS_PER_CALL = 400
CONSUMER: dict[str, str | int | bool] = {
    "group.id": GROUP,
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",  # a position that is gone is an event, not a silent jump
    "queued.max.messages.kbytes": 16_384,
    "fetch.queue.backoff.ms": 5,  # by default a full queue stops fetching for a second: a third of the speed
    "topic.metadata.refresh.interval.ms": 10_000,
}


class KafkaLog:
    """See collector.ports.Log. `commits`: whether the courtesy commit is sent (only on a broker of ours)."""

    def __init__(self, properties: Mapping[str, str | int], *, commits: bool) -> None:
        self._consumer = Consumer({**properties, **CONSUMER}, logger=log)
        self._admin = AdminClient(dict(properties), logger=log)
        self._commits = commits
        self._assigned: set[Partition] = set()
        self._refused: KafkaRefused | None = None

    def identities(self, topics: Collection[str]) -> Mapping[str, Identity]:
        """The topics of these names that exist. DescribeTopics never creates one, unlike a metadata request."""
        found: dict[str, Identity] = {}
        names = sorted(set(topics))
        for start in range(0, len(names), TOPICS_PER_CALL):
            chunk = TopicCollection(names[start : start + TOPICS_PER_CALL])
            with _translating():
                answers = self._admin.describe_topics(chunk, request_timeout=ANSWER_SECONDS)
            for name, answer in answers.items():
                described = _answer(answer, absent=NO_SUCH_PARTITION)
                if described is not None:
                    found[name] = Identity(_uuid(described.topic_id), len(described.partitions))
        return found

    def low_ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """The first readable offset of each partition; those without an answer of their own are left out."""
        found: dict[Partition, int] = {}
        ordered = sorted(partitions)
        for start in range(0, len(ordered), PARTITIONS_PER_CALL):
            asked = {
                TopicPartition(topic, number): EARLIEST()
                for topic, number in ordered[start : start + PARTITIONS_PER_CALL]
            }
            with _translating():
                answers = self._admin.list_offsets(asked, request_timeout=ANSWER_SECONDS)
            for place, answer in answers.items():
                end = _answer(answer, absent=NO_SUCH_PARTITION)
                if end is not None and end.offset >= 0:  # a hung broker "answers" -1001
                    found[Partition(place.topic, place.partition)] = end.offset
        return found

    def assign(self, positions: Mapping[Partition, int]) -> None:
        """Change the assignment by its difference only, so that what goes on keeps its prefetched records."""
        wanted = set(positions)
        if gone := self._assigned - wanted:
            with _translating():
                self._consumer.incremental_unassign([TopicPartition(*partition) for partition in gone])
        if new := wanted - self._assigned:
            with _translating():
                self._consumer.incremental_assign(_places({p: positions[p] for p in new}))
        self._assigned = wanted

    def take(self, *, limit: int, limit_bytes: int, wait: float) -> Taken:
        """Records as they come. An error that stops everything is raised only when nothing would be lost by it."""
        if self._refused:
            refused, self._refused = self._refused, None
            raise refused
        records: list[Record] = []
        lost: set[Partition] = set()
        size = 0
        deadline = time.monotonic() + wait
        while len(records) < limit and size < limit_bytes:
            left = deadline - time.monotonic()
            wanted = min(CHUNK_RECORDS, limit - len(records))
            with _translating():
                messages = self._consumer.consume(wanted, max(left, 0.0))
            for message in messages:
                if error := message.error():
                    self._notice(error, _place(message), lost)
                    continue
                records.append(as_record(message))
                size += len(message)
            if not messages or left <= 0:
                break
        # What a lost partition brought before it was lost is in order and may be stored.
        return Taken(tuple(records), frozenset(lost & self._assigned))

    def seek(self, positions: Mapping[Partition, int]) -> None:
        """Assign anew: a plain seek fails on a partition whose first fetch has not begun."""
        known = {partition: offset for partition, offset in positions.items() if partition in self._assigned}
        if known:
            with _translating():
                self._consumer.incremental_unassign([TopicPartition(*partition) for partition in known])
                self._consumer.incremental_assign(_places(known))

    def high_ends(self) -> Mapping[Partition, int]:
        """What librdkafka remembers of the last fetch."""
        found = {}
        for partition in self._assigned:
            with _translating():
                ends = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
            if ends is not None and ends[1] >= 0:
                found[partition] = ends[1]
        return found

    def pause(self) -> None:
        """Stop fetching; records already here are brought again after `resume`."""
        with _translating():
            self._consumer.pause([TopicPartition(*partition) for partition in self._assigned])

    def resume(self) -> None:
        """Fetch again."""
        with _translating():
            self._consumer.resume([TopicPartition(*partition) for partition in self._assigned])

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Send the positions without waiting for an answer; nothing where this broker is not ours."""
        if self._commits and positions:
            with _translating():
                self._consumer.commit(offsets=_places(positions), asynchronous=True)

    def close(self) -> None:
        """Leave without waiting for outstanding answers."""
        self._consumer.close()

    def _notice(self, error: KafkaError, partition: Partition, lost: set[Partition]) -> None:
        code = error.code()
        if code in NO_SUCH_OFFSET or code in NO_SUCH_PARTITION:
            lost.add(partition)
        elif code in REFUSED:
            self._refused = KafkaRefused(f"Kafka refused: {error.str()}")
        elif code != KafkaError._PARTITION_EOF:
            log.warning("Kafka said while reading: %s", error.str())  # librdkafka goes on by itself


@contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise translated(error) from error


def _answer(answer: "Future[T]", *, absent: frozenset[int]) -> T | None:
    """The result, or None for an error that says "there is none"."""
    try:
        return answer.result(timeout=ANSWER_SECONDS * 2)
    except KafkaException as error:
        if error.args[0].code() in absent:
            return None
        raise translated(error) from error
    except TimeoutError:
        raise KafkaUnreachable("Kafka did not answer in time.") from None


def _places(positions: Mapping[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number, offset) for (topic, number), offset in positions.items()]


def _uuid(kafka_id: Uuid) -> UUID:
    return UUID(bytes=base64.urlsafe_b64decode(f"{kafka_id}=="))  # it shows itself as Kafka's tools do


def _place(message: Message) -> Partition:
    topic, number = message.topic(), message.partition()
    if topic is None or number is None:
        raise KafkaUnreachable("Kafka's client brought a message that is of no partition.")
    return Partition(topic, number)


def as_record(message: Message) -> Record:
    """The record that a message without an error holds."""
    kind, milliseconds = message.timestamp()
    topic, number = _place(message)
    return Record(
        topic=topic,
        partition=number,
        offset=message.offset() or 0,
        produced_at=EPOCH + timedelta(milliseconds=milliseconds) if kind and milliseconds >= 0 else None,
        timestamp_type=kind,
        key=message.key(),
        value=message.value(),
        headers=_headers(message),
    )


# Called through the operator, which looks at the outcome: the interpreter's fast path for a method without arguments
# does not, and then the client's error comes up at some later statement.
_ask_headers = methodcaller("headers")


def _headers(message: Message) -> Headers:
    try:
        found = _ask_headers(message)
    except (SystemError, UnicodeDecodeError):
        # A header's name is not UTF-8; the client's C part says so by a SystemError. It must not be asked again: the
        # list it then returns holds null pointers. The record itself still counts.
        log.warning("unreadable header name: %s/%d/%d", message.topic(), message.partition(), message.offset())
        return ()
    pairs = found if isinstance(found, list) else []
    return tuple((name, value) for name, value in pairs if not isinstance(value, str))
