"""OTLP in its JSON form: hex ids, integers as text or numbers, enums as numbers (or their names, from lenient senders).

protobuf's own JSON reader does not fit: it takes the hex ids for base64 without a word and stops at unknown fields.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, TracesData

from collector.domain.texts import storable
from collector.otlp.json_text import load
from collector.otlp.limits import Malformed, Tally

_INT64 = range(-(2**63), 2**63)
_KIND_NAMES = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))
}
_STATUS_NAMES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_Object = Mapping[str, object]


class _BadSpan(ValueError):
    """One span cannot be read; the others can."""


def parse(body: bytes, tally: Tally) -> TracesData:
    """The message in `body`. Raises Malformed; spans that cannot be read are counted in `tally` and left out."""
    message = TracesData()
    try:
        for item in _objects(_object(load(body, tally)), "resourceSpans"):
            _resource_spans(item, message.resource_spans.add(), tally)
    except _BadSpan as error:
        raise Malformed(f"The body is not an OTLP trace request: {error}") from None
    return message


def _resource_spans(source: _Object, target: ResourceSpans, tally: Tally) -> None:
    _attributes(_child(source, "resource"), target.resource.attributes.add)
    target.schema_url = _text(source, "schemaUrl")
    for item in _objects(source, "scopeSpans"):
        _scope_spans(item, target.scope_spans.add(), tally)


def _scope_spans(source: _Object, target: ScopeSpans, tally: Tally) -> None:
    scope = _child(source, "scope")
    target.scope.name, target.scope.version = _text(scope, "name"), _text(scope, "version")
    target.schema_url = _text(source, "schemaUrl")
    for item in _list(source, "spans"):
        span = trace_pb2.Span()
        try:
            _span(_object(item), span)
        except _BadSpan as error:
            tally.reject(str(error))
        else:
            target.spans.append(span)


def _span(source: _Object, target: trace_pb2.Span) -> None:
    _ids(source, target)
    target.parent_span_id = _id(source, "parentSpanId", 8)
    target.flags = _integer(source, "flags", 2**32)
    target.name = _text(source, "name")
    target.kind = _enum(source, "kind", _KIND_NAMES)  # type: ignore[assignment]  # an open enum: any int32
    target.start_time_unix_nano = _integer(source, "startTimeUnixNano", 2**64)
    target.end_time_unix_nano = _integer(source, "endTimeUnixNano", 2**64)
    _attributes(source, target.attributes.add)
    for item in _objects(source, "events"):
        event = target.events.add()
        event.time_unix_nano, event.name = _integer(item, "timeUnixNano", 2**64), _text(item, "name")
        _attributes(item, event.attributes.add)
    for item in _objects(source, "links"):
        link = target.links.add()
        _ids(item, link)
        _attributes(item, link.attributes.add)
    status = _child(source, "status")
    target.status.message = _text(status, "message")
    target.status.code = _enum(status, "code", _STATUS_NAMES)  # type: ignore[assignment]


def _ids(source: _Object, target: trace_pb2.Span | trace_pb2.Span.Link) -> None:
    target.trace_id, target.span_id = _id(source, "traceId", 16), _id(source, "spanId", 8)
    target.trace_state = _text(source, "traceState")


def _attributes(source: _Object, add: Callable[[], KeyValue]) -> None:
    for item in _objects(source, "attributes"):
        _key_value(item, add())


def _key_value(source: _Object, target: KeyValue) -> None:
    target.key = _text(source, "key")
    _any(_child(source, "value"), target.value)


def _any(source: _Object, target: AnyValue) -> None:
    for name, held in source.items():
        write = _WRITERS.get(name)
        if write is not None and held is not None:
            write(held, target)
            return


def _write_string(held: object, target: AnyValue) -> None:
    target.string_value = storable(held) if isinstance(held, str) else _wrong("stringValue")


def _write_bool(held: object, target: AnyValue) -> None:
    target.bool_value = held if isinstance(held, bool) else _wrong("boolValue")


def _write_int(held: object, target: AnyValue) -> None:
    try:
        number = int(held) if isinstance(held, str | int | float) and not isinstance(held, bool) else _wrong("intValue")
    except ValueError:
        _wrong("intValue")
    if number in _INT64:
        target.int_value = number
    else:
        target.string_value = str(held)  # beyond 64 bits: kept as text


def _write_double(held: object, target: AnyValue) -> None:
    try:
        target.double_value = float(held) if isinstance(held, str | int | float) else _wrong("doubleValue")
    except (ValueError, OverflowError):
        _wrong("doubleValue")


def _write_bytes(held: object, target: AnyValue) -> None:
    try:
        target.bytes_value = base64.b64decode(held, validate=True) if isinstance(held, str) else _wrong("bytesValue")
    except ValueError:
        _wrong("bytesValue")


def _write_array(held: object, target: AnyValue) -> None:
    target.array_value.SetInParent()
    for item in _objects(_object(held), "values"):
        _any(item, target.array_value.values.add())


def _write_map(held: object, target: AnyValue) -> None:
    target.kvlist_value.SetInParent()
    for item in _objects(_object(held), "values"):
        _key_value(item, target.kvlist_value.values.add())


_WRITERS: Mapping[str, Callable[[object, AnyValue], None]] = {
    "stringValue": _write_string,
    "boolValue": _write_bool,
    "intValue": _write_int,
    "doubleValue": _write_double,
    "bytesValue": _write_bytes,
    "arrayValue": _write_array,
    "kvlistValue": _write_map,
}


def _wrong(name: str) -> NoReturn:
    raise _BadSpan(f"{name} holds something else")


def _object(held: object) -> _Object:
    return held if isinstance(held, dict) else _wrong("a place for an object")


def _child(source: _Object, name: str) -> _Object:
    held = source.get(name)
    if held is None:
        return {}
    return held if isinstance(held, dict) else _wrong(name)


def _list(source: _Object, name: str) -> Sequence[object]:
    held = source.get(name)
    if held is None:
        return ()
    return held if isinstance(held, list) else _wrong(name)


def _objects(source: _Object, name: str) -> list[_Object]:
    return [_object(item) for item in _list(source, name)]


def _text(source: _Object, name: str) -> str:
    held = source.get(name)
    if held is None:
        return ""
    return storable(held) if isinstance(held, str) else _wrong(name)


def _integer(source: _Object, name: str, below: int) -> int:
    held = source.get(name) or 0
    try:
        number = int(held) if isinstance(held, str | int | float) else _wrong(name)
    except ValueError:
        _wrong(name)
    return number if 0 <= number < below else _wrong(name)


def _enum(source: _Object, name: str, names: Mapping[str, int]) -> int:
    held = source.get(name)
    if isinstance(held, str) and held in names:
        return names[held]
    return _integer(source, name, 2**31)


def _id(source: _Object, name: str, size: int) -> bytes:
    """Hex in any case, as OTLP says; base64, as senders on protobuf's own JSON writer send it, by its length."""
    held = source.get(name) or ""
    if not isinstance(held, str):
        _wrong(name)
    try:
        if len(held) == 4 * ((size + 2) // 3) and held.endswith("="):
            return base64.b64decode(held, validate=True)
        return bytes.fromhex(held)
    except (ValueError, binascii.Error):
        _wrong(name)
