"""The recent ends of one topic: enough to say how old a lag is without asking anybody."""

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collector.domain.lag import Point

MOST_POINTS = 720
_PACKED_FROM = 6  # at most so many of the newest points lie open, and half of them: nearly every age is found there


def moved(start: Sequence[int | None], end: Sequence[int | None], *, missing: int | None) -> int:
    """How far `end` is past `start`, summed over partitions that have both; never negative.

    `missing` stands for a partition that was not there at the start (new partitions begin at 0); None leaves it out.
    """
    total = 0
    for partition, offset in enumerate(end):
        before = start[partition] if partition < len(start) else missing
        if offset is not None and before is not None and offset > before:
            total += offset - before
    return total


def fell(start: Sequence[int | None], end: Sequence[int | None]) -> bool:
    """Whether any partition stands before where it stood: a counter that was set back, whose distance says nothing."""
    pairs = zip(start, end, strict=False)
    return any(before is not None and offset is not None and offset < before for before, offset in pairs)


def fallen(start: Sequence[int | None], end: Sequence[int | None]) -> list[int]:
    """Partitions that stand before where they stood."""
    pairs = enumerate(zip(start, end, strict=False))
    return [number for number, (before, at) in pairs if before is not None and at is not None and at < before]


def answered(ends: Sequence[int | None], *, before: Sequence[int | None]) -> tuple[int | None, ...]:
    """The newest end of each partition that was answered: these, else those of `before`.

    None where none ever was: what it holds when it answers at last is not new. A partition that was added began at 0.
    """
    if None not in ends:
        return tuple(ends)
    added = 0 if before else None
    return tuple(
        [
            end if end is not None else before[partition] if partition < len(before) else added
            for partition, end in enumerate(ends)
        ]
    )


class _Packed(Sequence[int]):
    """The ends of one packed point, unpacked one by one."""

    __slots__ = ("_base", "_ends", "_start")

    def __init__(self, ends: "array[int]", base: Sequence[int], start: int) -> None:
        self._ends, self._base, self._start = ends, base, start

    def __len__(self) -> int:
        return len(self._base)

    @overload
    def __getitem__(self, partition: int) -> int: ...

    @overload
    def __getitem__(self, partition: slice) -> list[int]: ...

    def __getitem__(self, partition: int | slice) -> int | list[int]:
        if isinstance(partition, slice):
            return [self[each] for each in range(*partition.indices(len(self)))]
        base = self._base[partition]
        packed = self._ends[self._start + partition % len(self._base)]
        return base + packed if packed >= 0 else ~(base + ~packed)


