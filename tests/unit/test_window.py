"""The window in an address: what is taken, and that nothing else is anything but a refusal."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.past import beside_live
from dashboard.queries.window import BadWindow, moment, parse

NOW = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)


def test_a_window_is_relative_or_absolute_and_always_utc() -> None:
    window = parse("2026-11-27T02:00:00+01:00", "now-30s", now=NOW)
    assert (window.from_at, window.to_at) == (datetime(2026, 11, 27, 1, tzinfo=UTC), NOW - timedelta(seconds=30))
    assert not window.live
    assert parse(None, None, now=NOW).live


@pytest.mark.parametrize(
    ("from_text", "to_text"),
    [
        ("now-999999d", "now"),
        ("0001-01-01T00:00:00+12:00", "0001-01-02T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z"),
        ("9999-12-31T23:59:59-12:00", "now"),
        ("now-1h", "9999-12-31T00:00:00Z"),
        ("now", "2027-11-28T01:00:00Z"),
        ("now", "now-15m"),
        ("now-401d", "now"),
        ("2026-11-27T02:00:00", "now"),
        ("yesterday", "now"),
    ],
)
def test_what_is_no_window_of_ours_is_refused_with_the_form(from_text: str, to_text: str) -> None:
    with pytest.raises(BadWindow, match="now-15m"):
        parse(from_text, to_text, now=NOW)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_window_or_refused(from_text: str, to_text: str) -> None:
    try:
        window = parse(from_text, to_text, now=NOW)
    except BadWindow:
        return
    assert window.from_at < window.to_at


@pytest.mark.parametrize("days", [5, 30, 400])
def test_what_the_buttons_replay_and_compare_lead_to_is_read_again_for_ranges_of_any_length(days: int) -> None:
    """Thirty days are 2,592,000 seconds: one digit more than was read."""
    found = beside_live(parse(f"now-{days}d", "now", now=NOW))
    first = str(found["replay_from"])
    if days < 400:  # with ten seconds more it would be too long
        assert parse(first, "now-10s", now=NOW).seconds == days * 86_400
    compared = found["compare_with"]
    assert isinstance(compared, list)
    for _, word in compared:
        assert moment(word, now=NOW) < NOW
