"""How long a try to sign in has to wait: the clock table."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.throttle import Tries, after_another, keys, wait_seconds

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def tries(n: int, *, last: float, since: float | None = None) -> Tries:
    """`n` tries; seconds before NOW of the last and the first."""
    start = timedelta(seconds=last if since is None else since)
    return Tries(n, NOW - start, NOW - timedelta(seconds=last))


@pytest.mark.parametrize(
    ("kind", "known", "seconds"),
    [
        ("pair", tries(0, last=0), 0),
        ("pair", tries(4, last=0), 0),
        ("pair", tries(5, last=0), 2),
        ("pair", tries(6, last=1), 3),
        ("pair", tries(7, last=8), 0),
        ("pair", tries(14, last=0), 900),
        ("pair", tries(10_000, last=0), 900),
        ("pair", tries(10_000, last=900), 0),
        ("browser", tries(6, last=0), 4),
        ("pair", tries(100, last=86_400), 0),
        ("name", tries(49, last=0), 0),
        ("name", tries(50, last=0, since=600), 3000),
        ("name", tries(50, last=0, since=3600), 0),
        ("address", tries(99, last=0), 0),
        ("address", tries(100, last=0, since=3599), 1),
    ],
)
def test_s17_a_try_waits_and_is_never_locked_out(kind: str, known: Tries, seconds: float) -> None:
    assert wait_seconds(kind, known, now=NOW) == pytest.approx(seconds)


def test_an_hourly_count_starts_anew_after_the_hour_and_a_pair_after_a_day_of_quiet() -> None:
    assert after_another("name", tries(7, last=0, since=3600), now=NOW) == Tries(1, NOW, NOW)
    assert after_another("name", tries(7, last=0, since=3599), now=NOW).n == 8
    assert after_another("pair", tries(7, last=86_400), now=NOW).n == 1
    assert after_another("pair", tries(7, last=86_399, since=10**6), now=NOW).n == 8


def test_neighbours_share_a_counter_and_strangers_do_not() -> None:
    assert keys("ada", "203.0.113.7", browser=None) == keys("ada", "203.0.113.250", browser=None)
    assert keys("ada", "2001:db8::1", browser=None) == keys("ada", "2001:db8::ffff:1", browser=None)
    assert not set(keys("ada", "203.0.113.7", browser=None)[::2]) & set(keys("ada", "203.0.114.7", browser=None)[::2])


def test_a_known_browser_is_held_against_nothing_that_others_can_fill() -> None:
    (own,) = keys("ada", "203.0.113.7", browser="b1")
    assert own.startswith("browser:")
    assert own not in keys("ada", "203.0.113.7", browser=None)
    assert keys("ada", "203.0.113.7", browser="b2") != (own,)


def test_keys_hold_neither_names_nor_addresses() -> None:
    assert not any("ada" in key or "203" in key.partition(":")[2][:3] for key in keys("ada", "9.9.9.9", browser=None))
