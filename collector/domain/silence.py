"""Whether a topic is far below its usual: the least that was ever seen at this hour, and what chance explains."""

from dataclasses import dataclass
from enum import Enum
from math import log

SECONDS = 600  # events are counted over so long
LEAST_DAYS, LEAST_HOURS = 3, 3
CHANCE = 1e-4  # so seldom a steady source brings so few by chance
FAR = 0.5  # of the least


class Basis(Enum):
    """What a usual number was learned from."""

    HOUR = "this hour on other days"
    DAY = "the last hours"


@dataclass(frozen=True, slots=True)
class Usual:
    """The least events of any ten minutes, over `n` days at the same hour, or `n` hours of the last day."""

    least: int
    n: int
    basis: Basis


def usual(same_hour: list[int], last_day: list[int]) -> Usual | None:
    """From the same hour on other days, else from the hours of the last day; None where too few are known."""
    if len(same_hour) >= LEAST_DAYS:
        return Usual(min(same_hour), len(same_hour), Basis.HOUR)
    if len(last_day) >= LEAST_HOURS:
        return Usual(min(last_day), len(last_day), Basis.DAY)
    return None


def is_silent(n: int, usually: Usual | None) -> bool:
    """Whether `n` events in ten minutes are less than half of the least, and too few for chance.

    Chernoff's bound for a Poisson source: P(X <= n) <= exp(-(m - n + n ln(n/m))). A source that brings fewer than ten
    in ten minutes may be quiet for as long by chance: of it nothing is said.
    """
    if usually is None or n >= usually.least * FAR:
        return False
    least = usually.least
    exponent = least - n + (n * log(n / least) if n else 0.0)
    return exponent > -log(CHANCE)
