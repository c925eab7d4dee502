"""The shop on real Kafka, exporting to a receiver that goes away: its truth is what Kafka and the spans say."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar, cast

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from demo.parts import CATALOGUE, PARTS
from demo.records import Position
from demo.topics import ORDERS, ORDERS_DEAD, ORDERS_RETRY, PRICES_CHANGED, TOPICS
from demo.truth import DeadLetter, Edge, Truth
from stack.testing import servers
from tests.acceptance.demo_shop import Shop, open_shop
from tests.acceptance.demo_sink import Seen, Sink, open_sink
from tests.acceptance.running_demo import SENDERS

pytestmark = [pytest.mark.acceptance, pytest.mark.kafka, pytest.mark.timeout(900)]  # the first one waits for all

Headers = list[tuple[str, bytes | None]]
T = TypeVar("T")

RATE = 30.0  # orders a second, for fourteen services on two cores
AWAY_SECONDS, CALM_SECONDS = 5.0, 3.0
TRACED = {part.name for part in CATALOGUE if part.traced}
IN_BATCHES = {"digest-svc"}  # one span for all that was read at once, with a link for each and no position
SENDERS_HEADERS: Headers = [("x-weir-retry", b"r-1"), ("x-weir-attempt", b"a-1")]


@dataclass(frozen=True)
class Letter:
    """A dead letter as it lies in Kafka."""

    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True)
class Day:
    """What is left of one run of the shop, in which everything that a person can do was done."""

    truth: Truth
    spans: list[Seen]
    n_refused: int
    ended: dict[str, tuple[int, float]]
    pids: list[tuple[int, int]]
    end_offsets: dict[str, int]
    committed: dict[str, int]
    letters: dict[Position, Letter]
    retried: DeadLetter
    sent_back_to: Position
    n_read_while_stopped: int


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """Start, the receiver goes away, the mailer stops and starts, billing is deployed and mended, a letter returns."""
    folder = tmp_path_factory.mktemp("demo")
    with servers(folder, kafka=True, valkey=False) as there, open_sink() as sink:
        bootstrap = str(there.kafka_bootstrap)
        with open_shop(bootstrap=bootstrap, endpoint=sink.endpoint, folder=folder, rate=RATE) as shop:
            yield lived_through(shop, sink, bootstrap=bootstrap)


def lived_through(shop: Shop, sink: Sink, *, bootstrap: str) -> Day:
    shop.start()
    pids = [process.pid for process in shop.processes.values()]
    retried = wait_for(lambda: Truth.load(shop.state_dir).dead_letters(), "a dead letter")[0]

    sink.away = True
    shop.control("stop", "mailer")
    wait_for(lambda: n_members("mailer", bootstrap=bootstrap) == 0, "the mailer leaving its group")
    n_before = n_read_by(shop, "mailer")
    time.sleep(AWAY_SECONDS)
    n_read_while_stopped = n_read_by(shop, "mailer") - n_before
    sink.away = False
    shop.control("start", "mailer")

    # An exporter waits up to half a minute before it tries again. A service that ends, or is replaced, while it does
    # takes its unsent spans with it.
    n_sent = {name: n_spans_of(name, sink) for name in TRACED}
    wait_for(
        lambda: all(n_spans_of(name, sink) > n for name, n in n_sent.items()),
        "spans of every service since the receiver is back",
    )
    n_of_billing = n_sent["billing-svc"] + RATE
    wait_for(lambda: n_spans_of("billing-svc", sink) > n_of_billing, "billing's backlog")
    shop.control("deploy")
    wait_for(lambda: "2.8.0" in versions_of_billing(sink), "billing 2.8.0")
    shop.control("fix")
    wait_for(lambda: "2.8.1" in versions_of_billing(sink), "billing 2.8.1")
    sent_back_to = sent_back(letters_in_kafka(bootstrap)[retried.position], bootstrap=bootstrap)
    wait_for(lambda: is_read_by("billing-svc", sent_back_to, shop), "billing reading the letter that was sent back")
    wait_for(lambda: has_read("billing-svc", ORDERS_RETRY, shop), "billing reading the retry topic")
    # Each has a second to export what is left when it ends, fourteen at once on two cores: too little for a backlog.
    for source in SENDERS:
        shop.control("stop", source)
    wait_for(lambda: is_calm(shop, sink), "the end of all flows")

    pids_after = [process.pid for process in shop.processes.values() if process.poll() is None]
    ended = shop.stop()
    return Day(
        truth=Truth.load(shop.state_dir),
        spans=list(sink.spans),
        n_refused=sink.n_refused,
        ended=ended,
        pids=list(zip(pids, pids_after, strict=True)),
        end_offsets={topic.name: end_offset(topic.name, bootstrap=bootstrap) for topic in TOPICS},
        committed={part.group: committed(part.group, part.reads, bootstrap) for part in CATALOGUE if part.group},
        letters=letters_in_kafka(bootstrap),
        retried=retried,
        sent_back_to=sent_back_to,
        n_read_while_stopped=n_read_while_stopped,
    )


def test_every_service_keeps_its_pid_and_stops_in_order(day: Day) -> None:
    assert set(day.ended) == set(PARTS)
    assert all(before == after for before, after in day.pids)
    assert all(code == 0 for code, _ in day.ended.values()), day.ended  # not 0: it took more than two seconds


def test_every_service_has_worked(day: Day) -> None:
    edges = {(edge.kind, edge.service, edge.topic) for edge in day.truth.edges()}
    assert edges == {("produce", part.name, topic) for part in CATALOGUE for topic in part.writes} | {
        ("consume", part.name, topic) for part in CATALOGUE for topic in part.reads
    }
    assert day.truth.complete


def test_each_record_has_one_producer_span_and_each_delivery_one_consumer_span(day: Day) -> None:
    assert day.n_refused > 0, "the receiver was to be away for a while"
    expected = {
        (edge.kind, edge.service, edge.topic): edge.messages for edge in day.truth.edges() if edge.service in TRACED
    }
    assert messages_by_spans(day.spans) == expected


def test_each_delivery_has_a_span_with_its_position(day: Day) -> None:
    seen = Counter(at for span in day.spans if (at := consumed_position(span)))
    expected = Counter(
        hop.position
        for position in day.truth.positions()
        for hop in day.truth.path(position.topic, position.partition, position.offset)
        if hop.relation == "here" and hop.consumer in TRACED - IN_BATCHES
        for _ in hop.results
    )
    assert seen == expected


def test_failed_deliveries_have_error_spans_with_the_class_of_the_dead_letter(day: Day) -> None:
    errors = sum(edge.errors for edge in day.truth.edges())
    failed = [span for span in day.spans if span.span.status.code == Status.STATUS_CODE_ERROR]
    assert len(failed) == errors > 0
    assert {span.attributes["error.type"] for span in failed} <= {
        "shop.billing.CardDeclined",
        "shop.billing.GatewayTimeout",
        "shop.billing.AmountRejected",
    }
    assert all([event.name for event in span.span.events] == ["exception"] for span in failed)


def test_kafka_holds_exactly_the_records_of_the_truth(day: Day) -> None:
    sent = Counter({ORDERS: 1})  # the letter that was sent back was not sent by the shop
    for edge in day.truth.edges():
        if edge.kind == "produce":
            sent[edge.topic] += edge.messages
    with_markers, records = day.end_offsets.pop(PRICES_CHANGED), sent.pop(PRICES_CHANGED)
    assert day.end_offsets == sent
    assert with_markers > records > len(day.truth.aborted) > 0


def test_groups_have_committed_exactly_what_was_delivered(day: Day) -> None:
    delivered: Counter[str] = Counter()
    for edge in day.truth.edges():
        if edge.group is not None and edge.topic != PRICES_CHANGED:
            delivered[edge.group] += edge.positions
    assert day.committed == delivered


def test_every_order_leads_back_to_its_flow_and_dead_letters_lie_where_they_should(day: Day) -> None:
    letters = day.truth.dead_letters()
    assert {letter.position for letter in letters} == set(day.letters)
    for letter in letters:
        flow = day.truth.path(letter.position.topic, letter.position.partition, letter.position.offset)
        assert flow[0].producer == "orders-svc"
        assert letter.position.partition == letter.origin.partition
        in_kafka = dict(day.letters[letter.position].headers)
        assert in_kafka["kafka_dlt-original-offset"] == letter.origin.offset.to_bytes(8, "big")
        assert [name for name, _ in day.letters[letter.position].headers].count("traceparent") == 1


def test_records_that_were_taken_back_were_handed_to_nobody(day: Day) -> None:
    read = {
        position
        for position in day.truth.positions()
        if any(hop.results for hop in day.truth.path(position.topic, position.partition, position.offset))
    }
    assert {at.topic for at in read} >= {PRICES_CHANGED, "prices.current"}
    assert not read & day.truth.aborted


def test_the_longest_flow_crosses_five_topics(day: Day) -> None:
    last = next(at for at in reversed(day.truth.positions()) if at.topic == "settlements.prepared")
    hops = day.truth.path(last.topic, last.partition, last.offset)
    way = [hop.position.topic for hop in hops if hop.relation in ("up", "here")]
    way = [topic for topic in way if topic != ORDERS_RETRY]  # which orders that were tried again cross, too
    assert way == ["orders.created", "payments.captured", "invoices.issued", "ledger.posted", "settlements.prepared"]


def test_a_letter_that_was_sent_back_is_paid_once_billing_is_mended(day: Day) -> None:
    at = day.sent_back_to
    flow = day.truth.path(at.topic, at.partition, at.offset)
    by_billing = next(hop for hop in flow if hop.position == at and hop.group == "billing")
    assert (by_billing.producer, by_billing.results) == (None, ("ok",))
    assert "payments.captured" in {hop.position.topic for hop in flow}


def test_a_stopped_service_reads_nothing(day: Day) -> None:
    assert day.n_read_while_stopped == 0


def test_resources_name_version_instance_and_where_told_the_group(day: Day) -> None:
    of_billing = {span.resource["service.version"] for span in day.spans if span.service == "billing-svc"}
    assert of_billing == {"2.7.3", "2.8.0", "2.8.1"}
    assert all(span.resource["service.instance.id"] for span in day.spans)
    assert all("service.namespace" not in span.resource for span in day.spans)
    named = {
        span.service: group
        for span in day.spans
        if (group := span.resource.get("messaging.consumer.group.name")) is not None
    }
    assert named == {part.name: part.group for part in CATALOGUE if part.traced and part.group and part.names_its_group}


def messages_by_spans(spans: list[Seen]) -> dict[tuple[str, str, str], int]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for seen in spans:
        topic = seen.attributes.get("messaging.destination") or seen.attributes.get("messaging.destination.name")
        if topic is not None:
            kind = "produce" if seen.span.kind == Span.SPAN_KIND_PRODUCER else "consume"
            is_batch = kind == "consume" and seen.service in IN_BATCHES
            counts[kind, seen.service, str(topic)] += len(seen.span.links) if is_batch else 1
    return dict(counts)


def consumed_position(seen: Seen) -> Position | None:
    message_id = seen.attributes.get("messaging.message.id")
    if message_id is None:
        return None
    topic, partition, offset = str(message_id).rsplit(".", 2)
    return Position(topic, int(partition), int(offset))


def n_spans_of(service: str, sink: Sink) -> int:
    return sum(span.service == service for span in list(sink.spans))


def versions_of_billing(sink: Sink) -> set[str]:
    return {span.resource["service.version"] for span in list(sink.spans) if span.service == "billing-svc"}


def n_read_by(shop: Shop, service: str) -> int:
    edges: list[Edge] = Truth.load(shop.state_dir).edges()
    return sum(edge.messages for edge in edges if edge.kind == "consume" and edge.service == service)


def is_read_by(service: str, at: Position, shop: Shop) -> bool:
    truth = Truth.load(shop.state_dir)
    if at not in truth.positions():
        return False
    return any(hop.consumer == service for hop in truth.path(at.topic, at.partition, at.offset) if hop.position == at)


def has_read(service: str, topic: str, shop: Shop) -> bool:
    edges = Truth.load(shop.state_dir).edges()
    return any((edge.kind, edge.service, edge.topic) == ("consume", service, topic) for edge in edges)


def is_calm(shop: Shop, sink: Sink) -> bool:
    """Nothing was sent, read or exported for a while."""
    before = Truth.load(shop.state_dir).edges(), len(sink.spans)
    time.sleep(CALM_SECONDS)
    return before == (Truth.load(shop.state_dir).edges(), len(sink.spans))


def n_members(group: str, *, bootstrap: str) -> int:
    admin = AdminClient({"bootstrap.servers": bootstrap})  # a client that is not kept never answers
    return len(admin.describe_consumer_groups([group])[group].result(10).members)


def sent_back(letter: Letter, *, bootstrap: str) -> Position:
    """Send the letter's bytes to where it came from, as somebody who retries it would."""
    kept = [(name, value) for name, value in letter.headers if not name.startswith(("kafka_dlt-", "traceparent"))]
    reports: list[Position] = []
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(
        ORDERS,
        letter.value,
        letter.key,
        headers=[*kept, *SENDERS_HEADERS],
        on_delivery=lambda _, sent: reports.append(position_of(sent)),
    )
    producer.flush(10)
    return reports[0]


