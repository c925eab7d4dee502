"""What a tracing library reported, as frozen values: spans, their links, and what they were raised from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

Value = str | int | float | bool | bytes | None | tuple["Value", ...] | Mapping[str, "Value"]
Attributes = Mapping[str, Value]


class Kind(IntEnum):
    """SpanKind of the OpenTelemetry protocol (trace.proto)."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class Status(IntEnum):
    """Status code of the OpenTelemetry protocol (trace.proto)."""

    UNSET = 0
    OK = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Resource:
    """Who speaks: a service, its version and its instance. Empty text where the sender named none."""

    namespace: str
    name: str
    version: str
    instance: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Link:
    """Another span that this one comes from. Batch spans carry the position of each message here."""

    trace_id: bytes  # 16 bytes
    span_id: bytes  # 8 bytes
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception event: class, message and stack as the library wrote them."""

    exception_class: str
    message: str
    stack: str


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Times are Unix nanoseconds; `parent_id` is None for a root; ids are never all zero."""

    trace_id: bytes  # 16 bytes
    span_id: bytes  # 8 bytes
    parent_id: bytes | None  # 8 bytes
    trace_state: str
    flags: int
    name: str
    kind: Kind
    started_ns: int
    ended_ns: int
    status: Status
    status_message: str
    attributes: Attributes
    links: tuple[Link, ...]
    raised: tuple[Raised, ...]
    resource: Resource
    scope: str
