"""Spool records of believable traces: every copy with ids, times, offsets and whatever else tells spans apart anew.

A trace has six spans (server, client, server, internal, producer, consumer), each with about 12 attributes and a
resource of 8. It runs through three services, which send for themselves, so its spans lie in three records. What real
senders write differently on every span differs here too: URLs, ports, threads, keys, offsets; one span in fifty fails.
"""

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, TracesData

SPANS_PER_RECORD = 100
TRACES_PER_GROUP = 50
RECORDS_PER_GROUP = 3
N_GROUPS, N_SERVICES, N_TOPICS, N_PARTITIONS = 40, 50, 60, 12
START_NS = 1_790_000_000 * 10**9
FIRST_OFFSET = 2**28  # five bytes as a varint, like its successors
N_FAILED = 50

Value = str | int | bool


@dataclass(frozen=True)
class Group:
    """Three records whose spans belong together, and where in them each value lies that a copy needs anew."""

    bodies: tuple[bytes, ...]
    ids: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]  # size, then (record, position) of each occurrence
    times: tuple[tuple[int, int], ...]
    offsets: tuple[tuple[int, int], ...]


def groups(seed: int = 7) -> list[Group]:
    """The pool that copies are made from."""
    dice = random.Random(seed)
    return [_group(dice) for _ in range(N_GROUPS)]


def copies(pool: list[Group], n_records: int) -> Iterator[bytes]:
    """So many bodies, no two of which share an id."""
    made = 0
    for number in range(n_records):
        for body in copy(pool[number % len(pool)], number):
            yield body
            made += 1
            if made == n_records:
                return


def copy(group: Group, number: int, *, at_ns: int | None = None) -> list[bytes]:
    """The records of a group with new ids, times (from `at_ns` on, else made up) and offsets."""
    found = [bytearray(body) for body in group.bodies]
    fresh = os.urandom(sum(size for size, _ in group.ids))
    at = 0
    for size, places in group.ids:
        value = fresh[at : at + size]
        at += size
        for record, position in places:
            found[record][position : position + size] = value
    for index, (record, position) in enumerate(group.times):
        started = (START_NS + number * 10_000_000 if at_ns is None else at_ns) + index * 3_000
        struct.pack_into("<Q", found[record], position, started)
        struct.pack_into("<Q", found[record], position + 9, started + 1_000_000 + index * 777)
    for index, (record, position) in enumerate(group.offsets):
        found[record][position : position + 5] = _varint(FIRST_OFFSET + number * 100 + index)
    return [bytes(each) for each in found]


