"""How much of days ago is unpacked for one answer."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from collector.domain.sample_chunks import KEPT_AS_ROWS
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


def test_only_what_is_no_row_any_more_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "WEIR_SAMPLE_SECONDS", 2.0)
    for live in (False, True):
        window = Window(END - HOUR, END, live=live)
        least, since, much_later = most_series(2 * HOUR), END - 2 * HOUR, END + 5 * HOUR
        assert not is_too_much(window, since=since, n_series=least, now=much_later)
        assert is_too_much(window, since=since, n_series=least + 1, now=much_later)
        packed = 2 * HOUR - KEPT_AS_ROWS
        assert not is_too_much(window, since=since, n_series=most_series(packed), now=END)
        assert is_too_much(window, since=since, n_series=most_series(packed) + 1, now=END)
        assert not is_too_much(window, since=END - KEPT_AS_ROWS, n_series=10**9, now=END)
