"""JSON that a record holds is read with limits."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain import json_values
from collector.domain.json_values import MOST_TOKENS, NotJson

TEXTS = st.text(st.sampled_from(["a", '"', "\\", ",", "[", "{", ":", "é", "\u2028"]), max_size=8)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


def n_tokens(tree: object) -> int:
    """Behind each "[", "{", "," and ":" stands a value or a name, or nothing in what is empty."""
    if isinstance(tree, dict):
        return max(1, 2 * len(tree)) + sum(map(n_tokens, tree.values()))
    return max(1, len(tree)) + sum(map(n_tokens, tree)) if isinstance(tree, list) else 0


@given(TREES)
def test_s56_values_and_names_are_counted_and_texts_are_not(tree: object) -> None:
    for raw in (json_values.dumps(tree), json_values.dumps(tree).encode()):
        assert not json_values._tokens_beyond(raw, n_tokens(tree))
        assert n_tokens(tree) == 0 or json_values._tokens_beyond(raw, n_tokens(tree) - 1)


@pytest.mark.parametrize(
    "bomb",
    [
        b"[" + b"0," * MOST_TOKENS + b"0]",
        b'{"a":[' + b"{}," * MOST_TOKENS + b"{}]}",
        b"[" + b'"",' * MOST_TOKENS + b'""]',
    ],
)
def test_s56_more_values_than_anybody_reads_are_refused_before_they_are_made(bomb: bytes) -> None:
    assert len(bomb) < json_values.MOST_BYTES
    began = time.process_time()
    with pytest.raises(NotJson):
        json_values.loads(bomb)
    assert time.process_time() - began < 1.0


def test_a_long_text_with_as_many_commas_is_read() -> None:
    text = "1,2;" * MOST_TOKENS
    assert json_values.loads(json_values.dumps({"rows": text})) == {"rows": text}
    assert json_values.loads(b'["\\",\\"' + b"," * MOST_TOKENS + b'"]') == ['","' + "," * MOST_TOKENS]


def test_a_text_without_an_end_takes_no_longer() -> None:
    began = time.process_time()
    with pytest.raises(NotJson):
        json_values.loads('["' + '\\"' * 900_000)
    with pytest.raises(NotJson):
        json_values.loads("[" * 300_000 + '"' + "\\" * 900_000)
    assert time.process_time() - began < 2.0
