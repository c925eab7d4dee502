"""Terms of a filter, each with what is left without it."""

import pytest

from dashboard.queries.chips import Chip, chips
from dashboard.queries.letter_filter import tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("declined", [("declined", "")]),
        ('"two words" -x', [('"two words"', "-x"), ("-x", '"two words"')]),
        ("a or b", [("a", "b"), ("b", "a")]),
        ("a b or c", [("a", "b or c"), ("b", "a or c"), ("c", "a b")]),
        ("or a or", [("a", "")]),
    ],
)
def test_a_term_that_is_taken_out_leaves_a_filter(text: str, expected: list[tuple[str, str]]) -> None:
    assert list(chips(tokens(text))) == [Chip(*each) for each in expected]
