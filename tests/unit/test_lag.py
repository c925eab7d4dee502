"""Lag in offsets and seconds, and the numbered rules of the verdict, as case tables."""

import random

import pytest

from collector.domain.lag import Age, Standing, Trend, Verdict, age, behind, lag, lost, trend, verdict


@pytest.mark.parametrize(
    ("committed", "low", "high", "unread", "gone"),
    [
        (10, 0, 30, 20, 0),
        (30, 0, 30, 0, 0),
        (200, 1000, 1000, 0, 800),  # retention took what was not read
        (10, 50, 100, 50, 40),  # … and part of it
        (500, 0, 30, 0, 0),  # committed beyond the end by somebody
        (0, 0, 0, 0, 0),
        (None, 0, 30, None, 0),  # never committed
        (10, 0, None, None, 0),  # no end was answered: unknown, never 0
        (10, None, 30, None, 0),
    ],
)
def test_lag_is_what_can_still_be_read_and_lost_is_what_cannot(
    committed: int | None, low: int | None, high: int | None, unread: int | None, gone: int
) -> None:
    assert lag(committed, low=low, high=high) == unread
    assert lost(committed, low=low) == gone


STEADY = [(float(second), [second * 10]) for second in range(0, 101, 10)]  # 10 records a second


@pytest.mark.parametrize(
    ("position", "now", "expected"),
    [
        (0, 100, 100),
        (500, 100, 50),
        (999, 100, 0.1),
        (505, 130, 79.5),
    ],
)
def test_an_age_is_interpolated_between_the_ends_around_the_position(
    position: int, now: float, expected: float
) -> None:
    found = age(position, partition=0, history=STEADY, now=now)
    assert found is not None
    assert found.seconds == pytest.approx(expected, abs=0.1)
    assert found.margin_seconds <= 10


def test_an_age_is_unknown_before_the_history_begins() -> None:
    assert age(5, partition=0, history=[(0.0, [10]), (10.0, [20])], now=20) is None
    assert age(0, partition=0, history=[], now=20) is None


def test_the_silence_before_a_burst_does_not_make_its_records_old() -> None:
    history = [(0.0, [100]), (290.0, [100]), (300.0, [600])]
    found = age(100, partition=0, history=history, now=305)
    assert found is not None
    assert 5 <= found.seconds <= 15


def test_a_partition_that_came_later_began_at_nothing() -> None:
    history = [(0.0, [5]), (10.0, [5, 4])]
    found = age(0, partition=1, history=history, now=10)
    assert found is not None
    assert found.seconds == pytest.approx(8.75)


def test_a_point_without_an_answer_bounds_nothing() -> None:
    history = [(0.0, [10]), (10.0, [~10]), (20.0, [~10]), (30.0, [40])]
    found = age(10, partition=0, history=history, now=30)
    assert found is not None
    assert found.margin_seconds > 25


def test_the_true_age_is_always_within_the_margin() -> None:
    drawn = random.Random(3)
    for _ in range(200):
        written = sorted(drawn.uniform(0, 300) for _ in range(drawn.randint(2, 400)))
        times = [second + drawn.uniform(-1, 1) for second in range(0, 310, 10)]
        history = [(at, [sum(each <= at for each in written)]) for at in times]
        position = drawn.randrange(len(written))
        found = age(position, partition=0, history=history, now=310)
        if found is None:
            assert written[position] < times[0]
            continue
        assert abs(310 - written[position] - found.seconds) <= found.margin_seconds + 1e-6


def test_one_unknown_end_makes_the_whole_lag_unknown_and_never_smaller() -> None:
    found = behind((5, 5), low=(0, None), high=(9, None), history=[], now=0)
    assert (found.lag, found.age) == (None, None)


def test_partitions_without_a_commit_are_told_apart_from_lag() -> None:
    found = behind((4, None, 9), low=(0, 0, 0), high=(9, 7, 9), history=[(0.0, [0, 0, 9]), (10.0, [9, 7, 9])], now=10)
    assert (found.lag, found.n_uncommitted, found.lost) == (5, 1, 0)
    assert found.age is not None


def test_without_lag_nothing_is_old() -> None:
    assert behind((9,), low=(0,), high=(9,), history=[], now=5).age == Age(0.0, 0.0)


def test_a_group_that_never_committed_has_no_lag() -> None:
    assert behind((None,), low=(0,), high=(9,), history=[], now=5).lag is None


def standings(
    *lags: int | None, state: str = "Stable", members: int = 1, committed: list[int] | None = None, every: float = 10
) -> list[Standing]:
    offsets = committed or [index * 100 for index in range(len(lags))]
    return [Standing(index * every, state, members, value, (offsets[index],)) for index, value in enumerate(lags)]


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ([], None),
        ([Standing(0, "Stable", 1, None, (None, None))], Verdict.NO_COMMITS),  # 1
        (standings(5, 5, state="PreparingRebalance"), Verdict.REBALANCING),  # 2
        (standings(5, 5, state="Rebalancing"), Verdict.REBALANCING),  # 2, KIP-848
        (standings(5, 50, 55, committed=[100, 20, 40]), Verdict.REWOUND),  # 3
        (standings(5, 50, 0, committed=[100, 20, 100]), Verdict.OK),  # 3 recovered
        (standings(9, 0, 9, 9, 9, committed=[1, 1, 1, 1, 1]), Verdict.OK),  # 4
        (standings(9, 9, 9, 9, committed=[1, 1, 1, 1], members=0, state="Empty"), Verdict.STOPPED),  # 5
        (standings(9, 9, 9, 9, committed=[1, 1, 1, 1]), Verdict.STALLED),  # 6
        (standings(9, 19, 29, 39), Verdict.SLOW),  # 7
        (standings(9, 19, 12, 39), Verdict.OK),  # it fell once: a saw
        (standings(90, 70, 40, 9), Verdict.OK),  # catching up
        (standings(9, 9, 9, 9), Verdict.OK),  # steady
        (standings(9, 9, committed=[1, 1]), None),  # too short a window to tell
        (standings(9, None), None),  # unknown
    ],
)
def test_the_first_rule_that_fits_gives_the_verdict(window: list[Standing], expected: Verdict | None) -> None:
    assert verdict(window) == expected


@pytest.mark.parametrize(
    ("lags", "expected"),
    [
        ((10, 20, 30, 40), Trend.RISING),
        ((40, 30, 20, 10), Trend.FALLING),
        ((100, 101, 99, 100), Trend.FLAT),
        ((0, 0), Trend.FLAT),
        ((5,), None),
        ((None, 5), None),
    ],
)
def test_the_trend_compares_the_later_half_with_the_earlier(
    lags: tuple[int | None, ...], expected: Trend | None
) -> None:
    assert trend(standings(*lags)) == expected
