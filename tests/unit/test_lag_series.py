"""Lag in seconds over time, drawn from samples."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.queries.histories import Ends, History, Steps
from dashboard.queries.series import ages, falls, rates

START = datetime(2026, 11, 28, 9, tzinfo=UTC)


def test_between_two_scans_a_lag_does_not_seem_to_rise() -> None:
    """20 records a second, the group 10 behind: half a second, though steps of 5 s end between scans of 10 s."""
    scans = [START + timedelta(seconds=10 * number) for number in range(8)]
    ends = History(scans, [[1_000 + 200 * number] for number in range(8)])
    commits = History(scans, [[990 + 200 * number] for number in range(8)])
    topic = Ends(History(scans, [[0]] * 8), ends)
    step = timedelta(seconds=5)
    moments = [START + timedelta(seconds=5 * number + 4) for number in range(1, 15)]
    looked = [max(at for at in scans if at <= moment) for moment in moments]
    steps = Steps(moments[1:], step, list[datetime | None](looked), timedelta(seconds=10))
    drawn = [age for age in ages(topic, commits, steps) if age is not None]
    assert len(drawn) >= 10
    assert drawn == pytest.approx([0.475] * len(drawn), abs=0.1)


def test_after_the_last_scan_a_lag_is_unknown_and_no_spike() -> None:
    scans = [START, START + timedelta(seconds=2)]
    topic = Ends(History(scans, [[0], [0]]), History(scans, [[100], [140]]))
    commits = History(scans, [[100], [130]])
    step = timedelta(seconds=5)
    moments = [START + timedelta(seconds=5 * number) for number in range(4)]
    steps = Steps(moments[1:], step, [scans[0], scans[1], scans[1], None], step)
    first, held, unknown = ages(topic, commits, steps)
    assert first == pytest.approx(0.475)
    assert held == first
    assert unknown is None


def test_where_an_end_fell_no_rate_is_known_and_none_is_negative_or_0() -> None:
    """100 records each step, but in the third one 1,000 of one partition were lost."""
    scans = [START + timedelta(seconds=10 * number) for number in range(6)]
    ends = History(scans, [[1_000, 1_000], [1_050, 1_050], [1_100, 1_100], [100, 1_150], [150, 1_200], [200, 1_250]])
    steps = Steps(scans[1:], timedelta(seconds=10), list[datetime | None](scans), timedelta(seconds=10))
    assert rates(ends, steps, missing=0) == (10.0, 10.0, None, 10.0, 10.0)
    assert falls(ends, steps) == (scans[3],)


def test_where_nobody_looked_while_an_end_fell_nothing_is_told() -> None:
    scans = [START, START + timedelta(seconds=30)]
    ends = History(scans, [[1_000], [100]])
    looked = [scans[0], None, None, scans[1]]
    steps = Steps([START + timedelta(seconds=10 * number) for number in (1, 2, 3)], timedelta(seconds=10), looked,
                  timedelta(seconds=10))  # fmt: skip
    assert rates(ends, steps, missing=0) == (None, None, None)
    assert falls(ends, steps) == ()
