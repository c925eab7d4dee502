"""Paths into JSON."""

from typing import Any

import pytest

from collector.domain.json_paths import GONE, NotAPath, changed, found, parse

ORDER: Any = {
    "id": 7,
    "customer": {"id": "c-1", "e mail": "a@b.example"},
    "items": [{"sku": "A", "iban": "x"}, {"sku": "B"}, [1, 2]],
    "billing": {"card": {"iban": "y"}},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.customer.id", ["c-1"]),
        ("$['customer']['e mail']", ["a@b.example"]),
        ("$.items[*].sku", ["A", "B"]),
        ("$.items[1].sku", ["B"]),
        ("$.items[9].sku", []),
        ("$.customer.*", ["c-1", "a@b.example"]),
        ("$..iban", ["x", "y"]),
        ("$..card.iban", ["y"]),
        ("$.id.deeper", []),
        ("$.missing", []),
    ],
)
def test_a_path_finds_what_is_there(path: str, expected: list[object]) -> None:
    assert list(found(ORDER, parse(path))) == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "$",
        "customer.id",
        "$.",
        "$..",
        "$[",
        "$[-1]",
        "$[?(@.a)]",
        "$.a b",
        "$.a[1",
        "$" + ".a" * 17,
        "$." + "a" * 300,
    ],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(NotAPath):
        parse(path)


def test_a_change_leaves_everything_else_as_it_was_and_the_original_alone() -> None:
    made = changed(ORDER, parse("$.items[*].sku"), lambda _: GONE)
    assert made["items"] == [{"iban": "x"}, {}, [1, 2]]
    assert (made["customer"], ORDER["items"][0]["sku"]) == (ORDER["customer"], "A")
    assert changed(ORDER, parse("$..iban"), lambda _: 0)["billing"] == {"card": {"iban": 0}}


def test_names_at_any_depth_are_looked_for_once_however_often_a_path_does() -> None:
    tree: Any = 0
    for _ in range(62):
        tree = {"a": tree}
    deep = parse("$" + "..a" * 16)
    assert len(list(found(tree, deep))) == 62 - 15  # whatever has fifteen of them above
    assert changed(tree, parse("$" + "..a" * 2), lambda _: GONE) == {"a": {}}


def test_a_place_that_several_ways_lead_to_is_found_once() -> None:
    tree = {"a": {"a": {"a": 1, "b": {"a": 2}}}}
    assert list(found(tree, parse("$..a..a"))) == [tree["a"]["a"], 1, 2]
    assert list(found(tree, parse("$..a.*..a"))) == [1, 2]


def test_what_a_change_made_is_not_looked_into() -> None:
    assert changed({"a": 1}, parse("$..a"), lambda _: {"a": 2}) == {"a": {"a": 2}}
