"""librdkafka's words for groups and ids, as ours."""

import uuid

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


def protocol_of(kind: ConsumerGroupType) -> GroupProtocol:
    """Classic, or KIP-848."""
    return _PROTOCOLS.get(kind, GroupProtocol.UNKNOWN)


def group_state(state: ConsumerGroupState, kind: ConsumerGroupType) -> str:
    """Kafka's word. librdkafka has none for a KIP-848 group's Assigning and Reconciling: both rebalance."""
    if state in _STATES:
        return _STATES[state]
    return "Rebalancing" if kind == ConsumerGroupType.CONSUMER else ""


def uuid_of(found: Uuid) -> uuid.UUID:
    """Kafka's topic id as a UUID; librdkafka hands out two signed halves."""
    high = found.get_most_significant_bits() & _64_BITS  # type: ignore[attr-defined]
    return uuid.UUID(int=high << 64 | found.get_least_significant_bits() & _64_BITS)  # type: ignore[attr-defined]
