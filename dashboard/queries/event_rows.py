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


def traces_at(place: Place) -> list[UUID]:
    """The traces to start from. One statement."""
    topic, partition, offset = place
    with connection.cursor() as cursor:
        cursor.execute(statements.START, {"topic": topic, "partition": partition, "offset": offset})
        return [trace for (trace,) in cursor.fetchall()]


def seen_around(start: Collection[UUID], place: Place | None) -> Seen:
    """Everything that the paths of these traces, and of the event at `place`, may need. Five statements."""
    with connection.cursor() as cursor:
        cursor.execute(statements.CLOSURE, {"start": list(start)})
        traces = sorted({trace for (trace,) in cursor.fetchall()} | set(start))
        cursor.execute(statements.SPANS, [traces])
        spans = [_span(row) for row in cursor.fetchall()]
        cursor.execute(statements.LINKS, [traces])
        links = [LinkSeen(row[0:2], row[2:4], _place(*row[4:7])) for row in cursor.fetchall()]
        places = {each.place for each in spans if each.place} | {each.place for each in links if each.place}
        places |= {place} if place else set()
        cursor.execute(statements.LETTERS, _columns(places))
        rows = cursor.fetchall()
        letters = [_letter(row) for row in rows]
        resents = [ResentSeen(row[0:3], row[10:13], row[13]) for row in rows if row[12] is not None]
        places |= {each.place for each in letters} | {each.origin for each in letters if each.origin}
        places |= {each.sent for each in resents}
        cursor.execute(statements.RECORDS, {"traces": traces, **_columns(places)})
        records = [RecordSeen(row[0:3], row[3], _context(*row[4:6])) for row in cursor.fetchall()]
    full = (
        len(traces) >= MOST_TRACES or len(spans) > MOST_SPANS or max(len(links), len(records), len(rows)) >= MOST_ROWS
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
