"""How far a consumer group is behind: in offsets, in seconds, and what that means (numbered rules)."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

# (time in seconds, end offset of each partition). An end that was not answered is written ~e: e is the end before it.
Point = tuple[float, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Age:
    """How old the first unread record is. The true value lies within `margin_seconds` of `seconds`."""

    seconds: float
    margin_seconds: float


def lag(committed: int | None, *, low: int | None, high: int | None) -> int | None:
    """Readable records not yet read, or None when one of the three is unknown.

    What retention took away can no longer be read, so it is no lag: see `lost`. An offset committed beyond the end
    (anybody may commit one) is no lag either.
    """
    if committed is None or low is None or high is None:
        return None
    return max(0, high - max(committed, low))


def lost(committed: int | None, *, low: int | None) -> int:
    """Records that were deleted before the group read them."""
    if committed is None or low is None:
        return 0
    return max(0, low - committed)


def age(position: int, *, partition: int, history: Sequence[Point], now: float) -> Age | None:
    """Age of the record at `position`, or None when `history` does not reach back to it (or not forward).

    It was written between the last point whose end is at or before the position and the first whose end is behind
    it; in between the rate is taken as steady. `history` is ordered by time and its ends never fall.
    """
    after = bisect_right(history, position, key=lambda point: _end(point, partition))
    if after == len(history):
        return None
    before = after - 1
    while before >= 0 and not _is_answered(history[before], partition):
        before -= 1
    if before < 0:
        return None
    low, high = _end(history[before], partition), _end(history[after], partition)
    from_at, to_at = history[before][0], history[after][0]
    share = (position - low + 0.5) / (high - low)
    written_at = from_at + share * (to_at - from_at)
    return Age(max(0.0, now - written_at), max(share, 1 - share) * (to_at - from_at))


def _end(point: Point, partition: int) -> int:
    """A partition that was not there yet ended at 0."""
    ends = point[1]
    if partition >= len(ends):
        return 0
    return ends[partition] if ends[partition] >= 0 else ~ends[partition]


def _is_answered(point: Point, partition: int) -> bool:
    return partition >= len(point[1]) or point[1][partition] >= 0


@dataclass(frozen=True, slots=True)
class Behind:
    """A group on one topic, summed over partitions. `lag` None: unknown, or nothing was ever committed."""

    lag: int | None
    lost: int
    n_uncommitted: int
    age: Age | None


def behind(
    committed: Sequence[int | None],
    *,
    low: Sequence[int | None],
    high: Sequence[int | None],
    history: Sequence[Point],
    now: float,
) -> Behind:
    """Lag of a group on a topic. Unknown ends of a committed partition make the whole lag unknown, never smaller.

    The age is that of the oldest unread record: 0 without lag, None as soon as one lagging partition has none.
    """
    n_partitions = len(high)
    total, n_lost, n_committed, unknown = 0, 0, 0, False
    lagging: list[tuple[int, int]] = []
    for partition, offset in enumerate(committed[:n_partitions]):
        if offset is None:
            continue
        n_committed += 1
        n_lost += lost(offset, low=low[partition])
        unread = lag(offset, low=low[partition], high=high[partition])
        if unread is None:
            unknown = True
        elif unread:
            total += unread
            lagging.append((partition, max(offset, low[partition] or 0)))
    n_uncommitted = n_partitions - n_committed
    if unknown or not n_committed:
        return Behind(None, n_lost, n_uncommitted, None)
    return Behind(total, n_lost, n_uncommitted, _oldest(lagging, history, now))


def _oldest(lagging: Sequence[tuple[int, int]], history: Sequence[Point], now: float) -> Age | None:
    oldest = Age(0.0, 0.0)
    for partition, position in lagging:
        found = age(position, partition=partition, history=history, now=now)
        if found is None:
            return None
        oldest = max(oldest, found, key=lambda each: each.seconds)
    return oldest


@dataclass(frozen=True, slots=True)
class Standing:
    """A group on one topic at one time. `state` is Kafka's word for the group (Stable, Empty, …)."""

    at: float
    state: str
    n_members: int
    lag: int | None
    committed: tuple[int | None, ...]


class Verdict(Enum):
    """What a window of standings means, by the numbered rules of `verdict`; the values are the words people read."""

    NO_COMMITS = "NO COMMITS"
    REBALANCING = "REBALANCING"
    REWOUND = "REWOUND"
    OK = "OK"
    STOPPED = "STOPPED"
    STALLED = "STALLED"
    SLOW = "SLOW"


_REBALANCING = {"PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling", "Rebalancing"}


def verdict(window: Sequence[Standing], *, patience_seconds: float = 30) -> Verdict | None:
    """The first rule that fits, over standings ordered by time.

    1 NO COMMITS   no partition has a committed offset
    2 REBALANCING  the group is handing out partitions right now
    3 REWOUND      a committed offset fell and is still below where it was
    4 OK           the lag was 0 at some time in the window
    5 STOPPED      there is lag, nothing was committed in the window, and the group has no members
    6 STALLED      the same, with members
    7 SLOW         it commits, but the lag rose over the window and never fell in it
    4 OK           everything else

    None where that cannot be told: no standing, an unknown lag, or (rules 5 to 7) a window shorter than
    `patience_seconds`: clients commit every few seconds only.
    """
    if not window:
        return None
    newest = window[-1]
    if all(offset is None for offset in newest.committed):
        return Verdict.NO_COMMITS
    if newest.state in _REBALANCING:
        return Verdict.REBALANCING
    if _is_rewound(window):
        return Verdict.REWOUND
    return _of_lag(window, patience_seconds)


def _of_lag(window: Sequence[Standing], patience_seconds: float) -> Verdict | None:
    oldest, newest = window[0], window[-1]
    if newest.lag is None:
        return None
    if any(standing.lag == 0 for standing in window):
        return Verdict.OK
    if newest.at - oldest.at < patience_seconds:
        return None
    if oldest.committed == newest.committed:
        return Verdict.STALLED if newest.n_members else Verdict.STOPPED
    lags = [standing.lag for standing in window if standing.lag is not None]
    never_fell = all(before <= after for before, after in pairwise(lags))
    return Verdict.SLOW if never_fell and lags[0] < lags[-1] else Verdict.OK


def _is_rewound(window: Sequence[Standing]) -> bool:
    highest: dict[int, int] = {}
    for standing in window:
        for partition, offset in enumerate(standing.committed):
            if offset is not None:
                highest[partition] = max(offset, highest.get(partition, offset))
    newest = window[-1].committed
    return any(offset is not None and offset < highest[partition] for partition, offset in enumerate(newest))


class Trend(Enum):
    """Where a lag is going."""

    RISING = "rising"
    FLAT = "flat"
    FALLING = "falling"


def trend(window: Sequence[Standing], *, slack: float = 0.05) -> Trend | None:
    """Direction of the lag: mean of the later half against the earlier half, `slack` as a share of the larger one.

    None with fewer than two known lags.
    """
    known = [standing.lag for standing in window if standing.lag is not None]
    if len(known) < 2:
        return None
    half = len(known) // 2
    earlier, later = sum(known[:half]) / half, sum(known[-half:]) / half
    if abs(later - earlier) <= slack * max(earlier, later):
        return Trend.FLAT
    return Trend.RISING if later > earlier else Trend.FALLING
