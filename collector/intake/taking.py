"""Kafka -> decode -> store: one batch is the unit."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DataError, IntegrityError

from collector.domain.records import Record
from collector.intake.reading import Reading, Rows
from collector.intake.saving import Saving
from collector.ports import Log, Partition
from collector.store import positions
from collector.store.connection import reaching
from collector.store.positions import Advance, Place, PositionMoved
from collector.store.saving import Batch, Saved

log = logging.getLogger(__name__)

# What Postgres or its driver says of a value it cannot hold: the record's fault, so trying again would not help.
UNSTORABLE = (DataError, IntegrityError, ValueError, OverflowError)

OVERLAP = timedelta(minutes=1)  # read again where Kafka lost its newest records: a request is stored once all the same
NOWHERE = 2**63  # behind any offset: of a partition that is not read here
REFUSED_SECONDS = 60.0  # so long a partition that we may not read is left alone


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A batch that is being saved."""

    records: Sequence[Record]
    ends: Mapping[Partition, int]  # where nothing lies behind the records
    batch: Batch
    saved: Future[Saved]


@dataclass
class Intake:
    """One input's partitions as this collector reads them. Used by one thread.

    While a batch is being saved the next one is taken and decoded, and waits: one is under way at a time, and what
    comes of it is known before the next one's place is.
    """

    log: Log
    saving: Saving
    reading: Reading
    input_id: int
    now: Callable[[], datetime]
    _places: dict[Partition, Place] = field(default_factory=dict)
    _next: dict[Partition, int] = field(default_factory=dict)
    _under_way: _UnderWay | None = None
    _saved: list[Saved] = field(default_factory=list)
    _refused: dict[Partition, float] = field(default_factory=dict)  # and since when, monotonic

    @property
    def n_partitions(self) -> int:
        """How many partitions are read here now."""
        return len(self._places)

    @property
    def n_waiting(self) -> int:
        """Offsets that are in Kafka and not stored yet, over the partitions read here."""
        ends = self.log.high_ends()
        return sum(max(0, end - self._next[partition]) for partition, end in ends.items() if partition in self._next)

    @property
    def trouble(self) -> str | None:
        """What cannot be read although it should be, as a sentence."""
        topics = sorted({partition.topic for partition in self._refused})
        if not topics:
            return None
        more = f" and {len(topics) - 1} more" if len(topics) > 1 else ""
        return f"Kafka does not let Weir read {topics[0]}{more}. Grant it Read there, or leave it out by WEIR_TAP."

    def assign(self, wanted: Mapping[Partition, Place]) -> None:
        """Read exactly `wanted`, each from its stored position; one that was never read begins at its low end.

        What was refused a moment ago is left out.
        """
        since = time.monotonic() - REFUSED_SECONDS
        self._refused = {each: at for each, at in self._refused.items() if at > since and each in wanted}
        wanted = {partition: place for partition, place in wanted.items() if partition not in self._refused}
        if wanted == self._places:
            return
        self.settle()
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
        """Move a batch on its way from the log to the store; what was saved meanwhile.

        1. take      2. decode      3. save position, rows and ledger, in one transaction

        Raises StoreAway: something was not stored, `rewind` before going on.
        """
        taken = self.log.take(limit=limit, limit_bytes=limit_bytes, wait=wait)
        records = self._expected(taken.records)
        rows = self.reading.rows(records, self._places) if records else None
        try:
            self._finish()
            if rows is not None or self._advances((), taken.ends):
                self._begin(records, rows or Rows(), taken.ends)
            if rows is None or taken.lost or taken.refused or (self._under_way and self._under_way.saved.done()):
                self._finish()
            for partition in taken.lost & self._places.keys():
                self._recover(partition)
            if refused := taken.refused & self._places.keys():
                self._refused |= dict.fromkeys(refused, time.monotonic())
                self._keep({other: held for other, held in self._places.items() if other not in refused})
        except PositionMoved:
            self.rewind()
        saved, self._saved = self._saved, []
        return saved

    def settle(self) -> None:
        """Wait for the batch under way. Raises StoreAway."""
        try:
            self._finish()
        except PositionMoved:
            self.rewind()

    def rewind(self) -> None:
        """Go on at the stored positions: a rival stored our batch, or ours did not get through."""
        if self._under_way is not None:
            self._under_way.saved.exception()  # whatever came of it, the stored positions tell
            self._under_way = None
        with reaching():
            stored = positions.stored(self.input_id, self._places.values())
        self._next = {partition: stored[place] for partition, place in self._places.items() if place in stored}
        self.log.seek(self._next)

    def close(self) -> None:
        """Let go of the log and of the store."""
        self.log.close()
        self.saving.close()

    def _expected(self, records: Iterable[Record]) -> list[Record]:
        starts: dict[tuple[str, int], int] = {(topic, number): at for (topic, number), at in self._next.items()}
        return [each for each in records if each.offset >= starts.get((each.topic, each.partition), NOWHERE)]

    def _begin(self, records: Sequence[Record], rows: Rows, ends: Mapping[Partition, int]) -> None:
        came = (rows.requests, rows.tapped, rows.packed, rows.undecodable)
        batch = Batch(self.input_id, self._advances(records, ends), *came)
        self._under_way = _UnderWay(records, ends, batch, self.saving.save(batch, now=self.now()))

    def _finish(self) -> None:
        """Wait for the batch under way; where one of its records cannot be stored, find it by halves and say so."""
        if self._under_way is None:
            return
        each, self._under_way = self._under_way, None
        try:
            self._note(each.batch, each.saved.result())
        except UNSTORABLE as error:
            log.warning("a batch of %d records cannot be stored: %s", len(each.records), type(error).__name__)
            if len(each.records) == 1:
                reason = f"cannot be stored ({type(error).__name__})"
                garbage = self.reading.unstorable(each.records[0], self._places, reason)
                self._begin(each.records, Rows(undecodable=[garbage]), each.ends)
                self._finish()
                return
            middle = len(each.records) // 2
            for half, ends in ((each.records[:middle], {}), (each.records[middle:], each.ends)):
                self._begin(half, self.reading.rows(half, self._places), ends)
                self._finish()

    def _note(self, batch: Batch, saved: Saved) -> None:
        partitions = {place: partition for partition, place in self._places.items()}
        moved = {partitions[advance.place]: advance.upto for advance in batch.advances}
        self._next |= moved
        self.log.commit(moved)
        self._saved.append(saved)

    def _advances(self, records: Sequence[Record], ends: Mapping[Partition, int]) -> list[Advance]:
        """To behind the last record of each partition; at its end behind the markers of transactions, too."""
        last = {(record.topic, record.partition): record.offset for record in records}
        upto = {Partition(*place): offset + 1 for place, offset in last.items()}
        for partition, end in ends.items():
            if end > upto.get(partition, self._next.get(partition, end)):
                upto[partition] = end
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
        """Kafka has nothing at our position: another topic is there now, or retention overtook us, or a crash of its
        machine took the newest records with it; or it has by now, and a new leader was only slow to know it.
        """
        place, at = self._places[partition], self._next[partition]
        identity = self.log.identities([partition.topic]).get(partition.topic)
        ends = self.log.ends(partition)
        if identity is None or identity.kafka_id != place.topic_uuid or ends is None:
            self._keep({other: held for other, held in self._places.items() if other != partition})
            return
        low, high = ends
        if not low <= at <= high:
            goes_on = low if at < low else max(low, self._unread_since(partition, place, high))
            with reaching():
                positions.skip_gap(self.input_id, Advance(place, at, goes_on), now=self.now())
            self._next[partition] = goes_on
        self.log.seek({partition: self._next[partition]})

    def _unread_since(self, partition: Partition, place: Place, high: int) -> int:
        """Where to go on in a log that ends before our position: not at its start, or all would be stored twice."""
        with reaching():
            stored_at = positions.stored_at(self.input_id, place)
        found = self.log.first_since(partition, stored_at - OVERLAP) if stored_at else None
        return high if found is None else found

    def _keep(self, kept: Mapping[Partition, Place]) -> None:
        self._places = dict(kept)
        self._next = {partition: offset for partition, offset in self._next.items() if partition in kept}
        self.log.assign(self._next)
