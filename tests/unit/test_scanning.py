"""The fast way from OTLP bytes to rows gives what the readable one gives: the same rows, or the same refusal."""

import shutil
import struct
import sysconfig
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from collector.domain import hops, messaging
from collector.domain.attributes import is_singular
from collector.domain.records import Record
from collector.intake import scanning
from collector.intake.native import Compiled, compiled
from collector.intake.packing import Packed
from collector.intake.scanning import Scanner
from collector.intake.spool import SpoolReading
from collector.otlp import Malformed, decode_protobuf
from collector.otlp.slim import framed
from tests.unit.otlp_samples import samples
from tests.unit.span_rows import Rows, expected, unpacked

SOURCE = "token-1"
READING = SpoolReading()  # the same for all: what it remembers of one request must not change another
COMPILED = SpoolReading(compiled())


def test_the_scanner_is_compiled_where_a_compiler_is() -> None:
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    assert (compiled() is not None) == (shutil.which("cc") is not None and headers.exists())


def read(body: bytes, reading: SpoolReading = READING) -> Rows:
    request = reading.request(Record("weir.spool", 0, 0, None, 1, None, body, (("source", SOURCE.encode()),)))
    lists = (request.heads, request.sketches, request.links, request.errors, request.sampled)
    return unpacked(Packed(*map(list, lists)))  # type: ignore[arg-type]


def told(read_it: object, body: bytes) -> object:
    try:
        return read_it(body)  # type: ignore[operator]
    except Malformed as refusal:
        return str(refusal)


def assert_same(body: bytes) -> None:
    by_the_rules = told(lambda each: expected(each, SOURCE), body)
    assert told(read, body) == by_the_rules
    assert told(lambda each: read(each, COMPILED), body) == by_the_rules


def request_of(*spans: Span, scope: str = "", resource: tuple[KeyValue, ...] = ()) -> bytes:
    message = TracesData()
    spoken = message.resource_spans.add()
    spoken.resource.attributes.extend(resource or (text("service.name", "billing-svc"),))
    scoped = spoken.scope_spans.add()
    scoped.scope.name = scope
    scoped.spans.extend(spans)
    return bytes(message.SerializeToString())


def text(name: str, value: str) -> KeyValue:
    return KeyValue(key=name, value=AnyValue(string_value=value))


def span_of(*attributes: KeyValue, number: int = 1, **rest: object) -> Span:
    fields: dict[str, object] = {
        "trace_id": b"t" * 16,
        "span_id": struct.pack(">Q", number),
        "name": "n",
        "kind": 5,
        "start_time_unix_nano": 1_760_000_000_123_456_789,
        "end_time_unix_nano": 1_760_000_000_223_456_789,
        "attributes": attributes,
    }
    return Span(**{**fields, **rest})  # type: ignore[arg-type]


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: f"{sample.service}-{sample.semconv}")
def test_every_real_request_becomes_the_same_rows_at_first_sight_and_when_it_is_known(sample: object) -> None:
    body: bytes = sample.body  # type: ignore[attr-defined]
    for _ in range(2):
        assert_same(body)


def test_requests_that_a_pipeline_joined_are_settled_as_one() -> None:
    joined = b"".join(sample.body for sample in samples())
    for _ in range(2):
        assert_same(joined)


BODIES = [sample.body for sample in samples() if len(sample.body) < 6_000]


