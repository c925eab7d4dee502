"""The recent ends of one topic: enough to say how old a lag is without asking anybody."""

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collector.domain.lag import Point

MOST_POINTS = 720


def moved(start: Sequence[int | None], end: Sequence[int | None], *, missing: int | None) -> int:
    """How far `end` is past `start`, summed over partitions that have both; never negative.

    `missing` stands for a partition that was not there at the start (new partitions begin at 0); None leaves it out.
    """
    total = 0
    for partition, offset in enumerate(end):
        before = start[partition] if partition < len(start) else missing
        if offset is not None and before is not None:
            total += max(0, offset - before)
    return total


class Ring:
    """Points (time, ends) ordered by time, as `collector.domain.lag.age` reads them: 8 bytes an end.

    Of a flat run only the first and the last point are kept. When there are too many, every second point of the
    older half goes: an age then has a wider margin, never a wrong one.
    """

    def __init__(self) -> None:
        self.points: list[Point] = []

    def add(self, at: float, high: Sequence[int | None]) -> None:
        """Take in the ends read at `at` (seconds). Ends that fell start the ring anew: the log was cut."""
        if self._fell(high):
            self.points.clear()
        ends = self._carried(high)
        if len(self.points) > 1 and self.points[-1][1] == ends == self.points[-2][1]:
            self.points[-1] = (at, ends)
        else:
            self.points.append((at, ends))
        if len(self.points) > MOST_POINTS:
            half = MOST_POINTS // 2
            self.points = self.points[:half:2] + self.points[half:]

    def lasts(self) -> Sequence[int]:
        """The newest ends that are known; one that was not answered is as it was before."""
        return [end if end >= 0 else ~end for end in self.points[-1][1]] if self.points else ()

    def firsts(self) -> Sequence[int]:
        """The oldest ends still known: no age reaches before them."""
        return self.points[0][1] if self.points else ()

    def shift(self, seconds: float) -> None:
        """The clock was set: the same moments have other names now."""
        self.points = [(at + seconds, ends) for at, ends in self.points]

    def _fell(self, high: Sequence[int | None]) -> bool:
        if not self.points:
            return False
        before = self.points[-1][1]
        if len(high) < len(before):
            return True
        return any(
            end is not None and end < (known if known >= 0 else ~known)
            for known, end in zip(before, high, strict=False)
        )

    def _carried(self, high: Sequence[int | None]) -> "array[int]":
        """The ends; where none was answered ~e, e being the end known before."""
        before = self.points[-1][1] if self.points else ()
        found = array("q")
        for partition, end in enumerate(high):
            if end is not None:
                found.append(end)
            else:
                known = before[partition] if partition < len(before) else 0
                found.append(known if known < 0 else ~known)
        return found
