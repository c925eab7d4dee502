"""The rows behind a path: a fixed number of statements, however long the path is, each with a cap."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from collector.domain.hops import Op
from collector.domain.sightings import LetterSeen, LinkSeen, Passing, Place, RecordSeen, ResentSeen, SpanSeen
from collector.domain.topology import Evidence
from dashboard.queries import event_statements as statements
from dashboard.queries.event_statements import MOST_ROWS, MOST_SPANS, MOST_TRACES

MOST_PLACES = 500
_AHEAD = timedelta(minutes=1)  # how far a producer's clock may run ahead of the sampler's
Names = dict[int, tuple[str, str]]
"""(cluster, name) by number."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All sightings around some traces. `truncated`: a cap was reached, so the path may be longer."""

    spans: Sequence[SpanSeen]
    links: Sequence[LinkSeen]
    records: Sequence[RecordSeen]
    letters: Sequence[LetterSeen]
    resents: Sequence[ResentSeen]
    truncated: bool


@contextmanager
def reading() -> Iterator[None]:
    """Around everything that reads one path: plans made once a connection, and none that reads a whole leaf.

    Planning the closure anew costs more than running it, and a leaf that was just made has no statistics yet. One
    statement.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "select set_config('plan_cache_mode', 'force_generic_plan', true),"
            " set_config('enable_seqscan', 'off', true)"
        )
        yield


@dataclass(frozen=True, slots=True)
class Start:
    """Where a path begins: traces, the ids of events whose effects are wanted, and those of their causes."""

    traces: Collection[UUID]
    events: Collection[str] = ()
    causes: Collection[str] = ()


def start_at(place: Place) -> Start:
    """The traces and ids to start from. One statement."""
    topic, partition, offset = place
    with connection.cursor() as cursor:
        cursor.execute(statements.START, {"topic": topic, "partition": partition, "offset": offset})
        rows = cursor.fetchall()
    traces, events, causes = ({row[column] for row in rows if row[column]} for column in range(3))
    return Start(traces, events, causes)


def places_at(addresses: Sequence[tuple[str, str, int, int]]) -> dict[tuple[str, str, int, int], Place]:
    """Places by address (cluster, topic, partition, offset). One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            statements.TOPICS, [sorted({each[0] for each in addresses}), sorted({each[1] for each in addresses})]
        )
        topics = {(cluster, name): number for number, cluster, name in cursor.fetchall()}
    return {each: (topics[each[0:2]], each[2], each[3]) for each in addresses if each[0:2] in topics}


def seen_around(start: Start, places: Iterable[Place]) -> Seen:
    """Everything that the paths of these traces, and of the events at `places`, may need. Five statements."""
    asked = set(places)
    with connection.cursor() as cursor:
        cursor.execute(
            statements.CLOSURE,
            {"start": list(start.traces), "events": list(start.events), "causes": list(start.causes)},
        )
        reached = cursor.fetchall()
        traces = sorted({trace for trace, _ in reached if trace} | set(start.traces))
        ids = sorted({found for _, found in reached if found})
        cursor.execute(statements.SPANS, [traces])
        spans = [_span(row) for row in cursor.fetchall()]
        cursor.execute(statements.LINKS, [traces])
        links = [LinkSeen(row[0:2], row[2:4], _place(*row[4:7])) for row in cursor.fetchall()]
        found = asked | {each.place for each in spans if each.place} | {each.place for each in links if each.place}
        cursor.execute(statements.LETTERS, _columns(found))
        rows = cursor.fetchall()
        letters = [_letter(row) for row in rows]
        resents = [ResentSeen(row[0:3], row[10:13], row[13]) for row in rows if row[12] is not None]
        found |= {each.place for each in letters} | {each.origin for each in letters if each.origin}
        found |= {each.sent for each in resents}
        cursor.execute(statements.RECORDS, {"traces": traces, "ids": ids, **_columns(found)})
        records = [RecordSeen(row[0:3], row[3], _context(*row[4:6]), *row[6:8]) for row in cursor.fetchall()]
    full = (
        max(len(traces), len(reached)) >= MOST_TRACES
        or len(spans) > MOST_SPANS
        or max(len(links), len(records), len(rows)) >= MOST_ROWS
    )
    return Seen(spans[:MOST_SPANS], links, records, letters, resents, full)


def passings(places: Mapping[Place, datetime | None]) -> list[Passing]:
    """Which groups the broker knows to be beyond these events. `places`: event to the time it was sent. One statement.

    Only the first 500 events are asked for.
    """
    asked = list(places.items())[:MOST_PLACES]
    earliest = [None if at is None else at - _AHEAD for _, at in asked]
    with connection.cursor() as cursor:
        cursor.execute(statements.PASSINGS, {**_columns([place for place, _ in asked]), "times": earliest})
        return [
            Passing(row[0:3], row[3], row[4] if row[5] else None, (row[4] - row[5]).total_seconds() if row[5] else None)
            for row in cursor.fetchall()
        ]


def names(topics: Iterable[int], groups: Iterable[int]) -> tuple[Names, Names]:
    """Names of topics and of groups. One statement."""
    found: tuple[Names, Names] = ({}, {})
    with connection.cursor() as cursor:
        cursor.execute(statements.NAMES, [sorted(set(topics)), sorted(set(groups))])
        for kind, number, cluster, name in cursor.fetchall():
            found[kind][number] = cluster, name
    return found


def _columns(places: Iterable[Place]) -> dict[str, list[int]]:
    rows = sorted(places)
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
    (trace, span, parent, op, topic, partition, offset, group, evidence, namespace, name, version) = row[:12]
    (started_at, duration_ms, failed, n_messages, exception_class, message) = row[12:]
    return SpanSeen(
        trace_id=trace,
        span_id=span,
        parent_id=parent,
        op=Op(op),
        topic=topic,
        place=_place(topic, partition, offset),
        group=group,
        group_evidence=Evidence(evidence),
        service=(namespace, name),
        version=version,
        started_at=started_at,
        seconds=duration_ms / 1000,
        failed=failed,
        n_messages=n_messages,
        exception=None if exception_class is None else (exception_class, message),
    )


def _letter(row: Sequence[Any]) -> LetterSeen:
    exception = (row[8], row[9]) if row[8] or row[9] else None
    return LetterSeen((row[0], row[1], row[2]), _place(*row[3:6]), row[6], row[7], exception)
