"""One event, or one trace, and its path across services: forwards to all that came of it, back to what caused it."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import connection

from collector.domain import identities
from collector.domain.frames import readable
from collector.domain.lineage import Path, onward, path_of_event, path_of_trace, with_passings
from collector.domain.records import Headers
from collector.domain.texts import storable, storable_bytes
from collector.domain.weaving import Loom
from dashboard.queries import event_rows, hiding
from dashboard.queries.catalogue import ROLES
from dashboard.queries.event_rows import Seen
from dashboard.queries.hiding import Veil
from dashboard.queries.paths import Lineage, named

MOST_KEY_CHARACTERS = 200
_MAX_PARTITION, _MAX_OFFSET = 2**31 - 1, 2**63 - 1


@dataclass(frozen=True, slots=True)
class Event:
    """What is known of the record itself. Without a tap only its address and what spans say."""

    cluster: str
    topic: str
    topic_id: str
    role: str
    partition: int
    offset: int
    produced_at: datetime | None
    timestamp_type: int | None
    stored_at: datetime | None
    key: str | None
    size_bytes: int | None
    n_headers: int | None
    trace_id: str | None
    event_id: str | None
    has_payload: bool
    dead_letter: int | None

    @property
    def address(self) -> str:
        """As people type it: orders.created/7/88123."""
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class EventPage:
    """An event and its path."""

    event: Event
    path: Lineage


@dataclass(frozen=True, slots=True)
class TracePage:
    """A trace and the path of everything in it."""

    trace_id: str
    path: Lineage


@dataclass(frozen=True, slots=True)
class Payload:
    """The record's own bytes, where they were kept, without what rules mask. `headers` None: they cannot be read.

    `n_bytes`: of the whole value. `is_masked`: rules are meant for this topic, so the value may be laid out anew.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers | None
    n_bytes: int
    is_masked: bool


def event(cluster: str, topic: str, partition: int, offset: int) -> EventPage | None:
    """The event there, or None where nothing was seen of it. Ten statements, however long the path is."""
    with event_rows.reading():
        found = _record(cluster, topic, partition, offset)
        if found is None:
            return None
        number, event_, has_record, veil = found
        place = (number, partition, offset)
        seen = event_rows.seen_around(event_rows.start_at(place), [place])
        path = path_of_event(_loom(seen), place)
        if not path.hops and not has_record:
            return None
        lineage = named(_with_brokers_word(path), truncated=seen.truncated)
        return EventPage(event_, _fit_to_see(lineage, veil))


def trace(trace_id: UUID) -> TracePage | None:
    """The trace, or None where nothing was seen of it. Eight statements, however long the path is."""
    with event_rows.reading():
        seen = event_rows.seen_around(event_rows.Start([trace_id]), [])
        path = path_of_trace(_loom(seen), trace_id)
        if not path.hops and not any(span.trace_id == trace_id for span in seen.spans):
            return None
        return TracePage(trace_id.hex, named(_with_brokers_word(path), truncated=seen.truncated))


def payload(cluster: str, topic: str, partition: int, offset: int) -> Payload | None:
    """The bytes of the record there, or None where they were not kept. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select r.key, b.value, b.headers, o.name from topic t join cluster c on c.id = t.cluster_id"
            " join record_body b on b.topic_id = t.id and b.kafka_partition = %(partition)s"
            "   and b.kafka_offset = %(offset)s"
            " left join record r on r.topic_id = t.id and r.kafka_partition = %(partition)s"
            "   and r.kafka_offset = %(offset)s"
            " left join dead_letter x on x.topic_id = t.id and x.kafka_partition = %(partition)s"
            "   and x.kafka_offset = %(offset)s left join topic o on o.id = x.origin_topic_id"
            " where c.name = %(cluster)s and t.name = %(topic)s and t.deleted_at is null limit 1",
            {"cluster": storable(cluster), "topic": storable(topic), "partition": partition, "offset": offset},
        )
        row = cursor.fetchone()
    if row is None:
        return None
    key, value, framed = _bytes(row[0]), _bytes(row[1]), bytes(row[2])
    headers = readable(framed)
    veil = hiding.veil(hiding.aim_for(topic, row[3]), key=key, value=value, headers=framed)
    if not veil.aim:
        return Payload(key, value, headers, len(value or b""), is_masked=False)
    seen = veil.seen or hiding.ALL_HIDDEN
    return Payload(seen.key, seen.value, seen.headers, len(value or b""), is_masked=True)


def shown_key(key: bytes | None) -> str | None:
    """A key as text: itself where it is text, else hex; cut."""
    if key is None:
        return None
    try:
        text = key.decode()
    except UnicodeDecodeError:
        text = "0x" + key.hex()
    return storable_bytes(text.encode())[:MOST_KEY_CHARACTERS]


def _record(cluster: str, topic: str, partition: int, offset: int) -> tuple[int, Event, bool, Veil] | None:
    if not (0 <= partition <= _MAX_PARTITION and 0 <= offset <= _MAX_OFFSET):
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "select t.id, t.role, r.produced_at, r.timestamp_type, r.stored_at, r.key, r.size_bytes, r.n_headers,"
            " r.trace_id, r.event_id, exists (select from record_body b where b.topic_id = t.id"
            "   and b.kafka_partition = %(partition)s and b.kafka_offset = %(offset)s), x.id"
            " from topic t join cluster c on c.id = t.cluster_id"
            " left join lateral (select * from record r where r.topic_id = t.id"
            "   and r.kafka_partition = %(partition)s and r.kafka_offset = %(offset)s limit 1) r on true"
            " left join dead_letter x on x.topic_id = t.id and x.kafka_partition = %(partition)s"
            "   and x.kafka_offset = %(offset)s"
            " where c.name = %(cluster)s and t.name = %(topic)s and t.deleted_at is null",
            {"cluster": storable(cluster), "topic": storable(topic), "partition": partition, "offset": offset},
        )
        row = cursor.fetchone()
    if row is None:
        return None
    key = _bytes(row[5])
    veil = hiding.veils([(cluster, topic, partition, offset)]).get((cluster, topic, partition, offset), hiding.OPEN)
    found = Event(
        cluster=cluster,
        topic=topic,
        topic_id=identities.topic_id(cluster, topic),
        role=ROLES[row[1]],
        partition=partition,
        offset=offset,
        produced_at=row[2],
        timestamp_type=row[3],
        stored_at=row[4],
        key=shown_key(veil.key(key)),
        size_bytes=row[6],
        n_headers=row[7],
        trace_id=row[8].hex if row[8] else None,
        event_id=veil.text(row[9]),
        has_payload=row[10],
        dead_letter=row[11],
    )
    return row[0], found, row[4] is not None, veil


def _fit_to_see(lineage: Lineage, veil: Veil) -> Lineage:
    """Reasons of failures along the path without what is masked in the event itself."""
    if veil.seen is None:
        return lineage
    hops = (replace(hop, exception_message=veil.text(hop.exception_message)) for hop in lineage.hops)
    return replace(lineage, hops=tuple(hops))


def _loom(seen: Seen) -> Loom:
    return Loom(spans=seen.spans, links=seen.links, records=seen.records, letters=seen.letters, resents=seen.resents)


def _with_brokers_word(path: Path) -> Path:
    return with_passings(path, event_rows.passings(onward(path)))


def _bytes(held: bytes | memoryview | None) -> bytes | None:
    return None if held is None else bytes(held)
