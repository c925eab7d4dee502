"""Watermill's poison queue: a reason and the topic; partition, offset, class and the record's key are lost."""

from collector.domain.dialects.family import Family

FAMILY = Family(
    dialect="watermill",
    marks=("reason_poisoned", "topic_poisoned"),
    topic=("topic_poisoned",),
    message=("reason_poisoned",),
)
