"""How far a consumer group is behind, in offsets and in seconds, where that is going, and when it will be done."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

NEAR = 3  # points: so many of the newest lie open, always (collector.domain.ends)

# (time in seconds, end offset of each partition). An end that was not answered is written ~e: e is the end before it.
Point = tuple[float, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Age:
    """How old the first unread record is. The true value lies within `margin_seconds` of `seconds`.

    `from_record`: it is what the record's own timestamp says, which its producer may have set to anything.
    """

    seconds: float
    margin_seconds: float
    from_record: bool = False


@dataclass(frozen=True, slots=True)
class FirstUnread:
    """What a reader of committed records finds at a position: a record, or nothing up to `end`.

    `offset` None: nothing. Then only transaction markers, aborted records or compacted ones lie before `end`, and an
    `end` before the partition's own is where an open transaction begins. `written_at` in seconds since 1970.
    """

    offset: int | None
    written_at: float | None
    end: int


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
    after = _first_behind(history, position, partition)
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


def _first_behind(history: Sequence[Point], position: int, partition: int) -> int:
    """Index of the first point whose end is behind the position. Most lags are young: the newest points first."""
    after = len(history)
    newest = max(0, after - NEAR)
    while after > newest:
        if _end(history[after - 1], partition) <= position:
            return after
        after -= 1
    return bisect_right(history, position, hi=after, key=lambda point: _end(point, partition))


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
    """A group on one topic, summed over partitions. `lag` None: unknown, or nothing was ever committed.

    `n_uncommitted`: partitions that hold something and on which it has not committed.
    """

    lag: int | None
    lost: int
    n_uncommitted: int
    age: Age | None


def lags(
    committed: Sequence[int | None], *, low: Sequence[int | None], high: Sequence[int | None]
) -> tuple[int | None, ...]:
    """The lag of each partition that has an end."""
    if len(committed) != len(high):
        committed = (*committed, *(None,) * (len(high) - len(committed)))[: len(high)]
    return tuple(
        [
            None
            if offset is None or first is None or end is None
            else 0
            if offset >= end or first >= end
            else end - (offset if offset > first else first)
            for offset, first, end in zip(committed, low, high, strict=True)
        ]
    )


def behind(
    committed: Sequence[int | None],
    *,
    low: Sequence[int | None],
    high: Sequence[int | None],
    history: Sequence[Point],
    now: float,
    records: Mapping[int, FirstUnread],
) -> Behind:
    """Lag of a group on a topic. Unknown ends of a committed partition make the whole lag unknown, never smaller.

    The age is that of the oldest unread record: 0 without lag, None as soon as one lagging partition has none. Where
    `history` does not reach back to it, `records` (by partition) says what was found there.
    """
    total, n_lost, n_uncommitted, n_known = 0, 0, 0, 0
    is_unknown, positions = False, dict[int, int]()
    padded = (*committed, *(None,) * (len(high) - len(committed)))
    for partition, (offset, first, end) in enumerate(zip(padded[: len(high)], low, high, strict=True)):
        if offset is None:
            n_uncommitted += first != end
            continue
        n_known += 1
        if first is not None and first > offset:  # `lost`, without a call for each
            n_lost += first - offset
        if first is None or end is None:
            is_unknown = True
        elif end > offset and end > first:
            positions[partition] = position = offset if offset > first else first
            total += end - position
    if is_unknown or not n_known:
        return Behind(None, n_lost, n_uncommitted, None)
    return Behind(
        total, n_lost, n_uncommitted, _oldest(positions, high=high, history=history, now=now, records=records)
    )


def _oldest(
    positions: Mapping[int, int],
    *,
    high: Sequence[int | None],
    history: Sequence[Point],
    now: float,
    records: Mapping[int, FirstUnread],
) -> Age | None:
    """The highest of the ages of the first unread records, by partition; None as soon as one of them has none.

    Nearly all of them lie between two of the newest points, which are laid open once.
    """
    oldest = Age(0.0, 0.0)
    newest = [(at, ends, len(ends)) for at, ends in history[-NEAR:]]
    for partition, position in positions.items():
        found: Age | None
        if partition in records:
            record = records[partition]
            found = age_of(position, partition=partition, history=history, now=now, high=high[partition], record=record)
        elif (near := _between(newest, partition, position)) is not None:
            written_at, margin = near
            if now - written_at <= oldest.seconds:
                continue
            found = Age(max(0.0, now - written_at), margin)
        else:
            found = age(position, partition=partition, history=history, now=now)
        if found is None:
            return None
        if (found.seconds, found.from_record) > (oldest.seconds, oldest.from_record):
            oldest = found
    return oldest


def _between(
    newest: Sequence[tuple[float, Sequence[int], int]], partition: int, position: int
) -> tuple[float, float] | None:
    """When a record was written, and the margin, as `age` has it, where two neighbours of these points tell it."""
    high, to_at = -1, 0.0
    for at, ends, n_ends in reversed(newest):
        end = ends[partition] if partition < n_ends else 0
        if end < 0:
            return None  # not answered: `age` knows what that means
        if end > position:
            high, to_at = end, at
            continue
        if high < 0:
            return None
        share = (position - end + 0.5) / (high - end)
        return at + share * (to_at - at), max(share, 1 - share) * (to_at - at)
    return None


def age_of(
    position: int, *, partition: int, history: Sequence[Point], now: float, high: int | None, record: FirstUnread | None
) -> Age | None:
    """Age of the first unread record, by what was found there if the history cannot tell.

    Where nothing is left to read, nothing is old; a timestamp that is still to come tells nothing.
    """
    if nothing_left(record, high=high):
        return Age(0.0, 0.0)
    found = age(position, partition=partition, history=history, now=now)
    if found is None and record is not None and record.written_at is not None and record.written_at <= now:
        return Age(now - record.written_at, 0.0, from_record=True)
    return found


def nothing_left(found: FirstUnread | None, *, high: int | None) -> bool:
    """Whether a reader of committed records finds no record up to the end: what is left there are markers."""
    return found is not None and found.offset is None and high is not None and found.end >= high


def is_blocked(found: FirstUnread | None, *, high: int | None) -> bool:
    """Whether the next record belongs to a transaction that is still open."""
    return found is not None and found.offset is None and high is not None and found.end < high


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a topic is written and a group reads it, per second; None is unknown."""

    produced: float | None
    consumed: float | None

    @property
    def growth(self) -> float | None:
        """By how much the lag grows (above 0) or falls each second."""
        return None if self.produced is None or self.consumed is None else self.produced - self.consumed

    def done_in(self, unread: int | None) -> float | None:
        """Seconds until nothing is left to read: infinity when the lag does not fall, None when unknown."""
        if unread is None or self.growth is None:
            return None
        if not unread:
            return 0.0
        return unread / -self.growth if self.growth < 0 else inf
