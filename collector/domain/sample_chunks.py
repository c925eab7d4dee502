"""An hour of samples as one compressed body: differences, as varints, one series after the other, deflated.

A series of its own for the times, and for each partition of each value: what belongs together lies together. Bodies of
an older form, point after point, are read, too.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
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
    if not chunk.startswith(_FORM):
        return _of_older_form(_inflated(chunk, zlib.MAX_WBITS))
    body = _inflated(chunk[1:], -zlib.MAX_WBITS)
    n_points, at = read_varint(body, 0)
    n_values, at = read_varint(body, at)
    if n_points > len(body) or n_values > len(body):
        raise Malformed("more points than bytes")
    ticks, at = _read_moments(body, at, n_points)
    columns: list[list[Offsets]] = []
    for _ in range(n_values):
        lengths, at = _read_differences(body, at, n_points)
        if sum(lengths) > len(body) or min(lengths, default=0) < 0:
            raise Malformed("more offsets than bytes")
        rows: list[list[int | None]] = [[] for _ in lengths]
        for partition in range(max(lengths, default=0)):
            having = [row for row, length in zip(rows, lengths, strict=True) if length > partition]
            series, at = _read_optional(body, at, len(having))
            for row, offset in zip(having, series, strict=True):
                row.append(offset)
        columns.append([tuple(row) for row in rows])
    values = zip(*columns, strict=True) if columns else iter([()] * n_points)
    return [Point(moment, each) for moment, each in zip(_times(ticks), values, strict=True)]


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


def _read_optional(body: bytes, at: int, n: int) -> tuple[list[int | None], int]:
    found: list[int | None] = []
    number = 0
    for _ in range(n):
        said = body[at] if at < len(body) else 0x80
        if said < 0x80:  # nearly always: one byte
            at += 1
        else:
            said, at = read_varint(body, at)
        if said:
            number += unzigzag(said - 1)
        found.append(number if said else None)
    return found, at


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
