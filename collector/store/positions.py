"""How far each input is stored: read, begun, and moved only from where its reader started."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper


class InputKind(IntEnum):
    """What comes in by an input. The numbers are stored in input.kind."""

    SPOOL = 1
    OTLP_TOPIC = 2
    TAP = 3


class Place(NamedTuple):
    """A partition of one life of a topic: created again, it is another place and starts at 0."""

    topic_uuid: UUID
    partition: int


@dataclass(frozen=True, slots=True)
class Advance:
    """`start` is what this reader read from, not the first offset it found: compaction and markers leave holes."""

    place: Place
    start: int
    upto: int  # the next offset to read


class PositionMoved(Exception):
    """Somebody else stored these records. Read the stored positions and go on there."""


def input_row(kind: InputKind, *, cluster_id: int, topic_name: str) -> int:
    """Id of the input, made if missing. All taps of a cluster are one input, named "*"."""
    key: tuple[int, str, int] = (cluster_id, topic_name, int(kind))
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute("select id from input where cluster_id = %s and topic_name = %s and kind = %s", key)
            if row := cursor.fetchone():
                return int(row[0])
            cursor.execute(
                "insert into input (cluster_id, topic_name, kind) values (%s, %s, %s) on conflict do nothing", key
            )
        cursor.execute("select id from input where cluster_id = %s and topic_name = %s and kind = %s", key)
        return int(cursor.fetchone()[0])


def stored(input_id: int, places: Iterable[Place]) -> dict[Place, int]:
    """The next offset of each place that was begun."""
    wanted = list(places)
    with connection.cursor() as cursor:
        cursor.execute(
            "select p.topic_uuid, p.partition, p.next_offset from intake_position p"
            " join unnest(%s::uuid[], %s::int[]) n(topic_uuid, partition) using (topic_uuid, partition)"
            " where p.input_id = %s",
            [[place.topic_uuid for place in wanted], [place.partition for place in wanted], input_id],
        )
        return {Place(topic_uuid, partition): offset for topic_uuid, partition, offset in cursor.fetchall()}


def stored_at(input_id: int, place: Place) -> datetime | None:
    """When the position of this place last moved."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select stored_at from intake_position where input_id = %s and topic_uuid = %s and partition = %s",
            [input_id, *place],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def begin(input_id: int, starts: Mapping[Place, int], *, now: datetime) -> None:
    """Begin places at these offsets; one that somebody began meanwhile stays as it is."""
    ordered = sorted(starts.items())
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into intake_position (input_id, topic_uuid, partition, next_offset, stored_at)"
            " select %s, topic_uuid, partition, next_offset, %s"
            " from unnest(%s::uuid[], %s::int[], %s::bigint[]) n(topic_uuid, partition, next_offset)"
            " on conflict do nothing",
            [
                input_id,
                now,
                [place.topic_uuid for place, _ in ordered],
                [place.partition for place, _ in ordered],
                [offset for _, offset in ordered],
            ],
        )


def advance(cursor: CursorWrapper, input_id: int, advances: Sequence[Advance], *, now: datetime) -> None:
    """Move positions in the current transaction, first of all. Raises PositionMoved unless each was at its start.

    Under READ COMMITTED a rival's commit is waited for and the condition is looked at again: the second gets no row.
    """
    ordered = sorted(advances, key=lambda each: each.place)
    cursor.execute(
        "update intake_position p set next_offset = n.upto, stored_at = %s"
        " from unnest(%s::uuid[], %s::int[], %s::bigint[], %s::bigint[]) n(topic_uuid, partition, start, upto)"
        " where p.input_id = %s and p.topic_uuid = n.topic_uuid and p.partition = n.partition"
        " and p.next_offset = n.start",
        [
            now,
            [each.place.topic_uuid for each in ordered],
            [each.place.partition for each in ordered],
            [each.start for each in ordered],
            [each.upto for each in ordered],
            input_id,
        ],
    )
    if cursor.rowcount != len(ordered):
        raise PositionMoved(f"{len(ordered) - cursor.rowcount} of {len(ordered)} positions had moved")


def skip_gap(input_id: int, gap: Advance, *, now: datetime) -> None:
    """Go on at `gap.upto` because Kafka has nothing at `gap.start` any more, and say so. Raises PositionMoved.

    Backwards, too, where Kafka lost its newest records: what is written since has their offsets.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        advance(cursor, input_id, [gap], now=now)
        cursor.execute(
            "insert into intake_gap (noticed_at, input_id, topic_uuid, partition, expected_offset, resumed_offset)"
            " values (%s, %s, %s, %s, %s, %s)",
            [now, input_id, gap.place.topic_uuid, gap.place.partition, gap.start, gap.upto],
        )