@settings(max_examples=300)
@given(st.sampled_from(BODIES), st.data())
def test_broken_bytes_become_the_same_rows_or_the_same_refusal(body: bytes, data: st.DataObject) -> None:
    broken = bytearray(body)
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    assert_same(bytes(broken[: data.draw(st.integers(len(broken) // 2, len(broken)))]))


@given(st.binary(max_size=300))
def test_any_bytes_become_the_same_rows_or_the_same_refusal(body: bytes) -> None:
    assert_same(body)


OTHER_NAMES = ["messaging.message.body.size", "thread.id", "url.path", "order.id", "messaging.kafka.x", "k\0", ""]
NAMES = st.sampled_from([*sorted(hops.READ), *OTHER_NAMES, "n" * 1_030])
VALUES = st.one_of(
    st.sampled_from(["kafka", "orders", "a.b", "7", "007", "orders.3.9", "none", "", "publish", "receive", "g - c"]),
    st.sampled_from(["1f8b7c1e-3a0d-4f7e-9c0a-5f2b6f1f0a11", "123456789", "KafkaBackoffException", "9" * 19, "8" * 25]),
    st.text(max_size=5),
    st.integers(-3, 300),
    st.sampled_from([2**31 - 1, 2**31, 2**35, 2**63 - 1, -(2**63), 99_999, 100_000]),
    st.booleans(),
    st.floats(),
    st.binary(max_size=3),
    st.none(),
)


def value_of(found: object) -> AnyValue:
    if isinstance(found, bool):
        return AnyValue(bool_value=found)
    if isinstance(found, int):
        return AnyValue(int_value=found)
    if isinstance(found, float):
        return AnyValue(double_value=found)
    if isinstance(found, bytes):
        return AnyValue(bytes_value=found)
    return AnyValue() if found is None else AnyValue(string_value=str(found).encode(errors="replace").decode())


PAIRS = st.builds(lambda name, value: KeyValue(key=name, value=value_of(value)), NAMES, VALUES)
KAFKA = (text("messaging.system", "kafka"), text("messaging.destination.name", "orders"))
IDS = st.sampled_from([b"t" * 16, b"u" * 16, bytes(16), b"short"])
SPAN_IDS = st.sampled_from([struct.pack(">Q", number) for number in range(4)] + [b"", b"x"])
LINKS = st.builds(
    lambda trace, span, pairs, flags: Span.Link(trace_id=trace, span_id=span, attributes=pairs, flags=flags),
    IDS, SPAN_IDS, st.lists(PAIRS, max_size=1) | st.just([]), st.sampled_from([0, 0x301]),
)  # fmt: skip
EVENTS = st.builds(
    lambda name, kind, more: Span.Event(name=name, time_unix_nano=1, attributes=[text("exception.type", kind), *more]),
    st.sampled_from(["exception", "log"]), st.sampled_from(["a.B", "x.KafkaBackoffException"]),
    st.lists(PAIRS, max_size=1),
)  # fmt: skip
SPANS = st.builds(
    lambda pairs, kafka, trace, span, parent, links, events, code, kind: span_of(
        *(KAFKA if kafka else ()), *pairs, trace_id=trace, span_id=span, parent_span_id=parent, links=links,
        events=events, status={"code": code, "message": "no"}, kind=kind,
    ),
    st.lists(PAIRS, max_size=4), st.booleans(), IDS, SPAN_IDS, SPAN_IDS, st.lists(LINKS, max_size=3),
    st.lists(EVENTS, max_size=2), st.sampled_from([0, 1, 2, 7]), st.sampled_from([0, 3, 4, 5, 9]),
)  # fmt: skip


@given(
    st.lists(SPANS, max_size=6),
    st.sampled_from(["", "otelsarama", "io.opentelemetry.kafka-clients-0.11", "kafkajs"]),
    st.sampled_from([(), (text("service.name", "a"), text("messaging.consumer.group.name", "declared"))]),
)
def test_any_spans_become_the_same_rows(spans: list[Span], scope: str, resource: tuple[KeyValue, ...]) -> None:
    body = request_of(*spans, scope=scope, resource=resource)
    for _ in range(2):
        assert_same(body)


@pytest.mark.parametrize("first", [0, 5])
@pytest.mark.parametrize("offset", [0, 1, 127, 128, 2**14, 2**28, 2**35 - 1, 2**35, 2**63 - 1, -1, "12", "x", True])
def test_the_place_is_read_from_every_span_anew(first: int, offset: object) -> None:
    def sent(partition: object, at: object) -> bytes:
        place = KeyValue(key="messaging.kafka.message.offset", value=value_of(at))
        part = KeyValue(key="messaging.destination.partition.id", value=value_of(partition))
        return request_of(span_of(*KAFKA, part, place))

    assert_same(sent("1", first))
    for partition in ("0", 7, 2**31, "none"):
        assert_same(sent(partition, offset))


def test_what_a_sampled_span_stands_for_is_read_from_every_span() -> None:
    states = ("", "ot=th:8", "ot=th:c;rv:6e6d1a75832a2f", "ot=th:c;rv:00000000000001", "ot=p:3", "congo=x")
    sent = {"kind": Span.SPAN_KIND_PRODUCER}
    spans = [span_of(*KAFKA, number=number + 1, trace_state=state, **sent) for number, state in enumerate(states)]
    body = request_of(*spans, span_of(number=9, trace_state="ot=th:8"))
    for _ in range(2):
        assert_same(body)
        assert read(body)["sampled"] == [(1, 1.0), (2, 3.0), (3, 3.0), (4, 7.0)]


def test_fields_that_stand_twice_count_as_protobuf_says() -> None:
    span = span_of(*KAFKA).SerializeToString()
    failed = (
        Span(status=Status(code=Status.STATUS_CODE_ERROR)).SerializeToString()
        + Span(status=Status(message="no")).SerializeToString()
    )
    message = TracesData.FromString(request_of(Span.FromString(span)))
    scope = message.resource_spans[0].scope_spans[0].SerializeToString() + framed(2, span + failed)
    resource = message.resource_spans[0].resource.SerializeToString()
    more = TracesData.FromString(request_of(resource=(text("service.version", "2"),))).resource_spans[0].resource
    body = framed(1, framed(1, resource) + framed(1, more.SerializeToString()) + framed(2, scope))
    assert len(decode_protobuf(body).spans) == 2
    assert decode_protobuf(body).spans[1].resource.version == "2"
    assert_same(body)


@pytest.mark.parametrize("depth", range(43, 52))
def test_values_that_nest_too_deep_are_refused_alike(depth: int) -> None:
    value = AnyValue(int_value=1).SerializeToString()
    for _ in range(depth):
        value = framed(5, framed(1, value))  # an array of one
    pair = framed(1, b"x") + framed(2, value)
    span = span_of().SerializeToString()
    for more in (framed(9, pair), framed(11, framed(1, b"log") + framed(3, pair)), framed(13, framed(4, pair))):
        assert_same(framed(1, framed(2, framed(2, span + more))))
    assert_same(framed(1, framed(1, framed(1, pair)) + framed(2, framed(2, span))))


def test_what_is_broken_in_a_span_that_is_refused_costs_no_other() -> None:
    refused = span_of(text("k", "v"), trace_id=b"")
    body = request_of(refused, span_of(*KAFKA)).replace(b"\x0a\x01v", b"\x0a\x01\xff")
    assert len(decode_protobuf(body).spans) == 1
    assert_same(body)


def test_a_broken_resource_fails_the_request_though_nothing_was_sent_of_it() -> None:
    assert_same(framed(1, framed(1, framed(1, b"\x0f"))))


@pytest.mark.parametrize("started", [1, 946_684_799_999_999_999, 946_684_800_000_000_001, 2**63, 2**64 - 1])
def test_any_time_becomes_the_same(started: int) -> None:
    for _ in range(2):
        assert_same(request_of(span_of(start_time_unix_nano=started, end_time_unix_nano=2**64 - 1)))


@pytest.mark.parametrize(("made", "most"), [(lambda: None, 20_000), (compiled, 40_000)])
def test_what_is_remembered_is_bounded_and_forgetting_changes_nothing(
    made: Callable[[], Compiled | None], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "MOST_BYTES", most)
    reading = SpoolReading(made())
    for number in range(300):
        body = request_of(span_of(*KAFKA, text("who", f"someone {number}"), name=f"name {number % 40}"))
        assert read(body, reading) == expected(body, SOURCE)
    assert reading.scanner.n_bytes <= most + 8_000


@pytest.mark.parametrize("made", [lambda: None, compiled])
def test_the_first_attributes_of_very_many_count_and_none_is_remembered(made: Callable[[], Compiled | None]) -> None:
    reading = SpoolReading(made())
    body = request_of(span_of(*KAFKA, *(text(f"k{number}", "v") for number in range(1_000))))
    assert read(body, reading) == expected(body, SOURCE)
    assert reading.scanner.n_bytes < 30_000


@pytest.mark.parametrize("made", [lambda: None, compiled])
def test_names_whose_values_are_not_remembered_count(made: Callable[[], Compiled | None]) -> None:
    scanner, name = Scanner(made()), "k" * 1_000
    for number in range(20):
        own = (text(f"{name} {number} {nth}", "1234567890") for nth in range(50))
        scanner.scan(request_of(span_of(*KAFKA, *own)), SOURCE)
    assert scanner.n_bytes > 20 * 50 * 1_000


@pytest.mark.parametrize("made", [lambda: None, compiled])
def test_a_large_resource_is_remembered_once_however_many_scopes_it_has(made: Callable[[], Compiled | None]) -> None:
    message = TracesData()
    said = message.resource_spans.add()
    said.resource.attributes.append(text("filler", "x" * 200_000))
    for number in range(500):
        said.scope_spans.add(scope={"name": f"library {number}"}, spans=[span_of(*KAFKA)])
    tracemalloc.start()
    scanner = Scanner(made())
    found = scanner.scan(message.SerializeToString(), SOURCE)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.heads) == 500
    assert held < 10_000_000


@pytest.mark.parametrize("made", [lambda: None, compiled])
def test_offsets_and_ids_are_not_remembered(made: Callable[[], Compiled | None]) -> None:
    scanner = Scanner(made())
    for number in range(1_000, 3_000):
        place = KeyValue(key="messaging.kafka.message.offset", value=AnyValue(int_value=number * 10_000))
        own = (text("order.id", f"{number:032x}"), text("url.path", f"/orders/{number}"))
        scanner.scan(request_of(span_of(*KAFKA, text("messaging.kafka.partition", "3"), place, *own)), SOURCE)
    assert scanner.n_bytes < 20_000


def test_what_says_the_place_is_kept_in_no_set_of_attributes() -> None:
    assert all(map(is_singular, messaging.PLACE_NAMES))
