"""An hour of samples as one compressed body: differences, as varints, one series after the other, deflated.

A series of its own for the times, and for each partition of each value: what belongs together lies together. Bodies of
an older form, point after point, are read, too.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from statistics import median_low

from collector.domain.varints import Malformed, read_varint, unzigzag, varint, zigzag

Offsets = tuple[int | None, ...]
TICK = timedelta(milliseconds=10)
KEPT_AS_ROWS = timedelta(minutes=80)  # all samples, at least; then the last of each minute until they are a day old
KEPT_SCANS = timedelta(days=31)  # at least
_FORM = b"\x02"  # before a body; what is older begins with the x of zlib
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEVEL = 6
_MOST_BYTES = 64 * 1024 * 1024  # of an unpacked chunk: an hour of 1,800 scans of 1,000 partitions is below 8 MB


@dataclass(frozen=True, slots=True)
class Point:
    """Values at one time: (high, low) of a topic, or (committed,) of a group."""

    at: datetime
    values: tuple[Offsets, ...]


def packed(points: Sequence[Point]) -> bytes:
    """Points ordered by time, all with the same number of values; times are cut to `TICK`."""
    n_values = len(points[0].values) if points else 0
    body = bytearray(varint(len(points)) + varint(n_values))
    body += _moments([(point.at - _EPOCH) // TICK for point in points])
    for index in range(n_values):
        lengths = [len(point.values[index]) for point in points]
        body += _differences(lengths)
        for partition in range(max(lengths, default=0)):
            having = [point.values[index] for point in points if len(point.values[index]) > partition]
            body += _optional([offsets[partition] for offsets in having])
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_FILTERED)
    return _FORM + deflate.compress(bytes(body)) + deflate.flush()


def _moments(ticks: Sequence[int]) -> bytes:
    """The first one, the usual step, and by how much each step differs from it: samples come nearly regularly."""
    steps = [after - before for before, after in pairwise(ticks)]
    usual = median_low(steps) if steps else 0
    numbers = [*ticks[:1], usual, *(step - usual for step in steps)]
    return b"".join(varint(zigzag(number)) for number in numbers)


def _differences(numbers: Sequence[int]) -> bytes:
    body, before = bytearray(), 0
    for number in numbers:
        body += varint(zigzag(number - before))
        before = number
    return bytes(body)


def _optional(offsets: Sequence[int | None]) -> bytes:
    """0 for no value, else one more than the zigzag difference to the last value."""
    body, before = bytearray(), 0
    for offset in offsets:
        if offset is None:
            body.append(0)
            continue
        body += varint(zigzag(offset - before) + 1)
        before = offset
    return bytes(body)


def unpacked(chunk: bytes) -> list[Point]:
    """The points of `packed`. Raises Malformed."""
    hour = opened(chunk)
    return hour.points(range(len(hour.times)))


@dataclass(frozen=True, slots=True)
class Opened:
    """A chunk whose times are known; its offsets are read as they are asked for."""

    times: Sequence[datetime]
    _n_values: int
    _body: bytes
    _at: int
    _older: Sequence[Point] | None = None

    def points(
        self, wanted: Sequence[int], *, partitions: Sequence[int] | None = None, n_values: int | None = None
    ) -> list[Point]:
        """The points with these ascending numbers, with their first `n_values`. Raises Malformed.

        `partitions`: those that are wanted, which are then 0, 1, 2 …; one that was not there yet is 0. What is not
        wanted is stepped over, a hundred times as quickly as it is read.
        """
        if not wanted:
            return []
        most = self._n_values if n_values is None else min(n_values, self._n_values)
        if self._older is not None:
            found = [self._older[number] for number in wanted]
            return [Point(each.at, tuple(_picked(own, partitions) for own in each.values[:most])) for each in found]
        at, columns = self._at, list[list[Offsets]]()
        for _ in range(most):
            column, at = self._column(at, wanted, partitions)
            columns.append(column)
        values = zip(*columns, strict=True) if columns else iter([()] * len(wanted))
        return [Point(self.times[number], each) for number, each in zip(wanted, values, strict=True)]

    def _column(self, at: int, wanted: Sequence[int], partitions: Sequence[int] | None) -> tuple[list[Offsets], int]:
        """One value of these points, and where the next one lies."""
        body = self._body
        lengths, at = _read_differences(body, at, len(self.times))
        if sum(lengths) > len(body) or min(lengths) < 0:
            raise Malformed("more offsets than bytes")
        places = {partition: place for place, partition in enumerate(partitions or ())}
        rows: list[list[int | None]] = [[0] * len(places) for _ in wanted]
        for partition in range(max(lengths)):
            numbers, n = _numbers(partition, lengths, wanted)
            if partitions is not None and partition not in places:
                at = _skipped(body, at, n)
                continue
            series, at = _read_optional(body, at, n, most=max(numbers) + 1)
            for row, number in zip(rows, numbers, strict=True):
                if partitions is not None and number >= 0:
                    row[places[partition]] = series[number]
                elif number >= 0:
                    row.append(series[number])
        return [tuple(row) for row in rows], at


def opened(chunk: bytes) -> Opened:
    """A chunk to read parts of. Raises Malformed."""
    if not chunk.startswith(_FORM):
        points = _of_older_form(_inflated(chunk, zlib.MAX_WBITS))
        return Opened([point.at for point in points], len(points[0].values) if points else 0, b"", 0, points)
    body = _inflated(chunk[1:], -zlib.MAX_WBITS)
    n_points, at = read_varint(body, 0)
    n_values, at = read_varint(body, at)
    if n_points > len(body) or n_values > len(body):
        raise Malformed("more points than bytes")
    ticks, at = _read_moments(body, at, n_points)
    return Opened(list(_times(ticks)), n_values, body, at)


def _picked(offsets: Offsets, partitions: Sequence[int] | None) -> Offsets:
    if partitions is None:
        return offsets
    return tuple(offsets[each] if each < len(offsets) else 0 for each in partitions)


def _numbers(partition: int, lengths: Sequence[int], wanted: Sequence[int]) -> tuple[Sequence[int], int]:
    """Which of a partition's own numbers belong to the points that are wanted (-1: it was not there), of how many."""
    if partition < min(lengths):
        return wanted, len(lengths)
    upto = list(accumulate(1 if length > partition else 0 for length in lengths))
    return [upto[number] - 1 if lengths[number] > partition else -1 for number in wanted], upto[-1]


