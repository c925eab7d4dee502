"""When two counts or two percentiles differ, and when there is too little to tell."""

import math
import random

import pytest

from collector.domain.histograms import counted
from collector.domain.significance import (
    CHANCE,
    bounds,
    least_measured,
    least_to_tell,
    levels,
    levels_differ,
    rates_differ,
)


@pytest.mark.parametrize(
    ("before", "after", "differ"),
    [
        ((0, 900), (0, 900), False),
        ((10, 900), (0, 900), False),  # 2 · 0.5^10 is more than one in a thousand
        ((11, 900), (0, 900), True),
        ((0, 900), (11, 900), True),
        ((100, 900), (125, 900), False),
        ((100, 900), (160, 900), True),
        ((10_000, 900), (10_300, 900), False),
        ((10_000, 900), (10_800, 900), True),
        ((900, 900), (300, 300), False),  # the same rate, a third of the time
        ((900, 900), (450, 300), True),
        ((50, 0), (50, 900), False),  # nobody looked before: nothing can be told
    ],
)
def test_counts_differ_when_chance_hardly_makes_them(
    before: tuple[int, float], after: tuple[int, float], differ: bool
) -> None:
    assert rates_differ(*before, *after) is differ
    assert rates_differ(*after, *before) is differ


def test_the_exact_test_and_its_approximation_agree_where_they_meet() -> None:
    for n_after in range(900, 1101, 5):
        assert rates_differ(1_000, 1, n_after, 1) == rates_differ(1_001, 1, n_after + 1, 1), n_after


def test_equal_rates_are_seldom_taken_for_different() -> None:
    dice = random.Random(3)
    n_wrong = sum(
        rates_differ(poisson(dice, 40), 900, poisson(dice, 40), 900) for _ in range(5_000)
    )  # 5 are to be expected at most
    assert n_wrong <= 5_000 * CHANCE * 3


def test_least_to_tell_is_where_an_end_becomes_certain() -> None:
    for seconds in ((900.0, 900.0), (900.0, 300.0), (60.0, 3_600.0)):
        least = least_to_tell(*seconds)
        assert least is not None
        rare = (least, seconds[0], 0, seconds[1]) if seconds[0] > seconds[1] else (0, seconds[0], least, seconds[1])
        assert rates_differ(*rare)
    assert least_to_tell(900, 900) == 11
    assert least_to_tell(0, 900) is None


def test_bounds_hold_the_percentile_and_need_enough_of_them() -> None:
    dice = random.Random(5)
    true = math.exp(1.6449) * 100  # the 95th percentile of this distribution
    held = 0
    for _ in range(300):
        low, high = bounds(counted([math.exp(dice.gauss(0, 1)) * 100 for _ in range(400)]), 0.95)
        assert low is not None
        assert high is not None
        held += low / 1.05 <= true <= high * 1.05
    assert held >= 290
    assert least_measured(0.95) == 104
    assert bounds(counted([5.0] * 103), 0.95)[1] is None
    assert bounds(counted([5.0] * 104), 0.95)[1] == pytest.approx(5, rel=0.05)
    assert bounds({}, 0.95) == (None, None)
    low, high = bounds(counted([5.0] * 100_000), 0.95)
    assert low == high == pytest.approx(5, rel=0.05)


def test_levels_are_of_stretches_that_hold_enough() -> None:
    steps = [counted([10.0] * 20), counted([20.0] * 12), counted([20.0] * 12), counted([90.0] * 5)]
    assert list(levels(steps, 0.95)) == pytest.approx([10, 20], rel=0.05)
    assert levels([], 0.95) == ()


@pytest.mark.parametrize(
    ("before", "after", "differ"),
    [
        ((10.0,) * 4, (50.0,) * 4, True),
        ((10.0, 12.0, 9.0, 11.0), (50.0, 44.0, 55.0, 48.0), True),
        ((10.0, 12.0, 9.0, 11.0), (13.0, 16.0, 12.0, 17.0), False),  # a third more, of four minutes each
        ((10.0, 12.0, 9.0, 11.0) * 4, (13.0, 16.0, 12.0, 17.0) * 4, True),  # and of sixteen
        ((10.0, 12.0), (500.0,) * 15, False),  # of two nothing is known
        ((10.0,) * 5, (10.0, 10.0, 900.0, 10.0, 800.0), False),
        ((10.0,) * 3, (11.0,) * 3, False),  # the next bin
    ],
)
def test_levels_differ_beyond_what_they_vary(before: tuple[float, ...], after: tuple[float, ...], differ: bool) -> None:
    assert levels_differ(before, after) is differ
    assert levels_differ(after, before) is differ


def test_equal_levels_are_seldom_taken_for_different_however_much_they_vary() -> None:
    dice = random.Random(11)

    def minutes(n: int, spread: float) -> list[float]:
        return [100 * math.exp(dice.gauss(0, spread)) for _ in range(n)]

    for n in (3, 4, 15):
        n_wrong = sum(levels_differ(minutes(n, 0.1), minutes(n, 0.8)) for _ in range(2_000))
        assert n_wrong <= 2_000 * CHANCE * 4, n


def poisson(dice: random.Random, mean: float) -> int:
    """A count of independent events."""
    n, left = 0, math.exp(-mean)
    product = dice.random()
    while product > left:
        n += 1
        product *= dice.random()
    return n
