"""The rows behind a path: a fixed number of statements, however long the path is, each with a cap."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from django.db import connection, transaction

from collector.domain.hops import Op
from collector.domain.lineage import onward
from collector.domain.paths import Path
from collector.domain.sightings import LetterSeen, LinkSeen, Passing, Place, RecordSeen, ResentSeen, SpanSeen
from collector.domain.topology import Evidence
from dashboard.queries import event_statements as statements
from dashboard.queries.event_statements import MOST_ROWS, MOST_SPANS, MOST_TRACES

MOST_PLACES = 500
_AHEAD = timedelta(minutes=1)  # how far a producer's clock may run ahead of the sampler's
Names = dict[int, tuple[str, str]]
"""(cluster, name) by number."""
Way = Literal["both", "up", "down"]
"""up: what it comes from; down: what came of it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All sightings around some traces. `truncated`: a cap was reached, so the path may be longer.

    `record`: what is known of the record that was asked for, if one was.
    """

    spans: Sequence[SpanSeen]
    links: Sequence[LinkSeen]
    records: Sequence[RecordSeen]
    letters: Sequence[LetterSeen]
    resents: Sequence[ResentSeen]
    truncated: bool
    record: Mapping[str, Any]


@contextmanager
def reading_at(cluster: str, topic: str) -> Iterator[tuple[int, int] | None]:
    """As open_leaves.by_index, with the number and the role of a topic; None where there is no such. One statement."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statements.TOPIC, [cluster, topic])
        row = cursor.fetchone()
        yield row[:2] if row else None


