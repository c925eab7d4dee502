"""Both sides of a delivery: the spans that received or processed, and when what they read was sent."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.backends.utils import CursorWrapper
from psycopg import sql

Context = tuple[UUID, int]  # trace id, span id
Place = tuple[int, int, int]  # topic id, partition, offset


@dataclass(frozen=True, slots=True)
class Delivery:
    """A span that received or processed messages. `place` None: not known, or several."""

    trace_id: UUID
    span_id: int
    parent_id: int | None
    started_at: datetime
    stored_at: datetime
    duration_ms: float
    edge_id: int
    op: int
    place: Place | None


@dataclass(frozen=True, slots=True)
class Unpaired:
    """A delivery that waits for its producer to be found, by context, place or both."""

    stored_at: datetime
    started_at: datetime
    edge_id: int
    context: Context | None
    place: Place | None


def claimed(cursor: CursorWrapper, *, before: datetime, limit: int, most_spans: int) -> list[datetime]:
    """The oldest folded, unmeasured batches stored before then, locked: at least one, else about `most_spans` spans."""
    cursor.execute(
        "select stored_at, n_spans from batch where not measured and folded and stored_at < %s"
        " order by stored_at limit %s for update",
        [before, limit],
    )
    batches: list[datetime] = []
    n_spans = 0
    for stored_at, n in cursor.fetchall():
        n_spans += n
        if batches and n_spans > most_spans:
            break
        batches.append(stored_at)
    return batches


def mark_measured(cursor: CursorWrapper, batches: Sequence[datetime]) -> None:
    """Their durations are in the histograms. Never again."""
    cursor.execute("update batch set measured = true where stored_at = any(%s)", [list(batches)])


def deliveries(cursor: CursorWrapper, batches: Sequence[datetime]) -> list[Delivery]:
    """The counted spans on consuming edges of these batches."""
    cursor.execute(
        "select s.trace_id, s.span_id, s.parent_id, s.started_at, s.stored_at, s.duration_ms, s.edge_id, s.op,"
        " s.topic_id, s.kafka_partition, s.kafka_offset"
        " from span s join edge e on e.id = s.edge_id and e.kind = 2"
        " where s.stored_at = any(%s::timestamptz[]) and s.n_messages > 0",
        [list(batches)],
    )
    return [Delivery(*row) for row in ((*each[:8], _place(*each[8:])) for each in cursor.fetchall())]


def _place(topic_id: int | None, partition: int | None, offset: int | None) -> Place | None:
    if topic_id is None or partition is None or offset is None:
        return None
    return topic_id, partition, offset


def links(
    cursor: CursorWrapper, spans: Collection[Context], *, leaves: Iterable[sql.Identifier]
) -> dict[Context, list[Context]]:
    """What these spans link to. Never a whole trace: one that is never ended may hold millions of spans."""
    found: dict[Context, list[Context]] = {}
    for leaf in leaves:
        cursor.execute(
            sql.SQL(
                "select trace_id, span_id, linked_trace_id, linked_span_id from {}"
                " where trace_id = any(%s) and span_id = any(%s)"
            ).format(leaf),
            _columns(spans),
        )
        for trace_id, span_id, linked_trace_id, linked_span_id in cursor.fetchall():
            found.setdefault((trace_id, span_id), []).append((linked_trace_id, linked_span_id))
    return found


def sent(
    cursor: CursorWrapper, spans: Collection[Context], *, leaves: Iterable[sql.Identifier]
) -> dict[Context, datetime]:
    """When those of these spans that sent started. By leaf: a bound on stored_at would cost the trace index."""
    found: dict[Context, datetime] = {}
    for leaf in leaves:
        cursor.execute(
            sql.SQL(
                "select trace_id, span_id, started_at from {} where trace_id = any(%s) and span_id = any(%s) and op = 1"
            ).format(leaf),
            _columns(spans),
        )
        found.update(((trace_id, span_id), started_at) for trace_id, span_id, started_at in cursor.fetchall())
    return found


def _columns(spans: Collection[Context]) -> list[list[object]]:
    return [list({trace_id for trace_id, _ in spans}), list({span_id for _, span_id in spans})]


def produced(
    cursor: CursorWrapper, places: Collection[Place], *, leaves: Iterable[sql.Identifier]
) -> dict[Place, datetime]:
    """The timestamps of tapped records at these places."""
    found: dict[Place, datetime] = {}
    columns = [list(column) for column in zip(*places, strict=True)]
    for leaf in leaves if places else ():
        cursor.execute(
            sql.SQL(
                "select r.topic_id, r.kafka_partition, r.kafka_offset, r.produced_at from {} r"
                " join unnest(%s::int[], %s::int[], %s::bigint[]) n (topic_id, kafka_partition, kafka_offset)"
                " using (topic_id, kafka_partition, kafka_offset) where r.produced_at is not null"
            ).format(leaf),
            columns,
        )
        found.update((tuple(row[:3]), row[3]) for row in cursor.fetchall())
    return found


def add_unpaired(cursor: CursorWrapper, rows: Sequence[Unpaired], *, now: datetime) -> None:
    """Try these again later."""
    if rows:
        cursor.execute(
            "insert into unpaired (stored_at, started_at, tried_at, edge_id, trace_id, span_id, topic_id,"
            " kafka_partition, kafka_offset)"
            " select stored_at, started_at, %s, edge_id, trace_id, span_id, topic_id, kafka_partition, kafka_offset"
            " from unnest(%s::timestamptz[], %s::timestamptz[], %s::int[], %s::uuid[], %s::bigint[], %s::int[],"
            " %s::int[], %s::bigint[]) n (stored_at, started_at, edge_id, trace_id, span_id, topic_id,"
            " kafka_partition, kafka_offset)",
            [now, *(list(column) for column in zip(*(_unpaired_row(row) for row in rows), strict=True))],
        )


def _unpaired_row(row: Unpaired) -> tuple[object, ...]:
    return row.stored_at, row.started_at, row.edge_id, *(row.context or (None, None)), *(row.place or (None,) * 3)


def taken_unpaired(cursor: CursorWrapper, *, tried_before: datetime, limit: int) -> list[Unpaired]:
    """Take rows that were last tried before then out of the table; what stays unpaired is to be added again."""
    cursor.execute(
        "delete from unpaired where ctid = any(array(select ctid from unpaired where tried_at < %s"
        " order by tried_at limit %s for update skip locked))"
        " returning stored_at, started_at, edge_id, trace_id, span_id, topic_id, kafka_partition, kafka_offset",
        [tried_before, limit],
    )
    return [
        Unpaired(
            stored_at,
            started_at,
            edge_id,
            None if trace_id is None else (trace_id, span_id),
            _place(topic_id, partition, offset),
        )
        for stored_at, started_at, edge_id, trace_id, span_id, topic_id, partition, offset in cursor.fetchall()
    ]


def count_dropped(cursor: CursorWrapper, n: int) -> None:
    """Deliveries whose producer never showed."""
    if n:
        cursor.execute("update fold_state set n_unpaired_dropped = n_unpaired_dropped + %s", [n])


PARENTS: Mapping[str, sql.Identifier] = {name: sql.Identifier(name) for name in ("span", "span_link", "record")}
