"""Requests of 14 kinds of real services, stitched as far as they go: each ties what its library tells, and no more."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from collector.domain.gaps import missing_around
from collector.domain.hops import Op, hops, linked_position
from collector.domain.readings import ConsumeKey, HopKey, ProduceKey
from collector.domain.sightings import LinkSeen, Place, SpanSeen
from collector.domain.spans import Span, Status
from collector.domain.topology import Evidence
from collector.domain.weaving import Loom
from collector.otlp import decode_protobuf
from tests.unit.otlp_samples import samples

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def cloth() -> Loom:
    """All samples together, as one Weir would have seen them."""
    numbers: dict[str, int] = {}
    spans: list[SpanSeen] = []
    links: list[LinkSeen] = []
    for sample in samples():
        decoded = decode_protobuf(sample.body).spans
        for span, hop in zip(decoded, hops(decoded), strict=True):
            topic = numbers.setdefault(hop.topic, len(numbers)) if hop and hop.topic else None
            owner = UUID(bytes=span.trace_id), _number(span.span_id)
            spans.append(seen(span, topic, hop))
            for link in span.links:
                where = linked_position(hop, span, link) if hop else None
                place: Place | None = (topic, where.partition, where.offset) if where and topic is not None else None
                links.append(LinkSeen(owner, (UUID(bytes=link.trace_id), _number(link.span_id)), place))
    return Loom(spans=spans, links=links, records=())


def seen(span: Span, topic: int | None, hop: object) -> SpanSeen:
    op = getattr(hop, "op", Op.OTHER) if topic is not None else Op.OTHER
    partition, offset = getattr(hop, "partition", None), getattr(hop, "offset", None)
    return SpanSeen(
        trace_id=UUID(bytes=span.trace_id),
        span_id=_number(span.span_id),
        parent_id=_number(span.parent_id) if span.parent_id else None,
        op=op,
        topic=topic,
        place=(topic, partition, offset)
        if topic is not None and partition is not None and offset is not None
        else None,
        group=None,
        group_evidence=Evidence(0),
        service=("", span.resource.name),
        version="",
        started_at=EPOCH + timedelta(microseconds=span.started_ns // 1_000),
        seconds=(span.ended_ns - span.started_ns) / 1e9,
        failed=span.status is Status.ERROR,
        n_messages=getattr(hop, "n_messages", 0),
        exception=None,
    )


def _number(span_id: bytes) -> int:
    return int.from_bytes(span_id, "big", signed=True)


def test_sends_come_from_readings_of_their_own_service(cloth: Loom) -> None:
    """Java, Micrometer, Quarkus, kotel, sarama: the send is a child of what was read; nobody sends for another."""
    tied = Counter[str]()
    for key, node in cloth.nodes.items():
        for cause in cloth.causes_of(ProduceKey(key)):
            if isinstance(cause, ConsumeKey) and node.span:
                services = {span.service for span in cloth.readings[cause].spans}
                assert node.span.service in services
                tied[node.span.service[1]] += 1
    assert tied


def test_what_aiokafka_sends_comes_from_nothing(cloth: Loom) -> None:
    sent = [node for node in cloth.nodes.values() if node.span and node.span.service[1] == "notices"]
    assert sent
    assert [node for node in sent if cloth.causes_of(ProduceKey(node.key))] == []


def test_every_reading_has_its_event_or_says_that_the_sender_is_missing(cloth: Loom) -> None:
    """The samples are cut out of a longer run: most senders are in requests that are not among them.

    Two batches name a sender that is there and sent to another topic: the bridge handed its header on.
    """
    unsaid = [
        key
        for key in cloth.readings
        if not cloth.causes_of(key)
        and not missing_around(cloth, key)
        and any(each.parent_id for each in cloth.readings[key].spans)
    ]
    handed_on = [
        key
        for key in unsaid
        if any(link.linked in cloth.spans for span in cloth.readings[key].spans for link in cloth.links[span.context])
    ]
    assert unsaid == handed_on
    assert [key.party.service for key in handed_on] == [("", "ledger")] * 2


def test_every_tie_says_how_it_is_known(cloth: Loom) -> None:
    keys: list[HopKey] = [*(ProduceKey(node) for node in cloth.nodes), *cloth.readings]
    assert [key for key in keys if cloth.causes_of(key) and not cloth.known_by(key)] == []
    assert {how for key in keys for how in cloth.known_by(key)} >= {"parent"}
