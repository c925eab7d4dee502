"""The Log of real Kafka: one consumer that is told its partitions, and one admin client for names and low ends."""

import base64
import logging
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from operator import methodcaller
from typing import TypeVar
from uuid import UUID

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition, Uuid
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from collector.domain.records import Headers, Record
from collector.kafka.errors import NO_SUCH_OFFSET, NO_SUCH_PARTITION, REFUSED, answered, translated
from collector.kafka.raw_headers import RawHeaders
from collector.outages import Outage
from collector.ports import Identity, KafkaRefused, KafkaUnreachable, Partition, Taken

log = logging.getLogger(__name__)
T = TypeVar("T")
GROUP = "weir-collector"
EARLIEST: Callable[[], OffsetSpec] = OffsetSpec.earliest
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Callable[[], OffsetSpec] = OffsetSpec.latest
SILENCE_SECONDS = 5.0  # without a record, before the reader is asked whether it still reaches Kafka
CHUNK_RECORDS = 64  # one look at the byte limit per so many records, or fewer where they are large
EXPECTED_BYTES = 1_000_000  # of a record, before any was seen: what Kafka takes by default
ANSWER_SECONDS = 5.0
TOPICS_PER_CALL = 100
PARTITIONS_PER_CALL = 400
CONSUMER: dict[str, str | int | bool] = {
    "group.id": GROUP,
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",  # a position that is gone is an event, not a silent jump
    "enable.partition.eof": True,  # the only word of what lies behind the last record: markers of transactions
    "queued.max.messages.kbytes": 4_096,  # at full speed a twentieth of a second; one fetch of each broker comes on top
    "fetch.max.bytes": 16_000_000,  # of such a fetch: by default three times as much
    "fetch.queue.backoff.ms": 5,  # by default a full queue stops fetching for a second: a third of the speed
    "topic.metadata.refresh.interval.ms": 10_000,
}


