"""Spans as they are stored: what many of them share becomes ids once, and the rest is copied as it was packed."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from operator import add
from typing import LiteralString, NamedTuple
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from collector.domain.hops import EdgeKind, Hop, Op
from collector.domain.spans import Status
from collector.domain.texts import cut
from collector.store import rows
from collector.store.copying import copy_packed
from collector.store.dictionaries import Key
from collector.store.guard import Kind
from collector.store.names import Names, digest

MAX_NAME = 255  # characters of whatever is unique in a dictionary: an index entry has 2,700 bytes
MOST_KEPT_BYTES = 32 * 1024**2  # of sketches whose ids are remembered
SKETCH_BYTES = 600  # about what one takes beside its attributes
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")  # what Kafka allows; lists and patterns of topics are none


class Speaker(NamedTuple):
    """Who sent a span, in its own words."""

    namespace: str
    name: str
    version: str
    instance: str


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """What a span shares with many others: everything but its ids, its times and its place.

    `hop` is without place. `attributes`: the set that is kept with the span. `source`: the token of who sent it, "" for
    none. A reader makes one object of equal sketches, so they are told apart by identity.
    """

    speaker: Speaker
    title: str
    attributes: bytes
    kind: int
    status: Status
    hop: Hop | None
    source: str

    @property
    def is_error(self) -> bool:
        """True where the span ended in an error."""
        return self.status is Status.ERROR

    @property
    def is_failure(self) -> bool:
        """True where the span ended in an error that is one: a back-off only says so."""
        return self.is_error and (self.hop is None or self.hop.failed)


class Linked(NamedTuple):
    """A link's row so far, which span of the request it is of, and whether the row names a place in its topic."""

    row: bytes
    span: int
    has_place: bool


class Sampled(NamedTuple):
    """A span of the request that stands for `more` others, which were not kept."""

    span: int
    more: float


class Failed(NamedTuple):
    """A failed span: its ids, its OTLP, and that of its resource and scope, which many share."""

    trace_id: bytes
    span_id: bytes
    span: bytes
    frame: tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """The spans of one spool record, packed. The same digest is the same bytes, sent again by an SDK.

    `heads` and `sketches` go together, one of each for every span (collector.store.rows). `body`: the OTLP that they
    were read from; `failed`: what of it is kept longer.
    """

    digest: UUID
    heads: Sequence[bytes]
    sketches: Sequence[Sketch]
    links: Sequence[Linked]
    errors: Sequence[bytes]
    sampled: Sequence[Sampled] = ()
    body: bytes = b""
    failed: Sequence[Failed] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """The ids that stand for a sketch's names. `is_folded`: one of them stands for many, and is counted each time."""

    source_id: int
    version_id: int
    name_id: int
    attrs_id: int
    topic_id: int | None
    edge_id: int | None
    is_folded: bool


Known = Mapping[Sketch, tuple[Named, bytes]]
"""The ids of sketches, and what their rows end with."""


class Ids:
    """The ids of sketches and the packed ends of their rows, remembered while names stay what they are."""

    def __init__(self) -> None:
        self._kept: dict[Sketch, tuple[Named, bytes]] = {}
        self._n_bytes = 0

    def forget(self) -> None:
        """Names may stand for something else now."""
        self._kept.clear()
        self._n_bytes = 0

    def of(self, requests: Iterable[Request], names: Names, *, now: datetime) -> Known:
        """Ids and tails for everything in a batch; makes missing rows, each in a transaction of its own, before it."""
        sketches = dict.fromkeys(chain.from_iterable(request.sketches for request in requests))
        new = [sketch for sketch in sketches if sketch not in self._kept]
        if self._n_bytes > MOST_KEPT_BYTES:
            self.forget()
            new = list(sketches)
        made = {sketch: (its, _tail(sketch, its)) for sketch, its in _named_by_source(new, names, now)}
        lasting = {sketch: found for sketch, found in made.items() if not found[0].is_folded}
        self._kept |= lasting
        self._n_bytes += sum(SKETCH_BYTES + len(sketch.attributes) for sketch in lasting)
        found = {sketch: self._kept.get(sketch) or made[sketch] for sketch in sketches}
        names.note_versions({its.version_id for its, _ in found.values()}, now)
        return found


def _named_by_source(sketches: Iterable[Sketch], names: Names, now: datetime) -> Iterator[tuple[Sketch, Named]]:
    """Ids for every sketch; new names are charged to the source that brings them."""
    by_source: dict[str, list[Sketch]] = {}
    for sketch in sketches:
        by_source.setdefault(sketch.source, []).append(sketch)
    for source, its in by_source.items():
        names.guard.source = source
        yield from zip(its, named(its, names, now=now), strict=True)
    names.guard.source = ""


