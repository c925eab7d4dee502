"""Spans for tests, with defaults for all that a test does not speak of."""

from dataclasses import replace

from collector.domain.spans import Attributes, Kind, Link, Raised, Resource, Span, Status

RESOURCE = Resource("", "billing-svc", "1", "a", {"service.name": "billing-svc"})
START_NS = 1_760_000_000_000_000_000


def make_span(
    span_id: int,
    attributes: Attributes,
    *,
    kind: Kind = Kind.CONSUMER,
    trace: int = 1,
    parent: int | None = None,
    links: tuple[Link, ...] = (),
    status: Status = Status.UNSET,
    raised: tuple[str, ...] = (),
    scope: str = "",
    resource: Resource = RESOURCE,
) -> Span:
    """A span of trace number `trace`."""
    span = Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=span_id.to_bytes(8, "big"),
        parent_id=None if parent is None else parent.to_bytes(8, "big"),
        trace_state="",
        flags=0x101,
        name="",
        kind=kind,
        started_ns=START_NS,
        ended_ns=START_NS + 1_000_000,
        status=status,
        status_message="",
        attributes=attributes,
        links=links,
        raised=(),
        resource=resource,
        scope=scope,
    )
    return replace(span, raised=tuple(Raised(name, "", "") for name in raised))


def make_link(trace: int, span_id: int, attributes: Attributes | None = None) -> Link:
    """A link to span `span_id` of trace number `trace`."""
    return Link(trace.to_bytes(16, "big"), span_id.to_bytes(8, "big"), attributes or {})
