"""One event, or one trace, and its path across services: forwards to all that came of it, back to what caused it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from collector.domain import identities
from collector.domain.frames import readable
from collector.domain.lineage import path_of_event, path_of_trace
from collector.domain.masking import MASK
from collector.domain.paths import Extent
from collector.domain.records import Headers
from collector.domain.texts import storable, storable_bytes
from collector.domain.weaving import Loom
from dashboard.queries import event_rows, hiding
from dashboard.queries.catalogue import ROLES
from dashboard.queries.event_rows import Seen, Way
from dashboard.queries.event_statements import MOST_TRACES
from dashboard.queries.hiding import NO_FIELDS, Address, Lifted, Veil
from dashboard.queries.open_leaves import by_index
from dashboard.queries.path_veils import fit_to_see, veils_of
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

    @property
    def same_key(self) -> str:
        """The search that finds all events of this key; "" where it cannot be written down."""
        return f"key:{self.key}" if self.key and MASK not in self.key and not self.key.startswith("0x") else ""


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

    `n_bytes`: of the whole value. `is_masked`: by `rules`, whose names these are; then the value may be laid out
    anew. `maskable`: the topics whose rules are meant for it, unmasked or not.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers | None
    n_bytes: int
    is_masked: bool
    rules: tuple[str, ...] = ()
    maskable: tuple[str, ...] = ()


def event(
    cluster: str, topic: str, partition: int, offset: int, *, way: Way = "both", most_hops: int | None = None
) -> EventPage | None:
    """The event there, or None where nothing was seen of it. Four statements, however long the path is.

    `most_hops`: the nearest; the path says where it goes on. One statement more where mask rules are meant for it.
    """
    if not (0 <= partition <= _MAX_PARTITION and 0 <= offset <= _MAX_OFFSET):
        return None
    with event_rows.reading_at(storable(cluster), storable(topic)) as of_topic:
        if of_topic is None:
            return None
        number, role = of_topic
        place = (number, partition, offset)
        seen = event_rows.seen_around(at=place, way=way, most_traces=_most_traces(most_hops))
        path = path_of_event(_loom(seen), place, _extent(seen, way, most_hops))
        if not path.hops and seen.record["stored_at"] is None:
            return None
        lineage = named(path, truncated=seen.truncated or bool(path.ends))
        found = (cluster, topic, partition, offset)
        veils = veils_of(found, lineage)
        return EventPage(_event(found, ROLES[role], seen.record, veils), fit_to_see(lineage, veils))


def trace(trace_id: UUID, *, most_hops: int | None = None) -> TracePage | None:
    """The trace, or None where nothing was seen of it. Four statements, however long the path is."""
    with by_index():
        seen = event_rows.seen_around(traces=[trace_id], most_traces=_most_traces(most_hops))
        path = path_of_trace(_loom(seen), trace_id, _extent(seen, "both", most_hops))
        if not path.hops and not any(span.trace_id == trace_id for span in seen.spans):
            return None
        lineage = named(path, truncated=seen.truncated or bool(path.ends))
        return TracePage(trace_id.hex, fit_to_see(lineage, veils_of(None, lineage)))


def _most_traces(most_hops: int | None) -> int:
    """Each trace brings a hop at least."""
    return MOST_TRACES if most_hops is None else min(MOST_TRACES, most_hops)


def _extent(seen: Seen, way: Way, most_hops: int | None) -> Extent:
    return Extent(up=way != "down", down=way != "up", most=most_hops, is_cut=seen.truncated)


def payload(cluster: str, topic: str, partition: int, offset: int, *, lifted: Lifted = NO_FIELDS) -> Payload | None:
    """The bytes of the record there, or None where they were not kept. One statement. `lifted`: what is unmasked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(r.key, b.key), b.value, b.headers, o.name, (select secret from mask_key)"
            " from topic t join cluster c on c.id = t.cluster_id"
            " left join dead_letter x on x.topic_id = t.id and x.kafka_partition = %(partition)s"
            "   and x.kafka_offset = %(offset)s left join topic o on o.id = x.origin_topic_id"
            " join lateral (select key, value, headers from dead_letter_body where dead_letter_id = x.id"
            "  union all select null, value, headers from record_body where topic_id = t.id"
            "   and kafka_partition = %(partition)s and kafka_offset = %(offset)s limit 1) b on true"
            " left join record r on r.topic_id = t.id and r.kafka_partition = %(partition)s"
            "   and r.kafka_offset = %(offset)s"
            " where c.name = %(cluster)s and t.name = %(topic)s and t.deleted_at is null limit 1",
            {"cluster": storable(cluster), "topic": storable(topic), "partition": partition, "offset": offset},
        )
        row = cursor.fetchone()
    if row is None:
        return None
    key, value, framed = _bytes(row[0]), _bytes(row[1]), bytes(row[2])
    headers = readable(framed)
    topics, size = tuple(each for each in (topic, row[3]) if each), len(value or b"")
    aim = hiding.aim_for(*topics, lifted=lifted)
    veil = hiding.veil(aim, key=key, value=value, headers=framed, secret=bytes(row[4]))
    maskable = tuple(dict.fromkeys(each for each in topics if hiding.aim_for(each)))
    if not aim:
        return Payload(key, value, headers, size, is_masked=False, maskable=maskable)
    seen = veil.seen or hiding.ALL_HIDDEN
    names = hiding.rule_names(*topics)
    return Payload(veil.key(key), seen.value, seen.headers, size, is_masked=True, rules=names, maskable=maskable)


def topics_of(cluster: str, topic: str, partition: int, offset: int) -> tuple[str, ...]:
    """The topics whose mask rules are meant for a record: its own, and of a dead letter where it came from.

    One statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select o.name from topic t join cluster c on c.id = t.cluster_id join dead_letter x on x.topic_id = t.id"
            " and x.kafka_partition = %s and x.kafka_offset = %s join topic o on o.id = x.origin_topic_id"
            " where c.name = %s and t.name = %s and t.deleted_at is null",
            [partition, offset, storable(cluster), storable(topic)],
        )
        return topic, *(origin for (origin,) in cursor.fetchall())


def shown_key(key: bytes | None) -> str | None:
    """A key as text: itself where it is text, else hex; cut."""
    if key is None:
        return None
    try:
        text = key.decode()
    except UnicodeDecodeError:
        text = "0x" + key.hex()
    return storable_bytes(text.encode())[:MOST_KEY_CHARACTERS]


def _event(found: Address, role: str, record: Mapping[str, Any], veils: Mapping[Address, Veil]) -> Event:
    cluster, topic, partition, offset = found
    veil = veils.get(found, hiding.OPEN)
    key = None if record["key"] is None else bytes.fromhex(record["key"])
    return Event(
        cluster=cluster,
        topic=topic,
        topic_id=identities.topic_id(cluster, topic),
        role=role,
        partition=partition,
        offset=offset,
        produced_at=_moment(record["produced_at"]),
        timestamp_type=record["timestamp_type"],
        stored_at=_moment(record["stored_at"]),
        key=shown_key(veil.key(key)),
        size_bytes=record["size_bytes"],
        n_headers=record["n_headers"],
        trace_id=record["trace_id"] and record["trace_id"].replace("-", ""),
        event_id=veil.text(record["event_id"]),
        has_payload=record["has_payload"],
        dead_letter=record["dead_letter"],
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _loom(seen: Seen) -> Loom:
    return Loom(spans=seen.spans, links=seen.links, records=seen.records, letters=seen.letters, resents=seen.resents)


def _bytes(held: bytes | memoryview | None) -> bytes | None:
    return None if held is None else bytes(held)
