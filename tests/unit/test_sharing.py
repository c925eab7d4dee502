"""Collectors share partitions without talking to each other."""

from collections import Counter
from uuid import UUID

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


def test_everybody_gets_some() -> None:
    assert min(len(mine) for mine in shares(MEMBERS).values()) >= 10


def test_only_the_partitions_of_who_left_move() -> None:
    before, after = shares(MEMBERS), shares(MEMBERS[:2])
    for member in MEMBERS[:2]:
        assert before[member] <= after[member]


def test_a_newcomer_that_nobody_has_seen_yet_takes_its_share_at_once() -> None:
    newcomer = UUID(int=99)
    assert share(newcomer, MEMBERS, input_id=1, places=PLACES) == share(
        newcomer, [*MEMBERS, newcomer], input_id=1, places=PLACES
    )


def test_inputs_are_shared_apart() -> None:
    assert share(MEMBERS[0], MEMBERS, input_id=1, places=PLACES) != share(
        MEMBERS[0], MEMBERS, input_id=2, places=PLACES
    )