def places_at(addresses: Sequence[tuple[str, str, int, int]]) -> dict[tuple[str, str, int, int], Place]:
    """Places by address (cluster, topic, partition, offset). One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            statements.TOPICS, [sorted({each[0] for each in addresses}), sorted({each[1] for each in addresses})]
        )
        topics = {(cluster, name): number for number, cluster, name in cursor.fetchall()}
    return {each: (topics[each[0:2]], each[2], each[3]) for each in addresses if each[0:2] in topics}


def seen_around(
    *,
    at: Place | None = None,
    traces: Collection[UUID] = (),
    places: Iterable[Place] = (),
    way: Way = "both",
    most_traces: int = MOST_TRACES,
) -> Seen:
    """Everything that the paths of the event at `at`, of these traces, and of the events at `places`, may need.

    `most_traces`: the nearest, in each direction. Two statements.
    """
    asked = {*places, *([at] if at else [])}
    topic, partition, offset = at or (None, None, None)
    with connection.cursor() as cursor:
        cursor.execute(
            statements.AROUND,
            {
                "topic": topic,
                "partition": partition,
                "offset": offset,
                "traces": list(traces),
                "up": way != "down",
                "down": way != "up",
                "most": most_traces,
            },
        )
        rows: tuple[list[Any], ...] = ([], [], [], [])
        for row in cursor.fetchall():
            rows[row[0]].append(row)
        event, reached, spans, links = rows
        found = _beside(cursor, reached, [_span(row) for row in spans], [_link(row) for row in links], asked)
    record = json.loads(event[0][11]) if event else {}
    full = len(reached) >= most_traces or max(len(spans) - MOST_SPANS, len(links) - MOST_ROWS + 1) > 0
    return Seen(*found[:5], truncated=full or found[5], record=record)


def _beside(
    cursor: Any,  # noqa: ANN401
    reached: Sequence[Sequence[Any]],
    spans: Sequence[SpanSeen],
    links: Sequence[LinkSeen],
    asked: Collection[Place],
) -> tuple[Sequence[SpanSeen], Sequence[LinkSeen], list[RecordSeen], list[LetterSeen], list[ResentSeen], bool]:
    """The same spans and links with the records, dead letters and retries that are next to them. One statement."""
    places = {*asked, *(each.place for each in spans if each.place), *(each.place for each in links if each.place)}
    parameters = {
        "traces": list({row[1] for row in reached if row[1]}),
        "ids": list({row[11] for row in reached if row[11]}),
    }
    cursor.execute(statements.BESIDE, {**parameters, **_columns(places)})
    rows = cursor.fetchall()
    letters = [row for row in rows if row[0] == statements.LETTER]
    records = [
        RecordSeen(row[1:4], row[4], _context(*row[7:9]), *row[5:7]) for row in rows if row[0] == statements.RECORD
    ]
    return (
        spans[:MOST_SPANS],
        links,
        records,
        [_letter(row) for row in letters],
        [ResentSeen(row[1:4], row[13:16], row[16]) for row in letters if row[15] is not None],
        max(len(letters), len(records)) >= MOST_ROWS,
    )


def word_on(path: Path) -> tuple[list[Passing], Names, Names]:
    """Which groups the broker knows to be beyond the path's events, and the names of its topics and groups.

    Only for the first 500 events that were asked for, or came of those. One statement.
    """
    asked = list(onward(path).items())[:MOST_PLACES]
    earliest = [None if at is None else at - _AHEAD for _, at in asked]
    topics, groups = Names(), Names()
    passings = []
    with connection.cursor() as cursor:
        cursor.execute(
            statements.WORD,
            {
                **_columns(place for place, _ in asked),
                "times": earliest,
                "topic_ids": list({hop.topic for hop in path.hops if hop.topic is not None}),
                "group_ids": list({hop.group for hop in path.hops if hop.group}),
            },
        )
        for kind, number, partition, offset, group, first, before, cluster, name in cursor.fetchall():
            if kind == statements.TOPIC_NAME:
                topics[number] = cluster, name
            elif kind == statements.GROUP_NAME:
                groups[number] = cluster, name
            else:
                groups[group] = cluster, name
                passings.append(_passing((number, partition, offset), group, first, before))
    return passings, topics, groups


def _passing(place: Place, group: int, first: datetime | None, before: datetime | None) -> Passing:
    if first is None or before is None:
        return Passing(place, group, None, None)
    return Passing(place, group, first, (first - before).total_seconds())


def names(topics: Iterable[int], groups: Iterable[int]) -> tuple[Names, Names]:
    """Names of topics and of groups. One statement."""
    found: dict[int, Names] = {statements.TOPIC_NAME: {}, statements.GROUP_NAME: {}}
    with connection.cursor() as cursor:
        cursor.execute(statements.NAMES, [sorted(set(topics)), sorted(set(groups))])
        for kind, number, cluster, name in cursor.fetchall():
            found[kind][number] = cluster, name
    return found[statements.TOPIC_NAME], found[statements.GROUP_NAME]


def _columns(places: Iterable[Place]) -> dict[str, list[int]]:
    rows = list(places)
    return {
        "topics": [topic for topic, _, _ in rows],
        "partitions": [partition for _, partition, _ in rows],
        "offsets": [offset for _, _, offset in rows],
    }


def _place(topic: int | None, partition: int | None, offset: int | None) -> Place | None:
    return None if topic is None or partition is None or offset is None else (topic, partition, offset)


def _context(trace: UUID | None, span: int | None) -> tuple[UUID, int] | None:
    return None if trace is None or span is None else (trace, span)


def _span(row: Sequence[Any]) -> SpanSeen:
    (_, trace, span, _, parent, op, topic, partition, offset, group, evidence, namespace, name, version) = row[:14]
    (started_at, duration_ms, failed, n_messages, exception_class, message) = row[14:]
    return SpanSeen(
        trace,
        span,
        parent,
        Op(op),
        topic,
        _place(topic, partition, offset),
        group,
        Evidence(evidence),
        (namespace, name),
        version,
        started_at,
        duration_ms / 1000,
        failed,
        n_messages,
        None if exception_class is None else (exception_class, message),
    )


def _link(row: Sequence[Any]) -> LinkSeen:
    return LinkSeen((row[1], row[2]), (row[3], row[4]), _place(*row[6:9]))


def _letter(row: Sequence[Any]) -> LetterSeen:
    exception = (row[5], row[6]) if row[5] or row[6] else None
    return LetterSeen((row[1], row[2], row[3]), _place(*row[9:12]), row[12], row[4], exception)
