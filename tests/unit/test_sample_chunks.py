"""Chunks of samples: the points come back as they went in, and garbage is refused."""

import zlib
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from collector.domain.sample_chunks import TICK, Point, packed, unpacked
from collector.domain.varints import Malformed, unzigzag, varint, zigzag

HOUR = datetime(2026, 3, 1, 12, tzinfo=UTC)
offsets = st.lists(st.none() | st.integers(0, 2**62), max_size=5).map(tuple)


@given(st.lists(st.tuples(st.integers(0, 360_000), offsets, offsets), max_size=30))
def test_points_come_back_as_they_went_in(drawn: list[tuple[int, tuple[int, ...], tuple[int, ...]]]) -> None:
    points = [Point(HOUR + at * TICK, (high, low)) for at, high, low in sorted(drawn, key=lambda each: each[0])]
    assert unpacked(packed(points)) == points


def test_times_are_cut_to_a_hundredth_of_a_second() -> None:
    (point,) = unpacked(packed([Point(HOUR + timedelta(microseconds=1_239_999), ((5,),))]))
    assert point == Point(HOUR + timedelta(milliseconds=1230), ((5,),))


def test_a_body_of_the_older_form_is_read() -> None:
    at_ms = int(HOUR.timestamp() * 1000)
    body = b"".join(
        [
            varint(2),
            varint(1),
            *(varint(zigzag(at_ms)), varint(2), varint(zigzag(7) + 1), b"\x00"),
            *(varint(zigzag(1500)), varint(2), varint(zigzag(2) + 1), varint(zigzag(4) + 1)),
        ]
    )
    assert unpacked(zlib.compress(body)) == [
        Point(HOUR, ((7, None),)),
        Point(HOUR + timedelta(milliseconds=1500), ((9, 4),)),
    ]


def test_an_hour_of_steady_samples_is_small() -> None:
    points = [
        Point(HOUR + timedelta(seconds=2 * number), (tuple(1_000_000 + number * 20 + p for p in range(10)), (0,) * 10))
        for number in range(1800)
    ]
    assert len(packed(points)) < 1800


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda body: b"\x02" + zlib.compress(body, wbits=-15)))
def test_any_bytes_are_points_or_refused(body: bytes) -> None:
    try:
        unpacked(body)
    except Malformed:
        return


@given(st.integers(-(2**62), 2**62))
def test_zigzag_goes_both_ways(number: int) -> None:
    assert unzigzag(zigzag(number)) == number
    assert zigzag(number) >= 0
