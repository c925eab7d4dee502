"""Copies of masked texts: found wherever they stand, however many there are, in time that grows with the record."""

import json
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain import json_values
from collector.domain.copies import FEW, MASK, MOST_CHARACTERS, Copies
from collector.domain.json_paths import parse
from collector.domain.masking import Aim, concealed, dropped
from collector.domain.records import Record

FILL = [f"~{number:05}~" for number in range(FEW)]  # makes them many; none is in the texts below
SECRETS = st.lists(st.text('ab"\n', min_size=4, max_size=7), min_size=1, max_size=6, unique=True)
TEXTS = st.text('ab"\n\\', max_size=40)


def forms_of(secrets: list[str]) -> set[str]:
    return {form for each in secrets for form in (each, json_values.dumps(each)[1:-1])}


def plainly(text: str, secrets: list[str]) -> str:
    """By trying every form at every place."""
    places = [
        (start, start + len(form))
        for form in forms_of(secrets)
        for start in range(len(text))
        if text.startswith(form, start)
    ]
    spans: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    for start, end in reversed(spans):
        text = text[:start] + MASK + text[end:]
    return text


@given(secrets=SECRETS, text=TEXTS)
def test_many_are_found_like_by_trying_each_everywhere(secrets: list[str], text: str) -> None:
    assert Copies([*secrets, *FILL]).without(text) == plainly(text, secrets)


@given(secrets=SECRETS, text=TEXTS)
def test_no_secret_is_left_be_they_few_or_many(secrets: list[str], text: str) -> None:
    for copies in (Copies(secrets), Copies([*secrets, *FILL])):
        assert not any(form in copies.without(text) for form in forms_of(secrets))


WORDS = st.sampled_from([f"<{word}>" for word in ("ada", "bob", "car", "dot", "eve")])
LEAVES = st.one_of(
    st.lists(WORDS | st.sampled_from(["x", " y"]), max_size=4).map("".join), st.integers(), st.booleans()
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.just("n"), inner, max_size=3),
    max_leaves=10,
)


@given(tree=TREES, masked=st.lists(WORDS, max_size=3, unique=True))
def test_a_record_looks_the_same_whether_few_or_many_are_masked(tree: object, masked: list[str]) -> None:
    aim = Aim((parse("$.m"),))
    few, many = (
        concealed(
            aim, key=b"<ada><bob>", value=json.dumps({"m": secrets, "rest": tree}).encode(), headers=(("h", b"<eve>"),)
        )
        for secrets in (masked, [*masked, *FILL])
    )
    assert (few.key, few.value, few.headers) == (many.key, many.value, many.headers)
    assert few.said("no <car>") == many.said("no <car>")


def test_masks_make_no_secret_with_what_they_leave() -> None:
    assert Copies(["word", f"x{MASK}y", *FILL]).without("xwordy") == MASK


@pytest.mark.parametrize("start", ["", "4111-1111-1111-"], ids=["apart", "alike"])
def test_thousands_of_masked_items_take_little_time(start: str) -> None:
    items = [{"card": f"{start}{number:06}", "sku": f"s-{number}", "n": number} for number in range(4_000)]
    value = json.dumps({"items": items, "note": f"by {start}000777!"}).encode()
    aim = Aim((parse("$.items[*].card"),))
    begun = process_time()
    seen = concealed(aim, key=f"{start}000003".encode(), value=value, headers=())
    kept, _ = dropped(Record("pay", 0, 1, None, 0, None, value, ()), aim)
    assert seen.said(f"no {start}003999") == f"no {MASK}"
    assert process_time() - begun < 2
    found = json.loads(seen.value or b"")
    assert [each["card"] for each in found["items"]] == [MASK] * 4_000
    assert (found["note"], seen.key) == (f"by {MASK}!", MASK.encode())
    assert json.loads(kept.value or b"")["note"] == f"by {MASK}!"


@pytest.mark.parametrize("sign", ["a", "\x01"], ids=["plain", "escaped"])
def test_where_there_are_too_many_to_look_for_all_hides(sign: str) -> None:
    long = sign * (MOST_CHARACTERS // 100 // len(json_values.dumps(sign)[1:-1]))
    value = json.dumps({"items": [f"{long}{number}" for number in range(100)], "n": 1}).encode()
    aim = Aim((parse("$.items"),))
    seen = concealed(aim, key=b"k-1", value=value, headers=(("h", b"held"), ("none", None)))
    assert (seen.value, seen.value_is_hidden, seen.key) == (MASK.encode(), True, MASK.encode())
    assert (seen.headers, seen.said("text")) == ((("h", MASK.encode()), ("none", None)), MASK)
    record, is_readable = dropped(Record("pay", 0, 1, None, 0, b"k-1", value, ()), aim)
    assert (record.value, record.key, is_readable) == (None, MASK.encode(), False)