def end_offset(topic: str, *, bootstrap: str) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "counter"})
    n_partitions = next(found.n_partitions for found in TOPICS if found.name == topic)
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in range(n_partitions)]
    consumer.close()
    return sum(ends)


def committed(group: str, topics: tuple[str, ...], bootstrap: str) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    wanted = [
        TopicPartition(t.name, p)
        for t in TOPICS
        if t.name in topics and t.name != PRICES_CHANGED  # there offsets are more than records
        for p in range(t.n_partitions)
    ]
    found = consumer.committed(wanted, timeout=10)
    consumer.close()
    return sum(max(0, partition.offset) for partition in found)


def letters_in_kafka(bootstrap: str) -> dict[Position, Letter]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "counter", "enable.auto.commit": False})
    n_partitions = next(found.n_partitions for found in TOPICS if found.name == ORDERS_DEAD)
    consumer.assign([TopicPartition(ORDERS_DEAD, p, 0) for p in range(n_partitions)])
    n_letters = end_offset(ORDERS_DEAD, bootstrap=bootstrap)
    letters: dict[Position, Letter] = {}
    while len(letters) < n_letters:
        message = wait_for(lambda: consumer.poll(1), "a letter")
        letters[position_of(message)] = Letter(message.key(), message.value(), cast("Headers", message.headers() or []))
    consumer.close()
    return letters


def position_of(message: Message) -> Position:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    return Position(topic, partition, offset)


def wait_for(look: Callable[[], T | None], what: str, *, seconds: float = 90) -> T:
    """What `look` returns as soon as it is something."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"{what} did not come"
        time.sleep(0.2)
    return found
