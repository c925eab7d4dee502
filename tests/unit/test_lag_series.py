"""Lag in seconds over time, drawn from samples."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.queries.histories import Ends, History, Steps
from dashboard.queries.series import ages

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
