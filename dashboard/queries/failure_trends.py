"""How many letters of a failure group died in each of the last hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Trend:
    """Deaths by hour, the oldest first; the last hour ends at `until` and may still run."""

    by_hour: tuple[int, ...]
    until: datetime

    @property
    def most(self) -> int:
        """In one of the hours."""
        return max(self.by_hour, default=0)


def trend(counted: Sequence[int] | None, until: datetime | None, *, now: datetime) -> Trend | None:
    """What was counted up to `until`, as of now: since then nothing died, or it would be counted anew. None where
    nothing was counted yet.
    """
    if not counted or until is None:
        return None
    passed = max(0, -((until - now) // _HOUR))
    kept = [*counted, *([0] * min(passed, len(counted)))][-len(counted) :]
    return Trend(tuple(kept), until + passed * _HOUR)
