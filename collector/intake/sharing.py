"""Who reads which partition: rendezvous hashing over the collectors that are alive. Pure.

Everyone computes the same answer from the same members; while they do not agree, the position check keeps every record
stored once.
"""

import hashlib
from collections.abc import Iterable, Mapping
from uuid import UUID

from collector.ports import Partition
from collector.store.positions import Place


def owner(members: Iterable[UUID], *, input_id: int, place: Place) -> UUID:
    """The member whose hash with this place is the highest. When one leaves, only its places move."""
    key = f"{input_id}/{place.topic_uuid}/{place.partition}".encode()
    return max(members, key=lambda member: (hashlib.blake2b(key, key=member.bytes, digest_size=8).digest(), member))


def share(
    me: UUID, members: Iterable[UUID], *, input_id: int, places: Mapping[Partition, Place]
) -> dict[Partition, Place]:
    """The partitions of an input that `me` reads. Whoever is not seen as a member yet counts itself in."""
    everyone = {*members, me}
    return {
        partition: place for partition, place in places.items() if owner(everyone, input_id=input_id, place=place) == me
    }
