"""Whether a clock may be believed that says that data is old."""

from datetime import UTC, datetime, timedelta

import pytest

from collector.domain.clock_jumps import Watch, doubt, watched

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY, MINUTES = timedelta(hours=1), timedelta(days=1), timedelta(minutes=5)


def doubts(*looks: datetime, newest: datetime | None = None) -> list[bool]:
    """Whether there is a doubt after each of these looks."""
    watch, found = None, []
    for now in looks:
        watch = watched(watch, now=now)
        found.append(bool(doubt(watch, newest=newest)))
    return found


def test_a_clock_that_goes_on_is_believed() -> None:
    assert doubts(NOW, NOW + MINUTES, NOW + 2 * MINUTES, NOW + DAY) == [False] * 4


def test_a_jump_is_doubted_for_a_day_and_then_believed() -> None:
    later = NOW + 8 * DAY
    looks = (NOW, later, later + MINUTES, later + 12 * HOUR, later + DAY - MINUTES, later + DAY, later + 2 * DAY)
    assert doubts(*looks) == [False, True, True, True, True, False, False]


def test_a_clock_that_was_set_right_again_is_believed_at_once() -> None:
    assert doubts(NOW, NOW + 8 * DAY, NOW + MINUTES, NOW + 2 * MINUTES) == [False, True, False, False]


def test_a_second_jump_begins_anew() -> None:
    first, second = NOW + 8 * DAY, NOW + 16 * DAY
    assert doubts(NOW, first, second, second + DAY - MINUTES, second + DAY) == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("behind", "is_doubted"), [(timedelta(), False), (DAY, False), (DAY + MINUTES, True), (-DAY, False)]
)
def test_what_comes_in_and_is_old_by_this_clock_contradicts_it(behind: timedelta, is_doubted: bool) -> None:
    assert doubts(NOW, newest=NOW - behind) == [is_doubted]


def test_the_sentence_says_what_was_seen_and_until_when() -> None:
    said = doubt(Watch(NOW, NOW, 8 * DAY), newest=None)
    assert "moved by 8.0 days" in said
    assert "until 2026-03-02 12:00 UTC" in said
