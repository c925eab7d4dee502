"""What stretch the numbers of the brokers are of, where it is not just the window."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.queries.long_ago import extent_seconds
from dashboard.queries.window import parse
from dashboard.shell import told_of

NOW = datetime(2026, 11, 28, 21, 59, 30, tzinfo=UTC)
BY_MINUTES = "of what is older than 1 h 20 min one sample a minute is kept."
BY_SUMS = "of what is older than a day sums by ten minutes are kept, and later by the hour."


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [
        ("now-15m", None, ""),
        ("now-6h", None, f"Offsets are counted since 28 Nov 15:59 UTC: {BY_MINUTES}"),
        ("now-7d", None, f"Offsets are counted since 21 Nov 21:50 UTC: {BY_SUMS}"),
        ("2026-11-28T21:40:30Z", "2026-11-28T21:45:30Z", ""),
        ("2026-11-28T13:40:00Z", "2026-11-28T13:45:00Z", ""),
        (
            "2026-11-28T13:40:30Z",
            "2026-11-28T13:45:30Z",
            "Lag is as of 28 Nov 13:45 UTC, and offsets are counted over 28 Nov 13:40–13:45 UTC: " + BY_MINUTES,
        ),
        (
            "2026-11-20T13:40:30Z",
            "2026-11-28T13:45:30Z",
            "Lag is as of 28 Nov 13:45 UTC, and offsets are counted over 20 Nov 13:40–28 Nov 13:40 UTC: " + BY_SUMS,
        ),
        (
            "2026-11-01T13:41:00Z",
            "2026-11-01T15:59:00Z",
            "Lag is as of 1 Nov 15:00 UTC, and offsets are counted over 1 Nov 13:00–15:00 UTC: " + BY_SUMS,
        ),
        (
            "2026-11-20T13:41:00Z",
            "2026-11-20T13:49:00Z",
            "Lag is as of 20 Nov 13:40 UTC, and offsets are not counted: " + BY_SUMS,
        ),
    ],
)
def test_a_page_says_of_which_stretch_its_offsets_are(since: str, until: str | None, told: str) -> None:
    assert told_of(parse(since, until, now=NOW), now=NOW) == told


def test_a_day_is_told_by_minutes_though_a_page_asks_after_its_window_ended() -> None:
    day = parse("now-24h", "now", now=NOW)
    assert told_of(day, now=NOW + timedelta(seconds=2)) == f"Offsets are counted since 27 Nov 21:59 UTC: {BY_MINUTES}"


def test_a_stretch_of_long_ago_is_as_long_as_what_is_kept_of_it() -> None:
    across = parse("2026-11-05T13:41:00Z", "2026-11-27T15:59:00Z", now=NOW)
    assert extent_seconds(across, now=NOW) == 22 * 86_400 + 2 * 3600 + 50 * 60
