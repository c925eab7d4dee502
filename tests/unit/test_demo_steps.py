"""What the services make of records: payments, retries, dead letters, and anything else somebody may send."""

import json
import struct

import pytest

from demo import topics
from demo.gateway import TIMEOUTS_PER_1000, AmountRejected, CardDeclined
from demo.letters import WRAPPER, dead_letter_headers
from demo.orders import CARDS, order
from demo.records import Outcome, Position, Record, event
from demo.states import State
from demo.steps import N_BLOCKING_ATTEMPTS, RETRY_HEADER, SLOW_SHARE, STEPS, USUAL_SHARE, Desk, outcome_of

AT = Position(topics.ORDERS, 7, 88_123)
TRACEPARENT = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03")


class Spent:
    """Adds up the work instead of taking the time."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def __call__(self, order_intervals: float) -> None:
        self.shares.append(order_intervals)


def desk(state: State | None = None) -> tuple[Desk, Spent]:
    spent = Spent()
    return Desk(state or State(), spent), spent


def order_record(order_id: str = "order-2", *, brand: str = "visa") -> Record:
    sent = event(topics.ORDERS, order_id, card={"brand": brand}, total_cents=4_200, lines=[{}, {}])
    return Record(AT, sent.key, sent.value, [*sent.headers, TRACEPARENT], 1_764_000_000_123)


def a_timed_out_order() -> str:
    number = next(n for n in range(1, 5_000) if isinstance(billed(order_record(f"order-{n}")).failure, Exception))
    return f"order-{number}"


def billed(record: Record, state: State | None = None) -> Outcome:
    return outcome_of(STEPS["billing-svc"], record, desk(state)[0])


def test_a_paid_order_is_one_captured_payment_with_the_orders_key_and_header() -> None:
    outcome = billed(order_record())
    (payment,) = outcome.outgoing
    assert outcome.failure is None
    assert (payment.topic, payment.key, payment.partition) == ("payments.captured", b"order-2", None)
    assert ("order-id", b"order-2") in payment.headers
    assert json.loads(payment.value or b"")["amount_cents"] == 4_200


def test_a_declined_card_is_a_dead_letter_with_the_same_key_value_and_partition() -> None:
    record = order_record(brand="diners")
    outcome = billed(record)
    (letter,) = outcome.outgoing
    assert isinstance(outcome.failure, CardDeclined)
    assert (letter.topic, letter.partition) == (topics.ORDERS_DEAD, 7)
    assert (letter.key, letter.value) == (record.key, record.value)
    assert letter.letter is not None
    assert letter.letter.group == "billing"


def test_a_declined_card_is_tried_twice_before_it_is_given_up() -> None:
    at, spent = desk()
    outcome_of(STEPS["billing-svc"], order_record(brand="jcb"), at)
    assert spent.shares == [USUAL_SHARE] * N_BLOCKING_ATTEMPTS


def test_the_same_order_is_paid_once_billing_is_mended() -> None:
    assert billed(order_record(brand="diners"), State(broken=False)).failure is None


def test_version_two_eight_takes_longer_than_the_orders_come_in() -> None:
    at, spent = desk(State().overwhelmed())
    outcome_of(STEPS["billing-svc"], order_record(), at)
    assert spent.shares == [SLOW_SHARE]
    assert SLOW_SHARE > 1 > USUAL_SHARE


def test_version_two_eight_brings_a_failure_of_its_own() -> None:
    outcome = billed(order_record(brand="amex"), State().overwhelmed())
    assert isinstance(outcome.failure, AmountRejected)
    assert [letter.topic for letter in outcome.outgoing] == [topics.ORDERS_DEAD]
    assert billed(order_record(brand="amex"), State().overwhelmed().mended()).failure is None


def test_a_timeout_goes_to_the_retry_topic_without_a_second_traceparent_and_is_paid_there() -> None:
    record = order_record(a_timed_out_order())
    (again,) = billed(record).outgoing
    assert (again.topic, again.partition, again.key, again.value) == (topics.ORDERS_RETRY, 7, record.key, record.value)
    assert [name for name, _ in again.headers] == ["order-id", "content-type", RETRY_HEADER]
    retried = Record(Position(topics.ORDERS_RETRY, 7, 0), again.key, again.value, again.headers, 0)
    assert [sent.topic for sent in billed(retried).outgoing] == ["payments.captured"]


def test_about_one_order_in_twenty_five_has_a_card_that_is_declined() -> None:
    brands = [order(n, seed=1).value["card"]["brand"] for n in range(1, 10_001)]
    assert 0.03 < sum(brand in ("diners", "jcb") for brand in brands) / len(brands) < 0.05
    assert set(brands) == {brand for brand, _, _ in CARDS}
    assert TIMEOUTS_PER_1000 == 10


def test_the_same_seed_and_number_make_the_same_order() -> None:
    assert order(123, seed=1) == order(123, seed=1)
    assert order(123, seed=1) != order(123, seed=2)
    assert order(123, seed=1).id == "order-123"


def test_only_businesses_get_an_invoice() -> None:
    def invoices(*, business: bool) -> int:
        paid = event("payments.captured", "order-1", amount_cents=1, business=business)
        record = Record(Position("payments.captured", 0, 0), paid.key, paid.value, paid.headers, 0)
        return len(outcome_of(STEPS["invoicing-svc"], record, desk()[0]).outgoing)

    assert (invoices(business=True), invoices(business=False)) == (1, 0)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff\xfe",
        b"[1]",
        b'"order"',
        b"{}",
        b'{"order_id": 7}',
        b'{"order_id": "order-1", "card": 3, "lines": 4, "total_cents": "x"}',
        b'{"order_id": "order-1", "card": {}, "total_cents": null}',
    ],
)
def test_whatever_is_sent_to_a_topic_no_service_falls_over(name: str, value: bytes | None) -> None:
    record = Record(Position("any.topic", 3, 1), None, value, [], 0)
    outcome = outcome_of(STEPS[name], record, desk()[0])
    assert all(sent.topic in {topic.name for topic in topics.TOPICS} for sent in outcome.outgoing)


def test_an_unreadable_order_is_a_dead_letter_too_and_a_tombstone_stays_one() -> None:
    (letter,) = billed(Record(AT, b"order-5", None, [], 0)).outgoing
    assert letter.topic == topics.ORDERS_DEAD
    assert letter.value is None


def test_a_dead_letter_has_springs_headers_in_springs_order_and_encodings() -> None:
    headers = dead_letter_headers(
        CardDeclined("issuer declined order-2"),
        headers=[("order-id", b"order-2"), TRACEPARENT, ("x-weir-attempt", b"a1"), ("empty", None)],
        origin=(AT.topic, AT.partition, AT.offset),
        timestamp_ms=1_764_000_000_123,
        group="billing",
    )
    assert [name for name, _ in headers] == [
        "order-id",
        "x-weir-attempt",
        "empty",
        "kafka_dlt-exception-fqcn",
        "kafka_dlt-exception-cause-fqcn",
        "kafka_dlt-exception-message",
        "kafka_dlt-exception-stacktrace",
        "kafka_dlt-original-topic",
        "kafka_dlt-original-partition",
        "kafka_dlt-original-offset",
        "kafka_dlt-original-timestamp",
        "kafka_dlt-original-timestamp-type",
        "kafka_dlt-original-consumer-group",
    ]
    found = dict(headers)
    assert found["empty"] is None
    assert found["kafka_dlt-exception-fqcn"] == WRAPPER.encode()
    assert found["kafka_dlt-exception-cause-fqcn"] == b"shop.billing.CardDeclined"
    assert (found["kafka_dlt-exception-message"] or b"").endswith(b"threw exception; issuer declined order-2")
    assert found["kafka_dlt-original-topic"] == b"orders.created"
    assert found["kafka_dlt-original-partition"] == struct.pack(">i", 7)
    assert found["kafka_dlt-original-offset"] == struct.pack(">q", 88_123)
    assert found["kafka_dlt-original-timestamp"] == struct.pack(">q", 1_764_000_000_123)
    assert found["kafka_dlt-original-timestamp-type"] == b"CreateTime"
    assert found["kafka_dlt-original-consumer-group"] == b"billing"


def test_the_stack_trace_of_a_dead_letter_leads_to_the_gateway() -> None:
    text = (
        dict(billed(order_record(brand="jcb")).outgoing[0].headers)["kafka_dlt-exception-stacktrace"] or b""
    ).decode()
    cause = text.split("Caused by: ")[1].splitlines()
    assert cause[0].startswith("shop.billing.CardDeclined: issuer declined order-2")
    assert cause[1] == "\tat shop.billing.Gateway.charge(Gateway.java:88)"


@pytest.mark.parametrize(
    ("service", "topic", "value"),
    [
        ("invoicing-svc", topics.PRICES_CHANGED, b'{"sku": "mug", "price_cents": 890}'),
        ("audit", topics.PRICES_CURRENT, b'{"sku": "mug", "price_cents": 890}'),
        ("audit", topics.PRICES_CURRENT, None),
    ],
)
def test_prices_are_taken_note_of_withdrawn_ones_too(service: str, topic: str, value: bytes | None) -> None:
    at, (at_desk, spent) = Position(topic, 0, 3), desk()
    assert outcome_of(STEPS[service], Record(at, b"mug", value, [], 0), at_desk) == Outcome()
    assert sum(spent.shares) < USUAL_SHARE
