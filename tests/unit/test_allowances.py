"""How much one token may send before it is told to wait."""

from datetime import UTC, datetime, timedelta

import pytest

from collector.receive.allowances import BURST_SECONDS, MOST_SOURCES, Allowance, Allowances
from collector.receive.refusals import Refused
from tests.unit.receiving import Clock

PACE = 100.0


def books(clock: Clock, *, pace: float = PACE, bytes_per_day: int = 0) -> Allowances:
    return Allowances(Allowance(pace, bytes_per_day), clock.now)


def waits(allowances: Allowances, source: str = "a") -> int:
    """Seconds that the source is told to wait; 0 where it is let in."""
    try:
        allowances.check(source)
    except Refused as refused:
        return refused.retry_seconds or -1
    return 0


def test_s60_a_source_above_its_pace_waits_until_it_is_within_it_again() -> None:
    clock = Clock()
    allowances = books(clock)
    allowances.spend("a", n_spans=int(PACE * BURST_SECONDS), n_bytes=1)
    assert waits(allowances) == 0
    allowances.spend("a", n_spans=300, n_bytes=1)
    assert waits(allowances) == 3
    clock.at += timedelta(seconds=2)
    assert waits(allowances) == 1
    clock.at += timedelta(seconds=1)
    assert waits(allowances) == 0
    assert allowances.n_refused == 2
    allowances.spend("a", n_spans=int(2 * PACE * BURST_SECONDS), n_bytes=1)
    with pytest.raises(Refused) as refused:
        allowances.check("a")
    assert refused.value.http_status == 429


def test_s60_what_one_source_sends_is_no_other_ones_and_who_has_no_token_is_not_limited() -> None:
    allowances = books(Clock())
    for source in ("a", ""):
        allowances.spend(source, n_spans=1_000_000, n_bytes=1)
    assert waits(allowances, "a") == 300
    assert waits(allowances, "b") == 0
    assert waits(allowances, "") == 0


def test_s60_bytes_count_until_midnight() -> None:
    clock = Clock(datetime(2026, 3, 1, 23, 59, 30, tzinfo=UTC))
    allowances = books(clock, pace=0.0, bytes_per_day=1_000)
    allowances.spend("a", n_spans=10**9, n_bytes=999)
    assert waits(allowances) == 0
    allowances.spend("a", n_spans=1, n_bytes=1)
    assert waits(allowances) == 30
    clock.at += timedelta(seconds=30)
    assert waits(allowances) == 0


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    clock = Clock()
    allowances = books(clock)
    allowances.spend("a", n_spans=int(PACE * (BURST_SECONDS + 5)), n_bytes=1)
    clock.at -= timedelta(hours=1)
    assert waits(allowances) == 5


@pytest.mark.parametrize("n_sources", [MOST_SOURCES + 50])
def test_the_books_of_many_sources_are_bounded(n_sources: int) -> None:
    allowances = books(Clock())
    for number in range(n_sources):
        allowances.spend(str(number), n_spans=1, n_bytes=1)
    assert len(allowances._spent) == MOST_SOURCES