def _read_moments(body: bytes, at: int, n: int) -> tuple[list[int], int]:
    found = list[int]()
    first, at = read_varint(body, at) if n else (0, at)
    usual, at = read_varint(body, at)
    tick, step = unzigzag(first), unzigzag(usual)
    for number in range(n):
        if number:
            more, at = read_varint(body, at)
            tick += step + unzigzag(more)
        found.append(tick)
    return found, at


def _times(ticks: Sequence[int]) -> Iterator[datetime]:
    for tick in ticks:
        try:
            yield _EPOCH + tick * TICK
        except OverflowError:
            raise Malformed("no such time") from None


def _read_differences(body: bytes, at: int, n: int) -> tuple[list[int], int]:
    found, number = [], 0
    for _ in range(n):
        step, at = read_varint(body, at)
        number += unzigzag(step)
        found.append(number)
    return found, at


def _read_optional(body: bytes, at: int, n: int, *, most: int) -> tuple[list[int | None], int]:
    """The first `most` of a series of `n`, and where the next one lies."""
    until = _skipped(body, at, min(n, most))
    steps = [_STEPS[number] for number in _NUMBER.findall(body, at, until)]
    found: list[int | None]
    if None in steps:
        total, found = 0, []
        for step in steps:
            total += step or 0
            found.append(None if step is None else total)
    else:
        found = list(accumulate(step for step in steps if step is not None))
    return found, _skipped(body, until, n - most) if n > most else until


_NUMBER = re.compile(rb"[\x80-\xff]{0,9}[\x00-\x7f]")  # ten bytes hold any of 64 bits
_GO_ON = bytes(range(0x80, 0x100))  # bytes that are not the last ones of their number


class _Steps(dict[bytes, int | None]):
    """The bytes of a number, and by how much an offset differs; None for no offset. Short ones come again and again."""

    def __missing__(self, number: bytes) -> int | None:
        said, _ = read_varint(number, 0)
        step = unzigzag(said - 1) if said else None
        if len(number) < 3:
            self[number] = step
        return step


_STEPS = _Steps()


def _skipped(body: bytes, at: int, n: int) -> int:
    """Where the n-th number behind `at` ends."""
    while n:
        part = body[at : at + n]
        if not part:
            raise Malformed("a number has no end")
        at += len(part)
        n -= len(part.translate(None, _GO_ON))
    return at


def _inflated(body: bytes, bits: int) -> bytes:
    try:
        inflate = zlib.decompressobj(bits)
        found = inflate.decompress(body, _MOST_BYTES)
    except zlib.error as problem:
        raise Malformed(str(problem)) from None
    if not inflate.eof:
        raise Malformed("the chunk is cut, or too large")
    return found


def _of_older_form(body: bytes) -> list[Point]:
    """Point after point, times to the millisecond."""
    n_points, at = read_varint(body, 0)
    n_values, at = read_varint(body, at)
    points: list[Point] = []
    before: dict[tuple[int, int], int] = {}
    at_ms = 0
    for _ in range(n_points):
        step, at = read_varint(body, at)
        at_ms += unzigzag(step)
        values = []
        for index in range(n_values):
            offsets, at = _read_offsets(body, at, index, before)
            values.append(offsets)
        points.append(Point(_EPOCH + timedelta(milliseconds=at_ms), tuple(values)))
    return points


def _read_offsets(body: bytes, at: int, index: int, before: dict[tuple[int, int], int]) -> tuple[Offsets, int]:
    n_partitions, at = read_varint(body, at)
    offsets: list[int | None] = []
    for partition in range(n_partitions):
        number, at = read_varint(body, at)
        if number == 0:
            offsets.append(None)
            continue
        place = (index, partition)
        before[place] = before.get(place, 0) + unzigzag(number - 1)
        offsets.append(before[place])
    return tuple(offsets), at
