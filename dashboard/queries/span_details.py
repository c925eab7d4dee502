"""One span as it came: all attributes, events and resource, for as long as they are kept."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import zstandard
from django.db import connection
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, TracesData

MOST_BYTES = 8 * 1024**2  # of what is unpacked for one span
MOST_CHUNKS = 400  # that are read for one answer
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened within the span, such as an exception. `at` None: no calendar holds it."""

    name: str
    at: datetime | None
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SpanInFull:
    """What the sender said of a span. `scope`: the library that made it."""

    attributes: Mapping[str, Any]
    events: tuple[SpanEvent, ...]
    resource: Mapping[str, Any]
    scope: str


Ids = tuple[UUID, int]
"""Trace and span id, as the tables have them."""


def span_in_full(trace_id: str, span_id: str) -> SpanInFull | None:
    """The span with these ids (hexadecimal), or None where it is not kept in full any more. Two statements."""
    wanted = (UUID(hex=trace_id), int.from_bytes(bytes.fromhex(span_id), "big", signed=True))
    return spans_in_full([wanted]).get(wanted)


def spans_in_full(wanted: Sequence[Ids]) -> dict[Ids, SpanInFull]:
    """Those of these spans that are kept in full. Two statements; at most MOST_CHUNKS chunks of spans are read."""
    columns: list[Any] = [[trace for trace, _ in wanted], [span for _, span in wanted]]
    names, found = frozenset(wanted), dict[Ids, SpanInFull]()
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, columns)
        for (body,) in cursor.fetchall():
            found |= _held(bytes(body), names)
        cursor.execute(_CHUNKS, [*columns, MOST_CHUNKS])
        for (body,) in cursor:
            found |= _held(bytes(body), names)
    return found


_KEPT = (
    "select k.body from span_detail_kept k join unnest(%s::uuid[], %s::bigint[]) n(trace_id, span_id)"
    " on k.trace_id = n.trace_id and k.span_id = n.span_id"
)
_CHUNKS = (
    "select d.body from (select distinct s.stored_at, substring(int8send(s.span_id) for 4) id from span s"
    "  join unnest(%s::uuid[], %s::bigint[]) n(trace_id, span_id)"
    "  on s.trace_id = n.trace_id and s.span_id = n.span_id) s"
    " join span_detail d on d.stored_at = s.stored_at and position(s.id in d.ids) > 0"
    " group by d.stored_at, d.ids, d.body limit %s"
)


def _held(packed: bytes, wanted: Collection[Ids]) -> dict[Ids, SpanInFull]:
    try:
        body = zstandard.ZstdDecompressor().decompress(packed, max_output_size=MOST_BYTES)
        message: TracesData = TracesData.FromString(body)
    except (zstandard.ZstdError, DecodeError):
        return {}
    found: dict[Ids, SpanInFull] = {}
    for resource_spans in message.resource_spans:
        for scoped in resource_spans.scope_spans:
            for span in scoped.spans:
                ids = (UUID(bytes=span.trace_id), int.from_bytes(span.span_id, "big", signed=True))
                if ids in wanted:
                    found[ids] = _span(span, resource_spans, scoped.scope.name)
    return found


def _span(span: Span, spoken: ResourceSpans, scope: str) -> SpanInFull:
    return SpanInFull(
        attributes=_attributes(span.attributes),
        events=tuple(
            SpanEvent(event.name, _moment(event.time_unix_nano), _attributes(event.attributes)) for event in span.events
        ),
        resource=_attributes(spoken.resource.attributes),
        scope=scope,
    )


def _moment(nanoseconds: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)
    except OverflowError:
        return None


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return dict(sorted((pair.key, _value(pair.value)) for pair in pairs))


def _value(value: AnyValue) -> Any:  # noqa: ANN401  whatever JSON can say
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return "0x" + value.bytes_value.hex()
    held = getattr(value, kind) if kind else None
    return str(held) if isinstance(held, float) and not math.isfinite(held) else held
