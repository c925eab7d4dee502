"""When a topic is far below its usual."""

import pytest

from collector.domain.silence import Basis, Usual, is_silent, usual


def of(least: int, n: int = 7) -> Usual:
    return Usual(least, n, Basis.HOUR)


@pytest.mark.parametrize(
    ("n", "usually", "silent"),
    [
        (0, of(400), True),
        (12, of(400), True),
        (190, of(400), True),
        (200, of(400), False),  # half is not far
        (399, of(400), False),
        (500, of(400), False),
        (0, of(10), True),
        (0, of(9), False),  # so few may be absent by chance
        (2, of(10), False),
        (3, of(30), True),
        (11, of(30), False),  # about a third, but chance alone makes it of thirty
        (0, of(0), False),  # it is usual that nothing comes
        (40_000, of(100_000), True),
        (0, None, False),
    ],
)
def test_far_below_the_least_and_not_by_chance(n: int, usually: Usual | None, silent: bool) -> None:
    assert is_silent(n, usually) is silent


def test_the_same_hour_counts_before_the_day_and_too_few_tell_nothing() -> None:
    assert usual([40, 30, 50], [1, 2, 3]) == Usual(30, 3, Basis.HOUR)
    assert usual([40, 30], [7, 5, 6]) == Usual(5, 3, Basis.DAY)
    assert usual([40, 30], [7, 5]) is None
    assert usual([], []) is None
