"""Tapped records -> rows of record, record_body and record_key; what could not be read -> undecodable."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection
from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import DeadLetter
from collector.domain.frames import framed
from collector.domain.records import Record
from collector.store import record_rows
from collector.store.copying import copy, copy_packed
from collector.store.letter_rows import Parcel
from collector.store.positions import Place

FIRST_BYTES = 256
At = tuple[int, int, int]  # topic id, partition, offset
KEY_NAME = 1  # the row "key" of key_name, seeded
FLOW_NAME = -1  # the row "correlation id": an id that groups the events of a flow

BODY = (
    "record_body (stored_at, topic_id, kafka_partition, kafka_offset, headers, value)",
    "timestamptz int4 int4 int8 bytea bytea",
)
UNDECODABLE = (
    "undecodable (stored_at, input_id, topic_uuid, partition, kafka_offset, reason, n_bytes, first_bytes)",
    "timestamptz int4 uuid int4 int8 text int4 bytea",
)


@dataclass(slots=True)  # not frozen, as Record is not
class Tapped:
    """One record as it will be stored. `keys`: (name's id, text); `context`: trace and span id of who wrote it.

    `event_id` is its own id, `cause_id` that of the record it comes from. `letter`: what it says of a failure, where it
    is a dead letter, with its `parcel`; `way`: where it is on a retry topic. `size_bytes`: of the record as it came,
    also where a rule dropped parts of it. `is_packed`: the rows of record and record_key are among those of
    PackedRecords already, and what only they hold is not here.
    """

    record: Record
    topic_id: int
    size_bytes: int
    keeps_body: bool
    context: tuple[bytes, bytes] | None
    event_id: str | None
    keys: tuple[tuple[int, str], ...]
    letter: DeadLetter | None = None
    cause_id: str | None = None
    way: DeadLetter | None = None
    parcel: Parcel | None = None
    is_packed: bool = False


@dataclass(frozen=True, slots=True)
class PackedRecords:
    """Rows of record and of record_key, but for the time of storing."""

    records: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A record of an input that nothing could be made of."""

    place: Place
    offset: int
    reason: str
    body: bytes


def copy_records(cursor: CursorWrapper, tapped: Sequence[Tapped], done: PackedRecords, stored_at: datetime) -> None:
    """Write the rows of record and record_key; of `done` they are packed already."""
    records, keys = packed(tapped)
    records.extend(done.records)
    keys.extend(done.keys)
    copy_packed(cursor, record_rows.RECORD, records, stored_at)
    copy_packed(cursor, record_rows.KEY, keys, stored_at)


def copy_bodies(
    cursor: CursorWrapper, tapped: Sequence[Tapped], stored_at: datetime, *, but: Collection[At] = ()
) -> None:
    """Write the rows of record_body, save those of dead letters that are kept with their bytes: `but`."""
    copy(
        cursor,
        BODY,
        [
            (stored_at, *at, framed(each.record.headers), each.record.value)
            for each in tapped
            if each.keeps_body and (at := position(each)) not in but
        ],
    )


def packed(tapped: Sequence[Tapped]) -> tuple[list[bytes], list[bytes]]:
    """Rows of record and of record_key, but for the time of storing."""
    keys: list[bytes] = []
    records: list[bytes] = []
    for each in tapped:
        if each.is_packed:
            continue
        record, topic_id = each.record, each.topic_id
        records.append(
            record_rows.record(
                record, topic_id, each.size_bytes, each.context, (record.key, each.event_id, each.cause_id)
            )
        )
        for name_id, text in each.keys:
            keys.append(record_rows.key(name_id, text, topic_id, record.partition, record.offset))
    return records, keys


def copy_undecodable(cursor: CursorWrapper, input_id: int, found: Sequence[Undecodable], stored_at: datetime) -> None:
    """Write one row each, with the first bytes."""
    copy(
        cursor,
        UNDECODABLE,
        [
            (stored_at, input_id, *each.place, each.offset, each.reason, len(each.body), each.body[:FIRST_BYTES])
            for each in found
        ],
    )


def key_names(names: Sequence[str]) -> dict[str, int]:
    """Ids of the configured business keys, made if missing.

    The ids 0 and 1 are taken without the sequence's knowing: the very first name that is made finds its number in use,
    and is asked for again.
    """
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute(
                "insert into key_name (name) select n from unnest(%s::text[]) n"
                " where not exists (select 1 from key_name k where k.name = n) order by n on conflict do nothing",
                [list(names)],
            )
            cursor.execute("select name, id from key_name where name = any(%s)", [list(names)])
            found = dict(cursor.fetchall())
            if found.keys() >= set(names):
                break
        return found


def position(each: Tapped) -> At:
    """Where the record lies."""
    return each.topic_id, each.record.partition, each.record.offset
