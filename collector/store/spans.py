"""Spans -> rows of span, span_link and span_error: names to ids first, then COPY in the saving transaction."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from collector.domain.attributes import joined, shared
from collector.domain.hops import EdgeKind, Hop, Op, linked_position
from collector.domain.spans import Resource, Span, Status
from collector.domain.texts import cut
from collector.store.copying import copy
from collector.store.names import Names

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_NS = 253_402_300_799 * 10**9  # the end of the year 9999: what a datetime can hold
MAX_NAME = 255  # characters of whatever is unique in a dictionary: an index entry has 2,700 bytes
MAX_MESSAGE, MAX_STACK = 4_000, 32_000
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")  # what Kafka allows; lists and patterns of topics are none

SPAN = (
    "span (trace_id, span_id, parent_id, started_at, stored_at, kafka_offset, duration_ms, source_id, name_id, edge_id,"
    " topic_id, kafka_partition, attrs_id, n_messages, kind, status, op)",
    "uuid int8 int8 timestamptz timestamptz int8 float4 int4 int4 int4 int4 int4 int4 int2 int2 int2 int2",
)
LINK = (
    "span_link (trace_id, span_id, linked_trace_id, linked_span_id, stored_at, kafka_offset, topic_id,"
    " kafka_partition)",
    "uuid int8 uuid int8 timestamptz int8 int4 int4",
)
ERROR = (
    "span_error (trace_id, span_id, stored_at, exception_class, message, stack)",
    "uuid int8 timestamptz text text text",
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One span as it came, what it did to messages, and the token of who sent it ("" for none)."""

    span: Span
    hop: Hop | None
    source: str


@dataclass(frozen=True, slots=True)
class Named:
    """The ids that stand for a sighting's names."""

    source_id: int
    name_id: int
    attrs_id: int
    topic_id: int | None
    edge_id: int | None


def named(sightings: Sequence[Sighting], names: Names, *, now: datetime) -> list[Named]:
    """Ids for every sighting, in order; makes missing rows, each in a transaction of its own. Before the saving one."""
    services = names.services({_service(each.span.resource) for each in sightings})
    speakers = [services[_service(each.span.resource)] for each in sightings]
    sources = _sources(sightings, speakers, names, now)
    titles = names.span_names({_title(each.span): who for each, who in zip(sightings, speakers, strict=True)})
    bodies = _bodies(sightings)
    sets = names.attribute_sets(set(bodies))
    places = _places(sightings, speakers, names)
    return [
        Named(sources[index], titles[_title(each.span)], sets[bodies[index]], *places[index])
        for index, each in enumerate(sightings)
    ]


def copy_spans(cursor: CursorWrapper, sightings: Sequence[Sighting], ids: Sequence[Named], stored_at: datetime) -> int:
    """Write the rows of all three tables; how many links there were."""
    links: list[tuple[object, ...]] = []
    errors: list[tuple[object, ...]] = []
    rows = []
    for each, its in zip(sightings, ids, strict=True):
        rows.append(_span_row(each, its, stored_at))
        links.extend(_link_rows(each, its, stored_at))
        errors.extend(_error_rows(each, stored_at))
    copy(cursor, SPAN, rows)
    copy(cursor, LINK, links)
    copy(cursor, ERROR, errors)
    return len(links)


def _service(resource: Resource) -> tuple[str, str]:
    return cut(resource.namespace, MAX_NAME), cut(resource.name, MAX_NAME) or "unknown_service"


def _title(span: Span) -> str:
    return cut(span.name, MAX_NAME)


def _bodies(sightings: Sequence[Sighting]) -> list[bytes]:
    """The attribute set of each. All spans of a request share a few resources, so those are written once."""
    resources = {id(each.span.resource): each.span.resource for each in sightings}
    written = {number: shared(resource.attributes) for number, resource in resources.items()}
    return [joined(span=shared(each.span.attributes), resource=written[id(each.span.resource)]) for each in sightings]


def _sources(sightings: Sequence[Sighting], speakers: list[int], names: Names, now: datetime) -> list[int]:
    versions = [(who, cut(each.span.resource.version, MAX_NAME)) for each, who in zip(sightings, speakers, strict=True)]
    version_ids = names.versions(versions, now)
    instances = [
        (version_ids[version], cut(each.span.resource.instance, MAX_NAME))
        for each, version in zip(sightings, versions, strict=True)
    ]
    source_ids = names.sources(set(instances))
    return [source_ids[instance] for instance in instances]


