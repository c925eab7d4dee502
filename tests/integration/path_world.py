"""Spans, records and dead letters of a small shop, written straight into the tables, for tests of paths."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from collector.changes import Subject, announce
from collector.domain.frames import framed
from collector.domain.records import Headers

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SEND, RECEIVE, PROCESS = 1, 2, 3
Place = tuple[int, int, int]
Context = tuple[int, int]


def after(seconds: float) -> datetime:
    """AT + `seconds`."""
    return AT + timedelta(seconds=seconds)


class PathWorld:
    """Names on demand, in one cluster. Traces and spans are small numbers; times are seconds after AT."""

    def __init__(self, cluster: str = "demo") -> None:
        self.cluster = self._one("insert into cluster (name) values (%s) returning id", cluster)
        self.input = self._one(
            "insert into input (kind, cluster_id, topic_name) values (1, %s, 's') returning id", self.cluster
        )
        self._ids: dict[tuple[object, ...], int] = {}
        self._topics: dict[str, int] = {}
        self._begin = AT

    def beside(self, cluster: str) -> "PathWorld":
        """Another cluster, with the same services."""
        other = PathWorld(cluster)
        other._ids = self._ids
        return other

    def begin(self, at: datetime) -> None:
        """From now on, times are seconds after `at`."""
        self._begin = at

    def after(self, seconds: float) -> datetime:
        """The time that many seconds after the beginning."""
        return self._begin + timedelta(seconds=seconds)

    def topic(self, name: str, *, role: int = 0) -> int:
        if name not in self._topics:
            self._topics[name] = self._one(
                "insert into topic (cluster_id, name, role, n_partitions) values (%s, %s, %s, 2) returning id",
                self.cluster, name, role,
            )  # fmt: skip
        return self._topics[name]

    def group(self, name: str) -> int:
        return self._named(
            "insert into consumer_group (cluster_id, name) values (%s, %s) returning id", self.cluster, name
        )

    def service(self, name: str) -> int:
        return self._named("insert into service (name) values (%s) returning id", name)

    def source(self, service: str) -> int:
        version = self._named(
            "insert into service_version (service_id, version, first_at, last_at) values (%s, '2.8.0', now(), now())"
            " returning id", self.service(service),
        )  # fmt: skip
        return self._named("insert into source (service_version_id) values (%s) returning id", version)

    def span(
        self,
        context: Context,
        op: int,
        topic: str | None,
        service: str,
        *,
        at: float = 0,
        parent: int | None = None,
        place: tuple[int, int] | None = None,
        group: str | None = None,
        links: Sequence[tuple[Context, Place | None]] = (),
        error: tuple[str, str] | None = None,
        n: int = 1,
    ) -> None:
        trace, span = context
        topic_id = self.topic(topic) if topic else None
        edge = None
        if topic_id:
            edge = self._named(
                "insert into edge (kind, service_id, topic_id, group_id) values (%s, %s, %s, %s) returning id",
                1 if op == SEND else 2, self.service(service), topic_id, self.group(group) if group else None,
            )  # fmt: skip
        stored = self.stored(at)
        self._run(
            "insert into span (trace_id, span_id, parent_id, started_at, stored_at, kafka_offset, duration_ms,"
            " source_id, name_id, edge_id, topic_id, kafka_partition, attrs_id, n_messages, kind, status, op)"
            " values (%s, %s, %s, %s, %s, %s, 500, %s, 0, %s, %s, %s, 0, %s, 0, %s, %s)",
            UUID(int=trace), span, parent, self.after(at), stored, place[1] if place else None,
            self.source(service), edge, topic_id, place[0] if place else None, n, 2 if error else 0, op,
        )  # fmt: skip
        for linked, where in links:
            self._run(
                "insert into span_link values (%s, %s, %s, %s, %s, %s, %s, %s)",
                UUID(int=trace), span, UUID(int=linked[0]), linked[1], stored,
                where[2] if where else None, where[0] if where else None, where[1] if where else None,
            )  # fmt: skip
        if error:
            self._run("insert into span_error values (%s, %s, %s, %s, %s, '')", UUID(int=trace), span, stored, *error)

    def record(
        self, topic: str, place: tuple[int, int], *, by: Context | None = None, at: float = 0, key: str | None = None,
        event_id: str | None = None, cause_id: str | None = None,
    ) -> None:  # fmt: skip
        stored = self.stored(at)
        trace, span = (UUID(int=by[0]), by[1]) if by else (None, None)
        self._run(
            "insert into record (stored_at, produced_at, kafka_offset, trace_id, span_id, topic_id, kafka_partition,"
            " size_bytes, n_headers, timestamp_type, key, event_id, cause_id)"
            " values (%s, %s, %s, %s, %s, %s, %s, 120, 2, 1, %s, %s, %s)",
            stored, self.after(at), place[1], trace, span, self.topic(topic), place[0], key.encode() if key else None,
            event_id, cause_id,
        )  # fmt: skip
        if key:
            self._run("insert into record_key values (%s, 1, %s, %s, %s, %s)", stored, key, self.topic(topic), *place)

    def body(
        self, topic: str, place: tuple[int, int], value: bytes | None, *, headers: Headers = (), at: float = 0
    ) -> None:
        """Keep the record's value and headers."""
        self._run(
            "insert into record_body values (%s, %s, %s, %s, %s, %s)",
            self.stored(at), self.topic(topic), *place, framed(headers), value,
        )  # fmt: skip

    def leaf(self, table: str) -> None:
        """Note the leaf that has rows among those that are known, as whoever makes one does."""
        self._run(
            "insert into raw_partition (table_name, leaf, starts_at, ends_at)"
            " select distinct %s, tableoid::regclass::text, '2000-01-01Z'::timestamptz, '2100-01-01Z'::timestamptz"
            f" from {table} on conflict do nothing", table,
        )  # fmt: skip

    def ring(self, subject: Subject) -> None:
        """Tell the pages."""
        announce(subject)

    def letter(self, topic: str, place: tuple[int, int], origin: tuple[str, int, int], group: str | None) -> int:
        return self._one(
            "insert into dead_letter (topic_id, kafka_partition, kafka_offset, dialect, seen_at, failed_at, group_id,"
            " origin_topic_id, origin_partition, origin_offset, exception_class, message, size_bytes)"
            " values (%s, %s, %s, 'spring', %s, %s, %s, %s, %s, %s, 'CardDeclined', 'no', 9) returning id",
            self.topic(topic), *place, AT, after(9), self.group(group) if group else None,
            self.topic(origin[0]), *origin[1:],
        )  # fmt: skip

    def resent(self, letter: int, topic: str, place: tuple[int, int], *, at: float) -> None:
        operation = self._one(
            "insert into retry_operation (token, plan_digest, person_id, person_name, status, created_at)"
            " values (%s, %s, 1, 'operator1', 2, %s) returning id", str(uuid4()), uuid4(), AT,
        )  # fmt: skip
        self._run(
            "insert into retry_item (operation_id, ordinal, dead_letter_id, status, attempt_id, target_topic_id,"
            " sent_at, sent_partition, sent_offset, verify_origin) values (%s, 1, %s, 2, %s, %s, %s, %s, %s, false)",
            operation, letter, uuid4(), self.topic(topic), self.after(at), *place,
        )  # fmt: skip

    def committed(self, topic: str, group: str, offsets: list[int | None], *, at: float) -> None:
        ids = (self.topic(topic), self.group(group))
        self._run(
            "insert into group_sample (sampled_at, topic_id, group_id, committed) values (%s, %s, %s, %s)",
            self.after(at), *ids, offsets,
        )  # fmt: skip
        self._run(
            "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, %s)"
            " on conflict (topic_id, group_id) do update set committed = excluded.committed",
            *ids, self.after(at), offsets,
        )  # fmt: skip

    def usually(self, service: str, topic: str, next_topic: str, *, within: float) -> None:
        """What is learned of a reading: it is followed by an event of `next_topic`, always."""
        self._run(
            "insert into usual_next values (%s, %s, %s, 100, 100, %s, %s)",
            self.service(service), self.topic(topic), self.topic(next_topic), within, self.after(0),
        )  # fmt: skip

    def hint(self, service: str, topic: str, group: str) -> None:
        self._run(
            "insert into group_hint values (%s, %s, %s, 4, %s)",
            self.service(service), self.topic(topic), self.group(group), AT,
        )  # fmt: skip

    def stored(self, at: float) -> datetime:
        """The batch of that second."""
        stored = self.after(at + 1)
        self._run(
            "insert into batch (stored_at, input_id, n_spans, n_links, n_records) values (%s, %s, 1, 0, 1)"
            " on conflict do nothing", stored, self.input,
        )  # fmt: skip
        return stored

    def _named(self, sql: str, *values: object) -> int:
        if (sql, *values) not in self._ids:
            self._ids[sql, *values] = self._one(sql, *values)
        return self._ids[sql, *values]

    def _one(self, sql: str, *values: Any) -> int:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return int(cursor.fetchone()[0])

    def _run(self, sql: str, *values: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
