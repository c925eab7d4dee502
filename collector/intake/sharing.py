"""Who reads which partition: rendezvous hashing over the collectors that are alive, of each topic as many. Pure.

Everyone computes the same answer from the same members; while they do not agree, the position check keeps every record
stored once.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from collector.ports import Partition
from collector.store.positions import Place


def owners(members: Collection[UUID], *, input_id: int, places: Iterable[Place]) -> dict[Place, UUID]:
    """The member whose hash with a place is the highest, of those that have not read their part of its topic yet.

    One topic may hold all that is to be read, so it is the topic that is shared evenly. When a member leaves, its
    places move, and few others.
    """
    of_topic: dict[UUID, list[Place]] = defaultdict(list)
    for place in places:
        of_topic[place.topic_uuid].append(place)
    found: dict[Place, UUID] = {}
    for its_places in of_topic.values():
        most = -(-len(its_places) // len(members))
        taken: Counter[UUID] = Counter()
        for place in sorted(its_places):
            key = f"{input_id}/{place.topic_uuid}/{place.partition}".encode()
            free = [member for member in members if taken[member] < most]
            found[place] = max(
                free, key=lambda member: (hashlib.blake2b(key, key=member.bytes, digest_size=8).digest(), member)
            )
            taken[found[place]] += 1
    return found


def share(
    me: UUID, members: Iterable[UUID], *, input_id: int, places: Mapping[Partition, Place]
) -> dict[Partition, Place]:
    """The partitions of an input that `me` reads. Whoever is not seen as a member yet counts itself in."""
    owned = owners({*members, me}, input_id=input_id, places=places.values())
    return {partition: place for partition, place in places.items() if owned[place] == me}
