"""The stretch of time that a page or an answer speaks of."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

RATE_SECONDS = 60
_RELATIVE = re.compile(r"now(?:-(\d{1,8})([smhd]))?", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = timedelta(days=400)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)  # what a browser's clock may be wrong by


class BadWindow(ValueError):
    """`from` and `to` take now, now-15m, or a moment such as 2026-11-23T13:40:00Z; `from` first, 400 days at most."""


@dataclass(frozen=True, slots=True)
class Window:
    """From (included) to (excluded), UTC. `live` means that it ends now and moves on."""

    from_at: datetime
    to_at: datetime
    live: bool
    from_text: str = "now-15m"
    to_text: str = "now"

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.to_at - self.from_at).total_seconds()


def parse(from_text: str | None, to_text: str | None, *, now: datetime) -> Window:
    """Window from the query parameters `from` and `to` (defaults: the last 15 minutes). Raises BadWindow."""
    from_text, to_text = from_text or "now-15m", to_text or "now"
    try:
        from_at, to_at = _moment(from_text, now), _moment(to_text, now)
    except (ValueError, OverflowError):
        raise BadWindow(BadWindow.__doc__) from None
    if not EARLIEST <= from_at < to_at <= now + AHEAD or to_at - from_at > LONGEST:
        raise BadWindow(BadWindow.__doc__)
    return Window(from_at, to_at, to_text == "now", from_text, to_text)


def moment(text: str, *, now: datetime) -> datetime:
    """The moment that a word of an address means. Raises BadWindow."""
    try:
        at = _moment(text, now)
    except (ValueError, OverflowError):
        raise BadWindow(BadWindow.__doc__) from None
    if not EARLIEST + LONGEST <= at <= now + AHEAD:
        raise BadWindow(BadWindow.__doc__)
    return at


def _moment(text: str, now: datetime) -> datetime:
    if found := _RELATIVE.fullmatch(text):
        amount, unit = found.groups()
        return now - timedelta(seconds=int(amount) * _UNITS[unit]) if amount else now
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise BadWindow(BadWindow.__doc__)
    return moment.astimezone(UTC)
