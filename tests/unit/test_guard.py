"""A sender cannot fill the dictionaries."""

from collections import Counter
from datetime import date

import pytest

from collector.store.guard import Guard, Kind, folded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /orders/4711", "GET /orders/#"),
        ("job 1f8b7c1e-3a0d-4f7e-9c0a-5f2b6f1f0a11 done", "job # done"),
        ("tx deadbeef00c0ffee", "tx #"),
        ("orders.created", "orders.created"),
        ("feedback", "feedback"),
        ("v2.10.3", "v#.#.#"),
    ],
)
def test_ids_and_numbers_are_folded_and_words_are_not(text: str, expected: str) -> None:
    assert folded(text) == expected


def test_beyond_the_limit_nothing_new_is_admitted_but_some_folded_names() -> None:
    guard = Guard(Counter(), limits={Kind.NAME: 20})
    assert [guard.admits(Kind.NAME, 1) for _ in range(21)] == [True] * 20 + [False]
    assert [guard.admits(Kind.NAME, 1, is_folded=True) for _ in range(3)] == [True, True, False]


def test_owners_are_counted_apart() -> None:
    guard = Guard(Counter({(Kind.TOPIC, 1): 50}))
    assert not guard.admits(Kind.TOPIC, 1)
    assert guard.admits(Kind.TOPIC, 2)


def test_instances_may_come_anew_each_day_and_nothing_else() -> None:
    guard = Guard(Counter(), limits={Kind.SOURCE: 1, Kind.NAME: 1})
    guard.begin_day(date(2026, 11, 24))
    assert guard.admits(Kind.SOURCE, 1)
    assert guard.admits(Kind.NAME, 1)
    guard.begin_day(date(2026, 11, 24))
    assert not guard.admits(Kind.SOURCE, 1)
    guard.begin_day(date(2026, 11, 25))
    assert guard.admits(Kind.SOURCE, 1)
    assert not guard.admits(Kind.NAME, 1)
