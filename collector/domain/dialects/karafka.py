"""Karafka Pro (Ruby): text values that say where the message came from and how often it was tried, no exception."""

from functools import partial

from collector.domain.dialects.family import Family, read_family

FAMILY = Family(
    dialect="karafka",
    marks=("source_attempts", "source_consumer_group", "source_trace_id"),
    needs=("source_topic",),
    topic=("source_topic",),
    partition=("source_partition",),
    offset=("source_offset",),
    group=("source_consumer_group",),
    attempts=("source_attempts",),
)
read = partial(read_family, FAMILY)
