"""Chunks of samples: the points come back as they went in, and garbage is refused."""

import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.sample_chunks import TICK, Point, opened, packed, unpacked
from collector.domain.varints import Malformed, unzigzag, varint, zigzag

HOUR = datetime(2026, 3, 1, 12, tzinfo=UTC)
offsets = st.lists(st.none() | st.integers(0, 2**62), max_size=5).map(tuple)


@given(st.lists(st.tuples(st.integers(0, 360_000), offsets, offsets), max_size=30))
def test_points_come_back_as_they_went_in(drawn: list[tuple[int, tuple[int, ...], tuple[int, ...]]]) -> None:
    points = [Point(HOUR + at * TICK, (high, low)) for at, high, low in sorted(drawn, key=lambda each: each[0])]
    assert unpacked(packed(points)) == points


@given(
    st.lists(st.tuples(st.integers(0, 360_000), offsets, offsets), min_size=1, max_size=30),
    st.data(),
)
def test_parts_are_the_parts_of_the_whole(
    drawn: list[tuple[int, tuple[int, ...], tuple[int, ...]]], data: st.DataObject
) -> None:
    points = [Point(HOUR + at * TICK, (high, low)) for at, high, low in sorted(drawn, key=lambda each: each[0])]
    wanted = sorted(data.draw(st.sets(st.integers(0, len(points) - 1))))
    partitions = data.draw(st.lists(st.integers(0, 6), unique=True))
    hour = opened(packed(points))
    assert hour.times == [point.at for point in points]
    assert hour.points(wanted) == [points[number] for number in wanted]
    assert hour.points(wanted, partitions=partitions, n_values=1) == [
        Point(points[number].at, (tuple(_at(points[number].values[0], each) for each in partitions),))
        for number in wanted
    ]


def _at(offsets: tuple[int | None, ...], partition: int) -> int | None:
    return offsets[partition] if partition < len(offsets) else 0


@given(st.lists(st.tuples(offsets, offsets), min_size=1, max_size=5))
def test_parts_of_the_older_form_are_read_the_same(drawn: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    body, before, at_ms = bytearray(varint(len(drawn)) + varint(2)), dict[tuple[int, int], int](), 0
    for number, values in enumerate(drawn):
        now_ms = int(HOUR.timestamp() * 1000) + 2000 * number
        body += varint(zigzag(now_ms - at_ms))
        at_ms = now_ms
        for index, own in enumerate(values):
            body += varint(len(own))
            for partition, offset in enumerate(own):
                body += b"\0" if offset is None else varint(zigzag(offset - before.get((index, partition), 0)) + 1)
                before[index, partition] = before.get((index, partition), 0) if offset is None else offset
    hour = opened(zlib.compress(bytes(body)))
    assert [point.values for point in hour.points(range(len(drawn)))] == drawn
    (last,) = hour.points([len(drawn) - 1], partitions=[1, 0], n_values=1)
    assert last.values == ((_at(drawn[-1][0], 1), _at(drawn[-1][0], 0)),)


@pytest.mark.parametrize("step", [0, 1, 62, 63, 8_000, 9_000, 2**40])
def test_offsets_that_rise_in_any_steps_come_back(step: int) -> None:
    points = [Point(HOUR + number * TICK, ((number * step, None if number % 3 else 7),)) for number in range(50)]
    assert unpacked(packed(points)) == points
    assert opened(packed(points)).points([20, 21]) == points[20:22]


def test_a_body_that_ends_within_a_series_is_refused() -> None:
    body = zlib.decompressobj(-15).decompress(packed([Point(HOUR + n * TICK, ((n,),)) for n in range(9)])[1:])
    deflate = zlib.compressobj(wbits=-15)
    cut = b"\x02" + deflate.compress(body[:-2]) + deflate.flush()
    with pytest.raises(Malformed):
        unpacked(cut)
    with pytest.raises(Malformed):
        opened(cut).points([0])


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