def _group(dice: random.Random) -> Group:
    messages = [TracesData() for _ in range(RECORDS_PER_GROUP)]
    services = [f"svc-{dice.randrange(N_SERVICES):02d}" for _ in range(3)]
    ids: list[bytes] = []
    for _ in range(TRACES_PER_GROUP):
        for index, (span, service) in enumerate(_trace(dice, services, ids)):
            _scoped(messages[index // 2], service).spans.append(span)
    bodies = tuple(message.SerializeToString() for message in messages)
    places = tuple((len(each), tuple(_found(bodies, each))) for each in ids)
    times, offsets = _moments(bodies), tuple(_found(bodies, b"\x18" + _varint(FIRST_OFFSET), skip=1))
    return Group(bodies, places, times, offsets)


def _trace(dice: random.Random, services: list[str], ids: list[bytes]) -> list[tuple[Span, str]]:
    """Six spans with their services; the ids they use are added to `ids`."""
    trace_id = dice.randbytes(16)
    span_ids = [dice.randbytes(8) for _ in range(6)]
    ids += [trace_id, *span_ids]
    front, back, reader = services
    topic = dice.randrange(N_TOPICS)
    kinds = (
        (Span.SPAN_KIND_SERVER, "POST /orders/{id}", front, None, _server(dice)),
        (Span.SPAN_KIND_CLIENT, "POST", front, 0, _client(dice)),
        (Span.SPAN_KIND_SERVER, "POST /stock/{id}", back, 1, _server(dice)),
        (Span.SPAN_KIND_INTERNAL, "Reservation.hold", back, 2, _internal(dice)),
        (Span.SPAN_KIND_PRODUCER, f"topic-{topic:02d} publish", back, 3, _messaging(dice, topic, "publish")),
        (Span.SPAN_KIND_CONSUMER, f"topic-{topic:02d} process", reader, 4, _messaging(dice, topic, "process")),
    )
    found = []
    for index, (kind, name, service, parent, attributes) in enumerate(kinds):
        span = Span(
            trace_id=trace_id,
            span_id=span_ids[index],
            parent_span_id=b"" if parent is None else span_ids[parent],
            name=name,
            kind=kind,
            start_time_unix_nano=START_NS,
            end_time_unix_nano=START_NS + 1,
            attributes=[_pair(name, value) for name, value in attributes.items()],
            flags=0x101,
        )
        if kind == Span.SPAN_KIND_CONSUMER:
            span.links.add(trace_id=trace_id, span_id=span_ids[3], flags=0x301)
        if not dice.randrange(N_FAILED):
            _fail(span)
        found.append((span, service))
    return found


def _fail(span: Span) -> None:
    span.status.code = span.status.STATUS_CODE_ERROR
    event = span.events.add(name="exception", time_unix_nano=START_NS)
    for name, value in (("type", "shop.OutOfStock"), ("message", "none left"), ("stacktrace", "at shop.Stock\n" * 20)):
        event.attributes.append(_pair(f"exception.{name}", value))


def _scoped(message: TracesData, service: str) -> ScopeSpans:
    for spoken in message.resource_spans:
        if spoken.resource.attributes[0].value.string_value == service:
            known: ScopeSpans = spoken.scope_spans[0]
            return known
    spoken = message.resource_spans.add()
    for name, value in _resource(service).items():
        spoken.resource.attributes.append(_pair(name, value))
    scoped: ScopeSpans = spoken.scope_spans.add()
    scoped.scope.name, scoped.scope.version = "io.opentelemetry.spring-webmvc-6.0", "2.33.1-alpha"
    return scoped


def _resource(service: str) -> dict[str, Value]:
    return {
        "service.name": service,
        "service.namespace": "shop",
        "service.version": "1.4.2",
        "service.instance.id": f"{service}-7d9f6c5b4-x2k8p",
        "host.name": f"node-{int(service[-2:]) % 7}",
        "telemetry.sdk.language": "java",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.61.0",
    }


def _thread(dice: random.Random) -> dict[str, Value]:
    number = dice.randrange(16, 216)
    return {"thread.id": number, "thread.name": f"http-nio-8080-exec-{number}"}


def _server(dice: random.Random) -> dict[str, Value]:
    return {
        "http.request.method": "POST",
        "http.route": "/orders/{id}",
        "http.response.status_code": dice.choice((200, 200, 200, 201, 404)),
        "url.scheme": "http",
        "url.path": f"/orders/{dice.randrange(10**6, 10**7)}",
        "user_agent.original": "Apache-HttpClient/5.4 (Java/21.0.4)",
        "network.protocol.version": "1.1",
        "network.peer.address": f"10.4.{dice.randrange(8)}.{dice.randrange(255)}",
        "network.peer.port": dice.randrange(32_768, 60_999),
        "server.address": "shop.svc.cluster.local",
        **_thread(dice),
    }


def _client(dice: random.Random) -> dict[str, Value]:
    return {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.full": f"http://stock.svc.cluster.local/stock/{dice.randrange(10**6, 10**7)}",
        "server.address": "stock.svc.cluster.local",
        "server.port": 80,
        "network.protocol.version": "1.1",
        "http.request.resend_count": 0,
        "peer.service": "stock",
        "deployment.tier": "gold",
        "feature.flag": "off",
        **_thread(dice),
    }


def _internal(dice: random.Random) -> dict[str, Value]:
    return {
        "code.function.name": "shop.stock.Reservation.hold",
        "code.line.number": 118,
        "stock.warehouse": f"w-{dice.randrange(12)}",
        "stock.reserved": True,
        "order.id": f"{dice.getrandbits(128):032x}",
        "db.system.name": "postgresql",
        "db.namespace": "stock",
        "db.collection.name": "reservation",
        "db.operation.name": "UPDATE",
        "db.query.summary": "UPDATE reservation",
        **_thread(dice),
    }


def _messaging(dice: random.Random, topic: int, operation: str) -> dict[str, Value]:
    found: dict[str, Value] = {
        "messaging.system": "kafka",
        "messaging.destination.name": f"topic-{topic:02d}",
        "messaging.operation": operation,
        "messaging.client_id": f"{operation}er-{topic:02d}",
        "messaging.kafka.cluster.id": "rS2hCF2QSta4ih5k3JIHJA",
        "messaging.kafka.message.key": f"o-{dice.randrange(10**6, 10**7)}",
        "messaging.destination.partition.id": str(dice.randrange(N_PARTITIONS)),
        "messaging.kafka.message.offset": FIRST_OFFSET,
        "messaging.message.body.size": dice.randrange(180, 900),
        **_thread(dice),
    }
    return {**found, "messaging.kafka.consumer.group": f"group-{topic:02d}"} if operation == "process" else found


def _pair(name: str, value: Value) -> KeyValue:
    if isinstance(value, bool):
        return KeyValue(key=name, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=name, value=AnyValue(int_value=value))
    return KeyValue(key=name, value=AnyValue(string_value=value))


def _found(bodies: tuple[bytes, ...], wanted: bytes, *, skip: int = 0) -> Iterator[tuple[int, int]]:
    for record, body in enumerate(bodies):
        at = body.find(wanted)
        while at >= 0:
            yield record, at + skip
            at = body.find(wanted, at + 1)


def _moments(bodies: tuple[bytes, ...]) -> tuple[tuple[int, int], ...]:
    """Where start and end stand, nine bytes apart (fields 7 and 8, fixed64)."""
    return tuple(_found(bodies, b"\x39" + struct.pack("<Q", START_NS) + b"\x41", skip=1))


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
