"""One walk over protobuf bytes before they are parsed: counts what a small body would blow up into."""

from collections.abc import Mapping

from collector.otlp.limits import MAX_SPANS, MAX_SUBMESSAGES, Malformed

# For each message: which length-delimited fields are messages themselves (None: nothing inside may nest).
MESSAGES: Mapping[str, Mapping[int, str]] = {
    "TracesData": {1: "ResourceSpans"},
    "ResourceSpans": {1: "Resource", 2: "ScopeSpans"},
    "Resource": {1: "KeyValue", 3: "EntityRef"},
    "EntityRef": {},
    "ScopeSpans": {1: "Scope", 2: "Span"},
    "Scope": {3: "KeyValue"},
    "Span": {9: "KeyValue", 11: "Event", 13: "Link", 15: "Status"},
    "Event": {3: "KeyValue"},
    "Link": {4: "KeyValue"},
    "Status": {},
    "KeyValue": {2: "AnyValue"},
    "AnyValue": {5: "ArrayValue", 6: "KeyValueList"},
    "ArrayValue": {1: "AnyValue"},
    "KeyValueList": {1: "KeyValue"},
}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def check(body: bytes) -> None:  # noqa: C901  a decoder: one loop over the wire types
    """Raise Malformed where parsing would make more objects than one request may hold.

    A message inside another takes at least two bytes, so a body below twice the limit cannot hold too many: it is not
    walked. Bytes that do not follow the schema are left for the parser to refuse.
    """
    if len(body) <= 2 * MAX_SUBMESSAGES:
        return
    n_messages = n_spans = 0
    open_messages: list[tuple[int, int, str]] = [(0, len(body), "TracesData")]
    while open_messages:
        at, end, kind = open_messages.pop()
        inner = MESSAGES[kind]
        while at < end:
            tag, at = varint(body, at, end)
            wire, number = tag & 7, tag >> 3
            if wire == _BYTES:
                size, at = varint(body, at, end)
                if size > end - at:
                    raise Malformed("The body is not protobuf: a field is longer than what holds it.")
                if (child := inner.get(number)) is not None:
                    n_messages += 1
                    n_spans += child == "Span"
                    if n_messages > MAX_SUBMESSAGES or n_spans > MAX_SPANS:
                        raise Malformed(f"A request may hold {MAX_SPANS} spans and {MAX_SUBMESSAGES} values in all.")
                    if size:
                        open_messages.append((at, at + size, child))
                at += size
            elif wire == _VARINT:
                _, at = varint(body, at, end)
            elif wire in (_FIXED64, _FIXED32):
                at += 8 if wire == _FIXED64 else 4
            else:
                raise Malformed("The body is not protobuf: it holds a wire type that OTLP does not use.")


def varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of protobuf's, and where it ends. Raises Malformed."""
    value = shift = 0
    while at < end and shift < 70:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise Malformed("The body is not protobuf: a number does not end.")
