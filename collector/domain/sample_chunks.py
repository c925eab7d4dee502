"""An hour of samples as one compressed body: differences, as varints, through zlib."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from collector.domain.varints import Malformed, read_varint, unzigzag, varint, zigzag

Offsets = tuple[int | None, ...]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEVEL = 6
_MOST_BYTES = 64 * 1024 * 1024  # of an unpacked chunk: an hour of 1,800 scans of 1,000 partitions is below 8 MB


@dataclass(frozen=True, slots=True)
class Point:
    """Values at one time, to the millisecond: (high, low) of a topic, or (committed,) of a group."""

    at: datetime
    values: tuple[Offsets, ...]


def packed(points: Sequence[Point]) -> bytes:
    """Points ordered by time, all with the same number of values."""
    body = bytearray(varint(len(points)))
    body += varint(len(points[0].values) if points else 0)
    before_ms = 0
    before: dict[tuple[int, int], int] = {}
    for point in points:
        at_ms = (point.at - _EPOCH) // timedelta(milliseconds=1)
        body += varint(zigzag(at_ms - before_ms))
        before_ms = at_ms
        for index, offsets in enumerate(point.values):
            body += varint(len(offsets))
            for partition, offset in enumerate(offsets):
                body += _difference(offset, (index, partition), before)
    return zlib.compress(bytes(body), _LEVEL)


def _difference(offset: int | None, place: tuple[int, int], before: dict[tuple[int, int], int]) -> bytes:
    """0 for no value, else one more than the zigzag difference to the last value at this place."""
    if offset is None:
        return b"\x00"
    difference = offset - before.get(place, 0)
    before[place] = offset
    return varint(zigzag(difference) + 1)


def unpacked(chunk: bytes) -> list[Point]:
    """The points of `packed`. Raises Malformed."""
    body = _decompressed(chunk)
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


def _decompressed(chunk: bytes) -> bytes:
    try:
        unzip = zlib.decompressobj()
        body = unzip.decompress(chunk, _MOST_BYTES)
    except zlib.error as problem:
        raise Malformed(str(problem)) from None
    if not unzip.eof:
        raise Malformed("the chunk is cut, or too large")
    return body


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
