"""What rules drop and hide."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain import json_paths, json_values, masking
from collector.domain.json_paths import parse
from collector.domain.masking import MASK, Aim, Rule, Rules, concealed, dropped, masked_texts, without_shapes
from collector.domain.records import Headers, Record

SECRET = "4111-secret-1111"


def aim(*paths: str, headers: tuple[str, ...] = (), key: bool = False) -> Aim:
    return Aim(tuple(parse(path) for path in paths), frozenset(headers), key)


def record(value: object, *, key: bytes | None = b"o-1", headers: Headers = ()) -> Record:
    raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    return Record("payments", 0, 1, None, 0, key, raw, headers)


def test_a_dropped_path_header_and_key_are_gone_and_the_rest_is_there() -> None:
    whole = record(
        {"card": {"number": SECRET, "kind": "visa"}, "n": 1}, headers=(("Authorization", b"Bearer x"), ("a", b"b"))
    )
    found, is_readable = dropped(whole, aim("$.card.number", headers=("authorization",), key=True))
    assert is_readable
    assert json.loads(found.value or b"") == {"card": {"kind": "visa"}, "n": 1}
    assert (found.key, found.headers) == (None, (("a", b"b"),))


def test_copies_of_what_was_dropped_go_with_it() -> None:
    whole = record(
        {"card": SECRET, "note": f"paid by {SECRET}", "inner": json.dumps({"card": SECRET})},
        key=f"k-{SECRET}".encode(),
        headers=(("x-card", SECRET.encode()), ("x-raw", b"\xff" + SECRET.encode())),
    )
    found, _ = dropped(whole, aim("$.card"))
    assert SECRET.encode() not in repr(found).encode()
    assert json.loads(found.value or b"")["note"] == f"paid by {MASK}"


@pytest.mark.parametrize("value", [b"\x00avro", b'{"a": 1, "a": 2}', b"[" * 100 + b"]" * 100, b'{"a": NaN}', b"{"])
def test_a_value_that_cannot_be_looked_into_goes_or_hides_as_a_whole(value: bytes) -> None:
    found, is_readable = dropped(record(value), aim("$.a"))
    assert (found.value, is_readable) == (None, False)
    seen = concealed(aim("$.a"), key=None, value=value, headers=())
    assert (seen.value, seen.value_is_hidden) == (MASK.encode(), True)


def test_a_tombstone_stays_one_and_what_no_rule_names_stays_byte_for_byte() -> None:
    assert dropped(record(None), aim("$.a")) == (record(None), True)
    raw = b'{"b":  1}'
    assert dropped(record(raw), aim(headers=("x",)))[0].value == raw
    assert concealed(aim("$.a"), key=None, value=None, headers=()).value is None


def test_masks_hide_in_the_key_in_headers_in_the_rest_of_the_value_and_in_what_was_said() -> None:
    seen = concealed(
        aim("$..email", headers=("x-user",)),
        key=b"ada@shop.example",
        value=json.dumps(
            {"a": [{"email": "ada@shop.example"}], "text": "to ada@shop.example", "user": "u-77-ada"}
        ).encode(),
        headers=(("X-User", b"u-77-ada"), ("reply", b"ada@shop.example")),
    )
    assert json.loads(seen.value or b"") == {"a": [{"email": MASK}], "text": f"to {MASK}", "user": MASK}
    assert (seen.key, seen.headers) == (MASK.encode(), (("X-User", MASK.encode()), ("reply", MASK.encode())))
    assert seen.said("no such user: ada@shop.example") == f"no such user: {MASK}"


def test_a_masked_object_hides_whole_and_numbers_hide_as_they_are_written() -> None:
    seen = concealed(aim("$.card"), key=b"55512345", value=b'{"card": {"n": 55512345, "ok": true}}', headers=())
    assert (seen.value, seen.key) == (f'{{"card":"{MASK}"}}'.encode(), MASK.encode())


def test_short_texts_are_hidden_where_they_stand_and_searched_nowhere() -> None:
    held: dict[str, Any] = {"key": b"abc", "value": b'{"pin": "123", "n": "123"}', "headers": ()}
    seen = concealed(aim("$.pin"), **held)
    assert json.loads(seen.value or b"") == {"pin": MASK, "n": "123"}
    assert masked_texts(aim("$.pin", key=True), **held) == {"123", "abc"}


def test_rules_are_for_the_topics_that_their_patterns_fit() -> None:
    rules = Rules((Rule(("pay*", "-pay.test"), aim("$.a")), Rule(("*",), aim(headers=("x",)))))
    assert rules.of("payments") == aim("$.a", headers=("x",))
    assert rules.of("pay.test") == aim(headers=("x",))
    assert rules.of("orders.dlq", "payments", None) == aim("$.a", headers=("x",))
    assert not Rules().of("payments")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("card 4111 1111 1111 1111 declined", f"card {MASK} declined"),
        ("order 1234567890123456 is gone", "order 1234567890123456 is gone"),  # fails Luhn's check
        ("Authorization: Bearer abc.def-ghi_jkl", f"Authorization: Bearer {MASK}"),
        ("postgres://weir:hunter2@db/x", f"postgres://{MASK}@db/x"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig", f"token {MASK}"),
        ("nothing to hide in 12 words", "nothing to hide in 12 words"),
    ],
)
def test_secrets_are_known_by_their_shape(text: str, expected: str) -> None:
    assert without_shapes(text) == expected


NAMES = st.sampled_from(["a", "b", "card", "id"])
LEAVES = st.one_of(st.text(max_size=6), st.integers(), st.booleans(), st.none())
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)
PATHS = st.sampled_from(["$.card", "$..card", "$.a.b", "$.*", "$[*].id", "$..id", "$.a[0]", "$..a.card"])


@given(tree=TREES, paths=st.lists(PATHS, min_size=1, max_size=3), key=st.text(max_size=8), said=st.text(max_size=8))
def test_no_text_at_a_masked_path_is_in_anything_that_may_be_seen(
    tree: Any, paths: list[str], key: str, said: str
) -> None:
    secret = "s3cr3t-" + key
    planted = {"card": [{"id": secret}], "rest": tree, "copy": f"<{secret}>", "boxed": json.dumps({"card": secret})}
    rule = aim("$.card", *paths)
    value = json.dumps(planted).encode()
    seen = concealed(rule, key=secret.encode(), value=value, headers=(("h", f"{said}{secret}".encode()),))
    whole = json.dumps(
        [seen.key, seen.value, seen.headers, seen.said(f"{said}{secret}")], default=repr, ensure_ascii=False
    )
    assert secret not in whole
    kept, _ = dropped(record(planted, key=secret.encode()), rule)
    assert secret.encode() not in (kept.value or b"") + (kept.key or b"")


@given(tree=TREES, path=PATHS)
def test_what_stood_at_a_path_stands_nowhere_there_any_more(tree: Any, path: str) -> None:
    seen = concealed(aim(path), key=None, value=json_values.dumps(tree).encode(), headers=())
    if not seen.value_is_hidden:
        left = json_values.loads(seen.value or b"null")
        assert {text for each in json_paths.found(left, parse(path)) for text in json_values.leaves(each)} <= {MASK}


@given(st.text(max_size=4_000))
def test_every_text_is_looked_through_in_time(text: str) -> None:
    masking.without_shapes(text * 20)


_PIECES = [
    "eyJabcdefgh.abcd", "bearer", "Bearer ", "basic ", "BA\u017fIC ", "abcdefgh12", "4111 1111 1111 1111", "4111", "1",
    "https://u:p@h", "://", ":p@", "\n", "\r\n", "\u2028", " ", ".", "-", "\tat shop.Gateway.charge(Gateway.java:88)",
]  # fmt: skip


@given(st.lists(st.sampled_from(_PIECES), max_size=25).map("".join))
def test_a_text_of_many_lines_is_cleaned_as_it_would_be_in_one_go(text: str) -> None:
    whole = text
    for _, pattern, word in masking._SHAPES:
        whole = pattern.sub(word, whole)
    whole = masking._CARD.sub(lambda found: MASK if masking._is_card(found.group()) else found.group(), whole)
    assert without_shapes(text) == whole
