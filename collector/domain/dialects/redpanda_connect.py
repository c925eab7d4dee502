"""Redpanda Connect (Benthos): the error that its `fallback` output noted, and Kafka's metadata where it was mapped."""

from functools import partial

from collector.domain.dialects.family import Family, read_family

FAMILY = Family(
    dialect="redpanda-connect",
    marks=("fallback_error",),
    topic=("kafka_topic",),
    partition=("kafka_partition",),
    offset=("kafka_offset",),
    message=("fallback_error",),
)
read = partial(read_family, FAMILY)
