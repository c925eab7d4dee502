"""Since when a lag grows or falls: one case after the other."""

from collections.abc import Callable

import pytest

from collector.domain.trends import Began, Sample, began, direction

LONGEST = 150.0


def told(
    excess: Callable[[float], float | None], *, growth: float, every: float = 2, until: float = 1800
) -> Began | None:
    """The rule on samples of every two seconds, the first at 0."""
    samples: list[Sample] = [(at * every, excess(at * every)) for at in range(int(until / every) + 1)]
    return began(samples, growth=growth, longest_seconds=LONGEST)


def after(turn: float, per_second: float, *, start: float = 0.0) -> Callable[[float], float]:
    """Steady until the turn, then growing by so many a second."""
    return lambda at: start + max(0.0, at - turn) * per_second


def test_what_grows_since_a_turn_began_there() -> None:
    assert told(after(1200, 40), growth=40) == Began(1200, is_known=True)


def test_what_falls_since_a_turn_began_there() -> None:
    assert told(after(1200, -12, start=50_000), growth=-12) == Began(1200, is_known=True)


def test_a_turn_within_the_last_minute_is_known() -> None:
    assert told(after(1790, 40), growth=40 * 10 / 60) == Began(1790, is_known=True)


def test_a_slow_growth_began_at_its_turn_and_not_when_it_was_first_told() -> None:
    """0.6/s over a minute is told 50 s after it began."""
    assert told(after(1200, 0.6), growth=0.6) == Began(1200, is_known=True)


def test_a_turn_from_falling_to_growing_is_the_lowest_point() -> None:
    assert told(lambda at: abs(at - 900) * 5, growth=5) == Began(900, is_known=True)


def test_a_turn_from_growing_to_falling_is_the_highest_point() -> None:
    assert told(lambda at: -abs(at - 900) * 5, growth=-5) == Began(900, is_known=True)


def test_growth_that_goes_on_at_another_pace_is_one_trend() -> None:
    assert told(lambda at: max(0, at - 300) * 40 + max(0, at - 1000) * 400, growth=440) == Began(300, is_known=True)


def test_a_minute_of_rest_ends_a_trend() -> None:
    """It grew until 1000, stood until 1100, and grows again."""
    assert told(lambda at: min(at, 1000) * 40 + max(0, at - 1100) * 40, growth=40) == Began(1100, is_known=True)


def test_a_rest_shorter_than_a_minute_does_not() -> None:
    assert told(lambda at: 1e4 + max(0, min(at, 1000) - 300) * 40 + max(0, at - 1030) * 40, growth=40) == Began(
        300, is_known=True
    )


def test_commits_in_steps_hide_no_turn() -> None:
    """420/s are written and committed every five seconds: the lag is a saw of 2,100, and falls to 0 at each commit."""

    def saw(at: float) -> float:
        return 420 * (at % 5) if at < 900 else (at - 900) * 420

    found = told(saw, growth=420, every=1)
    assert found is not None
    assert found.is_known
    assert found.at == pytest.approx(900, abs=5)


def test_what_has_grown_ever_since_the_first_sample_is_at_least_so_old() -> None:
    assert told(lambda at: at * 40, growth=40) == Began(0, is_known=False)


def test_behind_a_gap_nothing_is_known() -> None:
    """Samples are missing from 600 to 900: what grew before may have rested in between."""
    assert told(lambda at: at * 40 if not 600 < at < 900 else None, growth=40) == Began(900, is_known=False)
    seen: list[Sample] = [(at, at * 40.0) for at in range(0, 1801, 2) if not 600 < at < 900]
    assert began(seen, growth=40, longest_seconds=LONGEST) == Began(900, is_known=False)


def test_a_gap_shorter_than_a_rate_may_be_taken_over_is_none() -> None:
    seen: list[Sample] = [(at, max(0, at - 300) * 40.0) for at in range(0, 1801, 2) if not 600 < at < 720]
    assert began(seen, growth=40, longest_seconds=LONGEST) == Began(300, is_known=True)


def test_a_turn_hidden_in_a_gap_is_not_told() -> None:
    """It stood still before the gap and grows behind it: it began somewhere between."""
    seen: list[Sample] = [(at, max(0, at - 700) * 40.0) for at in range(0, 1801, 2) if not 600 < at < 900]
    assert began(seen, growth=40, longest_seconds=LONGEST) == Began(900, is_known=False)


def test_samples_of_each_minute_are_enough() -> None:
    assert told(after(3600, 40), growth=40, every=60, until=86_400) == Began(3600, is_known=True)


def test_samples_of_less_than_a_minute_tell_nothing() -> None:
    assert told(lambda at: at * 40, growth=40, until=50) is None
    assert began([], growth=40, longest_seconds=LONGEST) is None
    assert began([(0, None)], growth=40, longest_seconds=LONGEST) is None


def test_a_steady_lag_has_no_beginning() -> None:
    assert told(after(1800, 40, start=5_000), growth=0.2) is None


def test_samples_that_contradict_the_page_tell_nothing() -> None:
    assert told(after(1200, -12), growth=3) is None


@pytest.mark.parametrize(("growth", "said"), [(0.0, 0), (0.49, 0), (-0.49, 0), (0.5, 1), (-0.5, -1), (400, 1)])
def test_below_half_an_offset_a_second_a_lag_is_steady(growth: float, said: int) -> None:
    assert direction(growth) == said
