"""Stored spans, batch by batch, as a collector leaves them, for tests of what reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Stored:
    """One span; `started` is seconds after AT."""

    edge: int | None
    started: float
    trace: int = 1
    span: int = 1
    parent: int | None = None
    n: int = 1
    status: int = 0
    op: int = 1
    duration_ms: float = 5.0
    place: tuple[int, int, int] | None = None


class SpanWorld:
    """One service that sends to a topic, and one that reads it."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "select inhparent::regclass::text, inhrelid::regclass::text from pg_inherits i"
                " join pg_class c on c.oid = i.inhparent where c.relkind = 'p'"
            )
            for table, leaf in cursor.fetchall():
                cursor.execute(
                    "insert into raw_partition (table_name, leaf, starts_at, ends_at)"
                    " values (%s, %s, '2000-01-01Z', '2100-01-01Z') on conflict do nothing",
                    [table, leaf],
                )
            cursor.execute("insert into cluster (name) values ('demo') returning id")
            cluster = cursor.fetchone()[0]
            cursor.execute(
                "insert into input (kind, cluster_id, topic_name) values (1, %s, 's') returning id", [cluster]
            )
            self.input = cursor.fetchone()[0]
            cursor.execute("insert into service (name) values ('orders-svc'), ('billing-svc') returning id")
            sender, reader = (number for (number,) in cursor.fetchall())
            cursor.execute("insert into topic (cluster_id, name) values (%s, 'orders') returning id", [cluster])
            self.topic = cursor.fetchone()[0]
            cursor.execute(
                "insert into edge (kind, service_id, topic_id) values (1, %s, %s), (2, %s, %s) returning id",
                [sender, self.topic, reader, self.topic],
            )
            self.produce, self.consume = (number for (number,) in cursor.fetchall())

    def batch(self, spans: Sequence[Stored], *, at: float) -> datetime:
        """Store spans in one batch at AT + `at` seconds."""
        stored_at = AT + timedelta(seconds=at)
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into batch (stored_at, input_id, n_spans, n_links) values (%s, %s, %s, 0)",
                [stored_at, self.input, len(spans)],
            )
            cursor.executemany(
                "insert into span (trace_id, span_id, parent_id, started_at, stored_at, kafka_offset, duration_ms,"
                " source_id, name_id, edge_id, topic_id, kafka_partition, attrs_id, n_messages, kind, status, op)"
                " values (%s, %s, %s, %s, %s, %s, %s, 0, 0, %s, %s, %s, 0, %s, 0, %s, %s)",
                [self._row(span, stored_at) for span in spans],
            )
        return stored_at

    def link(self, span: Stored, to: Stored, *, at: float) -> None:
        """`span` links to another."""
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into span_link values (%s, %s, %s, %s, %s, null, null, null)",
                [UUID(int=span.trace), span.span, UUID(int=to.trace), to.span, AT + timedelta(seconds=at)],
            )

    def record(self, place: tuple[int, int, int], *, produced: float, at: float) -> None:
        """A tapped record."""
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into record (stored_at, produced_at, topic_id, kafka_partition, kafka_offset, size_bytes,"
                " n_headers, timestamp_type) values (%s, %s, %s, %s, %s, 1, 0, 1)",
                [AT + timedelta(seconds=at), AT + timedelta(seconds=produced), *place],
            )

    def _row(self, span: Stored, stored_at: datetime) -> tuple[Any, ...]:
        topic, partition, offset = span.place or (self.topic, None, None)
        return (
            UUID(int=span.trace),
            span.span,
            span.parent,
            AT + timedelta(seconds=span.started),
            stored_at,
            offset,
            span.duration_ms,
            span.edge,
            topic,
            partition,
            span.n,
            span.status,
            span.op,
        )


def rows(sql: str, *values: int) -> list[tuple[Any, ...]]:
    """What a query answers."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
