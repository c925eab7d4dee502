"""Dapr pub/sub: the metadata of the consumed record as headers with two underscores; no error text."""

from functools import partial

from collector.domain.dialects.family import Family, read_family

FAMILY = Family(
    dialect="dapr",
    marks=("__topic",),
    needs=("__topic", "__offset"),
    topic=("__topic",),
    partition=("__partition",),
    offset=("__offset",),
)
read = partial(read_family, FAMILY)
