"""What the core asks of Kafka, as Protocols; the adapters and their in-memory twins are in collector.kafka."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from collector.domain.brokers import (
    GroupDescribed,
    GroupListed,
    Offsets,
    Overview,
    TopicConfigs,
    TopicDescribed,
    Watermarks,
)
from collector.domain.lag import FirstUnread
from collector.domain.positions import Position
from collector.domain.records import Headers, Record


class KafkaUnreachable(Exception):
    """No broker answers. Check the address and that the cluster is up; whoever asked tries again by itself."""


class KafkaRefused(Exception):
    """The broker answered and said no. Grant the right it names to Weir's user, or mend the address or password."""


class Partition(NamedTuple):
    """One partition, by its topic's name: what a client is told to read."""

    topic: str
    number: int


class NotGranted(KafkaRefused):
    """The user that Weir reads as lacks a right on one topic."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"Kafka does not let Weir read {topic}. Grant Describe and Read there to the user that Weir reads as."
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """Which topic stands behind a name now: Kafka's id for it (another one after it was created again)."""

    kafka_id: UUID
    n_partitions: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What one take brought: records in order of offset within a partition, and partitions that cannot go on.

    `lost`: the position asked for is not there any more (or the topic was created again); seek to go on.
    `refused`: Kafka does not let us read these; the others go on. `ends`: partitions that these records are the end of,
    and the next offset there: markers of transactions and what compaction took lie before it, no more records.
    """

    records: tuple[Record, ...]
    lost: frozenset[Partition]
    refused: frozenset[Partition] = frozenset()
    ends: Mapping[Partition, int] = field(default_factory=dict)


class Log(Protocol):
    """Read partitions from given positions, without a consumer group: who reads what is decided by us.

    Every method may raise KafkaUnreachable or KafkaRefused.
    """

    def identities(self, topics: Collection[str]) -> Mapping[str, Identity]:
        """The topics of these names that exist."""

    def low_ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """The first offset that can still be read; the partitions that exist."""

    def ends(self, partition: Partition) -> tuple[int, int] | None:
        """First and next offset as the broker says now; None where there is no such partition."""

    def first_since(self, partition: Partition, at: datetime) -> int | None:
        """Offset of the first record that is not older than `at`; None where there is none."""

    def assign(self, positions: Mapping[Partition, int]) -> None:
        """Read exactly these partitions. Those read already go on where they are; new ones start at the offset."""

    def take(self, *, limit: int, limit_bytes: int, wait: float) -> Taken:
        """Up to about `limit` records that take about `limit_bytes` of memory; waits for one at most `wait` seconds."""

    def seek(self, positions: Mapping[Partition, int]) -> None:
        """Go on reading these assigned partitions at these offsets; nothing read before the call comes later.

        After KafkaUnreachable nothing is read before this call.
        """

    def high_ends(self) -> Mapping[Partition, int]:
        """The end of each assigned partition as the last fetch told it: costs nothing, may be a moment old."""

    def pause(self) -> None:
        """Bring nothing until `resume`; positions stay."""

    def resume(self) -> None:
        """Bring records again."""

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Show other tools how far we are. A courtesy: nothing of ours reads it, so it never waits or fails."""

    def close(self) -> None:
        """Let go of the connections."""


class BrokerMetadata(Protocol):
    """What a cluster knows of itself. Every method may raise KafkaUnreachable or KafkaRefused: nothing is known then.

    A name that the cluster does not know, or does not let us see, is missing from an answer. Nothing is ever created
    by asking.
    """

    def overview(self) -> Overview:
        """Cluster id and all topics: the cheap call, and the probe that must come before any about groups."""

    def groups(self) -> Sequence[GroupListed]:
        """All groups whose offsets can be read."""

    def hidden_groups(self) -> Sequence[GroupListed]:
        """Groups whose offsets cannot be read with this client: share, Streams and Connect groups."""

    def committed(self, groups: Sequence[str]) -> Mapping[str, Offsets]:
        """Committed offsets of each group; a group is missing when its coordinator refused or moved.

        An offset is None where the broker told an error instead of it.
        """

    def watermarks(self, leaders: Mapping[str, tuple[int | None, ...]]) -> Mapping[str, Watermarks]:
        """First and next offsets of all partitions of these topics, leaders as in an overview."""

    def describe_topics(self, names: Sequence[str]) -> Mapping[str, TopicDescribed]:
        """Topic ids, which no overview has."""

    def topic_configs(self, names: Sequence[str]) -> Mapping[str, TopicConfigs]:
        """Settings of topics, one object for those that share them all; the value of a secret one is None."""

    def describe_groups(self, names: Sequence[str]) -> Sequence[GroupDescribed]:
        """Groups with their members. One that does not exist is Dead; one whose coordinator is silent is left out."""

    def close(self) -> None:
        """Drop the connection; the next call makes a new one."""


