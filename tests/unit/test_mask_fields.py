"""Fields of a mask by their names, and what stands for a masked key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain import json_paths
from collector.domain.json_paths import Step, written
from collector.domain.key_aliases import alias
from collector.domain.mask_fields import fields, without
from collector.domain.masking import NOTHING, Aim

AIM = Aim(
    (json_paths.parse("$.a.b"), json_paths.parse("$..iban")), frozenset({"x-user"}), key=True, attributes=frozenset("u")
)
NAMES = ("key", "header x-user", "$.a.b", "$..iban", "attribute u")
WORDS = st.text(st.characters(exclude_characters=" \t\n\r\v\f.[]'\"*", exclude_categories=["Z", "C"]), min_size=1)


def test_every_field_has_a_name_and_may_be_taken_out_by_it() -> None:
    assert fields(AIM) == NAMES
    for name in NAMES:
        assert fields(without(AIM, [name])) == tuple(each for each in NAMES if each != name)
    assert without(AIM, NAMES) == NOTHING
    assert without(AIM, ["x-user", "header X", "$.a"]) == AIM


@given(
    st.lists(
        st.one_of(
            st.builds(Step, st.just("name"), st.one_of(WORDS, st.just("a b.c"))),
            st.builds(Step, st.just("deep"), WORDS),
            st.builds(Step, st.just("index"), st.just(""), st.integers(0, 10**9 - 1)),
            st.just(Step("all")),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_path_is_read_as_it_was_written(steps: list[Step]) -> None:
    text = written(tuple(steps))
    if len(text) <= json_paths.MOST_CHARACTERS:
        assert json_paths.parse(text) == tuple(steps)


@pytest.mark.parametrize("key", ["order-123", "", "Ada Ågren", "0" * 500])
def test_an_alias_is_the_same_for_the_same_key_and_another_with_another_secret(key: str) -> None:
    found = alias(b"a" * 32, key)
    assert found == alias(b"a" * 32, key.encode())
    assert len(found) == 17
    assert found[0] == "~"
    assert set(found[1:]) <= set("0123456789abcdef")
    assert found != alias(b"b" * 32, key)
    assert found != alias(b"a" * 32, key + "!")
