"""Spans as libraries really send them become the deliveries that really were."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collector.domain.hops import EdgeKind, Hop, Op, Told, hops, linked_position, settled
from collector.domain.positions import Position
from collector.domain.spans import Kind, Status
from collector.otlp import decode_protobuf
from tests.unit.otlp_samples import FILE, Sample, of, samples
from tests.unit.span_making import make_link, make_span

EXPECTED: Path = FILE.with_suffix(".expected.txt")


def hop_of(attributes: Mapping[str, object], **rest: object) -> Hop | None:
    return hops([make_span(1, attributes, **rest)])[0]  # type: ignore[arg-type]


Counts = dict[tuple[str, str | None, str | None], int]
"""(wrote or read, topic, group) -> messages."""


def counts(sample: Sample) -> Counts:
    found = Counter[tuple[str, str | None, str | None]]()
    for hop in hops(decode_protobuf(sample.body).spans):
        if hop is not None and hop.edge is not None:
            found["wrote" if hop.edge is EdgeKind.PRODUCE else "read", hop.topic, hop.group] += hop.n_messages
    return dict(+found)


def expected() -> Iterator[tuple[str, Counts]]:
    """What each request was found to tell of by hand, with who sent it."""
    for paragraph in re.split(r"\n(?=\w)", EXPECTED.read_text())[1:]:
        who, *lines = paragraph.splitlines()
        words = [line.split() for line in lines]
        yield who, {(verb, topic, group[1] if group else None): int(n) for verb, n, topic, *group in words}


@pytest.mark.parametrize(
    ("sample", "who", "told"),
    [(sample, *each) for sample, each in zip(samples(), expected(), strict=True)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_request_tells_what_was_really_sent_and_received(sample: Sample, who: str, told: Counts) -> None:
    assert who == f"{sample.service} {sample.semconv}"
    assert counts(sample) == told


def test_the_requests_are_of_fourteen_kinds_of_services() -> None:
    assert len({sample.service for sample in samples()}) == 14


def test_a_java_agents_backoffs_are_neither_deliveries_nor_failures() -> None:
    sample = of("billing")[0]
    spans = decode_protobuf(sample.body).spans
    backoffs = [
        hop
        for span, hop in zip(spans, hops(spans), strict=True)
        if any(raised.exception_class.endswith("KafkaBackoffException") for raised in span.raised)
    ]
    assert len(backoffs) == 2
    assert all(hop is not None and hop.n_messages == 0 and not hop.failed for hop in backoffs)
    assert counts(sample)["read", "orders.placed", "billing"] == 13


def test_poll_and_process_of_one_record_are_one_delivery_with_the_new_names() -> None:
    (sample,) = of("billing", "new")
    found = counts(sample)
    assert found["read", "payments.settled", "billing-reconcile"] == 3
    assert found["read", "orders.placed", "billing"] == 2
    assert ("read", "orders.placed-dlt", "billing-dlt") not in found


def test_a_connect_process_span_takes_its_group_from_the_poll_that_brought_its_records() -> None:
    (sample,) = of("archiver", "new")
    spans = decode_protobuf(sample.body).spans
    processed = [hop for hop in hops(spans) if hop and hop.op is Op.PROCESS]
    assert {(hop.group, hop.client_id) for hop in processed} == {
        ("connect-archiver-parcels", "connector-consumer-archiver-parcels-0")
    }
    assert sum(hop.n_messages for hop in processed) == sum(
        len(span.links) for span, hop in zip(spans, hops(spans), strict=True) if hop and hop.op is Op.PROCESS
    )


def test_spans_without_a_topic_and_spans_of_other_systems_are_no_hops() -> None:
    assert hop_of({}) is None  # Python's recv
    assert hop_of({"messaging.system": "kafka", "messaging.batch.message_count": 0}) is None  # Connect's empty put
    assert hop_of({"messaging.system": "rabbitmq", "messaging.destination.name": "orders"}) is None
    assert hop_of({"messaging.system": "kafka", "messaging.destination.name": "a b"}) is None
    commit = {"messaging.system": "kafka", "messaging.destination.name": "t", "messaging.operation.type": "settle"}
    assert hop_of(commit, kind=Kind.CLIENT) is None


def test_an_offset_without_a_partition_is_no_position() -> None:
    hop = hop_of(
        {"messaging.system": "kafka", "messaging.destination.name": "t", "messaging.kafka.message.offset": 0},
        kind=Kind.PRODUCER,
    )
    assert hop is not None
    assert (hop.partition, hop.offset) == (None, None)


@pytest.mark.parametrize(
    ("attributes", "scope", "expected"),
    [
        ({"messaging.destination.partition.id": "7", "messaging.kafka.offset": "12"}, "", (7, 12)),
        ({"messaging.kafka.source.partition": "0", "messaging.kafka.message.offset": "3"}, "", (0, 3)),
        ({"messaging.kafka.partition": 1, "messaging.message.id": "a.b.1.9"}, "", (1, 9)),
        ({"messaging.message.id": "a.b.1.9"}, "", (1, 9)),
        ({"messaging.kafka.partition": 2, "messaging.message.id": "a.b.1.9"}, "", None),
        ({"messaging.kafka.partition": 1, "messaging.message.id": "x.y.1.9"}, "", None),
        ({"messaging.kafka.source.partition": 4, "messaging.message.id": "5"}, "otelsarama", (4, 5)),
        ({"messaging.kafka.source.partition": 4, "messaging.message.id": "5"}, "other", None),
        ({"messaging.destination.partition.id": "-1", "messaging.kafka.offset": -1001}, "", None),
        ({"messaging.destination.partition.id": "none", "messaging.kafka.offset": 1}, "", None),
        ({"messaging.destination.partition.id": True, "messaging.kafka.offset": 1}, "", None),
        ({"messaging.destination.partition.id": "²", "messaging.kafka.offset": 1}, "", None),
        ({"messaging.destination.partition.id": 2**31, "messaging.kafka.offset": 1}, "", None),
    ],
)
def test_the_position_is_read_over_all_generations_of_names(
    attributes: dict[str, object], scope: str, expected: tuple[int, int] | None
) -> None:
    hop = hop_of({"messaging.system": "kafka", "messaging.destination": "a.b", **attributes}, scope=scope)
    assert hop is not None
    assert (hop.partition, hop.offset) == (expected or (None, None))


def test_the_group_comes_from_the_span_then_its_links_then_the_resource() -> None:
    base: dict[str, object] = {"messaging.system": "kafka", "messaging.destination.name": "t"}
    link = make_link(2, 2, {"messaging.consumer.group.name": "of-link"})
    of_consumer = hop_of({**base, "messaging.consumer.id": "filing - filing-0"})
    of_link = hop_of(base, links=(link,))
    of_none = hop_of({**base, "messaging.kafka.consumer.group": "none"})
    producer = hop_of({**base, "messaging.consumer.group.name": "g"}, kind=Kind.PRODUCER)
    assert [hop.group if hop else "?" for hop in (of_consumer, of_link, of_none, producer)] == [
        "filing",
        "of-link",
        None,
        None,
    ]
    assert of_consumer is not None
    assert of_consumer.client_id == "filing-0"


def test_a_poll_without_process_spans_counts_what_it_linked_and_only_that() -> None:
    attributes = {
        "messaging.system": "kafka",
        "messaging.destination.name": "t",
        "messaging.operation.name": "poll",
        "messaging.operation.type": "receive",
        "messaging.consumer.group.name": "g",
    }
    links = tuple(make_link(9, number) for number in (1, 2, 3))
    poll = make_span(1, attributes, kind=Kind.CLIENT, links=links, scope="Confluent.Kafka")
    process = make_span(2, {"messaging.system": "kafka", "messaging.destination.name": "t"}, trace=2, links=links[:1])
    alone = hops([poll])[0]
    together = hops([poll, process])
    assert alone is not None
    assert alone.n_messages == 3
    assert [hop.n_messages for hop in together if hop] == [2, 1]
    assert together[1] is not None
    assert together[1].group == "g"


def test_a_batch_send_is_counted_by_its_create_spans() -> None:
    base: dict[str, object] = {"messaging.system": "kafka", "messaging.destination.name": "t"}
    create = hop_of({**base, "messaging.operation.type": "create"}, kind=Kind.PRODUCER)
    send = hop_of({**base, "messaging.operation.type": "send"}, kind=Kind.CLIENT, links=(make_link(1, 2),))
    assert create is not None
    assert send is not None
    assert (create.edge, create.n_messages, send.n_messages) == (EdgeKind.PRODUCE, 1, 0)


def test_a_failed_span_is_a_failed_hop() -> None:
    hop = hop_of({"messaging.system": "kafka", "messaging.destination.name": "t"}, status=Status.ERROR, raised=("X",))
    assert hop is not None
    assert hop.failed


def test_the_links_of_a_batch_span_name_the_records() -> None:
    attributes = {
        "messaging.system": "kafka",
        "messaging.destination.name": "t",
        "messaging.destination.partition.id": "3",
    }
    links = (
        make_link(1, 1, {"messaging.kafka.offset": 7}),
        make_link(1, 2, {"messaging.kafka.offset": 8}),
        make_link(1, 3),
    )
    span = make_span(1, attributes, links=links)
    (hop,) = hops([span])
    assert hop is not None
    assert hop.offset is None
    assert [linked_position(hop, span, link) for link in links] == [Position("t", 3, 7), Position("t", 3, 8), None]


def test_cluster_ids_are_read_where_libraries_put_them() -> None:
    ids = {
        hop.kafka_cluster_id
        for sample in samples()
        for hop in hops(decode_protobuf(sample.body).spans)
        if hop is not None
    }
    assert ids == {None, "rS2hCF2QSta4ih5k3JIHJA"}


class Counted(list[Told]):
    """Counts how often one is looked up."""

    n = 0

    def __getitem__(self, index: Any) -> Any:
        self.n += 1
        return super().__getitem__(index)


def test_a_request_of_spans_that_all_seem_to_belong_together_is_looked_at_a_bounded_number_of_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("collector.domain.hops.MOST_COMPARED", 500)
    parent = (b"t" * 16, b"p" * 8)
    hop = Hop(Op.RECEIVE, EdgeKind.CONSUME, "orders", None, None, None, None, None, 1, None, failed=False)
    told = Counted(
        Told(replace(hop, op=op), (b"t" * 16, bytes([number]) * 8), frozenset({parent}), ("", "billing-svc", ""))
        for op in (Op.RECEIVE, Op.PROCESS)
        for number in range(100)
    )
    assert len(settled(told)) == 200
    assert told.n <= 2 * 500 + 100
