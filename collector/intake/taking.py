"""Kafka -> decode -> store: one batch is the unit."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import DataError, IntegrityError

from collector.domain.records import Record
from collector.intake.reading import Reading, undecodable
from collector.ports import Log, Partition
from collector.store import positions
from collector.store.connection import reaching
from collector.store.positions import Advance, Place, PositionMoved
from collector.store.saving import Batch, Saved, Store

log = logging.getLogger(__name__)

# What Postgres or its driver says of a value it cannot hold: the record's fault, so trying again would not help.
UNSTORABLE = (DataError, IntegrityError, ValueError, OverflowError)


@dataclass
class Intake:
    """One input's partitions as this collector reads them. Used by one thread."""

    log: Log
    store: Store
    reading: Reading
    input_id: int
    now: Callable[[], datetime]
    _places: dict[Partition, Place] = field(default_factory=dict)
    _next: dict[Partition, int] = field(default_factory=dict)

    @property
    def n_partitions(self) -> int:
        """How many partitions are read here now."""
        return len(self._places)

    @property
    def n_waiting(self) -> int:
        """Offsets that are in Kafka and not stored yet, over the partitions read here."""
        ends = self.log.high_ends()
        return sum(max(0, end - self._next[partition]) for partition, end in ends.items() if partition in self._next)

    def assign(self, wanted: Mapping[Partition, Place]) -> None:
        """Read exactly `wanted`, each from its stored position; one that was never read begins at its low end."""
        kept = {partition: place for partition, place in self._places.items() if wanted.get(partition) == place}
        new = {partition: place for partition, place in wanted.items() if partition not in kept}
        if len(kept) != len(self._places):
            self._keep(kept)  # a topic created again is first let go of, then begun
        if new:
            starts = self._starts(new)
            self._places |= {partition: new[partition] for partition in starts}
            self._next |= starts
            self.log.assign(self._next)

    def take_in(self, *, limit: int, limit_bytes: int, wait: float) -> list[Saved]:
        """Move one batch from the log to the store; what was saved, empty when there was nothing.

        1. take      2. decode      3. save position, rows and ledger, in one transaction

        Raises StoreAway: nothing was stored, `rewind` before going on.
        """
        taken = self.log.take(limit=limit, limit_bytes=limit_bytes, wait=wait)
        saved: list[Saved] = []
        records = [record for record in taken.records if self._expects(record)]
        try:
            if records:
                saved = self._save(records)
            for partition in taken.lost & self._places.keys():
                self._recover(partition)
        except PositionMoved:
            self.rewind()
        return saved

    def rewind(self) -> None:
        """Go on at the stored positions: a rival stored our batch, or ours did not get through."""
        with reaching():
            stored = positions.stored(self.input_id, self._places.values())
        self._next = {partition: stored[place] for partition, place in self._places.items() if place in stored}
        self.log.seek(self._next)

    def _expects(self, record: Record) -> bool:
        at = self._next.get(Partition(record.topic, record.partition))
        return at is not None and record.offset >= at

    def _save(self, records: Sequence[Record]) -> list[Saved]:
        """Save `records`; where one of them cannot be stored, find it by halves and store that it could not."""
        rows = self.reading.rows(records, self._places)
        advances = self._advances(records)
        batch = Batch(self.input_id, advances, rows.requests, rows.tapped, rows.undecodable)
        try:
            return [self._commit(batch)]
        except UNSTORABLE as error:
            log.warning("a batch of %d records cannot be stored: %r", len(records), error)
            if len(records) > 1:
                half = len(records) // 2
                return [*self._save(records[:half]), *self._save(records[half:])]
            garbage = undecodable(records[0], self._places, f"cannot be stored ({type(error).__name__})")
            return [self._commit(Batch(self.input_id, advances, undecodable=[garbage]))]

    def _commit(self, batch: Batch) -> Saved:
        saved = self.store.save(batch, now=self.now())
        partitions = {place: partition for partition, place in self._places.items()}
        moved = {partitions[advance.place]: advance.upto for advance in batch.advances}
        self._next |= moved
        self.log.commit(moved)
        return saved

    def _advances(self, records: Sequence[Record]) -> list[Advance]:
        upto = {Partition(record.topic, record.partition): record.offset + 1 for record in records}
        return [Advance(self._places[partition], self._next[partition], end) for partition, end in upto.items()]

    def _starts(self, new: Mapping[Partition, Place]) -> dict[Partition, int]:
        with reaching():
            stored = positions.stored(self.input_id, new.values())
        fresh = {partition: place for partition, place in new.items() if place not in stored}
        if fresh:
            lows = self.log.low_ends(fresh)
            with reaching():
                positions.begin(self.input_id, {fresh[p]: low for p, low in lows.items()}, now=self.now())
                stored |= positions.stored(self.input_id, fresh.values())
        return {partition: stored[place] for partition, place in new.items() if place in stored}

    def _recover(self, partition: Partition) -> None:
        """Kafka has nothing at our position: the topic is another one now, or retention overtook us."""
        place = self._places[partition]
        identity = self.log.identities([partition.topic]).get(partition.topic)
        low = self.log.low_ends([partition]).get(partition)
        if identity is None or identity.kafka_id != place.topic_uuid or low is None:
            self._keep({other: held for other, held in self._places.items() if other != partition})
            return
        if low != self._next[partition]:
            with reaching():
                positions.skip_gap(self.input_id, Advance(place, self._next[partition], low), now=self.now())
        self._next[partition] = low
        self.log.seek({partition: low})

    def _keep(self, kept: Mapping[Partition, Place]) -> None:
        self._places = dict(kept)
        self._next = {partition: offset for partition, offset in self._next.items() if partition in kept}
        self.log.assign(self._next)