class FirstRecords(Protocol):
    """What lies at a position, seen as a reader that gets committed records only. May raise KafkaRefused."""

    def first_unread(self, positions: Mapping[Partition, int]) -> Mapping[Partition, FirstUnread]:
        """The first record at or after each position, or that there is none. Who did not answer in time is missing."""

    def close(self) -> None:
        """Drop the connection; the next call makes a new one."""


# Sending ----------------------------------------------------------------------------------------------------------


class NotDelivered(Exception):
    """The broker did not say that it holds the record. It may hold it all the same: whoever sends again must say so."""


class NotTaken(NotDelivered):
    """The broker said that it does not take this record, or one that went with it, and why: it holds nothing of it."""


class QueueFull(Exception):
    """Too much waits to be sent already. Nothing of this record was sent; try again in a moment."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to send. The partition comes from the key, as Java's clients count it, where none is named."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None


class Publisher(Protocol):
    """Send records so that "sent" means: every replica that must have it has it, once."""

    def publish(self, record: Outgoing) -> Future[Position]:
        """Hand over one record. The future brings its position, or NotDelivered, within the publisher's own limit;
        NotTaken where it is certain that no broker holds it.

        Raises QueueFull at once when the queue is full, NotDelivered when the record can never be sent (too large).
        """

    def close(self, *, wait_seconds: float) -> None:
        """Wait so long for what is under way, then let go: what is left ends as NotDelivered."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What brokers say of a topic to the user that sends. None: they do not tell."""

    may_write: bool | None
    kafka_id: UUID | None = None


class Rights(Protocol):
    """What the user that sends is allowed. May raise KafkaUnreachable or KafkaRefused."""

    def granted(self, topics: Collection[str]) -> Mapping[str, Grant]:
        """Topic -> whether it may be written to, and which topic has the name now. What is not there is missing."""


# Looking ----------------------------------------------------------------------------------------------------------


class Unreadable(Exception):
    """The records asked for could not all be read: some are deleted already, or it took too long."""


class Lookup(Protocol):
    """Look at single records of the observed cluster, for a retry: without a group, and never creating a topic.

    Every method may raise KafkaUnreachable or KafkaRefused.
    """

    def ends(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """First readable and next offset of every partition; empty where there is no such topic."""

    def record_at(self, position: Position) -> Record | None:
        """The record there, or None where there is none (any more)."""

    def between(self, topic: str, spans: Mapping[int, tuple[int, int]]) -> Iterator[Record]:
        """Everything in partition -> (from, to), `to` not included, also of aborted transactions. Raises Unreadable."""

    def close(self) -> None:
        """Let go of the connections."""


class Peek(Protocol):
    """Look at some committed records of one topic, as its taps would: without a group, and never creating a topic.

    Every method may raise KafkaUnreachable or KafkaRefused.
    """

    def partitions(self, topic: str) -> Sequence[int]:
        """The numbers of its partitions; none where there is no such topic."""

    def ends(self, topic: str, numbers: Collection[int]) -> Mapping[int, tuple[int, int]]:
        """First readable offset, and the next one behind all that is committed, of those that answer."""

    def since(self, topic: str, numbers: Collection[int], at: datetime) -> Mapping[int, int | None]:
        """The first record that is not older than `at`, None where there is none, of those that answer."""

    def begin(self, topic: str, positions: Mapping[int, int]) -> None:
        """Read these partitions from there, and nothing else any more."""

    def take(self, wait: float) -> Taken:
        """The next few records, at most so many seconds later; also partitions that end, are gone or are refused."""

    def leave(self, numbers: Collection[int]) -> None:
        """Read these no further."""

    def close(self) -> None:
        """Let go of the connections."""