class KafkaLog:
    """See collector.ports.Log. `commits`: whether the courtesy commit is sent (only on a broker of ours).

    A client of librdkafka that saw a broker without a cluster (one that is just coming up) may never connect again,
    and need not say so (https://github.com/confluentinc/librdkafka/issues/5301). So both clients are made anew when
    they do not answer, and a reader that brings nothing for a while is asked whether it still reaches Kafka.
    """

    def __init__(
        self, properties: Mapping[str, str | int], *, commits: bool, silence_seconds: float = SILENCE_SECONDS
    ) -> None:
        self._properties: dict[str, str | int | float | bool] = dict(properties)
        self._silence_seconds = silence_seconds
        self._outage = Outage(log, "Kafka")
        self._consumer = self._new_consumer()
        self._admin: AdminClient | None = None
        self._raw = RawHeaders(properties)
        self._commits = commits
        self._assigned: set[Partition] = set()
        self._held: set[Partition] = set()  # what the present client reads: nothing at first
        self._heard_at = -math.inf  # a client that has brought nothing yet is asked at once
        self._n_probes = 0
        self._largest = EXPECTED_BYTES  # of the records a moment ago
        self._refused: KafkaRefused | None = None

    def identities(self, topics: Collection[str]) -> Mapping[str, Identity]:
        """The topics of these names that exist. DescribeTopics never creates one, unlike a metadata request."""
        found: dict[str, Identity] = {}
        names = sorted(set(topics))
        for start in range(0, len(names), TOPICS_PER_CALL):
            chunk = TopicCollection(names[start : start + TOPICS_PER_CALL])
            with self._asking() as admin:
                answers = admin.describe_topics(chunk, request_timeout=ANSWER_SECONDS)
                found_now = {name: answered(answer, topic=name) for name, answer in answers.items()}
            for name, described in found_now.items():
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
            found |= self._offsets(asked)
        return found

    def ends(self, partition: Partition) -> tuple[int, int] | None:
        """Ask the broker; an open transaction hides nothing."""
        place = TopicPartition(*partition)
        low, high = (self._offsets({place: spec()}).get(partition) for spec in (EARLIEST, LATEST))
        return None if low is None or high is None else (low, high)

    def first_since(self, partition: Partition, at: datetime) -> int | None:
        """By the records' timestamps."""
        since = OffsetSpec.for_timestamp((at - EPOCH) // timedelta(milliseconds=1))
        return self._offsets({TopicPartition(*partition): since}).get(partition)

    def _offsets(self, asked: dict[TopicPartition, OffsetSpec]) -> dict[Partition, int]:
        with self._asking() as admin:
            answers = admin.list_offsets(asked, request_timeout=ANSWER_SECONDS)
            ends = {place: answered(answer, topic=place.topic) for place, answer in answers.items()}
        # a hung broker "answers" -1001, one without such a record -1
        return {
            Partition(place.topic, place.partition): end.offset
            for place, end in ends.items()
            if end is not None and end.offset >= 0
        }

    def assign(self, positions: Mapping[Partition, int]) -> None:
        """Change the assignment by its difference only, so that what goes on keeps its prefetched records."""
        wanted = set(positions)
        self._let_go(self._held - wanted)
        self._hold({partition: positions[partition] for partition in wanted - self._held})
        self._assigned = wanted

    def take(self, *, limit: int, limit_bytes: int, wait: float) -> Taken:
        """Records as they come. An error that stops everything is raised only when nothing would be lost by it."""
        if self._refused:
            said, self._refused = self._refused, None
            raise said
        records: list[Record] = []
        lost: set[Partition] = set()
        refused: set[Partition] = set()
        ends: dict[Partition, int] = {}
        size = 0
        deadline = time.monotonic() + wait
        while len(records) < limit and size < limit_bytes:
            left = deadline - time.monotonic()
            wanted = min(CHUNK_RECORDS, limit - len(records), 1 + (limit_bytes - size) // self._largest)
            with _translating():
                messages = self._consumer.consume(wanted, max(left, 0.0))
            largest = 0
            for message in messages:
                if error := message.error():
                    self._notice(error, message, lost=lost, refused=refused, ends=ends)
                    continue
                record = as_record(message, self._raw)
                records.append(record)
                held = record.held_bytes
                size += held
                largest = max(largest, held)
            self._largest = max(1, largest, self._largest * 15 // 16)
            if not messages or left <= 0:
                break
        if records or lost or refused or ends:
            self._heard_at = time.monotonic()
            self._outage.answered()
        elif self._held and time.monotonic() - self._heard_at > self._silence_seconds:
            self._probe()
        # What a lost partition brought before it was lost is in order and may be stored.
        # The end of a partition comes behind its records, and nothing of it comes behind its end before a new fetch.
        known = {partition: end for partition, end in ends.items() if partition in self._assigned - lost}
        return Taken(tuple(records), frozenset(lost & self._assigned), frozenset(refused & self._assigned), known)

    def seek(self, positions: Mapping[Partition, int]) -> None:
        """Assign anew: a plain seek fails on a partition whose first fetch has not begun."""
        known = {partition: offset for partition, offset in positions.items() if partition in self._assigned}
        self._let_go(known.keys() & self._held)
        self._hold(known)

    def high_ends(self) -> Mapping[Partition, int]:
        """What librdkafka remembers of the last fetch."""
        found = {}
        for partition in self._held:
            with _translating():
                ends = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
            if ends is not None and ends[1] >= 0:
                found[partition] = ends[1]
        return found

    def pause(self) -> None:
        """Stop fetching; records already here are brought again after `resume`."""
        with _translating():
            self._consumer.pause([TopicPartition(*partition) for partition in self._held])

    def resume(self) -> None:
        """Fetch again."""
        with _translating():
            self._consumer.resume([TopicPartition(*partition) for partition in self._held])

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Send the positions without waiting for an answer; nothing where this broker is not ours."""
        if self._commits and positions:
            with _translating():
                self._consumer.commit(offsets=_places(positions), asynchronous=True)

    def close(self) -> None:
        """Leave without waiting for outstanding answers."""
        self._raw.close()
        self._consumer.close()

    def _new_consumer(self) -> Consumer:
        return Consumer({**self._properties, **CONSUMER}, logger=self._outage)

    @contextmanager
    def _asking(self) -> Iterator[AdminClient]:
        """The client for questions; one that does not answer is replaced at the next."""
        admin = self._admin  # several threads ask
        if admin is None:  # one that waits for nothing has the length 0, and is no truth
            admin = self._admin = AdminClient(self._properties, logger=self._outage)
        try:
            with _translating():
                yield admin
            self._outage.answered()
        except KafkaUnreachable:
            self._outage.failed()
            if self._admin is admin:
                self._admin = None
            raise

    def _probe(self) -> None:
        """Ask through the reader itself. Raises KafkaUnreachable when it does not answer; a new one is there then."""
        self._n_probes += 1  # another partition each time: one without a leader says nothing of the others
        partition = sorted(self._held)[self._n_probes % len(self._held)]
        try:
            self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=ANSWER_SECONDS)
        except KafkaException as error:
            if error.args[0].code() not in NO_SUCH_PARTITION | REFUSED:
                self._consumer, self._held, self._heard_at = self._new_consumer(), set(), -math.inf
                self._outage.failed()
                raise translated(error) from None
        self._heard_at = time.monotonic()
        self._outage.answered()

    def _hold(self, positions: Mapping[Partition, int]) -> None:
        if positions:
            with _translating():
                self._consumer.incremental_assign(_places(positions))
            self._held |= positions.keys()

    def _let_go(self, partitions: Collection[Partition]) -> None:
        if partitions:
            with _translating():
                self._consumer.incremental_unassign([TopicPartition(*partition) for partition in partitions])
            self._held -= set(partitions)

    def _notice(
        self,
        error: KafkaError,
        message: Message,
        *,
        lost: set[Partition],
        refused: set[Partition],
        ends: dict[Partition, int],
    ) -> None:
        code, topic, number = error.code(), message.topic(), message.partition()
        if code == KafkaError.TOPIC_AUTHORIZATION_FAILED and topic is not None:  # of one partition, or of all
            refused |= {each for each in self._held if each.topic == topic and number in (None, -1, each.number)}
        elif code in NO_SUCH_OFFSET or code in NO_SUCH_PARTITION:
            lost.add(_place(message))
        elif code in REFUSED:
            self._refused = KafkaRefused(f"Kafka refused: {error.str()}")
        elif code == KafkaError._PARTITION_EOF:
            ends[_place(message)] = message.offset() or 0
        else:
            self._outage.log(
                logging.WARNING, "Kafka said while reading: %s", error.str()
            )  # librdkafka goes on by itself


@contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise translated(error) from error


def _places(positions: Mapping[Partition, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number, offset) for (topic, number), offset in positions.items()]


def _uuid(kafka_id: Uuid) -> UUID:
    return UUID(bytes=base64.urlsafe_b64decode(f"{kafka_id}=="))  # it shows itself as Kafka's tools do


def _place(message: Message) -> Partition:
    topic, number = message.topic(), message.partition()
    if topic is None or number is None:
        raise KafkaUnreachable("Kafka's client brought a message that is of no partition.")
    return Partition(topic, number)


def as_record(message: Message, raw: RawHeaders) -> Record:
    """The record that a message without an error holds. Raises KafkaUnreachable where `raw` does."""
    kind, milliseconds = message.timestamp()
    topic, number = message.topic(), message.partition()
    if topic is None or number is None:
        topic, number = _place(message)
    produced_at = _time(milliseconds) if kind else None
    # by place: names would take longer than all the rest
    return Record(
        topic, number, message.offset() or 0, produced_at, kind, message.key(), message.value(), _headers(message, raw)
    )


def _time(milliseconds: int) -> datetime | None:
    """None for what no calendar holds: Kafka takes any 64 bits for a time where a topic allows them."""
    try:
        return EPOCH + timedelta(milliseconds=milliseconds) if milliseconds >= 0 else None
    except OverflowError:
        return None


# Called through the operator, which looks at the outcome: the interpreter's fast path for a method without arguments
# does not, and then the client's error comes up at some later statement.
_ask_headers: Callable[[Message], list[tuple[str, bytes | None]] | None] = methodcaller("headers")


def _headers(message: Message, raw: RawHeaders) -> Headers:
    try:
        found = _ask_headers(message)
    except (SystemError, UnicodeDecodeError):
        # A header's name is not UTF-8; the client's C part says so by a SystemError. It must not be asked again: the
        # list it then returns holds null pointers.
        read_again = raw.of(_place(message), message.offset() or 0)
        if read_again is None:
            log.warning("gone before its headers were read: %s/%d/%d", *_place(message), message.offset())
        return read_again or ()
    return tuple(found) if found else ()
