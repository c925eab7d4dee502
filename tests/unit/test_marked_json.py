"""Hidden parts of a JSON text as marks: what is behind them comes back to its place, and nowhere else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain import json_paths
from collector.domain.marked_json import MarkMoved, marked, unmarked
from collector.domain.masking import MASK

TEXT = '{ "card": {"number": "4111-1", "year": 30},\n "amount": 12.50, "lines": [{"iban": "DE1"}, {"iban": "DE2"}] }'
SEEN = {"card": MASK, "amount": 12.5, "lines": [{"iban": MASK}, {"iban": MASK}]}
SHOWN = f'{{ "card": "{MASK} 1",\n "amount": 12.50, "lines": [{{"iban": "{MASK} 2"}}, {{"iban": "{MASK} 3"}}] }}'


def test_all_but_the_marks_is_as_it_was_written() -> None:
    found = marked(TEXT, SEEN)
    assert found.text == SHOWN
    assert unmarked(found.text, found.behind) == TEXT


def test_a_change_beside_the_marks_keeps_what_is_behind_them() -> None:
    found = marked(TEXT, SEEN)
    typed = found.text.replace("12.50", "13.00").replace('"amount"', '"new": [1, {}], "amount"')
    whole = TEXT.replace("12.50", "13.00").replace('"amount"', '"new": [1, {}], "amount"')
    assert unmarked(typed, found.behind) == whole


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f'"{MASK} 2"', f'"{MASK} 3"'),  # twice, and one is gone
        (f'"{MASK} 1"', '"mine"'),
        (f'"amount": 12.50, "lines": [{{"iban": "{MASK} 2"}}, ', '"amount": 12.50, "lines": ['),
        ('"amount": 12.50', f'"amount": "{MASK} 1"'),
        ('"amount": 12.50', f'"amount": "so {MASK}"'),
        ('"lines"', '"rows"'),
        ('"lines": [', '"lines": [0, '),
    ],
)
def test_a_mark_that_moved_is_refused(before: str, after: str) -> None:
    found = marked(TEXT, SEEN)
    assert before in found.text
    with pytest.raises(MarkMoved):
        unmarked(found.text.replace(before, after, 1), found.behind)


def test_a_text_that_is_no_json_is_no_mark_that_moved() -> None:
    found = marked(TEXT, SEEN)
    with pytest.raises(json.JSONDecodeError):
        unmarked(found.text[:-1], found.behind)


def test_hidden_names_are_not_edited() -> None:
    with pytest.raises(MarkMoved):
        marked('{"anna@x.de": 1}', {MASK: 1})


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@given(tree=trees, indent=st.sampled_from([None, 1]), name=st.text(min_size=1))
def test_whatever_is_hidden_comes_back(tree: Any, indent: int | None, name: str) -> None:
    whole = {"hidden": tree, name: [tree]}
    text = json.dumps(whole, indent=indent)
    seen = json_paths.changed(json.loads(text), (json_paths.Step("name", "hidden"),), lambda _: MASK)
    found = marked(text, seen)
    assert unmarked(found.text, found.behind) == text
    assert json.loads(found.text)["hidden"] == f"{MASK} 1"
