"""The headers of a dead letter that is sent again: what stays, what is taken off, and the marks Weir adds."""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

from collector.domain.records import Headers, Record
from collector.domain.texts import storable

PREFIX = "x-weir-"
ATTEMPT, NUMBER, OPERATION = "x-weir-attempt", "x-weir-attempt-number", "x-weir-operation"
ORIGINAL, SENT_AT, OLD_TRACE = "x-weir-original", "x-weir-sent-at", "x-weir-original-traceparent"

MOST_HEADERS, MOST_VALUE_BYTES = 200, 64 * 1024
UNREADABLE = "Its stored headers cannot be read."
NO_TEXT = "The name of one of its headers is no UTF-8, which Weir's Kafka client cannot send."
MOST_ATTEMPTS = 99  # believed from a header, which anybody may write

# What frameworks write on a failure. Left on, Spring's retry chain would start exhausted, SmallRye's count would skip
# retries, and the next death could not be told from the first.
_STALE_PREFIXES = (
    "kafka_dlt-",
    "kafka_original-",
    "kafka_exception-",
    "kafka_key-exception-",
    "retry_topic-",
    "springdeserializerexception",
    "x-original-",
    "x-exception-",
    "__connect.errors.",
    "__streams.errors.",
    "__dlq.errors.",
    "dead-letter-",
    "delayed-retry-",
    "deserialization-failure-dlq",
    "ce_knativeerror",
    "ce_knativekafka",
    "mt-fault-",
    "nservicebus.failedq",
    "nservicebus.exceptioninfo.",
    "dlq-original-",
    "x-dlq-",
)
_STALE_NAMES = frozenset(
    {
        "kafka_deliveryattempt",
        "original_partition",
        "original_offset",
        "original_topic",
        "original-topic",
        "original-partition",
        "original-offset",
        "dlq.original.topic",
        "source_topic",  # these six are Karafka's; a header source_system is the business's own
        "source_partition",
        "source_offset",
        "source_consumer_group",
        "source_attempts",
        "source_trace_id",
        "mt-reason",
        "nservicebus.retries",
        "nservicebus.timeoffailure",
        "__topic",
        "__partition",
        "__offset",
        "__timestamp",
        "fallback_error",  # these five are Redpanda Connect's
        "kafka_topic",
        "kafka_partition",
        "kafka_offset",
        "kafka_timestamp_ms",
        "dlq-reason",
        "dlq-error-class",
        "dlq-error-message",
        "dlq-failed-at",
        "dlq-attempts",
        "dlq-stack",
        "x-retry-count",
        "x-retries",
        "retry-count",
    }
)
_STALE_SUFFIXES = ("_poisoned",)
TRACE, _STATE = "traceparent", "tracestate"
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One send of one letter. `original` is the dead letter's own position as people write it."""

    id: UUID
    operation: int
    number: int
    original: str
    sent_at: datetime


def outgoing(headers: Headers, attempt: Attempt) -> Headers:
    """The headers to send: the letter's own in their order without what failure left, then Weir's.

    Its trace context is kept under another name, and one of the attempt's own takes its place, sampled as the old one
    was: a second one would be believed by some readers and not by others, and the old one would draw the copy as if
    the first producer had sent it.
    """
    kept = [(name, value) for name, value in headers if not is_stale(name) and name.lower() not in {TRACE, _STATE}]
    old = next((value for name, value in reversed(headers) if name.lower() == TRACE), None)
    marks: list[tuple[str, bytes | None]] = [
        (ATTEMPT, str(attempt.id).encode()),
        (OPERATION, str(attempt.operation).encode()),
        (NUMBER, str(attempt.number).encode()),
        (ORIGINAL, attempt.original.encode()),
        (SENT_AT, attempt.sent_at.isoformat().encode()),
    ]
    if old is not None:
        marks.append((OLD_TRACE, old))
        if match := _TRACEPARENT.fullmatch(old):
            marks.append((TRACE, _own_trace(attempt.id, flags=match[1])))
    return (*kept, *marks)


def _own_trace(attempt: UUID, *, flags: bytes) -> bytes:
    """A traceparent for each attempt. Traces are seen by many: it must not tell the attempt, which nobody may guess."""
    ids = blake2b(attempt.bytes, digest_size=24, person=b"weir trace").hexdigest()
    return f"00-{ids[:32]}-{ids[32:]}-".encode() + flags


def removed(headers: Headers) -> tuple[str, ...]:
    """Names that are taken off, each once, in their order: the plan shows them."""
    return tuple(dict.fromkeys(storable(name) for name, _ in headers if is_stale(name)))


def is_stale(name: str) -> bool:
    """Whether a header tells of a failure, or claims to be Weir's: neither may travel on."""
    lowered = name.lower()
    return (
        lowered.startswith((*_STALE_PREFIXES, PREFIX)) or lowered in _STALE_NAMES or lowered.endswith(_STALE_SUFFIXES)
    )


def unsendable(headers: Headers | None) -> str | None:
    """Why a record with these headers cannot be sent again, or None. Nothing is ever trimmed.

    None as headers: what is stored of them cannot be read.
    """
    if headers is None:
        return UNREADABLE
    if len(headers) > MOST_HEADERS:
        return f"It has {len(headers)} headers; at most {MOST_HEADERS} can be sent."
    if any(len(value or b"") > MOST_VALUE_BYTES for _, value in headers):
        return f"One of its headers is longer than {MOST_VALUE_BYTES // 1024} kB."
    return None if is_text(headers) else NO_TEXT


def is_text(headers: Headers) -> bool:
    """Whether all names are UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for name, _ in headers for character in name)


def attempt_id(record: Record) -> UUID | None:
    """Which attempt a record claims to be of. A claim: the value and the position must fit as well."""
    value = record.last(ATTEMPT)
    try:
        return UUID(value.decode("ascii")) if value and len(value) == 36 else None
    except (ValueError, UnicodeDecodeError):
        return None


def attempt_number(record: Record) -> int:
    """How often a record says that it was sent again; 0 where it says nothing that can be believed."""
    value = record.last(NUMBER) or b""
    return min(int(value), MOST_ATTEMPTS) if value.isdigit() and len(value) <= 4 else 0
