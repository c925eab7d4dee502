"""Lag in offsets and seconds, and where it is going, as case tables."""

import random
from math import inf

import pytest

from collector.domain.lag import Age, FirstUnread, Pace, age, behind, lag, lost


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
    found = behind((5, 5), low=(0, None), high=(9, None), history=[], now=0, records={})
    assert (found.lag, found.age) == (None, None)


def test_partitions_without_a_commit_are_told_apart_from_lag() -> None:
    found = behind(
        (4, None, 9), low=(0, 0, 0), high=(9, 7, 9), history=[(0.0, [0, 0, 9]), (10.0, [9, 7, 9])], now=10, records={}
    )
    assert (found.lag, found.n_uncommitted, found.lost) == (5, 1, 0)
    assert found.age is not None


def test_without_lag_nothing_is_old() -> None:
    assert behind((9,), low=(0,), high=(9,), history=[], now=5, records={}).age == Age(0.0, 0.0)


def test_a_group_that_never_committed_has_no_lag() -> None:
    assert behind((None,), low=(0,), high=(9,), history=[], now=5, records={}).lag is None


def test_where_no_history_reaches_the_record_itself_says_how_old_it_is() -> None:
    history = [(90.0, [50]), (100.0, [60])]
    found = behind((5,), low=(0,), high=(60,), history=history, now=100, records={0: FirstUnread(5, 40.0, 6)})
    assert found.age == Age(60.0, 0.0, from_record=True)


def test_a_history_that_reaches_back_is_believed_before_a_timestamp_that_anybody_may_set() -> None:
    history = [(0.0, [0]), (10.0, [10])]
    found = behind((5,), low=(0,), high=(10,), history=history, now=10, records={0: FirstUnread(5, -3600.0, 6)})
    assert found.age is not None
    assert not found.age.from_record
    assert found.age.seconds == pytest.approx(4.5)


def test_markers_that_are_left_are_offsets_of_lag_but_nothing_is_old() -> None:
    history = [(0.0, [9]), (10.0, [10]), (20.0, [10])]
    found = behind((9,), low=(0,), high=(10,), history=history, now=99, records={0: FirstUnread(None, None, 10)})
    assert (found.lag, found.age) == (1, Age(0.0, 0.0))


def test_what_waits_behind_an_open_transaction_grows_old() -> None:
    history = [(0.0, [9]), (10.0, [10]), (20.0, [40])]
    found = behind((9,), low=(0,), high=(40,), history=history, now=99, records={0: FirstUnread(None, None, 9)})
    assert found.age is not None
    assert found.age.seconds == pytest.approx(94)


@pytest.mark.parametrize(
    ("produced", "consumed", "unread", "growth", "done_in"),
    [
        (100.0, 60.0, 4000, 40.0, inf),  # falls behind: never
        (60.0, 100.0, 4000, -40.0, 100.0),
        (50.0, 50.0, 10, 0.0, inf),  # keeps its distance
        (50.0, 90.0, 0, -40.0, 0.0),
        (None, 90.0, 10, None, None),
        (50.0, None, 10, None, None),
        (50.0, 90.0, None, -40.0, None),
    ],
)
def test_a_lag_is_done_when_it_falls_and_never_when_it_does_not(
    produced: float | None, consumed: float | None, unread: int | None, growth: float | None, done_in: float | None
) -> None:
    pace = Pace(produced, consumed)
    assert (pace.growth, pace.done_in(unread)) == (growth, done_in)
