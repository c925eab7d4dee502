"""Rates from counters that are read at steps."""

from datetime import UTC, datetime, timedelta

from dashboard.queries.sums import HOUR, TEN_MINUTES, Counted, Plan, counted_at

AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_counter_that_fell_is_no_negative_rate() -> None:
    edges = tuple(AT + number * HOUR for number in range(4))
    read = Plan("1h", HOUR, HOUR, edges, (True,) * 3, (True,) * 4)
    counted = Counted([edge - timedelta(seconds=1) for edge in edges], [0, 7200, 3600, 7200])
    assert counted.rates(read) == (2.0, None, 1.0)


def test_no_counter_is_known_of_ten_minutes_that_nobody_has_summed_up_yet() -> None:
    """They are with the next scan: until then the last step, seconds long, had a rate of ten minutes in it."""
    step, second = 2 * TEN_MINUTES, timedelta(seconds=1)
    edges = (AT, AT + step, AT + step + second)
    before = [AT - TEN_MINUTES, AT, AT + step - second]
    assert counted_at(edges, before, live=True) == (True, False, True)
    after = [*before[:2], AT + TEN_MINUTES, AT + step]
    assert counted_at(edges, after, live=True) == (True, True, True)
    assert counted_at(edges[:2], before, live=False) == (True, False)
    assert counted_at(edges[:2], after, live=False) == (True, True)
    assert counted_at(edges, [], live=True) == (False, False, False)
