"""What the intake's tests share: spool records of spans, a store, an intake that reads a broker of lists."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import connection
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from collector.domain.records import Record
from collector.intake.saving import Aside, AtOnce
from collector.intake.spool import SpoolReading
from collector.intake.taking import Intake
from collector.kafka.memory import MemoryBroker, MemoryLog
from collector.ports import Partition
from collector.store.clusters import UNKNOWN
from collector.store.positions import InputKind, Place, input_row
from collector.store.saving import Saved, Store

NOW = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
SPOOL = "weir.spool"


@dataclass
class Clock:
    """A clock that moves when told to."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **length: float) -> None:
        self.at += timedelta(**length)


@dataclass
class World:
    """A spool in memory, and the real store."""

    n_partitions: int = 1
    clock: Clock = field(default_factory=Clock)
    broker: MemoryBroker = field(default_factory=MemoryBroker)

    def __post_init__(self) -> None:
        self.input_id = input_row(InputKind.SPOOL, cluster_id=UNKNOWN, topic_name=SPOOL)
        self.broker.create(SPOOL, n_partitions=self.n_partitions)

    def send(
        self, body: bytes, *, partition: int = 0, part: bytes = b"0/1", key: bytes | None = None, source: str = "open"
    ) -> int:
        digest = hashlib.blake2b(body, digest_size=16).digest() if key is None else key
        headers = (("digest", digest), ("source", source.encode()), ("part", part))
        return self.broker.append(Record(SPOOL, partition, 0, self.clock(), 1, None, body, headers))

    def places(self) -> dict[Partition, Place]:
        kafka_id = self.broker.topics[SPOOL].kafka_id
        return {Partition(SPOOL, number): Place(kafka_id, number) for number in range(self.n_partitions)}

    def collector(self, *, aside: bool = False) -> Intake:
        """One more collector that owns all partitions. `aside`: it saves on a thread of its own, as in production."""
        saving = Aside(Store(), name="test") if aside else AtOnce(Store())
        made = Intake(MemoryLog(self.broker), saving, SpoolReading(), self.input_id, self.clock)
        made.assign(self.places())
        return made

    def take(self, intake: Intake, *, limit: int = 100) -> list[Saved]:
        self.clock.advance(seconds=1)
        return intake.take_in(limit=limit, limit_bytes=10_000_000, wait=0.0)


def sends(
    *numbers: int,
    service: str = "orders-svc",
    version: str = "1",
    topic: str = "orders.created",
    name: str = "send",
    tracestate: str = "",
) -> bytes:
    """A request with one send span per number, which is its span id."""
    spans = [send(number, topic=topic, name=name, tracestate=tracestate) for number in numbers]
    request = TracesData(
        resource_spans=[
            ResourceSpans(
                resource={"attributes": [pair("service.name", service), pair("service.version", version)]},  # type: ignore[arg-type]
                scope_spans=[ScopeSpans(spans=spans)],
            )
        ]
    )
    return bytes(request.SerializeToString())


def send(number: int, *, topic: str, name: str, tracestate: str = "") -> Span:
    started = int(NOW.timestamp()) * 10**9
    return Span(
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        name=name,
        trace_state=tracestate,
        kind=Span.SPAN_KIND_PRODUCER,
        start_time_unix_nano=started,
        end_time_unix_nano=started + 2_000_000,
        attributes=[
            pair("messaging.system", "kafka"),
            pair("messaging.operation", "publish"),
            pair("messaging.destination.name", topic),
        ],
    )


def pair(name: str, value: str) -> KeyValue:
    return KeyValue(key=name, value=AnyValue(string_value=value))


def rows(statement: str, *parameters: object) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(parameters))  # type: ignore[arg-type]
        return list(cursor.fetchall())


def stored_ids() -> list[int]:
    """Span ids in the table, sorted; doubles stay."""
    return [number for (number,) in rows("select span_id from span order by 1") if isinstance(number, int)]
