"""Messaging attributes of Kafka spans, read over all generations of their names.

Names and their order: OpenTelemetry semantic conventions 1.9 to 1.44, and what libraries really send.
"""

import re
from collections.abc import Mapping

from collector.domain.spans import Attributes, Kind, Value

PROCESS, RECEIVE, SEND, SETTLE = "process", "receive", "send", "settle"
_OPERATIONS: Mapping[str, str] = {
    "publish": SEND,
    "send": SEND,
    "create": SEND,
    "receive": RECEIVE,
    "poll": RECEIVE,
    "process": PROCESS,
    "deliver": PROCESS,
    "settle": SETTLE,
    "commit": SETTLE,
    "ack": SETTLE,
}
_OPERATION_NAMES = ("messaging.operation.type", "messaging.operation.name", "messaging.operation")
_OPERATION_OF_KIND: Mapping[Kind, str] = {Kind.PRODUCER: SEND, Kind.CONSUMER: PROCESS}
_TOPIC_NAMES = ("messaging.destination.name", "messaging.destination", "messaging.source.name", "kafka.topic")
PARTITION_NAMES = (
    "messaging.destination.partition.id",
    "messaging.kafka.destination.partition",
    "messaging.kafka.source.partition",
    "messaging.kafka.partition",
    "kafka.partition",
)
OFFSET_NAMES = ("messaging.kafka.offset", "messaging.kafka.message.offset", "kafka.message_offset")
_GROUP_NAMES = (
    "messaging.consumer.group.name",
    "messaging.kafka.consumer.group",
    "messaging.kafka.consumer_group",
    "kafka.group_id",
)
_CLIENT_NAMES = ("messaging.client.id", "messaging.client_id", "messaging.kafka.client_id")
_CONSUMER_NAMES = ("messaging.consumer.id", "messaging.consumer_id")
_CLUSTER_NAMES = ("messaging.kafka.cluster.id", "kafka.cluster_id")
_MESSAGE_ID_NAMES = ("messaging.message.id", "messaging.message_id")
_SIZE_NAMES = (
    "messaging.message.body.size",
    "messaging.message.payload_size_bytes",
    "messaging.message_payload_size_bytes",
    "messaging.message.envelope.size",
)
_COUNT_NAMES = ("messaging.batch.message_count",)
_SYSTEM, _PEER = "messaging.system", "peer.service"
PLACE_NAMES = frozenset((*PARTITION_NAMES, *OFFSET_NAMES, *_MESSAGE_ID_NAMES))
"""Names of the attributes that `place` looks at: they tell single messages apart."""
READ = PLACE_NAMES.union(
    _OPERATION_NAMES, _TOPIC_NAMES, _GROUP_NAMES, _CLIENT_NAMES, _CONSUMER_NAMES, _CLUSTER_NAMES, _COUNT_NAMES,
    (_SYSTEM, _PEER),
)  # fmt: skip
"""Names of all attributes whose values anything below looks at, but for sizes, which say nothing of a hop."""
_PEER_PREFIX = "Apache Kafka: "  # Spring's Micrometer observations say the cluster id so, and nowhere else
_ABSENT = {"", "none"}
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")  # Kafka's own rule
MAX_PARTITION = 2**31 - 1
MAX_OFFSET = 2**63 - 1


def is_kafka(attributes: Attributes) -> bool:
    """True when the span speaks of Kafka: by its system, or by attributes that only Kafka has."""
    system = attributes.get(_SYSTEM)
    if isinstance(system, str):
        return system.lower() == "kafka"
    return "kafka.topic" in attributes or any(name.startswith("messaging.kafka.") for name in attributes)


def operation(attributes: Attributes, kind: Kind) -> str | None:
    """PROCESS, RECEIVE, SEND or SETTLE; by the kind of the span where no attribute says it; else None."""
    for name in _OPERATION_NAMES:
        value = attributes.get(name)
        if isinstance(value, str) and (found := _OPERATIONS.get(value.lower())):
            return found
    return _OPERATION_OF_KIND.get(kind)


