"""Who wrote a record, by every form of trace context that headers carry, and by nothing that only looks like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.contexts import writer
from collector.domain.records import Record

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
WRITTEN = (bytes.fromhex(TRACE), bytes.fromhex(SPAN))
SHORT = (bytes(8) + bytes.fromhex(TRACE[16:]), bytes.fromhex(SPAN))
LOW, PARENT = str(int(TRACE[16:], 16)).encode(), str(int(SPAN, 16)).encode()
W3C = f"00-{TRACE}-{SPAN}-01".encode()
OTHER = b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01"


def written(*headers: tuple[str, bytes | None]) -> tuple[bytes, bytes] | None:
    return writer(Record("t", 0, 0, None, 1, None, None, headers))


@pytest.mark.parametrize(
    "headers",
    [
        [("traceparent", W3C)],
        [("Traceparent", W3C.replace(b"-01", b"-00"))],
        [("traceparent", b"cc" + W3C[2:] + b"-what-comes-later")],
        [("b3", f"{TRACE}-{SPAN}-1".encode())],
        [("b3", f"{TRACE}-{SPAN}-d-{'1' * 16}".encode())],
        [("B3", f"{TRACE}-{SPAN}".upper().encode())],
        [("X-B3-TraceId", TRACE.encode()), ("X-B3-SpanId", SPAN.encode()), ("X-B3-Sampled", b"1")],
        [("x-datadog-trace-id", LOW), ("x-datadog-parent-id", PARENT),
         ("x-datadog-tags", f"_dd.p.dm=-1,_dd.p.tid={TRACE[:16]}".encode())],
        [("ce_traceparent", W3C)],
    ],
)  # fmt: skip
def test_every_form_names_the_same_writer(headers: list[tuple[str, bytes]]) -> None:
    assert written(*headers) == WRITTEN


@pytest.mark.parametrize(
    "headers",
    [
        [("b3", f"{TRACE[16:]}-{SPAN}-1".encode())],
        [("x-b3-traceid", TRACE[16:].encode()), ("x-b3-spanid", SPAN.encode())],
        [("x-datadog-trace-id", LOW), ("x-datadog-parent-id", PARENT)],
    ],
)
def test_ids_of_64_bits_are_the_lower_half(headers: list[tuple[str, bytes]]) -> None:
    assert written(*headers) == SHORT


def test_of_several_copies_of_a_header_the_last_counts_for_a_forwarder_appends_its_own() -> None:
    assert written(("traceparent", OTHER), ("traceparent", W3C)) == WRITTEN


def test_the_transports_own_header_comes_before_that_of_the_cloud_event() -> None:
    assert written(("ce_traceparent", OTHER), ("traceparent", W3C)) == WRITTEN
    assert written(("ce_traceparent", W3C), ("traceparent", b"torn")) == WRITTEN


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("traceparent", None)],
        [("traceparent", b"ff" + W3C[2:])],
        [("traceparent", W3C.upper())],
        [("traceparent", b"00-" + b"0" * 32 + W3C[35:])],
        [("traceparent", W3C[:36] + b"0" * 16 + b"-01")],
        [("b3", b"0")],
        [("x-b3-traceid", TRACE.encode())],
        [("x-b3-traceid", TRACE.encode()), ("x-b3-spanid", TRACE.encode())],
        [("x-datadog-trace-id", LOW)],
        [("x-datadog-trace-id", str(2**64).encode()), ("x-datadog-parent-id", PARENT)],
        [("x-datadog-trace-id", "١٢".encode()), ("x-datadog-parent-id", PARENT)],
        [("x-datadog-trace-id", b"0"), ("x-datadog-parent-id", b"0")],
    ],
)
def test_what_only_looks_like_one_names_nobody(headers: list[tuple[str, bytes | None]]) -> None:
    assert written(*headers) is None


NAMES = ("traceparent", "b3", "x-b3-traceid", "x-b3-spanid", "x-datadog-trace-id", "x-datadog-parent-id",
         "x-datadog-tags", "ce_traceparent")  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.none() | st.binary(max_size=80)), max_size=6))
def test_whatever_headers_hold_is_a_writer_or_none(headers: list[tuple[str, bytes | None]]) -> None:
    found = writer(Record("t", 0, 0, None, 1, None, None, tuple(headers)))
    assert found is None or [len(part) for part in found] == [16, 8]
