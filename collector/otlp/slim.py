"""OTLP trace requests in the same wire format, with what many spans share left as bytes: a fraction of the objects.

A message that may stand once is declared as repeated bytes: its pieces, joined, are the message (protobuf's own rule).
"""

from collections.abc import Collection, Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

_BYTES, _TEXT, _INT32, _UINT32 = Field.TYPE_BYTES, Field.TYPE_STRING, Field.TYPE_INT32, Field.TYPE_UINT32
_FIXED64, _FIXED32 = Field.TYPE_FIXED64, Field.TYPE_FIXED32
_ONE, _MANY = Field.LABEL_OPTIONAL, Field.LABEL_REPEATED

# Fields as opentelemetry/proto/trace/v1/trace.proto has them. A type that is a name is another of these messages.
_Fields = tuple[tuple[str, int, int, int | str], ...]
_MESSAGES: dict[str, _Fields] = {
    "Request": (("resource_spans", 1, _MANY, "ResourceSpans"),),
    "ResourceSpans": (
        ("resource", 1, _MANY, _BYTES),
        ("scope_spans", 2, _MANY, "ScopeSpans"),
        ("schema_url", 3, _ONE, _TEXT),
    ),
    "ScopeSpans": (("scope", 1, _MANY, _BYTES), ("spans", 2, _MANY, "Span"), ("schema_url", 3, _ONE, _TEXT)),
    "Span": (
        ("trace_id", 1, _ONE, _BYTES),
        ("span_id", 2, _ONE, _BYTES),
        ("trace_state", 3, _ONE, _TEXT),
        ("parent_span_id", 4, _ONE, _BYTES),
        ("name", 5, _ONE, _TEXT),
        ("kind", 6, _ONE, _INT32),
        ("start_time_unix_nano", 7, _ONE, _FIXED64),
        ("end_time_unix_nano", 8, _ONE, _FIXED64),
        ("attributes", 9, _MANY, _BYTES),
        ("dropped_attributes_count", 10, _ONE, _UINT32),
        ("events", 11, _MANY, _BYTES),
        ("dropped_events_count", 12, _ONE, _UINT32),
        ("links", 13, _MANY, _BYTES),
        ("dropped_links_count", 14, _ONE, _UINT32),
        ("status", 15, _ONE, "Status"),
        ("flags", 16, _ONE, _FIXED32),
    ),
    "Status": (("message", 2, _ONE, _TEXT), ("code", 3, _ONE, _INT32)),
}
# The same with whole spans as bytes.
_FRAMES: dict[str, _Fields] = {
    "Frames": (("resource_spans", 1, _MANY, "ResourceFrame"),),
    "ResourceFrame": (("resource", 1, _MANY, _BYTES), ("scope_spans", 2, _MANY, "ScopeFrame")),
    "ScopeFrame": (("scope", 1, _MANY, _BYTES), ("spans", 2, _MANY, _BYTES)),
    "SpanIds": (("trace_id", 1, _ONE, _BYTES), ("span_id", 2, _ONE, _BYTES)),
}
_PACKAGE = "weir.slim"
_SHALLOW_BYTES = 180  # a message inside another takes two bytes: what is shorter cannot nest too deep for the parser
_ATTRIBUTES, _EVENTS, _LINKS = 9, 11, 13
_RESOURCE_SPANS, _RESOURCE, _SCOPE_SPANS, _SCOPE, _SPANS = 1, 1, 2, 1, 2