def topic(attributes: Attributes) -> str | None:
    """The topic's name, or None. Never read from the span's name: its order changed between generations."""
    for name in _TOPIC_NAMES:
        value = attributes.get(name)
        if isinstance(value, str) and _TOPIC.fullmatch(value):
            return value
    return None


def place(attributes: Attributes, *, topic: str | None, scope: str) -> tuple[int, int] | None:
    """(partition, offset), or None unless both are there.

    An offset without a partition is not trusted: SmallRye's producers say offset 0 on every span.
    """
    by_id = _place_in_message_id(attributes, topic) if topic else None
    partition = _number(attributes, PARTITION_NAMES, MAX_PARTITION)
    if partition is None:
        return by_id
    offset = _number(attributes, OFFSET_NAMES, MAX_OFFSET)
    if offset is None and "sarama" in scope:
        offset = _number(attributes, _MESSAGE_ID_NAMES, MAX_OFFSET)  # its message id is the offset
    if offset is not None:
        return partition, offset
    return by_id if by_id and by_id[0] == partition else None


def partition(attributes: Attributes) -> int | None:
    """The partition alone: batch spans carry it where their links carry the offsets."""
    return _number(attributes, PARTITION_NAMES, MAX_PARTITION)


def offset(attributes: Attributes) -> int | None:
    """The offset alone, as links of batch spans carry it."""
    return _number(attributes, OFFSET_NAMES, MAX_OFFSET)


def group(attributes: Attributes) -> str | None:
    """The consumer group, or None. SmallRye and Micrometer also say it before " - " in the consumer id."""
    found = _text(attributes, _GROUP_NAMES)
    if found is None and (consumer := _text(attributes, _CONSUMER_NAMES)) and " - " in consumer:
        found = _present(consumer.split(" - ", 1)[0])
    return found


def client_id(attributes: Attributes) -> str | None:
    """The Kafka client id, or None. Some libraries write "group - client": the part behind it is the client's."""
    found = _text(attributes, _CLIENT_NAMES) or _text(attributes, _CONSUMER_NAMES)
    return _present(found.rsplit(" - ", 1)[-1]) if found else None


def cluster_id(attributes: Attributes) -> str | None:
    """Kafka's own cluster id, or None."""
    if found := _text(attributes, _CLUSTER_NAMES):
        return found
    peer = attributes.get(_PEER)
    return (
        _present(peer.removeprefix(_PEER_PREFIX)) if isinstance(peer, str) and peer.startswith(_PEER_PREFIX) else None
    )


def size_bytes(attributes: Attributes) -> int | None:
    """Size of the message as the library counts it (body, or body with key and headers), or None."""
    return _number(attributes, _SIZE_NAMES, MAX_OFFSET)


def batch_count(attributes: Attributes) -> int | None:
    """How many messages a batch span says it covers, or None where it does not say so."""
    return _number(attributes, _COUNT_NAMES, MAX_OFFSET)


def whole_number(value: Value, *, most: int = MAX_OFFSET) -> int | None:
    """An integer of 0 to `most`, given as a number or as decimal text; else None."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 19):
            return None
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= most else None


def _text(attributes: Attributes, names: tuple[str, ...]) -> str | None:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and (found := _present(value)):
            return found
    return None


def _present(value: str) -> str | None:
    value = value.strip()
    return None if value.lower() in _ABSENT else value


def _number(attributes: Attributes, names: tuple[str, ...], most: int) -> int | None:
    for name in names:
        if (found := whole_number(attributes.get(name), most=most)) is not None:
            return found
    return None


def _place_in_message_id(attributes: Attributes, topic: str) -> tuple[int, int] | None:
    """Python's libraries write "topic.partition.offset"; topics hold dots, so it is split from the right."""
    parts = (_text(attributes, _MESSAGE_ID_NAMES) or "").rsplit(".", 2)
    if len(parts) != 3 or parts[0] != topic:
        return None
    found_partition, found_offset = whole_number(parts[1], most=MAX_PARTITION), whole_number(parts[2])
    return None if found_partition is None or found_offset is None else (found_partition, found_offset)
