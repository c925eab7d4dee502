"""Share groups, dead-lettered by the broker (KIP-1191): no exception; key and value only if told to copy."""

from functools import partial

from collector.domain.dialects.family import Family, read_family

FAMILY = Family(
    dialect="share-group",
    marks=("__dlq.errors.topic", "__dlq.errors.group"),
    topic=("__dlq.errors.topic",),
    partition=("__dlq.errors.partition",),
    offset=("__dlq.errors.offset",),
    group=("__dlq.errors.group",),
    message=("__dlq.errors.message",),
    attempts=("__dlq.errors.delivery.count",),
)
read = partial(read_family, FAMILY)
