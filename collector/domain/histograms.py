"""Durations as counts in log-scale bins: add, merge, percentile, and the bytes they are stored as."""

import math
from collections.abc import Iterable, Mapping

from collector.domain.varints import Malformed, read_varint, varint

SMALLEST_MS = 0.01
RATIO = 1.1
LAST_BIN = 255  # all above 3 d 18 h
WORST_ERROR = (RATIO - 1) / (RATIO + 1)  # of a percentile, as a share of the true value: 4.76 %

LOG_RATIO = math.log(RATIO)
BIN_TOLERANCE = 1e-9  # so that the upper edge of a bin lies in it

Histogram = Mapping[int, int]  # bin -> count, counts above 0


def bin_of(milliseconds: float) -> int:
    """The bin of a duration: bin b holds (0.01·1.1^(b−1), 0.01·1.1^b] ms, the first everything below, too."""
    if milliseconds <= SMALLEST_MS:
        return 0
    return min(LAST_BIN, math.ceil(math.log(milliseconds / SMALLEST_MS) / LOG_RATIO - BIN_TOLERANCE))


def value_of(number: int) -> float:
    """The duration shown for a bin, in ms: the one whose worst relative error to both edges is smallest."""
    return SMALLEST_MS * RATIO**number * 2 / (1 + RATIO)


def counted(durations_ms: Iterable[float]) -> dict[int, int]:
    """The histogram of some durations."""
    found: dict[int, int] = {}
    for each in durations_ms:
        number = bin_of(each)
        found[number] = found.get(number, 0) + 1
    return found


def merged(histograms: Iterable[Histogram]) -> dict[int, int]:
    """Their sum."""
    total: dict[int, int] = {}
    for histogram in histograms:
        for number, count in histogram.items():
            total[number] = total.get(number, 0) + count
    return total


def percentile(histogram: Histogram, share: float) -> float | None:
    """The duration in ms that `share` (0 to 1) of all do not exceed; None for an empty histogram."""
    total = sum(histogram.values())
    if not total:
        return None
    rank = max(1, math.ceil(share * total))
    seen = 0
    for number in sorted(histogram):
        seen += histogram[number]
        if seen >= rank:
            return value_of(number)
    raise AssertionError("counts changed while they were read")


def encoded(histogram: Histogram) -> bytes:
    """Number of bins, the bins as one byte each, then their counts; numbers as varints (7 bits a byte, low first)."""
    numbers = sorted(histogram)
    body = bytearray(varint(len(numbers)))
    body += bytes(numbers)
    for number in numbers:
        body += varint(histogram[number])
    return bytes(body)


def decoded(body: bytes) -> dict[int, int]:
    """The histogram of `encoded`. Raises Malformed."""
    n_bins, at = read_varint(body, 0) if not body or body[0] > 0x7F else (body[0], 1)
    numbers = body[at : at + n_bins]
    if len(numbers) != n_bins:
        raise Malformed("bins are missing")
    at += n_bins
    found: dict[int, int] = {}
    for number in numbers:
        # most counts are one byte or two: a call for each took most of the time in which a graph was read
        two = body[at : at + 2]
        if two and two[0] < 0x80:
            found[number], at = two[0], at + 1
        elif len(two) > 1 and two[1] < 0x80:
            found[number], at = two[0] & 0x7F | two[1] << 7, at + 2
        else:
            found[number], at = read_varint(body, at)
    if at != len(body):
        raise Malformed("bytes are left over")
    return found
