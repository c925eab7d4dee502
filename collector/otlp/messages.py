"""A parsed OTLP message -> spans of the domain, one bad span refused at a time."""

from collections.abc import Iterable, Iterator

from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector.domain.spans import Attributes, Kind, Link, Raised, Resource, Span, Status
from collector.otlp.limits import (
    MAX_BATCH_LINKS,
    MAX_LINKS,
    MAX_NAME_CHARACTERS,
    MAX_RAISED,
    MAX_SPANS,
    Decoded,
    Malformed,
    Tally,
)
from collector.otlp.values import attributes, text

_NO_TRACE = bytes(16)
_NO_SPAN = bytes(8)
_KINDS = {int(kind): kind for kind in Kind}
_STATUSES = {int(status): status for status in Status}


def decode(message: TracesData, tally: Tally | None = None) -> Decoded:
    """Spans of `message`, in its order. Raises Malformed when it holds more spans than one request may."""
    tally = tally or Tally()
    check_number(message)
    spans = tuple(_spans(message, tally))
    return Decoded(spans, tally.n_rejected, tally.sentence)


def check_number(message: TracesData) -> None:
    """Raise Malformed when `message` holds more spans than one request may."""
    n_spans = sum(len(scoped.spans) for resource in message.resource_spans for scoped in resource.scope_spans)
    if n_spans > MAX_SPANS:
        raise Malformed(f"One request may hold {MAX_SPANS} spans; this one holds {n_spans}.")


def fault(span: trace_pb2.Span) -> str | None:
    """Why this span cannot be taken, or None. Rules: OTLP's own, for ids and times."""
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != 16 or trace_id == _NO_TRACE:
        return "the trace id must be 16 bytes and not all zero"
    if len(span_id) != 8 or span_id == _NO_SPAN:
        return "the span id must be 8 bytes and not all zero"
    if len(span.parent_span_id) not in (0, 8):
        return "the parent span id must be empty or 8 bytes"
    if not span.start_time_unix_nano:
        return "the start time is missing"
    return None


def link_limit(keys: Iterable[str]) -> int:
    """How many links a span with these attribute names may have: batches of messages need more."""
    return MAX_BATCH_LINKS if any(key.startswith("messaging.") for key in keys) else MAX_LINKS


def _is_id(found: bytes, zero: bytes) -> bool:
    return len(found) == len(zero) and found != zero


def _spans(message: TracesData, tally: Tally) -> Iterator[Span]:
    for resource_spans in message.resource_spans:
        resource = resource_of(resource_spans.resource, tally)
        for scoped in resource_spans.scope_spans:
            scope = scope_of(scoped.scope.name, tally)
            for span in scoped.spans:
                if reason := fault(span):
                    tally.reject(reason)
                else:
                    yield span_of(span, resource, scope, tally)


def scope_of(name: str, tally: Tally) -> str:
    """The scope's name as it is kept."""
    return text(name, tally, most=MAX_NAME_CHARACTERS)


def resource_of(message: resource_pb2.Resource, tally: Tally) -> Resource:
    """Who speaks, with all that the resource says."""
    found = attributes(message.attributes, tally)
    namespace, name, version, instance = (
        str(found.get(key) or "")[:MAX_NAME_CHARACTERS]
        for key in ("service.namespace", "service.name", "service.version", "service.instance.id")
    )
    return Resource(namespace, name, version, instance, found)


def span_of(span: trace_pb2.Span, resource: Resource, scope: str, tally: Tally) -> Span:
    """One span without fault, as the domain knows it."""
    parent = span.parent_span_id if span.parent_span_id and span.parent_span_id != _NO_SPAN else None
    found = attributes(span.attributes, tally)
    status = _STATUSES.get(span.status.code, Status.UNSET)
    return Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=parent,
        trace_state=text(span.trace_state, tally, most=MAX_NAME_CHARACTERS),
        flags=span.flags,
        name=text(span.name, tally, most=MAX_NAME_CHARACTERS),
        kind=_KINDS.get(span.kind, Kind.UNSPECIFIED),
        started_ns=span.start_time_unix_nano,
        ended_ns=max(span.start_time_unix_nano, span.end_time_unix_nano),
        status=status,
        status_message=text(span.status.message, tally) if status is Status.ERROR else "",
        attributes=found,
        links=_links(span, parent, found, tally) if span.links else (),
        raised=raised_of(span.events, tally) if span.events else (),
        resource=resource,
        scope=scope,
    )


def _links(span: trace_pb2.Span, parent: bytes | None, found: Attributes, tally: Tally) -> tuple[Link, ...]:
    """Links with valid ids, without the one that only repeats the parent (the Java agent's opt-in sends both)."""
    most = link_limit(found)
    links: list[Link] = []
    for link in span.links:
        if len(links) >= most:
            tally.n_cut += 1
        elif not _is_id(link.trace_id, _NO_TRACE) or not _is_id(link.span_id, _NO_SPAN):
            tally.n_links_dropped += 1
        elif link.trace_id != span.trace_id or link.span_id != parent:
            links.append(
                Link(link.trace_id, link.span_id, attributes(link.attributes, tally) if link.attributes else {})
            )
    return tuple(links)


def raised_of(events: Iterable[trace_pb2.Span.Event], tally: Tally) -> tuple[Raised, ...]:
    """The exceptions among the events of a span."""
    raised: list[Raised] = []
    for event in events:
        if event.name != "exception":
            continue
        if len(raised) >= MAX_RAISED:
            tally.n_cut += 1
            continue
        found = attributes(event.attributes, tally)
        raised.append(
            Raised(
                str(found.get("exception.type") or ""),
                str(found.get("exception.message") or ""),
                str(found.get("exception.stacktrace") or ""),
            )
        )
    return tuple(raised)
