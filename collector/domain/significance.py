"""Whether two counts, or two percentiles, differ by more than chance makes them: rules with their sources.

Counts: the conditional test of two Poisson rates (Przyborowski and Wilenski, Biometrika 31, 1940): of all events of
both stretches the later one has a binomial share. Percentiles: distribution-free bounds from order statistics (Conover,
Practical Nonparametric Statistics, 3.2); two differ where their bounds do not meet. Both take events as independent,
which bursts are not: who asks adds a least factor. Durations hang together much more, for a busy machine or a long
queue delays many events in a row. So levels of percentiles are compared by stretches of time, not by events (the method
of batch means; Law, Simulation Modeling and Analysis, 9.5.3): Welch's test (Biometrika 34, 1947) of their logarithms.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, variance

from collector.domain.histograms import RATIO, Histogram, merged, percentile, value_of

CHANCE = 0.001
"""How often two counts of one and the same rate are taken for different: of 600 edges less than one."""
_BEYOND = 0.005  # of a percentile's bounds, on each side: together 99 %
_DEVIATIONS = 2.5758  # of the normal distribution, for the same tails
_MOST_EXACT, _MOST_RANKED = 2_000, 400  # beyond, the normal distribution is as good
_NEGLIGIBLE = 1e-9
LEAST_LEVELS = 3
"""Stretches that each side needs before anything is known of how much they vary."""
LEAST_OF_LEVEL = 20
"""Durations of a stretch, so that a twentieth of them is one at least."""
_BIN_VARIANCE = math.log(RATIO) ** 2 / 12  # of a logarithm that is known to a bin
# Student's t that chance exceeds, either way, once in 1,000 (CHANCE), by degrees of freedom; the last for all above.
_STUDENT = (636.6, 31.60, 12.92, 8.610, 6.869, 5.959, 5.408, 5.041, 4.781, 4.587, 4.437, 4.318, 4.221, 4.140, 4.073)


def rates_differ(n_before: int, seconds_before: float, n_after: int, seconds_after: float) -> bool:
    """Whether two counts over so many seconds (or any other exposure) are of different rates."""
    n, share = n_before + n_after, _share(seconds_before, seconds_after)
    if not n or share is None:
        return False
    expected = n * share
    if n > _MOST_EXACT:
        deviation = math.sqrt(n * share * (1 - share))
        return math.erfc((abs(n_after - expected) - 0.5) / deviation / math.sqrt(2)) <= CHANCE
    return 2 * _tail(n_after, n, share, -1 if n_after < expected else 1) <= CHANCE


def least_to_tell(seconds_before: float, seconds_after: float) -> int | None:
    """How many events both stretches need together so that their end in one of them is no chance; None: never."""
    share = _share(seconds_before, seconds_after)
    if share is None:
        return None
    return math.ceil(math.log(CHANCE / 2) / math.log(max(share, 1 - share)))


def bounds(histogram: Histogram, share: float) -> tuple[float | None, float | None]:
    """Between which durations, in ms, the percentile lies with 99 %; None where too few were measured for a bound."""
    n = sum(histogram.values())
    if n > _MOST_RANKED:
        middle, spread = n * share, _DEVIATIONS * math.sqrt(n * share * (1 - share))
        low, high = math.floor(middle - spread), math.ceil(middle + spread) + 1
    else:
        low, high = _ranks(n, share)
    return _ranked(histogram, low), _ranked(histogram, high) if high <= n else None


def least_measured(share: float) -> int:
    """How many durations a percentile needs for its upper bound."""
    return math.ceil(math.log(_BEYOND) / math.log(share))


def levels(steps: Iterable[Histogram], share: float) -> tuple[float, ...]:
    """The percentile, in ms, of each stretch of neighbouring steps that holds enough of them; the rest is left out."""
    found, open_ = list[float](), dict[int, int]()
    for step in steps:
        open_ = merged((open_, step))
        if sum(open_.values()) >= LEAST_OF_LEVEL:
            value = percentile(open_, share)
            if value is not None:
                found.append(value)
            open_ = {}
    return tuple(found)


def levels_differ(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether the stretches of one side lie further from those of the other than they vary among themselves."""
    if min(len(before), len(after)) < LEAST_LEVELS:
        return False
    logs = [[math.log(each) for each in side] for side in (before, after)]
    errors = [(variance(side) + _BIN_VARIANCE) / len(side) for side in logs]
    freedom = sum(errors) ** 2 / sum(error**2 / (len(side) - 1) for error, side in zip(errors, logs, strict=True))
    t = abs(fmean(logs[1]) - fmean(logs[0])) / math.sqrt(sum(errors))
    return t > _STUDENT[min(math.floor(freedom), len(_STUDENT)) - 1]


def _share(seconds_before: float, seconds_after: float) -> float | None:
    both = seconds_before + seconds_after
    return seconds_after / both if seconds_before > 0 and seconds_after > 0 else None


def _tail(k: int, n: int, share: float, way: int) -> float:
    """The chance of `k` of `n` and of all beyond it, upwards (1) or downwards (-1), away from what is expected."""
    total = 0.0
    while 0 <= k <= n:
        chance = _chance(k, n, share)
        total += chance
        if chance < total * _NEGLIGIBLE:
            break
        k += way
    return total


def _chance(k: int, n: int, share: float) -> float:
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(share) + (n - k) * math.log1p(-share))


def _ranks(n: int, share: float) -> tuple[int, int]:
    """Of the lower bound (0: there is none) and of the upper one (above n: there is none), counted from 1."""
    low, high, total = 0, n + 1, 0.0
    for k in range(n):
        total += _chance(k, n, share)  # that at most k lie below the percentile
        if total <= _BEYOND:
            low = k + 1
        if total >= 1 - _BEYOND:
            high = k + 1
            break
    return low, high


def _ranked(histogram: Histogram, rank: int) -> float | None:
    """The duration of this rank, from the shortest on; None for rank 0."""
    seen = 0
    for number in sorted(histogram):
        seen += histogram[number]
        if rank and seen >= rank:
            return value_of(number)
    return None
