"""Spans as they came: found again with all that was said, redacted by rules, kept longer where something died."""

import json
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from opentelemetry.proto.trace.v1.trace_pb2 import Status, TracesData

from collector.config.rules import standing
from collector.domain.masking import Aim, Rule, Rules
from collector.intake.saving import AtOnce
from collector.intake.spool import SpoolReading
from collector.intake.taking import Intake
from collector.kafka.memory import MemoryLog
from collector.store import details
from collector.store.saving import Store
from dashboard.queries.path_export import fit_to_see, otlp_of
from dashboard.queries.span_details import span_in_full
from tests.integration.intake_world import NOW, World, pair, rows, sends

pytestmark = pytest.mark.usefixtures("clean_tables")
KEY = "messaging.kafka.message.key"


def request(*numbers: int, key: str = "order-7", failed: int = 0, filler: str = "") -> bytes:
    """Send spans with everything that sets of attributes do not keep."""
    message = TracesData.FromString(sends(*numbers))
    for span in message.resource_spans[0].scope_spans[0].spans:
        number = int.from_bytes(span.span_id, "big")
        span.attributes.extend(
            [pair(KEY, key), pair("order.id", f"{number:032x}"), pair("messaging.header.x-token", "secret")]
        )
        span.events.add(name="cached", time_unix_nano=span.start_time_unix_nano + 5_000).attributes.append(
            pair("at", filler or "here")
        )
        if number == failed:
            span.status.code = Status.STATUS_CODE_ERROR
    message.resource_spans[0].scope_spans[0].scope.name = "shop.library"
    message.resource_spans[0].resource.attributes.append(pair("host.name", "till-1"))
    return bytes(message.SerializeToString())


def ids(number: int) -> tuple[str, str]:
    return f"{number:032x}", f"{number:016x}"


def test_a_span_is_found_again_with_all_that_was_said_of_it() -> None:
    world = World()
    for number in range(1, 40, 2):
        world.send(request(number, number + 1))
    world.take(world.collector())
    for number in (1, 20, 40):
        found = span_in_full(*ids(number))
        assert found
        assert found.attributes["order.id"] == f"{number:032x}"
        assert found.attributes[KEY] == "order-7"
        assert [(event.name, event.attributes) for event in found.events] == [("cached", {"at": "here"})]
        assert found.events[0].at == NOW + timedelta(microseconds=5)
        assert (found.scope, found.resource["host.name"], found.resource["service.name"]) == (
            "shop.library", "till-1", "orders-svc",
        )  # fmt: skip
    assert span_in_full(*ids(41)) is None
    assert rows("select sum(n_spans)::int, count(*)::int from span_detail") == [(40, 1)]


def test_what_is_shown_of_one_span_is_a_bounded_part_of_a_batch() -> None:
    world = World()
    for number in range(1, 9):
        world.send(request(number, filler="x" * 100_000))
    world.take(world.collector())
    assert rows("select n_spans from span_detail") == [(3,), (3,), (2,)]
    assert all(span_in_full(*ids(number)) for number in range(1, 9))


def test_a_repeated_request_and_a_broken_text_leave_what_is_kept_readable() -> None:
    world = World()
    body = request(1, 2)
    broken = request(3, key="NAME").replace(b"NAME", b"\xffA\xc3(")
    for each in (body, body, broken):
        world.send(each)
    world.take(world.collector())
    assert rows("select sum(n_spans)::int from span_detail") == [(3,)]
    found = span_in_full(*ids(3))
    assert found
    assert found.attributes[KEY] == "\ufffdA\ufffd("
    assert span_in_full(*ids(2))


def test_failed_spans_outlive_the_others() -> None:
    world = World()
    world.send(request(1, 2, failed=2))
    world.take(world.collector())
    rows("delete from span_detail returning 1")
    assert span_in_full(*ids(1)) is None
    found = span_in_full(*ids(2))
    assert found
    assert (found.attributes["order.id"], found.scope, found.resource["host.name"]) == (
        f"{2:032x}", "shop.library", "till-1",
    )  # fmt: skip


