"""What a resent dead letter carries: the letter's own headers, none of the failure's, and Weir's marks once."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from collector.domain.frames import MOST_PLAIN, framed, packed, readable, unframed
from collector.domain.records import Headers, Record
from collector.domain.resending import (
    NO_TEXT,
    Attempt,
    attempt_id,
    attempt_number,
    is_stale,
    outgoing,
    removed,
    unsendable,
)
from tests.unit.dead_letter_samples import samples

ATTEMPT = Attempt(
    UUID("0b9c2e4e-8f0f-4d0c-9d55-0f7a1c2b3d4e"), 118, 2, "orders.created.dlq/7/12", datetime(2026, 11, 23, tzinfo=UTC)
)
_HEADERS = st.lists(
    st.tuples(
        st.one_of(st.text(max_size=12), st.sampled_from(["x-weir-attempt", "X-Weir-Foo", "traceparent", "order-id"])),
        st.one_of(st.none(), st.binary(max_size=20)),
    ),
    max_size=20,
).map(tuple)


@given(_HEADERS)
def test_s41_own_headers_survive_in_order_and_foreign_marks_do_not(headers: Headers) -> None:
    sent = outgoing(headers, ATTEMPT)
    own = [pair for pair in headers if not is_stale(pair[0]) and pair[0].lower() not in {"traceparent", "tracestate"}]
    assert list(sent[: len(own)]) == own
    assert sum(name.lower() == "x-weir-attempt" for name, _ in sent) == 1
    record = Record("t", 0, 0, None, 0, None, None, sent)
    assert (attempt_id(record), attempt_number(record)) == (ATTEMPT.id, 2)


def test_springs_headers_are_taken_off_and_business_ones_stay() -> None:
    names = [name for name, _ in outgoing(samples()["orders.placed-dlt/0/1"].headers, ATTEMPT)]
    assert names == [
        "x-shop-till", "__TypeId__", "__ContentTypeId__", "__KeyTypeId__", "x-weir-attempt", "x-weir-operation",
        "x-weir-attempt-number", "x-weir-original", "x-weir-sent-at", "x-weir-original-traceparent", "traceparent",
    ]  # fmt: skip
    assert "kafka_original-topic" in removed(samples()["orders.placed-dlt/0/1"].headers)


_OLD = b"00-" + b"ab" * 16 + b"-" + b"cd" * 8


def test_each_attempt_begins_a_trace_of_its_own_which_names_the_old_one() -> None:
    headers: Headers = (("TraceParent", _OLD + b"-01"), ("tracestate", b"a=b"), ("traceparent", _OLD + b"-00"))
    first, again = (dict(outgoing(headers, replace(ATTEMPT, id=UUID(int=number, version=4)))) for number in (1, 2))
    assert first["x-weir-original-traceparent"] == again["x-weir-original-traceparent"] == _OLD + b"-00"
    assert first.keys() & {"TraceParent", "tracestate"} == set()
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-00", first["traceparent"] or b"")
    assert ATTEMPT.id.hex.encode() not in dict(outgoing(headers, ATTEMPT))["traceparent"].replace(b"-", b"")  # type: ignore[union-attr]
    assert first["traceparent"] != again["traceparent"]


@given(st.none() | st.binary(max_size=60) | st.just(b"") | st.just(_OLD + b"-1"))
def test_what_is_no_trace_context_is_kept_and_begins_none(old: bytes | None) -> None:
    sent = outgoing((("traceparent", old),), ATTEMPT)
    assert all(name != "traceparent" for name, _ in sent)
    assert (old is not None) == (("x-weir-original-traceparent", old) in sent)
    assert all(name != "traceparent" for name, _ in outgoing((), ATTEMPT))


def test_s41_a_letter_with_too_many_or_too_long_headers_says_so() -> None:
    assert unsendable((("a", b"x"),) * 200) is None
    assert unsendable((("a", b"x"),) * 201) == "It has 201 headers; at most 200 can be sent."
    assert unsendable((("a", bytes(64 * 1024 + 1)),)) == "One of its headers is longer than 64 kB."
    assert unsendable((("\u00e4\U0001f600", b""),)) is None
    assert unsendable(((b"bad\xff".decode("utf-8", "surrogateescape"), b""),)) == NO_TEXT


@given(st.binary(max_size=40))
def test_no_claimed_attempt_raises(value: bytes) -> None:
    record = Record("t", 0, 0, None, 0, None, None, (("x-weir-attempt", value), ("x-weir-attempt-number", value)))
    attempt_id(record)
    assert 0 <= attempt_number(record) <= 99


@given(st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9) | st.none()), max_size=4))
def test_header_names_are_framed_to_the_byte(raw: list[tuple[bytes, bytes | None]]) -> None:
    headers = tuple((name.decode("utf-8", "surrogateescape"), value) for name, value in raw)
    assert unframed(framed(headers)) == headers
    assert all(name in framed(headers) for name, _ in raw)
    assert all(name.encode() for name in removed(tuple((f"x-original-{name}", value) for name, value in headers)))


@given(_HEADERS)
def test_framed_headers_come_back_the_same(headers: Headers) -> None:
    assert unframed(framed(headers)) == headers


_LONG = st.binary(min_size=1, max_size=40).map(lambda part: part * (2 * MOST_PLAIN // len(part)))


@given(st.lists(st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9) | _LONG), max_size=5)))
def test_packed_headers_come_back_the_same_and_short_values_lie_there_as_they_are(
    letters: list[list[tuple[str, bytes | None]]],
) -> None:
    all_headers = [tuple(each) for each in letters]
    bodies = packed(all_headers)
    assert [unframed(body) for body in bodies] == all_headers
    for headers, body in zip(all_headers, bodies, strict=True):
        assert all(framed((header,))[4:] in body for header in headers if len(header[1] or b"") <= MOST_PLAIN)


def test_a_long_stack_takes_a_fraction_and_what_is_broken_is_malformed() -> None:
    headers = (("order-id", b"17"), ("stack", b"\tat shop.Billing.pay(Billing.java:31)\n" * 100), ("none", None))
    (body,) = packed([headers])
    assert len(body) < 200
    assert readable(body) == headers
    assert readable(body[:-20]) is None
    assert readable(body.replace(b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfe")) is None


@given(st.binary(max_size=60))
def test_any_bytes_are_headers_or_malformed(body: bytes) -> None:
    assert readable(body) is None or unframed(body) is not None