def _made(messages: dict[str, _Fields], root: str) -> type[Message]:
    file = descriptor_pb2.FileDescriptorProto(name=f"weir/{root}.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, number, label, kind in fields:
            made = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                made.type, made.type_name = Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                made.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made_class: type[Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{root}"))
    return made_class


Request = _made(_MESSAGES, "Request")
_Frames = _made(_FRAMES, "Frames")
_SpanIds = _made({"SpanIds": _FRAMES["SpanIds"]}, "SpanIds")


def longest_span(body: bytes) -> int:
    """Bytes of the longest span of a request that can be parsed."""
    frames: Any = _Frames.FromString(body)
    scopes = [scoped for resource_spans in frames.resource_spans for scoped in resource_spans.scope_spans]
    return max((max(map(len, scoped.spans[:]), default=0) for scoped in scopes), default=0)


def singles(
    body: bytes, wanted: Collection[tuple[bytes, bytes]], *, most_frame: int
) -> Iterator[tuple[tuple[bytes, bytes], bytes]]:
    """The spans with these ids (trace, span) of a request that can be parsed, each as a request of its own.

    Without its resource and scope where these are longer than `most_frame` bytes: each span would have them again.
    """
    span_ids = {span_id for _, span_id in wanted}
    frames: Any = _Frames.FromString(body)
    for resource_spans in frames.resource_spans:
        for scoped in resource_spans.scope_spans:
            raws = scoped.spans[:]
            for raw in dict.fromkeys(raw for span_id in span_ids for raw in raws if span_id in raw):
                ids: Any = _SpanIds.FromString(raw)
                if (ids.trace_id, ids.span_id) in wanted:
                    frame = (b"".join(resource_spans.resource), b"".join(scoped.scope))
                    is_short = sum(map(len, frame)) <= most_frame
                    yield (ids.trace_id, ids.span_id), around(raw, *frame) if is_short else around(raw)


def resource(raw: bytes) -> Resource:
    """The resource that these bytes are. Raises DecodeError where the whole request would have failed."""
    message: TracesData = TracesData.FromString(framed(_RESOURCE_SPANS, framed(_RESOURCE, raw)))
    found: Resource = message.resource_spans[0].resource
    return found


def scope_name(raw: bytes) -> str:
    """The name of the scope that these bytes are. Raises DecodeError as `resource` does."""
    body = framed(_RESOURCE_SPANS, framed(_SCOPE_SPANS, framed(_SCOPE, raw)))
    return str(TracesData.FromString(body).resource_spans[0].scope_spans[0].scope.name)


def attribute(raw: bytes) -> KeyValue:
    """The attribute of a span that these bytes are. Raises DecodeError where the whole request would have failed."""
    found: KeyValue = (
        KeyValue.FromString(raw) if len(raw) <= _SHALLOW_BYTES else _in_span(_ATTRIBUTES, raw).attributes[0]
    )
    return found


def event(raw: bytes) -> Span.Event:
    """The event of a span that these bytes are. Raises DecodeError as `attribute` does."""
    found: Span.Event = Span.Event.FromString(raw) if len(raw) <= _SHALLOW_BYTES else _in_span(_EVENTS, raw).events[0]
    return found


def link(raw: bytes) -> Span.Link:
    """The link of a span that these bytes are. Raises DecodeError as `attribute` does."""
    found: Span.Link = Span.Link.FromString(raw) if len(raw) <= _SHALLOW_BYTES else _in_span(_LINKS, raw).links[0]
    return found


def whole(span: Message) -> Span:
    """The same span with everything unfolded. Raises DecodeError."""
    return span_of(span.SerializeToString())


def _in_span(number: int, raw: bytes) -> Span:
    return span_of(framed(number, raw))


def span_of(span: bytes) -> Span:
    """The span that these bytes are. Raises DecodeError.

    Parsed as deep inside a request as it was, because the parser counts how deep messages nest.
    """
    found: Span = TracesData.FromString(around(span)).resource_spans[0].scope_spans[0].spans[0]
    return found


def around(span: bytes, resource: bytes = b"", scope: bytes = b"") -> bytes:
    """A request that holds this span alone."""
    said = framed(_RESOURCE, resource) if resource else b""
    named = framed(_SCOPE, scope) if scope else b""
    return framed(_RESOURCE_SPANS, said + framed(_SCOPE_SPANS, named + framed(_SPANS, span)))


def bare(request: bytes) -> bytes:
    """The only span of a request, as `around` makes them."""
    frames: Any = _Frames.FromString(request)
    return bytes(frames.resource_spans[0].scope_spans[0].spans[0])


def framed(number: int, raw: bytes) -> bytes:
    """A message's bytes as field `number` of the message around it."""
    size = len(raw)
    if size < 0x80:  # by far the most, and then those below
        return bytes((number << 3 | 2, size)) + raw
    if size < 0x4000:
        return bytes((number << 3 | 2, size & 0x7F | 0x80, size >> 7)) + raw
    head = bytearray((number << 3 | 2,))
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + raw