def test_a_very_large_resource_is_not_written_again_for_each_failed_span() -> None:
    message = TracesData.FromString(request(*range(1, 101)))
    filler = "".join(random.Random(1).choices("0123456789abcdef", k=100_000))  # nothing shortens it by much
    message.resource_spans[0].resource.attributes.append(pair("filler", filler))
    for span in message.resource_spans[0].scope_spans[0].spans:
        span.status.code = Status.STATUS_CODE_ERROR
    world = World()
    world.send(message.SerializeToString())
    world.take(world.collector())
    found = span_in_full(*ids(7))
    assert found
    assert found.resource["host.name"] == "till-1"
    assert rows("select count(*)::int, sum(octet_length(body)) < 100000 from span_detail_kept") == [(100, True)]
    rows("delete from span_detail returning 1")
    found = span_in_full(*ids(7))
    assert found
    assert (found.attributes["order.id"], found.resource) == (f"{7:032x}", {})


def test_of_a_trace_that_never_ends_a_part_is_kept_and_what_wrote_the_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(details, "MOST_OF_TRACE", 2)
    message = TracesData.FromString(request(*range(1, 30)))
    for span in message.resource_spans[0].scope_spans[0].spans:
        span.trace_id = bytes(15) + b"\x09"
    world = World()
    world.send(message.SerializeToString())
    world.take(world.collector())
    _letter(trace=9, span=17)
    with connection.cursor() as cursor:
        hour = timedelta(hours=1)
        assert details.keep_for_letters(cursor, from_at=NOW - hour, to_at=NOW + hour) == 2
    assert rows("select count(*)::int from span_detail_kept where span_id = 17") == [(1,)]


def _letter(*, trace: int, span: int | None = None) -> None:
    rows("insert into topic (id, cluster_id, name) values (900005, 0, 'x.dlq') returning 1")
    rows(
        "insert into dead_letter (topic_id, kafka_partition, kafka_offset, dialect, seen_at, failed_at,"
        " exception_class, message, key_hash, size_bytes, trace_id, span_id, n_attempts)"
        " values (900005, 0, 0, 'spring', %s, %s, '', '', 0, 0, %s, %s, 1) returning 1",
        NOW, NOW, UUID(int=trace), span,
    )  # fmt: skip


def test_what_a_dead_letter_was_written_in_outlives_the_others() -> None:
    world = World()
    world.send(request(1, 2))
    world.take(world.collector())
    _letter(trace=2)
    hour = timedelta(hours=1)
    with connection.cursor() as cursor:
        assert details.keep_for_letters(cursor, from_at=NOW - hour, to_at=NOW + hour) == 1
        assert details.keep_for_letters(cursor, from_at=NOW - hour, to_at=NOW + hour) == 0
    rows("delete from span_detail returning 1")
    assert span_in_full(*ids(1)) is None
    assert span_in_full(*ids(2))


def test_s39_what_rules_drop_of_records_is_not_kept_with_spans() -> None:
    world = World()
    rules = Rules((Rule(("orders.*",), Aim(headers=frozenset({"x-token"}), key=True)),))
    log = MemoryLog(world.broker)
    intake = Intake(log, AtOnce(Store()), SpoolReading(drops=rules), world.input_id, world.clock)
    intake.assign(world.places())
    world.send(request(1, failed=1))
    world.take(intake)
    found = span_in_full(*ids(1))
    assert found
    assert KEY not in found.attributes
    assert "messaging.header.x-token" not in found.attributes
    assert found.attributes["order.id"]
    assert rows("select count(*)::int from attribute_set where body like %s", "%secret%") == [(0,)]


def test_an_export_holds_all_that_is_kept() -> None:
    world = World()
    world.send(request(1))
    world.take(world.collector())
    body = otlp_of([ids(1)[0]]).body
    (span,) = body["resourceSpans"][0]["scopeSpans"][0]["spans"]
    said = {each["key"]: each["value"] for each in span["attributes"]}
    assert said["order.id"] == {"stringValue": f"{1:032x}"}
    assert span["events"][0]["name"] == "cached"
    assert "order.id" not in json.dumps(masked_export())


def masked_export() -> dict[str, Any]:
    standing.pin(Rules((Rule(("orders.*",), Aim(key=True)),)), seconds=60)
    return fit_to_see(otlp_of([ids(1)[0]]).body)