def _places(sightings: Sequence[Sighting], speakers: list[int], names: Names) -> list[tuple[int | None, int | None]]:
    """(topic id, edge id) of each sighting; both None where it has no hop."""
    spoken: list[tuple[int, str] | None] = []
    for each in sightings:
        topic = each.hop.topic if each.hop else None
        if each.hop and topic and _TOPIC.fullmatch(topic):
            spoken.append((_cluster(each.hop, each.source, names), topic))
        else:
            spoken.append(None)
    owners = {place: who for place, who in zip(spoken, speakers, strict=True) if place}
    topic_ids = names.topics(owners)
    groups = {
        (place[0], cut(each.hop.group, MAX_NAME))
        for each, place in zip(sightings, spoken, strict=True)
        if place and each.hop and each.hop.group
    }
    group_ids = names.groups(groups)
    keys: list[tuple[int, int | None, int, int | None] | None] = []
    clients = set()
    for each, who, place in zip(sightings, speakers, spoken, strict=True):
        if place is None or each.hop is None:
            keys.append(None)
            continue
        keys.append(_edge(each.hop, who, topic_ids[place], place[0], group_ids))
        if each.hop.client_id and who:
            clients.add((who, cut(each.hop.client_id, MAX_NAME)))
    edge_ids = names.edges({key for key in keys if key})
    names.note_clients(clients)
    return [
        (topic_ids[place] if place else None, edge_ids[key] if key else None)
        for place, key in zip(spoken, keys, strict=True)
    ]


def _cluster(hop: Hop, source: str, names: Names) -> int:
    kafka_id = cut(hop.kafka_cluster_id, MAX_NAME) if hop.kafka_cluster_id else None
    return names.cluster(kafka_id=kafka_id, topic=hop.topic or "", source=source)


def _edge(
    hop: Hop, who: int, topic_id: int, cluster_id: int, group_ids: dict[tuple[object, ...], int]
) -> tuple[int, int | None, int, int | None] | None:
    if hop.edge is None:
        return None
    group = group_ids[cluster_id, cut(hop.group, MAX_NAME)] if hop.group and hop.edge is EdgeKind.CONSUME else None
    return int(hop.edge), who, topic_id, group


def _span_row(each: Sighting, its: Named, stored_at: datetime) -> tuple[object, ...]:
    span, hop = each.span, each.hop
    # A back-off ends as an error that is none: decided once, here, so that every sum agrees.
    status = Status.UNSET if hop and not hop.failed and span.status is Status.ERROR else span.status
    return (
        UUID(bytes=span.trace_id),
        _number(span.span_id),
        _number(span.parent_id) if span.parent_id else None,
        _time(span.started_ns),
        stored_at,
        hop.offset if hop and its.topic_id is not None else None,
        max(0, span.ended_ns - span.started_ns) / 1e6,
        its.source_id,
        its.name_id,
        its.edge_id,
        its.topic_id,
        hop.partition if hop and its.topic_id is not None else None,
        its.attrs_id,
        hop.n_messages if hop else 0,
        int(span.kind),
        int(status),
        int(hop.op if hop else Op.OTHER),
    )


def _link_rows(each: Sighting, its: Named, stored_at: datetime) -> list[tuple[object, ...]]:
    span, hop = each.span, each.hop
    rows: list[tuple[object, ...]] = []
    for link in span.links:
        place = linked_position(hop, span, link) if hop else None
        if place is not None and (hop is None or place.topic != hop.topic):
            place = None
        rows.append(
            (
                UUID(bytes=span.trace_id),
                _number(span.span_id),
                UUID(bytes=link.trace_id),
                _number(link.span_id),
                stored_at,
                place.offset if place else None,
                its.topic_id if place else None,
                place.partition if place else None,
            )
        )
    return rows


def _error_rows(each: Sighting, stored_at: datetime) -> list[tuple[object, ...]]:
    span, hop = each.span, each.hop
    if span.status is not Status.ERROR or (hop is not None and not hop.failed):
        return []
    found = [(raised.exception_class, raised.message, raised.stack) for raised in span.raised]
    if not found and span.status_message:
        found = [("", span.status_message, "")]
    return [
        (
            UUID(bytes=span.trace_id),
            _number(span.span_id),
            stored_at,
            cut(name, MAX_NAME),
            cut(message, MAX_MESSAGE),
            cut(stack, MAX_STACK),
        )
        for name, message, stack in found
    ]


def _number(span_id: bytes) -> int:
    return int.from_bytes(span_id, "big", signed=True)


def _time(nanoseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=min(nanoseconds, LAST_NS) // 1_000)