def named(sketches: Sequence[Sketch], names: Names, *, now: datetime) -> list[Named]:
    """Ids for every sketch, in order."""
    if not sketches:
        return []
    services = names.services({_service(each.speaker) for each in sketches})
    speakers = [services[_service(each.speaker)] for each in sketches]
    versions = [(who, cut(each.speaker.version, MAX_NAME)) for each, who in zip(sketches, speakers, strict=True)]
    version_ids = names.versions(versions, now)
    instances = [
        (version_ids[version], cut(each.speaker.instance, MAX_NAME))
        for each, version in zip(sketches, versions, strict=True)
    ]
    source_ids = names.sources(set(instances))
    names.note_sources(source_ids.values(), now)
    titles = names.span_names({_title(each): who for each, who in zip(sketches, speakers, strict=True)})
    sets = names.attribute_sets({each.attributes for each in sketches})
    places = _places(sketches, speakers, names)
    return [
        Named(
            source_ids[instances[index]],
            version_ids[versions[index]],
            titles[_title(each)],
            sets[each.attributes],
            places[index].topic_id,
            places[index].edge_id,
            is_folded=names.refused.any_of(
                (Kind.SERVICE, _service(each.speaker)),
                (Kind.SOURCE, instances[index]),
                (Kind.NAME, (_title(each),)),
                (Kind.ATTRIBUTES, (digest(each.attributes),)),
                *places[index].keys,
            ),
        )
        for index, each in enumerate(sketches)
    ]


def copy_spans(cursor: CursorWrapper, requests: Sequence[Request], ids: Known, stored_at: datetime) -> None:
    """Write the rows of all three tables."""
    for columns, packed in whole_rows(requests, ids):
        copy_packed(cursor, columns, packed, stored_at)


def whole_rows(requests: Sequence[Request], ids: Known) -> tuple[tuple[LiteralString, list[bytes]], ...]:
    """The rows of each table, whole but for the time of storing."""
    tails = {sketch: tail for sketch, (_, tail) in ids.items()}
    spans: list[bytes] = []
    links: list[bytes] = []
    errors: list[bytes] = []
    for request in requests:
        spans.extend(map(add, request.heads, map(tails.__getitem__, request.sketches)))
        links.extend(
            row + rows.topic(ids[request.sketches[span]][0].topic_id if has_place else None)
            for row, span, has_place in request.links
        )
        errors.extend(request.errors)
    return (rows.SPAN, spans), (rows.LINK, links), (rows.ERROR, errors)


def _tail(sketch: Sketch, its: Named) -> bytes:
    hop = sketch.hop
    status = sketch.status if sketch.status is not Status.ERROR or sketch.is_failure else Status.UNSET
    return rows.tail(
        (its.source_id, its.name_id, its.edge_id, its.topic_id, its.attrs_id),
        (hop.n_messages if hop else 0, sketch.kind, int(status), int(hop.op if hop else Op.OTHER)),
    )


def _service(speaker: Speaker) -> tuple[str, str]:
    return cut(speaker.namespace, MAX_NAME), cut(speaker.name, MAX_NAME) or "unknown_service"


def _title(sketch: Sketch) -> str:
    return cut(sketch.title, MAX_NAME)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where a sketch's messages went, and the names that say so."""

    topic_id: int | None
    edge_id: int | None
    keys: tuple[tuple[Kind, Key], ...]


_NOWHERE = _Placed(None, None, ())


def _places(sketches: Sequence[Sketch], speakers: Sequence[int], names: Names) -> list[_Placed]:
    spoken = [_spoken(each, names) for each in sketches]
    topic_ids = names.topics({place: who for place, who in zip(spoken, speakers, strict=True) if place})
    groups = [
        (place[0], cut(each.hop.group, MAX_NAME)) if place and each.hop and each.hop.group else None
        for each, place in zip(sketches, spoken, strict=True)
    ]
    group_ids = names.groups({group for group in groups if group})
    edges = [
        _edge(each.hop, who, topic_ids[place], group_ids[group] if group else None) if place and each.hop else None
        for each, who, place, group in zip(sketches, speakers, spoken, groups, strict=True)
    ]
    edge_ids = names.edges({edge for edge in edges if edge})
    names.note_clients(
        (who, cut(each.hop.client_id, MAX_NAME))
        for each, who, place in zip(sketches, speakers, spoken, strict=True)
        if place and each.hop and each.hop.client_id and who
    )
    found = []
    for place, group, edge in zip(spoken, groups, edges, strict=True):
        keys = ((Kind.TOPIC, place), (Kind.GROUP, group), (Kind.EDGE, edge))
        found.append(
            _Placed(topic_ids[place], edge_ids[edge] if edge else None, tuple((k, v) for k, v in keys if v))
            if place
            else _NOWHERE
        )
    return found


def _spoken(sketch: Sketch, names: Names) -> tuple[int, str] | None:
    hop = sketch.hop
    if hop is None or not hop.topic or not _TOPIC.fullmatch(hop.topic):
        return None
    kafka_id = cut(hop.kafka_cluster_id, MAX_NAME) if hop.kafka_cluster_id else None
    return names.cluster(kafka_id=kafka_id, topic=hop.topic, source=sketch.source), hop.topic


def _edge(hop: Hop, who: int, topic_id: int, group_id: int | None) -> tuple[int, int | None, int, int | None] | None:
    if hop.edge is None:
        return None
    return int(hop.edge), who, topic_id, group_id if hop.edge is EdgeKind.CONSUME else None
