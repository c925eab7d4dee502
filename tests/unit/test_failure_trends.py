"""Deaths by hour, as of a later moment than they were counted at."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.queries.failure_trends import Trend, trend

UNTIL = datetime(2026, 11, 23, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "by_hour", "hours"),
    [(-30, (1, 2, 3), 0), (0, (1, 2, 3), 0), (1, (2, 3, 0), 1), (61, (3, 0, 0), 2), (6_000, (0, 0, 0), 100)],
)
def test_hours_that_passed_since_have_no_deaths(minutes: int, by_hour: tuple[int, ...], hours: int) -> None:
    found = trend([1, 2, 3], UNTIL, now=UNTIL + timedelta(minutes=minutes))
    assert found == Trend(by_hour, UNTIL + timedelta(hours=hours))
    assert found.most == max(by_hour)


def test_what_was_not_counted_is_unknown() -> None:
    assert trend(None, None, now=UNTIL) is None
