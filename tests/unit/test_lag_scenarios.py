"""Lag in seconds in the eight scenarios of a real broker's day, sampled every ten seconds: never one interval off."""

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from collector.domain.ends import Ring
from collector.domain.lag import age

EVERY, LENGTH, STOP_AT = 10.0, 165.0, 33.7


@dataclass(frozen=True)
class Scenario:
    """When each record was written, and how many are read at a time."""

    name: str
    written: Sequence[float]
    read: Callable[[float], int]
    most_error: float


def steady(rate: float, start: float = 0.0, end: float = LENGTH) -> list[float]:
    return [start + index / rate for index in range(int((end - start) * rate))]


def frozen(written: Sequence[float]) -> Callable[[float], int]:
    """Reads everything at once until it stops."""
    return lambda at: bisect_right(written, min(at, STOP_AT))


def resumed(written: Sequence[float]) -> Callable[[float], int]:
    """Stops for sixty seconds, then reads 150 a second."""

    def read(at: float) -> int:
        n_stopped = bisect_right(written, STOP_AT)
        if at < STOP_AT + 60:
            return min(n_stopped, bisect_right(written, at))
        return min(bisect_right(written, at), n_stopped + int((at - STOP_AT - 60) * 150))

    return read


def scenarios() -> list[Scenario]:
    fifty = steady(50)
    idle = steady(50, end=60)
    bursts = [17.3 * burst + index / 5000 for burst in range(10) for index in range(500) if 17.3 * burst < LENGTH]
    seldom = [13.7 * index for index in range(13) if 13.7 * index < LENGTH]
    jump = sorted(steady(10, end=80) + steady(200, start=80))
    return [
        Scenario("steady 50/s, stop 60 s, catch up", fifty, resumed(fifty), 0.1),
        Scenario("the producer goes idle and the backlog stays", idle, frozen(idle), EVERY),
        Scenario("bursts of 500 every 17.3 s", bursts, frozen(bursts), EVERY),
        Scenario("a consumer at half speed", fifty, lambda at: int(at * 25), 0.1),
        Scenario("caught up", fifty, lambda at: bisect_right(fifty, at - 0.1), 0.5),
        Scenario("record timestamps an hour in the past", fifty, frozen(fifty), 0.1),
        Scenario("one record every 13.7 s", seldom, frozen(seldom), EVERY),
        Scenario("the rate jumps from 10/s to 200/s", jump, frozen(jump), EVERY),
    ]


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda each: each.name)
def test_the_age_is_within_one_interval_of_the_truth_and_within_its_own_margin(scenario: Scenario) -> None:
    for offset in (0.0, 2.3, 6.1, 9.9):  # samples are not aligned with what happens
        ring, n_asked, n_answered = Ring(), 0, 0
        at = offset - EVERY
        while at < LENGTH:
            at += EVERY
            high = bisect_right(scenario.written, at)
            ring.add(at, [high])
            position = min(scenario.read(at), high)
            if position >= high or len(ring.points) < 2:
                continue
            n_asked += 1
            found = age(position, partition=0, history=ring.points, now=at)
            if found is None:
                continue
            n_answered += 1
            error = abs(found.seconds - (at - scenario.written[position]))
            assert error <= scenario.most_error, (at, found, error)
            assert error <= found.margin_seconds + 1e-6
        assert n_answered == n_asked > 0


def test_before_two_samples_nothing_is_said() -> None:
    ring = Ring()
    ring.add(0, [100])
    assert age(40, partition=0, history=ring.points, now=0) is None


def test_a_clock_that_is_set_moves_the_past_along() -> None:
    drawn = random.Random(4)
    for step in (-3600.0, 3600.0, drawn.uniform(1, 50)):
        ring = Ring()
        for second in range(0, 100, 10):
            ring.add(second, [second * 5])
        ring.shift(step)
        found = age(250, partition=0, history=ring.points, now=100 + step)
        assert found is not None
        assert found.seconds == pytest.approx(50, abs=0.2)
