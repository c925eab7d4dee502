"""How much is unpacked for one answer: samples of days ago lie packed by the hour, a series each partition."""

from datetime import datetime, timedelta

from django.conf import settings

from collector.domain.sample_chunks import KEPT_AS_ROWS
from dashboard.queries.window import Window

MOST_OFFSETS = 20_000_000  # that one answer reads: about three seconds
_HOUR = timedelta(hours=1)


def most_series(length: timedelta = timedelta(0)) -> int:
    """Of how many series of offsets so long a stretch may be unpacked; hours are unpacked whole."""
    hours = length / _HOUR + 1
    return int(MOST_OFFSETS / (hours * _HOUR.total_seconds() / settings.WEIR_SAMPLE_SECONDS))


def is_too_much(window: Window, *, since: datetime, n_series: int, now: datetime) -> bool:
    """Whether so many series are too many to be unpacked from `since` on: what is still there as rows costs nothing."""
    packed = min(window.to_at, now - KEPT_AS_ROWS) - since
    return packed > timedelta(0) and n_series > most_series(packed)
