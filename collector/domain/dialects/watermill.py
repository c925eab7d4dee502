"""Watermill's poison queue: a reason and the topic; partition, offset, class and the record's key are lost."""

from functools import partial

from collector.domain.dialects.family import Family, read_family

FAMILY = Family(
    dialect="watermill",
    marks=("reason_poisoned", "topic_poisoned"),
    topic=("topic_poisoned",),
    message=("reason_poisoned",),
)
read = partial(read_family, FAMILY)
