"""Numbers and times as every page writes them: two significant digits, the unit always beside the number."""

from collections.abc import Callable
from datetime import UTC, datetime
from math import floor, isfinite, log10
from typing import Protocol

from collector.domain import histograms

NONE, UNKNOWN = "–", "?"
Said = Callable[[float], str]
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_TOLD_UP_TO = histograms.SMALLEST_MS * histograms.RATIO ** (histograms.LAST_BIN - 1) / 1000  # seconds
_LONG_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def count(value: float | None) -> str:
    """Exact with commas up to 9,999, then two digits and k, M, G: 4,812 · 80 k."""
    if value is None:
        return NONE
    if abs(value) < 10_000:
        return f"{round(value):,}"
    return _prefixed(value)


def exact(value: int | None) -> str:
    """Exact with commas, however large: tables, dialogs and buttons."""
    return NONE if value is None else f"{value:,}"


def known(value: int | None) -> str:
    """The same of what may not be known: ? then."""
    return UNKNOWN if value is None else exact(value)


class Counted(Protocol):
    """An edge as `rate_of` and `events_of` show it."""

    rate: float | None
    estimated: bool
    messages: int | None
    estimate: int | None
    sampled_share: float | None


def rate_of(edge: Counted | None) -> str:
    """The rate of an edge; with ≈ where it is estimated from sampled spans."""
    if edge is None or edge.rate is None:
        return NONE
    return f"≈ {rate(edge.rate)}" if edge.estimated else rate(edge.rate)


def events_of(edge: Counted | None) -> str:
    """Messages of an edge in the window; of sampled spans what was kept, of about how many."""
    if edge is None or edge.messages is None:
        return NONE
    return exact(edge.messages) if edge.sampled_share is None else f"{exact(edge.messages)} of ≈{exact(edge.estimate)}"


def rate(value: float | None) -> str:
    """Events per second to a text: per s, below 0.1/s per min, below 0.1/min per h."""
    if value is None or not isfinite(value):
        return NONE
    if value <= 0:
        return "0/s"
    if value >= 0.1:
        return f"{_prefixed(value)}/s"
    if value * 60 >= 0.1:
        return f"{two_digits(value * 60)}/min"
    return f"{two_digits(value * 3600)}/h"


def duration(seconds: float | None) -> str:
    """Two digits below a minute, then two units: 240 µs · 140 ms · 4.1 s · 3 min 10 s · 2 d 4 h."""
    if seconds is None or not isfinite(seconds):
        return NONE
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds == 0:
        return "0 s"
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1, 1e3, "ms"), (60, 1, "s")):
        if seconds < limit and _rounded(seconds * factor) < limit * factor:
            return f"{two_digits(seconds * factor)} {unit}"
    return _long_duration(seconds)


def binned(seconds: float | None) -> str:
    """A duration that histograms told, or a sum of such; beyond what they tell apart the bound: >3 d 18 h."""
    return f">{duration(_TOLD_UP_TO)}" if seconds is not None and seconds > _TOLD_UP_TO else duration(seconds)


def summed(seconds: float | None, *, is_whole: bool) -> str:
    """A sum of what histograms told: ≈140 ms; ≥140 ms where a part of it is not known."""
    text = binned(seconds)
    return text if text == NONE or text.startswith(">") else f"{'≈' if is_whole else '≥'}{text}"


def size(n_bytes: float | None) -> str:
    """Bytes by SI: 1 kB is 1,000 B."""
    if n_bytes is None:
        return NONE
    if n_bytes < 1000:
        return f"{n_bytes:.0f} B"
    return f"{_prefixed(n_bytes)}B"


def percent(ratio: float | None) -> str:
    """A ratio of 0 to 1 as percent; the ends are never rounded away: <0.1 % · 61 % · >99.9 %."""
    if ratio is None or not isfinite(ratio):
        return NONE
    if ratio in (0, 1):
        return "100 %" if ratio else "0 %"
    value = ratio * 100
    if 0 < value < 0.1:
        return "<0.1 %"
    if 99.9 < value < 100:
        return ">99.9 %"
    return f"{value:.1f} %" if 99 < value < 100 else f"{two_digits(value)} %"


def moment(value: datetime | None, *, now: datetime, seconds: bool = True) -> str:
    """A time with date, milliseconds and zone: 23 Nov 14:02:07.123 UTC; with its year where that is not this one."""
    if value is None:
        return NONE
    at = value.astimezone(UTC)
    clock = f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}" if seconds else f"{at:%H:%M}"
    year = "" if at.year == now.year else f"{at.year} "
    return f"{at.day} {at:%b} {year}{clock} UTC"


def clock(value: datetime, *, now: datetime) -> str:
    """A time of today to the minute: 14:02 UTC; with its date where it is of another day."""
    at = value.astimezone(UTC)
    return f"{at:%H:%M} UTC" if at.date() == now.astimezone(UTC).date() else moment(value, now=now, seconds=False)


def ago(value: datetime | None, *, now: datetime) -> str:
    """How long before `now`: "3 min ago"; from 24 hours on the date and time."""
    if value is None:
        return NONE
    seconds = (now - value).total_seconds()
    if seconds >= 86_400 or seconds < -60:
        return moment(value, now=now, seconds=False)
    if seconds < 1:
        return "now"
    for length, unit in ((3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return f"{int(seconds)} s ago"


def stretch(from_at: datetime, to_at: datetime, *, now: datetime, day: bool = True) -> str:
    """28 Nov 13:40–13:55 UTC; with seconds where there are some, with the year where it is not this one.

    Without `day` the times alone.
    """
    first, last = from_at.astimezone(UTC), to_at.astimezone(UTC)
    clock = "%H:%M:%S" if first.second or last.second else "%H:%M"
    year = "" if first.year == now.year else f" {first.year}"
    begins = f"{first.day} {first:%b}{year} " if day else ""
    ends = "" if first.date() == last.date() else f"{last.day} {last:%b} "
    return f"{begins}{first:{clock}}–{ends}{last:{clock}} UTC"


def cut(text: str, *, length: int = 28) -> str:
    """A long name cut in the middle: orders…created."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[head + 1 - length :]}"


def two_digits(value: float) -> str:
    """Two significant digits without exponent: 418 → 420, 4.18 → 4.2, 0.418 → 0.42."""
    if value == 0:
        return "0"
    rounded = _rounded(value)
    decimals = max(0, 1 - floor(log10(abs(rounded))))
    return f"{rounded:.{decimals}f}"


def _rounded(value: float) -> float:
    return round(value, 1 - floor(log10(abs(value)))) if value else 0.0


def _prefixed(value: float) -> str:
    for factor, letter in _PREFIXES:
        if abs(_rounded(value)) >= factor:
            return f"{two_digits(value / factor)} {letter}"
    return f"{two_digits(value)}"


def _long_duration(seconds: float) -> str:
    left = max(60, round(seconds))
    for index, (length, unit) in enumerate(_LONG_UNITS):
        if left < length:
            continue
        text = f"{left // length} {unit}"
        if index + 1 < len(_LONG_UNITS):
            next_length, next_unit = _LONG_UNITS[index + 1]
            if rest := left % length // next_length:
                text = f"{text} {rest} {next_unit}"
        return text
    return NONE
