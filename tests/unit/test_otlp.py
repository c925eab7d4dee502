"""OTLP bodies, honest and hostile."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector.domain.spans import Kind, Status
from collector.domain.texts import storable
from collector.otlp import Decoded, Malformed, decode_json, decode_protobuf, parts_of_json, parts_of_protobuf
from collector.otlp.limits import MAX_PART_BYTES
from collector.otlp.slim import framed
from tests.unit.otlp_samples import samples

TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
JSON_SPAN = {
    "traceId": TRACE.upper(),
    "spanId": SPAN,
    "parentSpanId": "eee19b7ec3c1b173",
    "name": "I'm a server span",
    "startTimeUnixNano": "1544712660000000000",
    "endTimeUnixNano": 1544712661000000000,
    "kind": 2,
    "futureField": {"x": 1},
    "attributes": [
        {"key": "my.span.attr", "value": {"stringValue": "some value"}},
        {"key": "number", "value": {"intValue": "42"}},
        {"key": "huge", "value": {"intValue": "99999999999999999999"}},
        {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": True}, {"doubleValue": 1.5}]}}},
        {"key": "bytes", "value": {"bytesValue": "AAE="}},
        {"key": "nothing", "value": {}},
    ],
    "links": [{"traceId": TRACE, "spanId": "0000000000000001"}],
    "events": [
        {"name": "exception", "attributes": [{"key": "exception.type", "value": {"stringValue": "CardDeclined"}}]}
    ],
    "status": {"code": 2, "message": "no"},
}


def json_body(*spans: object, resource: object | None = None) -> bytes:
    resource = resource or {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]}
    scope = {"scope": {"name": "my.library"}, "spans": list(spans)}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}).encode()


def message_of(*spans: trace_pb2.Span) -> TracesData:
    message = TracesData()
    resource = message.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "big"
    resource.scope_spans.add().spans.extend(spans)
    return message


def proto_span(number: int = 1, **rest: object) -> trace_pb2.Span:
    fields: dict[str, object] = {
        "trace_id": b"t" * 16,
        "span_id": struct.pack(">Q", number),
        "name": "n",
        "start_time_unix_nano": 1_760_000_000_000_000_000,
    }
    return trace_pb2.Span(**{**fields, **rest})  # type: ignore[arg-type]


def test_the_json_form_is_read_as_the_specification_says() -> None:
    decoded = decode_json(json_body(JSON_SPAN))
    (span,) = decoded.spans
    assert (span.trace_id.hex(), span.span_id.hex(), span.kind, span.status) == (TRACE, SPAN, Kind.SERVER, Status.ERROR)
    assert span.parent_id == bytes.fromhex("eee19b7ec3c1b173")
    assert (span.resource.name, span.scope) == ("my.service", "my.library")
    assert span.attributes == {
        "my.span.attr": "some value",
        "number": 42,
        "huge": "99999999999999999999",
        "list": (True, 1.5),
        "bytes": b"\x00\x01",
        "nothing": None,
    }
    assert (span.raised[0].exception_class, len(span.links)) == ("CardDeclined", 1)
    assert (decoded.n_rejected, decoded.reason) == (0, "")


def test_json_and_protobuf_meet_in_the_spool() -> None:
    (part,) = parts_of_json(json_body(JSON_SPAN)).parts
    assert decode_protobuf(part) == decode_json(json_body(JSON_SPAN))


def test_lenient_senders_may_write_enum_names_and_base64_ids() -> None:
    span = {**JSON_SPAN, "traceId": "W47/95gDgQPSabYzgT/GDA==", "spanId": "7uGbfsPBsXQ=", "kind": "SPAN_KIND_CONSUMER"}
    (decoded,) = decode_json(json_body(span)).spans
    assert (decoded.trace_id.hex(), decoded.span_id.hex(), decoded.kind) == (TRACE, SPAN, Kind.CONSUMER)


@pytest.mark.parametrize(
    "change",
    [
        {"traceId": "00" * 16},
        {"traceId": "abc"},
        {"traceId": 7},
        {"spanId": ""},
        {"parentSpanId": "ff"},
        {"startTimeUnixNano": "soon"},
        {"startTimeUnixNano": 0},
        {"name": {}},
        {"attributes": {}},
        {"links": [1]},
        {"attributes": [{"key": "x", "value": {"bytesValue": "€"}}]},
    ],
)
def test_one_bad_span_is_refused_and_the_others_are_kept(change: dict[str, object]) -> None:
    parts = parts_of_json(json_body({**JSON_SPAN, **change}, JSON_SPAN))
    assert (parts.n_spans, parts.n_rejected, len(parts.parts)) == (1, 1, 1)
    assert parts.reason.startswith("1 spans refused: ")
    assert len(decode_json(json_body({**JSON_SPAN, **change}, JSON_SPAN)).spans) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe{}",
        b'{"resourceSpans": {}}',
        b'{"resourceSpans": [7]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}',
        b'{"x": NaN}',
        b'{"x": 1e999}',
        b'{"x": -Infinity}',
        b'{"x": ' + b"9" * 401 + b"}",
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000,
        b"[" + b"[]," * 1_000_000 + b"[]]",
        b'"' + b'\\"' * 1_000_000,
    ],
    ids=range(15),
)
def test_s56_hostile_json_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a",
        b"\x0a\x05abc",
        b"hello",
        b"\x0a\x00" * 2_000_000,
        b"\x0a\x04\x12\x02\x12\x00" * 600_000,
        b"\x0b" * 4_000_000,
        b"\xff" * 4_000_000,
    ],
    ids=range(7),
)
def test_s57_hostile_protobuf_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_protobuf(body)


def test_text_that_postgres_cannot_hold_is_replaced() -> None:
    span = {**JSON_SPAN, "name": "a\x00b\ud800", "attributes": [{"key": "k\x00", "value": {"stringValue": "\udc00"}}]}
    (decoded,) = decode_json(json_body(span)).spans
    assert (decoded.name, decoded.attributes) == ("a\ufffdb\ufffd", {"k\ufffd": "\ufffd"})
    assert storable("\ud83d\ude00") == "😀"


def test_a_link_that_only_repeats_the_parent_is_left_out() -> None:
    parent = struct.pack(">Q", 9)
    links = [
        trace_pb2.Span.Link(trace_id=b"t" * 16, span_id=parent),
        trace_pb2.Span.Link(trace_id=b"u" * 16, span_id=parent),
        trace_pb2.Span.Link(trace_id=b"", span_id=parent),
    ]
    decoded = decode_protobuf(message_of(proto_span(parent_span_id=parent, links=links)).SerializeToString())
    assert [link.trace_id for link in decoded.spans[0].links] == [b"u" * 16]
    assert decoded.reason == "1 links without valid ids were dropped"


def test_a_text_that_is_no_utf8_is_mended_and_costs_nothing_else() -> None:
    whole, odd = proto_span(1), proto_span(2, name="pay NAME")
    odd.attributes.add(key="who").value.string_value = "NAME"
    body = message_of(whole, odd).SerializeToString().replace(b"NAME", b"\xffA\xc3(")
    parts = parts_of_protobuf(body)
    assert (parts.n_spans, parts.n_rejected) == (2, 0)
    assert parts.reason == "2 texts were not UTF-8: what cannot be read in them was replaced"
    one, other = decode_protobuf(parts.parts[0]).spans
    assert one == decode_protobuf(message_of(whole).SerializeToString()).spans[0]
    assert (other.name, other.attributes["who"]) == ("pay \ufffdA\ufffd(", "\ufffdA\ufffd(")


@pytest.mark.parametrize(
    "broken",
    [
        b"\x4a\x02\x12\x09",  # an attribute whose value is longer than it
        b"\x4a\x7f" + b"\x12\x7d\x2a\x7b\x0a\x79" * 20,
        b"\x0b",  # a group that does not end
        b"\x52" + b"\xff" * 12,
    ],
    ids=range(4),
)
def test_a_span_that_is_no_protobuf_is_refused_alone(broken: bytes) -> None:
    good = message_of(proto_span(1)).SerializeToString()
    bad = framed(1, framed(2, framed(2, proto_span(2).SerializeToString() + broken)))
    parts = parts_of_protobuf(good + bad + good)
    assert (parts.n_spans, parts.n_rejected) == (2, 1)
    assert parts.reason == "1 spans refused: the span is no protobuf"


def test_names_in_resource_and_scope_that_are_no_utf8_are_mended() -> None:
    message = message_of(proto_span(1))
    message.resource_spans[0].resource.attributes.add(key="where").value.string_value = "NAME"
    message.resource_spans[0].scope_spans[0].scope.name = "NAME"
    (span,) = decode_protobuf(message.SerializeToString().replace(b"NAME", b"ab\xe2\x82")).spans
    assert (span.scope, span.resource.attributes["where"]) == ("ab\ufffd", "ab\ufffd")


def test_mending_takes_a_bounded_time() -> None:
    body = b"\x0a\x02\x1a\x00" * 300_000 + b"\x0a\x03\x1a\x01\xff"
    with pytest.raises(Malformed, match="too large to be mended"):
        decode_protobuf(body)


def test_json_that_is_no_utf8_costs_its_text_alone() -> None:
    body = json_body({**JSON_SPAN, "name": "NAME"}).replace(b"NAME", b"a\xff\xfeb")
    decoded = decode_json(body)
    assert decoded.spans[0].name == "a\ufffd\ufffdb"
    assert decoded.reason == "2 texts were not UTF-8: what cannot be read in them was replaced"


def test_s57_what_is_beyond_the_limits_is_cut_and_said() -> None:
    span = proto_span()
    for number in range(200):
        span.attributes.add(key=f"k{number}").value.string_value = "v"
    span.attributes[0].value.string_value = "x" * 20_000
    parts = parts_of_protobuf(message_of(span).SerializeToString())
    (decoded,) = decode_protobuf(parts.parts[0]).spans
    assert parts.reason == "73 attributes, links or values beyond the limits were cut"
    assert (len(decoded.attributes), len(str(decoded.attributes["k0"]))) == (128, 16_384)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (AnyValue(string_value="x" * 20_000), "x" * 16_384),
        (AnyValue(bytes_value=b"x" * 20_000), b"x" * 16_384),
        (AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="x" * 9_000)] * 2)), None),
        (
            AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(bytes_value=b"x" * 17_000))])),
            None,
        ),
    ],
    ids=["text", "bytes", "list", "map"],
)
def test_s57_a_value_of_any_kind_is_cut_before_the_spool_and_said(sent: AnyValue, kept: object) -> None:
    span = proto_span()
    span.attributes.add(key="large", value=sent)
    span.attributes.add(key="other").value.string_value = "v" * 3_000
    parts = parts_of_protobuf(message_of(span).SerializeToString())
    assert parts.reason == "1 attributes, links or values beyond the limits were cut"
    assert len(parts.parts[0]) < 20_000
    (decoded,) = decode_protobuf(parts.parts[0]).spans
    assert decoded.attributes == {"large": kept, "other": "v" * 3_000}


def test_a_large_request_is_split_and_nothing_is_lost_or_doubled() -> None:
    spans = [proto_span(number + 1) for number in range(4_000)]
    for span in spans:
        span.attributes.add(key="filler").value.string_value = "x" * 500
    parts = parts_of_protobuf(message_of(*spans).SerializeToString())
    assert len(parts.parts) == 3
    assert all(len(part) <= MAX_PART_BYTES for part in parts.parts)
    decoded = [span for part in parts.parts for span in decode_protobuf(part).spans]
    assert [span.span_id for span in decoded] == [span.span_id for span in spans]
    assert {span.resource.name for span in decoded} == {"big"}


def test_a_resource_is_repeated_once_in_each_part_however_many_scopes_it_has() -> None:
    message = TracesData()
    resource_spans = message.resource_spans.add(schema_url="https://" + "é" * 1_000)
    resource_spans.resource.attributes.add(key="filler").value.string_value = "x" * 100_000
    for number in range(1, 3_001):
        span = proto_span(number)
        span.attributes.add(key="filler").value.string_value = "x" * 300
        resource_spans.scope_spans.add(scope={"name": f"library {number}"}, spans=[span])
    body = message.SerializeToString()
    parts = parts_of_protobuf(body)
    assert (parts.n_spans, parts.n_rejected) == (3_000, 0)
    assert all(len(part) <= MAX_PART_BYTES for part in parts.parts)
    assert sum(map(len, parts.parts)) < 1.5 * len(body)
    decoded = [span for part in parts.parts for span in decode_protobuf(part).spans]
    assert [int.from_bytes(span.span_id) for span in decoded] == [*range(1, 3_001)]
    assert [span.scope for span in decoded] == [f"library {number}" for number in range(1, 3_001)]
    assert {len(span.resource.attributes) for span in decoded} == {1}


def test_a_large_request_whose_resource_fills_most_of_each_part_is_refused() -> None:
    message = message_of(*(proto_span(number + 1) for number in range(4_000)))
    message.resource_spans[0].resource.attributes.add(key="filler").value.string_value = "x" * 850_000
    message.resource_spans.add().scope_spans.add().spans.append(proto_span(9_999))
    parts = parts_of_protobuf(message.SerializeToString())
    assert (len(parts.parts), parts.n_spans, parts.n_rejected) == (1, 1, 4_000)
    assert parts.reason == "4000 spans refused: a resource with its scope may be 450000 bytes in a large request"


def test_a_span_too_large_for_kafka_is_refused_alone() -> None:
    large = proto_span(1)
    for number in range(100):
        large.attributes.add(key=f"k{number}").value.string_value = "x" * 16_000
    parts = parts_of_protobuf(message_of(large, proto_span(2)).SerializeToString())
    assert (parts.n_spans, parts.n_rejected) == (1, 1)
    assert "900000 bytes" in parts.reason


def test_a_request_without_fault_goes_on_byte_for_byte() -> None:
    for sample in samples():
        parts = parts_of_protobuf(sample.body)
        assert parts.parts == (sample.body,)
        assert (parts.n_rejected, parts.reason) == (0, "")


def test_an_empty_request_is_no_record() -> None:
    assert parts_of_protobuf(b"").parts == ()
    assert parts_of_json(b"{}").parts == ()


def read(decode: object, body: bytes) -> None:
    try:
        result = decode(body)  # type: ignore[operator]
    except Malformed:
        return
    assert isinstance(result, Decoded)


@given(st.binary(max_size=400))
def test_any_bytes_are_spans_or_malformed(body: bytes) -> None:
    read(decode_protobuf, body)
    read(decode_json, body)


@given(st.sampled_from([sample.body for sample in samples() if len(sample.body) < 6_000]), st.data())
def test_real_requests_with_broken_bytes_are_spans_or_malformed(body: bytes, data: st.DataObject) -> None:
    broken = bytearray(body)
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    read(decode_protobuf, bytes(broken[: data.draw(st.integers(0, len(broken)))]))


JSON_LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON_VALUE = st.recursive(
    JSON_LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(st.dictionaries(st.sampled_from([*JSON_SPAN, "flags", "traceState"]), JSON_VALUE, max_size=4))
def test_any_json_in_the_place_of_any_field_is_a_span_or_refused(change: dict[str, object]) -> None:
    body = json_body({**JSON_SPAN, **change})
    read(decode_json, body)


@given(st.text() | st.text(alphabet=st.characters(categories=["Cs", "Cc"])))
def test_storable_text_encodes_and_holds_no_nul(text: str) -> None:
    stored = storable(text)
    assert "\x00" not in stored
    stored.encode()
