"""How much is unpacked for one answer: samples of days ago lie packed by the hour, a series each partition."""

from datetime import datetime, timedelta

from django.conf import settings

from dashboard.queries.window import Window

MOST_OFFSETS = 20_000_000  # that one answer reads: about three seconds
_HOUR = timedelta(hours=1)


def most_series(length: timedelta = timedelta(0)) -> int:
    """Of how many series of offsets so long a stretch may be unpacked; hours are unpacked whole."""
    hours = length / _HOUR + 1
    return int(MOST_OFFSETS / (hours * _HOUR.total_seconds() / settings.WEIR_SAMPLE_SECONDS))


def is_too_much(window: Window, *, since: datetime, n_series: int) -> bool:
    """Whether a window of the past has too many series to unpack them from `since` on."""
    return not window.live and n_series > most_series(window.to_at - since)
