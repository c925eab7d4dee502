"""How much of days ago is unpacked for one answer."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from dashboard.queries.unpacking import MOST_OFFSETS, is_too_much, most_series
from dashboard.queries.window import Window

END = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_longer_stretch_may_have_fewer_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "WEIR_SAMPLE_SECONDS", 2.0)
    assert most_series() * 1_800 <= MOST_OFFSETS
    assert most_series(5 * HOUR) == most_series() // 6


def test_seldom_samples_allow_more_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "WEIR_SAMPLE_SECONDS", 10.0)
    assert most_series() * 360 <= MOST_OFFSETS < (most_series() + 1) * 360


def test_only_windows_of_the_past_are_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "WEIR_SAMPLE_SECONDS", 2.0)
    past, live = (Window(END - HOUR, END, live=is_live) for is_live in (False, True))
    least = most_series(2 * HOUR)
    assert not is_too_much(past, since=END - 2 * HOUR, n_series=least)
    assert is_too_much(past, since=END - 2 * HOUR, n_series=least + 1)
    assert not is_too_much(live, since=END - 2 * HOUR, n_series=least + 1)
