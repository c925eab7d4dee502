"""What the records of an input become, before anything is saved."""

import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from collector.domain.records import Record
from collector.otlp import Malformed
from collector.ports import Partition
from collector.store.positions import Place
from collector.store.records import PackedRecords, Tapped, Undecodable
from collector.store.spans import Request

log = logging.getLogger(__name__)
T = TypeVar("T")

SAY_AGAIN_SECONDS = 60.0


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


@dataclass
class Faults:
    """Reads record by record. What is wrong with one, or with us, is a row and stops no other; its bytes stay in Kafka.

    A fault of ours is logged with where it is, at most once a minute: it may come with each record. What the error
    says is not: it may hold what a rule drops. For one thread.
    """

    clock: Callable[[], float] = time.monotonic
    _said_at: float | None = None
    _n_unsaid: int = 0

    def each(
        self,
        records: Sequence[Record],
        places: Mapping[Partition, Place],
        read: Callable[[Record], T],
        unreadable: Callable[[Record, Mapping[Partition, Place], str], Undecodable],
    ) -> tuple[list[T], list[Undecodable]]:
        """What `read` makes of the records; of those that it raises for, what `unreadable` makes with the reason."""
        found: list[T] = []
        garbage: list[Undecodable] = []
        for record in records:
            try:
                found.append(read(record))
            except Malformed as error:
                garbage.append(unreadable(record, places, str(error)))
            except Exception as error:  # noqa: BLE001  said, and counted as a row
                self.say(record, error)
                garbage.append(unreadable(record, places, f"the decoder failed ({type(error).__name__})"))
        return found, garbage

    def say(self, record: Record, error: Exception) -> None:
        """Log a fault of ours, unless one was a moment ago."""
        now = self.clock()
        if self._said_at is not None and now - self._said_at < SAY_AGAIN_SECONDS:
            self._n_unsaid += 1
            return
        where = f"{record.topic}/{record.partition}/{record.offset}"
        stack = "".join(traceback.format_tb(error.__traceback__))
        log.error("cannot read %s (and %d more before): %s\n%s", where, self._n_unsaid, type(error).__name__, stack)
        self._said_at, self._n_unsaid = now, 0
