"""Kafka Streams 4.2 and later (KIP-1034): text values behind the source's own headers, the original's timestamp."""

from functools import partial

from collector.domain.dialects.family import Family, read_family

FAMILY = Family(
    dialect="streams",
    marks=("__streams.errors.topic", "__streams.errors.exception"),
    topic=("__streams.errors.topic",),
    partition=("__streams.errors.partition",),
    offset=("__streams.errors.offset",),
    exception_class=("__streams.errors.exception",),
    message=("__streams.errors.message",),
    stack=("__streams.errors.stacktrace",),
    copies_time=True,
)
read = partial(read_family, FAMILY)
