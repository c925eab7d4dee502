"""The ring of recent ends."""

import random

from collector.domain.ends import MOST_POINTS, Ring, answered, fell, moved
from collector.domain.lag import age


def test_a_counter_fell_where_any_partition_stands_before_where_it_stood() -> None:
    assert fell([5, 9], [5, 8])
    assert not fell([5, 9], [5, 9])
    assert not fell([5, None], [6, 0])
    assert not fell([5, 9], [6, None])
    assert not fell([5], [5, 0])
    assert not fell([5, 9], [5])


def test_of_a_flat_run_the_first_and_the_last_point_stay() -> None:
    ring = Ring()
    for second in range(10):
        ring.add(second, [7])
    ring.add(10, [9])
    assert [(at, list(ends)) for at, ends in ring.points] == [(0, [7]), (9, [7]), (10, [9])]


def test_ends_that_fell_start_it_anew() -> None:
    ring = Ring()
    ring.add(0, [100, 5])
    ring.add(2, [3, 5])
    assert [at for at, _ in ring.points] == [2]


def test_fewer_partitions_start_it_anew_and_more_do_not() -> None:
    ring = Ring()
    ring.add(0, [1, 2])
    ring.add(2, [1, 2, 0])
    assert len(ring.points) == 2
    ring.add(4, [1])
    assert len(ring.points) == 1


def test_what_was_not_answered_is_carried_and_marked() -> None:
    ring = Ring()
    ring.add(0, [4, None])
    ring.add(2, [None, 3])
    ring.add(4, [None, 3])
    assert [list(ends) for _, ends in ring.points] == [[4, ~0], [~4, 3], [~4, 3]]


def test_it_never_grows_beyond_its_size_and_what_is_old_gets_a_wider_margin() -> None:
    drawn = random.Random(1)
    ring, ends = Ring(), [0]
    for second in range(3 * MOST_POINTS):
        ring.add(second, ends)
        ends = [ends[0] + drawn.randint(1, 5)]
    assert len(ring.points) <= MOST_POINTS
    found = age(20, partition=0, history=ring.points, now=3 * MOST_POINTS)
    assert found is not None
    assert found.margin_seconds < 0.2 * found.seconds


def test_packed_points_say_what_they_were_given() -> None:
    """Silent partitions, added ones, and a log that grew by more than fits into 4 bytes."""
    drawn = random.Random(2)
    ring, given, high, carried = Ring(), list[tuple[float, list[int]]](), [1_000_000, 5], [1_000_000, 5]
    for second in range(300):
        high = [end + drawn.randint(1, 9) + (3_000_000_000 if second == 200 else 0) for end in high]
        if second == 100:
            high, carried = [*high, 0], [*carried, 0]  # the new one's end is 0 where it is not answered at once
        said = [None if second and drawn.random() < 0.1 else end for end in high]
        carried = [known if end is None else end for end, known in zip(said, carried, strict=True)]
        given.append((second, [~known if end is None else known for end, known in zip(said, carried, strict=True)]))
        ring.add(second, said)
    for (at, ends), (given_at, given_ends) in zip(ring.points, given, strict=True):
        assert at == given_at
        assert [*ends, 0][: len(given_ends)] == given_ends
    ring.shift(7)
    assert [at for at, _ in ring.points] == [at + 7 for at, _ in given]


def test_what_a_partition_held_before_it_was_ever_answered_is_not_counted() -> None:
    first = answered((7, None), before=())
    assert first == (7, None)
    assert moved(first, (9, 1_000_000), missing=0) == 2
    silent = answered((9, None), before=(8, 0))
    assert silent == (9, 0)  # it was empty, and then did not answer
    assert moved(silent, (9, 5), missing=0) == 5
    added = answered((9, 5, None), before=silent)
    assert added == (9, 5, 0)
    assert moved(added, (9, 5, 3), missing=0) == 3
