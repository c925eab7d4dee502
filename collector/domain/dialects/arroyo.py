"""Sentry's Arroyo: partition and offset of the original as text, and nothing else; repeats appended."""

from functools import partial

from collector.domain.dialects.family import Family, read_family

FAMILY = Family(
    dialect="arroyo",
    marks=("original_partition",),
    needs=("original_partition", "original_offset"),
    topic=(),
    partition=("original_partition",),
    offset=("original_offset",),
    unless=("original_topic",),
)
read = partial(read_family, FAMILY)
