"""Rates from counters that are read at steps."""

from datetime import UTC, datetime, timedelta

from dashboard.queries.sums import HOUR, Counted, Plan

AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_counter_that_fell_is_no_negative_rate() -> None:
    edges = tuple(AT + number * HOUR for number in range(4))
    read = Plan("1h", HOUR, HOUR, edges, (True,) * 3, (True,) * 4)
    counted = Counted([edge - timedelta(seconds=1) for edge in edges], [0, 7200, 3600, 7200])
    assert counted.rates(read) == (2.0, None, 1.0)
