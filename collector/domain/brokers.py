"""What a Kafka cluster says of itself, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID


class GroupProtocol(IntEnum):
    """How a group's members agree. The numbers are stored in consumer_group.protocol."""

    UNKNOWN = 0
    CLASSIC = 1
    CONSUMER = 2  # KIP-848
    SHARE = 3
    CONNECT = 4
    STREAMS = 5


HIDDEN = "Hidden"  # the state of a group whose offsets this client cannot read: share, Streams, Connect


@dataclass(frozen=True, slots=True)
class Overview:
    """A cluster's id, and for each topic the leader of each partition, in order (None: it has none now)."""

    cluster_id: str
    leaders: Mapping[str, tuple[int | None, ...]]


@dataclass(frozen=True, slots=True)
class GroupListed:
    """A consumer group as it is listed; `state` is Kafka's word."""

    name: str
    state: str
    protocol: GroupProtocol


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a consumer group and the (topic, partition) pairs it was given."""

    member_id: str
    client_id: str
    host: str
    assignment: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class GroupDescribed:
    """A consumer group with its members."""

    name: str
    state: str
    protocol: GroupProtocol
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class TopicDescribed:
    """A topic's own id: one that was created again has another."""

    kafka_id: UUID
    is_internal: bool
    n_partitions: int


@dataclass(frozen=True, slots=True)
class TopicConfigs:
    """A topic's settings, and the names of those set on the topic itself: the others are the broker's."""

    values: Mapping[str, str | None]
    own: frozenset[str]


@dataclass(frozen=True, slots=True)
class Watermarks:
    """First and next offset of each partition, in order; None where the broker gave no valid answer."""

    low: tuple[int | None, ...]
    high: tuple[int | None, ...]


# topic -> partition -> committed offset; None: there may be one, which the broker did not tell
Offsets = Mapping[str, Mapping[int, int | None]]
