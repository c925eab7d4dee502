"""Names that hand-written consumers give their headers; no framework, so numbers may be text or bytes.

A name like "exception" proves nothing on an ordinary topic: there, only a claim of where the record came from counts.
"""

from dataclasses import replace
from functools import partial

from collector.domain.dialects import values
from collector.domain.dialects.family import Family, Names, read_family

_ORIGINS: Names = (
    "x-original-topic",
    "dlq-original-topic",
    "dlq.original.topic",
    "x-dlq-original-topic",
    "original_topic",
    "original-topic",
    "source_topic",
)
_CLASSES: Names = (
    "x-exception-class",
    "dlq-error-class",
    "x-dlq-error-class",
    "error.class",
    "error-class",
    "exception.class",
    "exception.type",
    "exception-class",
    "exception_class",
    "error.type",
)
_MESSAGES: Names = (
    "x-dlq-reason",
    "dlq-reason",
    "x-exception-message",
    "dlq-error-message",
    "error.message",
    "error-message",
    "error_message",
    "exception.message",
    "exception-message",
    "exception",
    "error",
)

CERTAIN = Family(
    dialect="generic",
    marks=(*_ORIGINS, "x-dlq-reason", "dlq-reason", "dlq-error-class", "x-dlq-error-class"),
    topic=_ORIGINS,
    partition=(
        "x-original-partition",
        "dlq-original-partition",
        "x-dlq-original-partition",
        "original_partition",
        "original-partition",
        "source_partition",
    ),
    offset=(
        "x-original-offset",
        "dlq-original-offset",
        "x-dlq-original-offset",
        "original_offset",
        "original-offset",
        "source_offset",
    ),
    group=(
        "x-original-consumer-group",
        "x-consumer-group",
        "dlq-consumer-group",
        "dlq-group",
        "consumer_group",
        "consumer-group",
        "source_consumer_group",
    ),
    exception_class=_CLASSES,
    message=_MESSAGES,
    stack=("x-exception-stacktrace", "dlq-stack", "exception.stacktrace", "error.stack", "stacktrace", "stack_trace"),
    attempts=("dlq-attempts", "source_attempts", "x-attempts", "attempts", "x-retry-count", "retry-count"),
    failed_at=("dlq-failed-at", "x-failed-at", "failed-at", "failed_at"),
    number=values.either,
)

ON_DEAD_LETTER_TOPICS = replace(CERTAIN, marks=(*CERTAIN.marks, *_CLASSES, *_MESSAGES))
read = partial(read_family, CERTAIN)
read_loosely = partial(read_family, ON_DEAD_LETTER_TOPICS)
