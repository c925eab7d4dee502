"""Collectors share partitions without talking to each other."""

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from collector.intake.sharing import share
from collector.ports import Partition
from collector.store.positions import Place

TOPIC = UUID(int=7)
PLACES = {Partition("orders", number): Place(TOPIC, number) for number in range(60)}
MEMBERS = [UUID(int=number) for number in range(1, 4)]


def shares(members: list[UUID]) -> dict[UUID, set[Partition]]:
    return {me: set(share(me, members, input_id=1, places=PLACES)) for me in members}


def test_every_partition_has_exactly_one_owner() -> None:
    owned = Counter(partition for mine in shares(MEMBERS).values() for partition in mine)
    assert owned == Counter(dict.fromkeys(PLACES, 1))


@given(n_members=st.integers(1, 9), n_partitions=st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_everybody_reads_as_many_partitions_of_each_topic(n_members: int, n_partitions: list[int]) -> None:
    members = [UUID(int=number) for number in range(1, n_members + 1)]
    places = {
        Partition(f"topic-{topic}", number): Place(UUID(int=topic), number)
        for topic, n in enumerate(n_partitions)
        for number in range(n)
    }
    shared = {me: share(me, members, input_id=1, places=places) for me in members}
    assert Counter(each for mine in shared.values() for each in mine) == Counter(list(places))
    for topic, n in enumerate(n_partitions):
        read = [sum(each.topic == f"topic-{topic}" for each in mine) for mine in shared.values()]
        assert max(read) <= -(-n // n_members)


def test_topics_of_one_partition_are_spread_over_all() -> None:
    places = {Partition(f"topic-{n}", 0): Place(UUID(int=n), 0) for n in range(60)}
    assert min(len(share(me, MEMBERS, input_id=1, places=places)) for me in MEMBERS) >= 10


def test_the_partitions_of_who_left_move_and_few_others() -> None:
    before, after = shares(MEMBERS), shares(MEMBERS[:2])
    assert sum(len(before[member] - after[member]) for member in MEMBERS[:2]) <= 5


def test_a_newcomer_that_nobody_has_seen_yet_takes_its_share_at_once() -> None:
    newcomer = UUID(int=99)
    assert share(newcomer, MEMBERS, input_id=1, places=PLACES) == share(
        newcomer, [*MEMBERS, newcomer], input_id=1, places=PLACES
    )


def test_inputs_are_shared_apart() -> None:
    assert share(MEMBERS[0], MEMBERS, input_id=1, places=PLACES) != share(
        MEMBERS[0], MEMBERS, input_id=2, places=PLACES
    )
