"""Since when a lag has been growing, or falling: the turn before the present trend, found in samples."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

STEADY_PER_SECOND = 0.5  # below it a lag is said to be steady
PACE_SECONDS = 60.0  # a trend is what happened over so long
_NEARLY = 0.9  # samples do not come to the second: what is this share of a minute is one

Sample = tuple[float, float | None]


@dataclass(frozen=True, slots=True)
class Began:
    """When a trend began, in seconds; where `is_known` is False, it is at least as old as that."""

    at: float
    is_known: bool


def direction(growth: float) -> int:
    """1 for a lag that grows by so many a second, -1 for one that falls, 0 for one that is steady."""
    if abs(growth) < STEADY_PER_SECOND:
        return 0
    return 1 if growth > 0 else -1


def began(samples: Sequence[Sample], *, growth: float, longest_seconds: float) -> Began | None:
    """When the trend of the newest sample began; None where it has none, or another one than `growth` says.

    `samples`: (seconds, by how much more was written than read since any one moment), ordered by time; None where that
    is not known. `growth`: offsets per second over the last minute, as a page tells it.

    1. The trend of a sample is the direction of what happened over the minute before it.
    2. The samples with the present trend, without one of another trend between them, are its phase.
    3. It began at the turn: where, in the minute before the first sample of the phase, the lag was lowest for the last
       time (of a lag that falls: highest).
    4. Where samples are missing for longer than `longest_seconds`, or begin, nothing is known of what was before: the
       trend is at least as old as the minute of the first sample of the phase.

    After Bry and Boschan, Cyclical Analysis of Time Series (NBER, 1971), II: a turning point is an extreme that parts
    two phases, and a phase has a least length; here that of the pace that pages tell.
    """
    known = _known(samples, longest_seconds)
    times = [at for at, _ in known]
    wanted, first = direction(growth), None
    if not wanted:
        return None
    for index in range(len(known) - 1, 0, -1):
        start = bisect_right(times, times[index] - _NEARLY * PACE_SECONDS) - 1
        if start < 0:
            break
        grown = (known[index][1] - known[start][1]) / (times[index] - times[start])
        if direction(grown) != wanted:
            return None if first is None else Began(_turn(known[first[0] : first[1] + 1], wanted), is_known=True)
        first = start, index
    return None if first is None else Began(times[first[0]], is_known=False)


def _turn(minute: Sequence[tuple[float, float]], wanted: int) -> float:
    """The time of the last lowest sample of a lag that grows, of the last highest one of a lag that falls."""
    return min(minute, key=lambda sample: (wanted * sample[1], -sample[0]))[0]


def _known(samples: Sequence[Sample], longest_seconds: float) -> list[tuple[float, float]]:
    """The newest samples, back to where some are missing."""
    found: list[tuple[float, float]] = []
    for at, excess in reversed(samples):
        if excess is None or (found and found[-1][0] - at > longest_seconds):
            break
        found.append((at, excess))
    return found[::-1]
