"""The one saving transaction: position, what is new, ledger, rows. All of a batch, or nothing of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.store import dead_letters, details, retry_hops, weights
from collector.store.connection import StoreAway, reaching
from collector.store.early_end import is_ending
from collector.store.listening import Listener
from collector.store.names import Names
from collector.store.partitions import RAW_TABLES, Leaves
from collector.store.positions import Advance, advance
from collector.store.records import (
    At,
    PackedRecords,
    Tapped,
    Undecodable,
    copy_bodies,
    copy_records,
    copy_undecodable,
    position,
)
from collector.store.spans import Ids, Known, Request, copy_spans

UNDECODABLE_PER_MINUTE = 1_000  # rows kept; the rest is only counted
STORED_AT_TRIES = 1_000
MARGIN = timedelta(seconds=1)  # a collision moves stored_at by microseconds, perhaps over the end of a leaf


@dataclass(frozen=True, slots=True)
class Batch:
    """What one take brought, decoded. `advances` covers everything that was read, also what became no row."""

    input_id: int
    advances: Sequence[Advance]
    requests: Sequence[Request] = ()
    tapped: Sequence[Tapped] = ()
    packed: PackedRecords = field(default_factory=PackedRecords)
    undecodable: Sequence[Undecodable] = ()

    @property
    def n_records(self) -> int:
        """Tapped records, in either form."""
        return sum([not each.is_packed for each in self.tapped]) + len(self.packed.records)


@dataclass(frozen=True, slots=True)
class Saved:
    """What one saving transaction wrote. `n_repeated`: spans of requests that were there already."""

    stored_at: datetime
    n_spans: int
    n_records: int
    n_repeated: int
    n_undecodable: int

    @property
    def counts(self) -> dict[str, int]:
        """Numbers that add up over batches."""
        return {
            "n_batches": 1,
            "n_spans": self.n_spans,
            "n_records": self.n_records,
            "n_repeated": self.n_repeated,
            "n_undecodable": self.n_undecodable,
        }


@dataclass
class Store:
    """Saves batches. One per thread: names and leaves are remembered here."""

    names: Names = field(default_factory=Names)
    ids: Ids = field(default_factory=Ids)
    leaves: Leaves = field(default_factory=Leaves)
    _listener: Listener = field(default_factory=Listener)
    _minute: datetime | None = None
    _kept_this_minute: int = 0

    def save(self, batch: Batch, *, now: datetime) -> Saved:
        """Write `batch`. Raises StoreAway (try again later) or PositionMoved (somebody else wrote it; seek)."""
        with reaching():
            if self._listener.heard("names"):
                self.names.forget()
            if self.names.begin(now):
                self.ids.forget()
            self._make_leaves(now)
            ids = self.ids.of(batch.requests, self.names, now=now) if batch.requests else {}
            _count_folded(self.names, now)
            try:
                return self._saved(batch, ids, now)
            except IntegrityError as error:  # perhaps a leaf was dropped under us
                if is_ending(error):
                    raise StoreAway("A leaf that was to end early is not ended yet: the worker does it.") from error
                self.leaves.forget()
                self._make_leaves(now)
                return self._saved(batch, ids, now)

    def _make_leaves(self, now: datetime) -> None:
        for table in RAW_TABLES:
            self.leaves.ensure(table, now)
            self.leaves.ensure(table, now + MARGIN)

    def _saved(self, batch: Batch, ids: Known, now: datetime) -> Saved:
        with transaction.atomic(), connection.cursor() as cursor:
            return self._write(cursor, batch, ids, now)

    def _write(self, cursor: CursorWrapper, batch: Batch, ids: Known, now: datetime) -> Saved:
        advance(cursor, batch.input_id, batch.advances, now=now)
        if not (batch.requests or batch.n_records or batch.undecodable):
            return Saved(now, 0, 0, 0, 0)  # only markers of transactions were read over
        fresh = _unseen(cursor, batch.requests, now)
        n_spans = sum(len(request.heads) for request in fresh)
        n_links = sum(len(request.links) for request in fresh)
        n_repeated = sum(len(request.heads) for request in batch.requests) - n_spans
        stored_at = _enter(cursor, batch, n_spans, n_links, n_repeated, now)
        copy_spans(cursor, fresh, ids, stored_at)
        weights.write(cursor, fresh, ids, stored_at)
        details.write(cursor, fresh, stored_at)
        copy_records(cursor, batch.tapped, batch.packed, stored_at)
        parked = _parked(cursor, batch.tapped, now)
        copy_bodies(cursor, batch.tapped, stored_at, but=parked)
        ways = [(each.record, each.topic_id, each.way) for each in batch.tapped if each.way is not None]
        retry_hops.note(cursor, ways, now=now)
        copy_undecodable(cursor, batch.input_id, self._rationed(batch.undecodable, now), stored_at)
        return Saved(stored_at, n_spans, batch.n_records, n_repeated, len(batch.undecodable))

    def _rationed(self, found: Sequence[Undecodable], now: datetime) -> Sequence[Undecodable]:
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._kept_this_minute = minute, 0
        kept = found[: max(0, UNDECODABLE_PER_MINUTE - self._kept_this_minute)]
        self._kept_this_minute += len(kept)
        return kept


def _parked(cursor: CursorWrapper, tapped: Sequence[Tapped], now: datetime) -> Collection[At]:
    letters = [(each.record, each.topic_id, each.letter) for each in tapped if each.letter is not None]
    if not letters:
        return frozenset()
    parcels = {position(each): each.parcel for each in tapped if each.parcel is not None}
    return dead_letters.park(cursor, letters, now=now, parcels=parcels)


def _unseen(cursor: CursorWrapper, requests: Sequence[Request], now: datetime) -> list[Request]:
    """The requests that are the first with their digest."""
    if not requests:
        return []
    cursor.execute(
        "insert into seen_request (digest, seen_at) select d, %s from unnest(%s::uuid[]) d"
        " on conflict do nothing returning digest",
        [now, sorted({request.digest for request in requests})],
    )
    new = {digest for (digest,) in cursor.fetchall()}
    fresh = []
    for request in requests:
        if request.digest in new:
            fresh.append(request)
            new.discard(request.digest)
    return fresh


def _enter(cursor: CursorWrapper, batch: Batch, n_spans: int, n_links: int, n_repeated: int, now: datetime) -> datetime:
    """Write the ledger row; its time, which all rows of the batch carry and no other batch has."""
    for tick in range(STORED_AT_TRIES):
        stored_at = now + timedelta(microseconds=tick)
        cursor.execute(
            "insert into batch (stored_at, input_id, n_spans, n_links, n_records, n_repeated, n_undecodable)"
            " values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            [stored_at, batch.input_id, n_spans, n_links, batch.n_records, n_repeated, len(batch.undecodable)],
        )
        if cursor.rowcount:
            return stored_at
    raise RuntimeError("the clock stands still: a thousand batches were stored in this microsecond")


def _count_folded(names: Names, now: datetime) -> None:
    if rows := names.refused.rows():
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into folded_name as f (kind, owner_id, example, n, first_at, last_at)"
                " select kind, owner_id, example, n, %s, %s"
                " from unnest(%s::smallint[], %s::int[], %s::text[], %s::bigint[]) r(kind, owner_id, example, n)"
                " on conflict (kind, owner_id) do update set n = f.n + excluded.n, last_at = excluded.last_at",
                [now, now, *(list(column) for column in zip(*rows, strict=True))],
            )
