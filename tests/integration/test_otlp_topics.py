"""OTLP that comes by Kafka topics, as an OpenTelemetry Collector writes them."""

import json
from collections.abc import Mapping

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from collector.domain.records import Headers, Record
from collector.intake import otlp_topics
from collector.intake.otlp_topics import OtlpTopicReading
from collector.intake.saving import AtOnce
from collector.intake.sources import NamedTopics
from collector.intake.taking import Intake
from collector.kafka.memory import MemoryBroker, MemoryLog
from collector.store.clusters import UNKNOWN
from collector.store.positions import InputKind, input_row
from collector.store.saving import Saved, Store
from tests.integration.intake_world import NOW, Clock, rows, send, sends, stored_ids

pytestmark = pytest.mark.usefixtures("clean_tables")
ENCODINGS = {"otlp_spans": "otlp_proto", "spans.json": "otlp_json"}


class Topics:
    """Both topics, and a collector that reads them."""

    def __init__(self, sources: Mapping[str, str] | None = None) -> None:
        self.broker, self.clock = MemoryBroker(), Clock()
        for name in ENCODINGS:
            self.broker.create(name, n_partitions=2)
        log = MemoryLog(self.broker)
        number = input_row(InputKind.OTLP_TOPIC, cluster_id=UNKNOWN, topic_name="*")
        self.intake = Intake(log, AtOnce(Store()), OtlpTopicReading(ENCODINGS, sources=sources), number, self.clock)
        self.topics = NamedTopics(lambda: log, [*ENCODINGS, "not.there"])
        self.topics.look()
        self.intake.assign(self.topics.places() or {})

    def put(self, topic: str, value: bytes, *, key: bytes | None = None, headers: Headers = ()) -> None:
        self.broker.append(Record(topic, 1, 0, NOW, 1, key, value, headers))

    def take(self) -> list[Saved]:
        self.clock.advance(seconds=1)
        return self.intake.take_in(limit=100, limit_bytes=10_000_000, wait=0.0)


def json_request(*numbers: int) -> bytes:
    spans = [
        {
            "traceId": f"{number:032x}",
            "spanId": f"{number:016x}",
            "name": "send",
            "kind": 4,
            "startTimeUnixNano": str(int(NOW.timestamp()) * 10**9),
            "endTimeUnixNano": str(int(NOW.timestamp()) * 10**9 + 1),
        }
        for number in numbers
    ]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


def test_both_encodings_are_stored_with_their_edges() -> None:
    world = Topics()
    world.put("otlp_spans", sends(1, 2))
    world.put("spans.json", json_request(3))
    world.take()
    assert stored_ids() == [1, 2, 3]
    assert rows("select t.name from edge e join topic t on t.id = e.topic_id where e.id > 0") == [("orders.created",)]


def test_a_key_that_many_records_share_is_no_proof_of_a_repeat_and_the_same_bytes_are() -> None:
    world = Topics()
    trace = bytes(16)
    world.put("otlp_spans", sends(1), key=trace, headers=(("part", b"0/1"),))
    world.put("otlp_spans", sends(2), key=trace, headers=(("part", b"0/1"),))
    world.put("otlp_spans", sends(2), key=None)
    assert [saved.n_repeated for saved in world.take()] == [1]
    assert stored_ids() == [1, 2]


def test_what_is_no_otlp_and_what_was_refused_of_a_request_are_rows_with_their_reason() -> None:
    world = Topics()
    world.put("otlp_spans", b"\xff\xff")
    world.put("spans.json", b"{")
    bad = send(5, topic="orders.created", name="send")
    bad.trace_id = bytes(16)
    world.put("otlp_spans", sends(4) + _alone(bad))
    world.take()
    assert stored_ids() == [4]
    reasons = [str(reason) for (reason,) in rows("select reason from undecodable order by kafka_offset, reason")]
    assert len(reasons) == 3
    assert any("1 spans refused" in reason for reason in reasons), reasons


def test_a_record_larger_than_a_request_may_be_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_topics, "MAX_BODY_BYTES", len(sends(2)))
    world = Topics()
    world.put("otlp_spans", sends(1, 2))
    world.put("otlp_spans", sends(2))
    world.take()
    assert stored_ids() == [2]
    assert rows("select kafka_offset, reason like 'The body is larger than%%' from undecodable") == [(0, True)]


def test_a_request_without_fault_is_scanned_and_not_parsed_for_the_spool(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Topics()
    monkeypatch.setattr(otlp_topics, "parts_of_protobuf", lambda _: pytest.fail("parsed a second time"))
    world.put("otlp_spans", sends(1, 2))
    world.put("otlp_spans", sends(1, 2))
    world.take()
    assert stored_ids() == [1, 2]


def test_a_text_that_is_no_utf8_costs_no_span() -> None:
    world = Topics()
    world.put("otlp_spans", sends(1, name="NAME").replace(b"NAME", b"\xffA\xfeB"))
    world.take()
    assert rows("select n.name from span s join span_name n on n.id = s.name_id") == [("\ufffdA\ufffdB",)]
    assert rows("select count(*)::int from undecodable") == [(0,)]


def test_a_source_that_a_record_claims_is_not_believed() -> None:
    rows("insert into cluster (name) values ('ours'), ('theirs') returning id")
    rows(
        "insert into token (public_id, digest, kind, name, scopes, cluster_id, created_at, expires_at)"
        " select 'foreign', '', 'ingest', 'x', '{}', id, now(), now() from cluster where name = 'theirs' returning 1"
    )
    world = Topics()
    world.put("otlp_spans", sends(1), headers=(("source", b"foreign"),))
    world.take()
    assert rows("select c.name from topic t join cluster c on c.id = t.cluster_id where t.id > 0") == [("?",)]


def test_spans_of_an_input_that_says_whose_they_are_belong_there() -> None:
    rows("insert into cluster (name) values ('ours'), ('theirs') returning id")
    rows("insert into declared values ('inputs', 'gateway', '{\"spans_of\": \"theirs\"}') returning name")
    world = Topics(sources={"otlp_spans": "input:gateway"})
    world.put("otlp_spans", sends(1))
    world.take()
    assert rows("select c.name from topic t join cluster c on c.id = t.cluster_id where t.id > 0") == [("theirs",)]


def _alone(span: Span) -> bytes:
    made = TracesData(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])])
    return bytes(made.SerializeToString())
