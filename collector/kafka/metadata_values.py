"""librdkafka's words for groups and ids, as ours."""

import hashlib
import logging
import uuid
from functools import lru_cache

from confluent_kafka import ConsumerGroupState, ConsumerGroupType, Uuid

from collector.domain.brokers import GroupProtocol

_STATES = {
    ConsumerGroupState.STABLE: "Stable",
    ConsumerGroupState.EMPTY: "Empty",
    ConsumerGroupState.DEAD: "Dead",
    ConsumerGroupState.PREPARING_REBALANCING: "PreparingRebalance",
    ConsumerGroupState.COMPLETING_REBALANCING: "CompletingRebalance",
}
_PROTOCOLS = {ConsumerGroupType.CLASSIC: GroupProtocol.CLASSIC, ConsumerGroupType.CONSUMER: GroupProtocol.CONSUMER}
_64_BITS = (1 << 64) - 1
MOST_NAME = 255  # characters: a name is unique in its table, and an index entry has 2,700 bytes

log = logging.getLogger(__name__)


def protocol_of(kind: ConsumerGroupType) -> GroupProtocol:
    """Classic, or KIP-848."""
    return _PROTOCOLS.get(kind, GroupProtocol.UNKNOWN)


def group_state(state: ConsumerGroupState, kind: ConsumerGroupType) -> str:
    """Kafka's word. librdkafka has none for a KIP-848 group's Assigning and Reconciling: both rebalance."""
    if state in _STATES:
        return _STATES[state]
    return "Rebalancing" if kind == ConsumerGroupType.CONSUMER else ""


@lru_cache(maxsize=1_000)
def is_sayable(group: str) -> bool:
    """False for a group whose name is too long to keep (Kafka allows 32 kB); the log says so once."""
    if len(group) > MOST_NAME:
        log.warning("a consumer group with a name of %d characters is left out: %.40s…", len(group), group)
    return len(group) <= MOST_NAME


def shortened(member: str) -> str:
    """A member's id as it is kept: its digest where it is too long."""
    return member if len(member) <= MOST_NAME else hashlib.blake2b(member.encode(), digest_size=16).hexdigest()


def uuid_of(found: Uuid) -> uuid.UUID:
    """Kafka's topic id as a UUID; librdkafka hands out two signed halves."""
    high = found.get_most_significant_bits() & _64_BITS  # type: ignore[attr-defined]
    return uuid.UUID(int=high << 64 | found.get_least_significant_bits() & _64_BITS)  # type: ignore[attr-defined]