class Points(Sequence["Point"]):
    """Points (time, ends) ordered by time. The older ones take 4 bytes an end: their distance from the first.

    Room for all of these is taken with the first of them, so that a process of many topics soon has its size.
    """

    __slots__ = ("_base", "_ends", "_n_packed", "_newest", "_room", "_times")

    def __init__(self, room: int) -> None:
        self._room = room
        self._n_packed = 0
        self._times = array("d")
        self._ends = array("i")
        self._base: list[int] = []
        self._newest: list[Point] = []

    def __len__(self) -> int:
        return self._n_packed + len(self._newest)

    @overload
    def __getitem__(self, index: int) -> "Point": ...

    @overload
    def __getitem__(self, index: slice) -> "list[Point]": ...

    def __getitem__(self, index: "int | slice") -> "Point | list[Point]":
        n_packed = self._n_packed
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if start >= n_packed and step == 1:
                return self._newest[start - n_packed : max(0, stop - n_packed)]
            return [self[each] for each in range(start, stop, step)]
        if index < 0:
            index += n_packed + len(self._newest)
        if index >= n_packed:
            return self._newest[index - n_packed]
        if index < 0:
            raise IndexError(index)
        return self._times[index], _Packed(self._ends, self._base, index * len(self._base))

    def append(self, point: "Point") -> None:
        """The next one; with the last for which there is room, every second one of the older half goes."""
        self._newest.append(point)
        if len(self._newest) > _PACKED_FROM:
            for each in self._newest[: _PACKED_FROM // 2]:
                self._pack(each)
            del self._newest[: _PACKED_FROM // 2]
        if len(self) > self._room:
            self._thin_out()

    def put_last(self, point: "Point") -> None:
        """In the place of the newest one."""
        self._newest[-1] = point

    def shift(self, seconds: float) -> None:
        """The same moments have other names now."""
        self._times = array("d", [at + seconds for at in self._times])
        self._newest = [(at + seconds, ends) for at, ends in self._newest]

    def _thin_out(self) -> None:
        n, width = self._n_packed, len(self._base)
        half = min(len(self) // 2, n)
        kept = (half + 1) // 2
        for row in range(1, kept):
            self._times[row] = self._times[2 * row]
            self._ends[row * width : (row + 1) * width] = self._ends[2 * row * width : (2 * row + 1) * width]
        end = kept + n - half
        self._times[kept:end] = self._times[half:n]
        self._ends[kept * width : end * width] = self._ends[half * width : n * width]
        self._n_packed = end

    def _pack(self, point: "Point") -> None:
        at, ends = point
        if len(ends) > len(self._base):
            self._widen(ends)
        row = [end - base if end >= 0 else ~(~end - base) for end, base in zip(ends, self._base, strict=True)]
        start = self._n_packed * len(row)
        try:
            self._ends[start : start + len(row)] = array(self._ends.typecode, row)
        except OverflowError:  # more than 2 billion records since the first point: 8 bytes an end from now on
            self._ends = array("q", self._ends)
            self._ends[start : start + len(row)] = array("q", row)
        self._times[self._n_packed] = at
        self._n_packed += 1

    def _widen(self, ends: Sequence[int]) -> None:
        """Partitions were added; before, they ended at 0."""
        old, width = len(self._base), len(ends)
        before, kind = self._ends, self._ends.typecode
        self._ends = array(kind, bytes(before.itemsize * self._room * width))
        if not old:
            self._times = array("d", bytes(8 * self._room))
            self._base = [end if end >= 0 else ~end for end in ends]
            return
        for row in range(self._n_packed):
            self._ends[row * width : row * width + old] = before[row * old : (row + 1) * old]
        self._base += [0] * (width - old)


class Ring:
    """Points (time, ends) ordered by time, as `collector.domain.lag.age` reads them.

    Of a flat run only the first and the last point are kept. When there are too many, every second point of the
    older half goes: an age then has a wider margin, never a wrong one.
    """

    __slots__ = ("_most_points", "points")

    def __init__(self, most_points: int = MOST_POINTS) -> None:
        self._most_points = most_points
        self.points = Points(most_points)

    def add(self, at: float, high: Sequence[int | None]) -> None:
        """Take in the ends read at `at` (seconds). Ends that fell start the ring anew: the log was cut."""
        if self._fell(high):
            self.points = Points(self._most_points)
        ends = self._carried(high)
        if len(self.points) > 1 and self.points[-1][1] == ends == self.points[-2][1]:
            self.points.put_last((at, ends))
        else:
            self.points.append((at, ends))

    def lasts(self) -> Sequence[int]:
        """The newest ends that are known; one that was not answered is as it was before."""
        return [end if end >= 0 else ~end for end in self.points[-1][1]] if self.points else ()

    def firsts(self) -> Sequence[int]:
        """The oldest ends still known: no age reaches before them."""
        return self.points[0][1] if self.points else ()

    def shift(self, seconds: float) -> None:
        """The clock was set: the same moments have other names now."""
        self.points.shift(seconds)

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
        if None not in high:
            return array("q", high)  # type: ignore[arg-type]  # none is None
        before = self.points[-1][1] if self.points else ()
        found = []
        for partition, end in enumerate(high):
            if end is not None:
                found.append(end)
            else:
                known = before[partition] if partition < len(before) else 0
                found.append(known if known < 0 else ~known)
        return array("q", found)
