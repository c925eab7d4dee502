"""One request -> the records of the spool: valid spans only, in otlp_proto, none larger than Kafka takes."""

from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, TracesData

from collector.otlp import json_form, protobuf, slim
from collector.otlp.limits import MAX_ATTRIBUTES, MAX_FRAME_BYTES, MAX_PART_BYTES, MAX_VALUE_BYTES, Tally
from collector.otlp.messages import check_number, fault, link_limit

_FRAME_BYTES = 16  # tags and lengths around a span, its scope and its resource


@dataclass(frozen=True, slots=True)
class Parts:
    """What goes to the spool, and what the sender is told. No parts where there was nothing to keep."""

    parts: tuple[bytes, ...]
    n_spans: int
    n_rejected: int
    reason: str


def parts_of_protobuf(body: bytes) -> Parts:
    """Parts of a binary request. A small request without fault goes on byte for byte. Raises Malformed."""
    tally = Tally()
    message = protobuf.parse(body, tally)
    return _parts(message, tally, None if tally.has_changed else body)


def parts_of_json(body: bytes) -> Parts:
    """Parts of a JSON request. Raises Malformed."""
    tally = Tally()
    return _parts(json_form.parse(body, tally), tally, None)


def _parts(message: TracesData, tally: Tally, body: bytes | None) -> Parts:
    check_number(message)
    n_faults, n_cut = tally.n_rejected, tally.n_cut
    may_be_long = body is None or slim.longest_span(body) > MAX_VALUE_BYTES
    n_spans = sum(
        _tidy(scoped, tally, may_be_long=may_be_long)
        for resource in message.resource_spans
        for scoped in resource.scope_spans
    )
    if body is None or tally.n_rejected != n_faults or tally.n_cut != n_cut:
        body = message.SerializeToString()
    if not n_spans:
        return Parts((), 0, tally.n_rejected, tally.sentence)
    if len(body) <= MAX_PART_BYTES:
        return Parts((body,), n_spans, tally.n_rejected, tally.sentence)
    n_rejected = tally.n_rejected
    parts = tuple(part.SerializeToString() for part in _split(message, tally))
    return Parts(parts, n_spans - (tally.n_rejected - n_rejected), tally.n_rejected, tally.sentence)


def _tidy(scoped: ScopeSpans, tally: Tally, *, may_be_long: bool) -> int:
    """Take out the spans that cannot be taken and what is beyond the limits; how many spans stay.

    Not `may_be_long`: no span is longer than one value may be.
    """
    faults = [fault(span) for span in scoped.spans]
    if any(faults):
        kept = [span for span, reason in zip(scoped.spans, faults, strict=True) if reason is None]
        for reason in faults:
            if reason is not None:
                tally.reject(reason)
        del scoped.spans[:]
        scoped.spans.extend(kept)
    for span in scoped.spans:
        if may_be_long or span.links or len(span.attributes) > MAX_ATTRIBUTES:
            _trim(span, tally)
    return len(scoped.spans)


def _trim(span: trace_pb2.Span, tally: Tally) -> None:
    if (surplus := len(span.attributes) - MAX_ATTRIBUTES) > 0:
        tally.n_cut += surplus
        del span.attributes[MAX_ATTRIBUTES:]
    if span.links and (surplus := len(span.links) - link_limit(pair.key for pair in span.attributes)) > 0:
        tally.n_cut += surplus
        del span.links[-surplus:]
    if span.ByteSize() <= MAX_VALUE_BYTES:
        return
    for pair in span.attributes:
        if pair.value.ByteSize() > MAX_VALUE_BYTES:
            tally.n_cut += _cut(pair.value)


def _cut(value: AnyValue) -> bool:
    """Cut a value as collector.otlp.values reads it; False where it is not too long."""
    kind = value.WhichOneof("value")
    if kind not in ("string_value", "bytes_value"):
        value.Clear()  # a cut list would read like a whole one
        return True
    held = getattr(value, kind)
    if len(held) <= MAX_VALUE_BYTES:
        return False
    setattr(value, kind, held[:MAX_VALUE_BYTES])
    return True


@dataclass(frozen=True, slots=True)
class _Frame:
    """One scope with the resource around it, and what they take."""

    resource_spans: ResourceSpans
    scoped: ScopeSpans
    resource_bytes: int
    scope_bytes: int

    @property
    def n_bytes(self) -> int:
        """Of both."""
        return self.resource_bytes + self.scope_bytes


class _Part:
    """A message of the spool while it fills; resource and scope stand in it once for all spans that come together."""

    def __init__(self) -> None:
        self.message = TracesData()
        self.n_bytes = 0
        self._frame: _Frame | None = None

    def added(self, frame: _Frame) -> int:
        """What a span of this frame takes besides its own bytes."""
        if self._frame is None or self._frame.resource_spans is not frame.resource_spans:
            return frame.n_bytes
        return 0 if self._frame is frame else frame.scope_bytes

    def add(self, frame: _Frame, span: trace_pb2.Span, n_bytes: int) -> None:
        """One more span, of so many bytes."""
        self.n_bytes += self.added(frame) + n_bytes
        if self._frame is not frame:
            of = frame.resource_spans
            if self._frame is None or self._frame.resource_spans is not of:
                self.message.resource_spans.add(resource=of.resource, schema_url=of.schema_url)
            opened = self.message.resource_spans[-1]
            opened.scope_spans.add(scope=frame.scoped.scope, schema_url=frame.scoped.schema_url)
            self._frame = frame
        self.message.resource_spans[-1].scope_spans[-1].spans.append(span)


def _split(message: TracesData, tally: Tally) -> Iterator[TracesData]:
    """Messages of at most MAX_PART_BYTES. What is repeated takes at most half of each, so all of them together are not
    much more than twice the request.
    """
    part = _Part()
    for frame in _frames(message):
        if frame.n_bytes > MAX_FRAME_BYTES:
            tally.reject(
                f"a resource with its scope may be {MAX_FRAME_BYTES} bytes in a large request", len(frame.scoped.spans)
            )
            continue
        for span in frame.scoped.spans:
            n_bytes = span.ByteSize() + _FRAME_BYTES
            if frame.n_bytes + n_bytes > MAX_PART_BYTES:
                tally.reject(f"a span with its resource may be {MAX_PART_BYTES} bytes")
                continue
            if part.n_bytes + part.added(frame) + n_bytes > MAX_PART_BYTES:
                yield part.message
                part = _Part()
            part.add(frame, span, n_bytes)
    if part.n_bytes:
        yield part.message


def _frames(message: TracesData) -> Iterator[_Frame]:
    """Scopes with spans."""
    for resource_spans in message.resource_spans:
        resource_bytes = resource_spans.resource.ByteSize() + len(resource_spans.schema_url.encode()) + _FRAME_BYTES
        for scoped in resource_spans.scope_spans:
            if scoped.spans:
                scope_bytes = scoped.scope.ByteSize() + len(scoped.schema_url.encode()) + _FRAME_BYTES
                yield _Frame(resource_spans, scoped, resource_bytes, scope_bytes)
