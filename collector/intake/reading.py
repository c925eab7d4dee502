"""What the records of an input become, before anything is saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from collector.domain.records import Record
from collector.ports import Partition
from collector.store.positions import Place
from collector.store.records import PackedRecords, Tapped, Undecodable
from collector.store.spans import Request


@dataclass(frozen=True, slots=True)
class Rows:
    """What a batch of records became."""

    requests: Sequence[Request] = ()
    tapped: Sequence[Tapped] = ()
    packed: PackedRecords = field(default_factory=PackedRecords)
    undecodable: Sequence[Undecodable] = ()


class Reading(Protocol):
    """How one kind of input is read. Never raises for what a record holds: garbage becomes Undecodable."""

    def rows(self, records: Sequence[Record], places: Mapping[Partition, Place]) -> Rows:
        """What these records become."""

    def unstorable(self, record: Record, places: Mapping[Partition, Place], reason: str) -> Undecodable:
        """The row for a record whose rows Postgres cannot hold."""


def undecodable(record: Record, places: Mapping[Partition, Place], reason: str) -> Undecodable:
    """The row that stands for a record which nothing could be made of."""
    place = places[Partition(record.topic, record.partition)]
    return Undecodable(place, record.offset, reason, record.value or b"")
