"""Bytes as a person reads them."""

import json

from hypothesis import given
from hypothesis import strategies as st

from dashboard.payloads import MOST_BYTES, MOST_HEADERS, MOST_LAID_OUT, readable, readable_headers


def test_a_tombstone_is_not_the_empty_value() -> None:
    assert readable(None).form == "tombstone"
    assert readable(b"").form == "empty"


def test_json_is_laid_out_and_keeps_its_letters() -> None:
    said = readable('{"name":"Jürgen","n":[1]}'.encode())
    assert said.form == "json"
    assert '"name": "Jürgen"' in said.text


def test_what_only_looks_like_json_stays_text() -> None:
    assert readable(b"{not json").form == "text"
    assert readable(b"[" * 5_000).form == "text"


def test_json_that_is_nested_deep_is_shown_as_it_came_and_says_why() -> None:
    raw = ",".join(["[" * 900 + "]" * 900] * 34).join("[]").encode()
    said = readable(raw)
    assert (said.form, said.text, said.cut) == ("text", raw.decode(), False)
    assert said.why == "Not laid out: nested deeper than 64 levels."


def test_json_that_layout_would_blow_up_is_shown_as_it_came_and_says_why() -> None:
    raw = ",".join(["[" * 62 + "]" * 62] * 400).join("[]").encode()
    said = readable(raw)
    assert (said.form, said.text) == ("text", raw.decode())
    assert said.why == f"Not laid out: it would be longer than {MOST_LAID_OUT:,} characters."
    assert readable(raw[:125] + b"]").form == "text"
    assert readable(b'{"a":{"b":{"c":[1,2,{"d":[[[1]]]}]}}}').form == "json"
    assert readable(json.dumps([{"id": n, "of": {"a": [1, 2]}} for n in range(1_000)]).encode()).form == "json"


def test_other_bytes_are_hex() -> None:
    assert readable(b"\xff\x00\x01").text == "00000000  ff 00 01"


def test_a_large_value_is_cut_between_two_characters() -> None:
    said = readable(("a" + "ü" * MOST_BYTES).encode())
    assert (said.form, said.cut, said.n_bytes) == ("text", True, 2 * MOST_BYTES + 1)
    assert said.text.endswith("ü")


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(value: bytes) -> None:
    assert readable(value).n_bytes == len(value)


def test_headers_keep_their_order_and_repeats() -> None:
    said = readable_headers((("a", b"1"), ("Traceparent", b"x"), ("a", None))).items
    assert [(header.name, header.value.form, header.is_trace) for header in said] == [
        ("a", "text", False),
        ("Traceparent", "text", True),
        ("a", "tombstone", False),
    ]


def test_of_very_many_headers_the_first_are_shown_and_the_others_counted() -> None:
    said = readable_headers(tuple(("h", b"") for _ in range(100_000)))
    assert (len(said.items), said.n_more) == (MOST_HEADERS, 100_000 - MOST_HEADERS)
