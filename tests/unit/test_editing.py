"""An edited copy: what may be changed, and that nothing else changes with it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.editing import (
    NotEditable,
    difference,
    editable_headers,
    editable_text,
    edited_headers,
    edited_value,
)
from collector.domain.records import Headers

VALUE = b'{"amount": "12,50",\n "card": "x"}'
HEADERS: Headers = (
    ("kind", b"order"),
    ("kind", b"order"),
    ("traceparent", b"00-1-2-01"),
    ("x-api-key", b"abc"),
    ("blob", b"\xff\x00"),
    ("none", None),
    ("kafka_dlt-original-topic", b"orders"),
)


def test_what_was_not_touched_keeps_its_bytes() -> None:
    assert edited_value(VALUE, VALUE.decode().replace("\n", "\r\n")) == VALUE, "browsers send two signs for a line end"
    assert edited_headers(HEADERS, {}) == HEADERS
    assert edited_headers(HEADERS, {0: "order", 1: "order"}) == HEADERS


def test_a_change_is_sent_as_it_was_typed() -> None:
    assert edited_value(VALUE, '{"amount": 12.50}') == b'{"amount": 12.50}'
    assert edited_headers(HEADERS, {0: "invoice", 1: None})[:2] == (("kind", b"invoice"), ("traceparent", b"00-1-2-01"))


@pytest.mark.parametrize("typed", ['{"amount": }', "", "[1, 2", "\ud800"])
def test_what_is_no_json_is_refused_without_showing_it(typed: str) -> None:
    with pytest.raises(NotEditable) as refused:
        edited_value(VALUE, typed)
    assert "amount" not in str(refused.value)


@pytest.mark.parametrize("value", [None, b"", b"\xff\xfe", b"plain", b"[" * 100_000, b'"' + b"x" * 300_000 + b'"'])
def test_only_json_of_a_bearable_size_can_be_edited(value: bytes | None) -> None:
    with pytest.raises(NotEditable, match="Cannot be edited"):
        editable_text(value)


def test_headers_of_failure_are_not_offered_and_those_of_tracing_and_bytes_are_locked() -> None:
    offered = {header.index: (header.is_locked, header.is_sensitive) for header in editable_headers(HEADERS)}
    assert offered == {
        0: (False, False), 1: (False, False), 2: (True, False), 3: (False, True), 4: (True, False), 5: (True, False),
    }  # fmt: skip
    for index in (2, 4, 5, 6, 99):
        if index < len(HEADERS):
            with pytest.raises(NotEditable, match="locked"):
                edited_headers(HEADERS, {index: "x"})


def test_the_difference_shows_the_changed_lines() -> None:
    lines = difference(VALUE, b'{"amount": 12.5, "card": "x"}')
    assert [(line.sign, line.text.strip()) for line in lines if line.sign != " "] == [
        ("-", '"amount": "12,50",'), ("+", '"amount": 12.5,'),
    ]  # fmt: skip
    assert difference(VALUE, VALUE) == ()


@given(st.recursive(
    st.none() | st.booleans() | st.text(max_size=10) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=10,
))  # fmt: skip
def test_any_json_may_be_sent_back_unchanged(body: object) -> None:
    value = json.dumps(body).encode()
    assert edited_value(value, editable_text(value)) is value
