"""What stands in the tables after a request is what the readable decoder and the rules say of its spans."""

from typing import Any

import pytest

from collector.domain.hops import Op
from collector.domain.spans import Status
from tests.integration.intake_world import World, rows
from tests.unit.otlp_samples import Sample, samples
from tests.unit.span_rows import EPOCH_2000_US, expected

pytestmark = pytest.mark.usefixtures("clean_tables")

SPANS = """
    select uuid_send(s.trace_id), int8send(s.span_id), int8send(s.parent_id),
      (extract(epoch from s.started_at) * 1000000)::bigint, s.duration_ms::float8, s.kafka_offset, s.kafka_partition,
      v.namespace, v.name, w.version, o.instance, n.name, a.body, s.kind, s.status, s.op, s.n_messages,
      t.name, e.kind, g.name
    from span s join source o on o.id = s.source_id join service_version w on w.id = o.service_version_id
    join service v on v.id = w.service_id join span_name n on n.id = s.name_id
    join attribute_set a on a.id = s.attrs_id left join topic t on t.id = s.topic_id
    left join edge e on e.id = s.edge_id left join consumer_group g on g.id = e.group_id
"""
LINKS = """
    select uuid_send(l.trace_id), int8send(l.span_id), uuid_send(l.linked_trace_id), int8send(l.linked_span_id),
      l.kafka_offset, l.kafka_partition, t.name from span_link l left join topic t on t.id = l.topic_id
"""
ERRORS = "select uuid_send(trace_id), int8send(span_id), exception_class, message, stack from span_error"


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: f"{sample.service}-{sample.semconv}")
def test_the_tables_hold_what_the_rules_say(sample: Sample) -> None:
    world = World()
    world.send(sample.body)
    world.take(world.collector())
    wanted = expected(sample.body, "open")
    assert stored(SPANS) == in_order([span(row) for row in wanted["spans"]])
    assert stored(LINKS) == in_order(wanted["links"])
    assert stored(ERRORS) == in_order(wanted["errors"])
    assert rows("select count(distinct stored_at)::int from span") == [(1,)]


def span(row: tuple[Any, ...]) -> tuple[Any, ...]:
    trace, span_id, parent, started, took, offset, partition, said, title, body, kind, status, hop, _, failed = row
    namespace, name, version, instance = said
    shown_status = Status.UNSET if status is Status.ERROR and not failed else status
    ids = (trace, span_id, parent, started + EPOCH_2000_US, took, offset, partition)
    who = (namespace, name or "unknown_service", version, instance, title, body)
    if hop is None:
        return (*ids, *who, kind, int(shown_status), int(Op.OTHER), 0, None, None, None)
    group = hop.group if hop.op is not Op.SEND else None
    edge = int(hop.edge) if hop.edge else None
    return (*ids, *who, kind, int(shown_status), int(hop.op), hop.n_messages, hop.topic, edge, group)


def stored(statement: str) -> list[tuple[Any, ...]]:
    return in_order([tuple(bytes(x) if isinstance(x, memoryview) else x for x in row) for row in rows(statement)])


def in_order(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(found, key=repr)
