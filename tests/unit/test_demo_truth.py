"""The truth log and what is folded from it: edges, counts, dead letters, flows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from demo.gateway import CardDeclined
from demo.journal import Journal, folder_in
from demo.parts import part_named
from demo.records import Letter, Outcome, Position, Record
from demo.truth import DeadLetter, Edge, Truth, Unknown

ORDER = Position("orders.created", 7, 1)
PAYMENT = Position("payments.captured", 1, 4)
SHIPMENT = Position("shipments.planned", 2, 411)
INVOICE = Position("invoices.issued", 0, 9)
LOST = Position("orders.created", 7, 2)
LETTER = Position("orders.created.dlq", 7, 12)
DECLINED = Outcome((), CardDeclined("issuer declined order-2"))
SENT_BACK = Position("orders.created", 7, 3)

Log = Callable[[str], Journal]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return lambda name: Journal(part_named(name), state_dir=tmp_path, max_bytes=100_000, version="1.0.0")


def read(journal: Journal, at: Position, outcome: Outcome | None = None) -> None:
    journal.consumed(Record(at, b"order-1", b"{}", [], 0), outcome or Outcome())


@pytest.fixture
def truth(tmp_path: Path, log: Log) -> Truth:
    """One order that went well and is read twice by shipping, one that was declined, one that somebody sent back."""
    orders, billing, shipping, audit, mailer = map(
        log, ("orders-svc", "billing-svc", "shipping-svc", "audit", "mailer")
    )
    orders.produced(ORDER, key=b"order-1")
    orders.produced(LOST, key=b"order-2")
    read(billing, ORDER)
    billing.produced(PAYMENT, key=b"order-1", causes=[ORDER])
    read(billing, LOST, DECLINED)
    billing.produced(LETTER, key=b"order-2", causes=[LOST], letter=Letter("billing", CardDeclined("issuer declined")))
    read(billing, SENT_BACK)
    for at in (ORDER, ORDER, LOST):
        read(shipping, at)
    shipping.produced(SHIPMENT, key=b"order-1", causes=[ORDER])
    read(audit, ORDER)
    read(mailer, PAYMENT)
    read(mailer, SHIPMENT)
    log("invoicing-svc").produced(INVOICE, key=b"order-1", causes=[PAYMENT])
    return Truth.load(tmp_path)


def consume(service: str, topic: str, group: str, *, messages: int, positions: int, errors: int = 0) -> Edge:
    return Edge("consume", service, topic, group, service != "audit", messages, positions, errors)


def produce(service: str, topic: str, messages: int) -> Edge:
    return Edge("produce", service, topic, None, traced=True, messages=messages, positions=messages, errors=0)


def test_edges_count_what_was_really_delivered_also_twice(truth: Truth) -> None:
    assert truth.edges() == [
        consume("audit", "orders.created", "audit", messages=1, positions=1),
        consume("billing-svc", "orders.created", "billing", messages=3, positions=3, errors=1),
        consume("mailer", "payments.captured", "mailer", messages=1, positions=1),
        consume("mailer", "shipments.planned", "mailer", messages=1, positions=1),
        consume("shipping-svc", "orders.created", "shipping", messages=3, positions=2),
        produce("billing-svc", "orders.created.dlq", 1),
        produce("billing-svc", "payments.captured", 1),
        produce("invoicing-svc", "invoices.issued", 1),
        produce("orders-svc", "orders.created", 2),
        produce("shipping-svc", "shipments.planned", 1),
    ]


def test_a_dead_letter_knows_the_record_it_is_the_end_of(truth: Truth) -> None:
    (letter,) = truth.dead_letters()
    assert letter == DeadLetter(
        position=LETTER,
        origin=LOST,
        key="order-2",
        service="billing-svc",
        group="billing",
        exception="shop.billing.CardDeclined",
        message="issuer declined",
        at=letter.at,
    )


def test_the_path_of_a_first_event_is_the_whole_flow_with_causes_before_results(truth: Truth) -> None:
    hops = [(hop.position, hop.group, hop.relation) for hop in truth.path("orders.created", 7, 1)]
    assert hops == [
        (ORDER, "audit", "here"),
        (ORDER, "billing", "here"),
        (ORDER, "shipping", "here"),
        (PAYMENT, "mailer", "down"),
        (SHIPMENT, "mailer", "down"),
        (INVOICE, None, "down"),
    ]


def test_the_path_of_a_later_event_tells_the_way_to_it_from_what_lies_beside(truth: Truth) -> None:
    relations = {(hop.position, hop.group): hop.relation for hop in truth.path("payments.captured", 1, 4)}
    assert relations == {
        (ORDER, "billing"): "up",
        (ORDER, "audit"): "beside",
        (ORDER, "shipping"): "beside",
        (PAYMENT, "mailer"): "here",
        (SHIPMENT, "mailer"): "beside",
        (INVOICE, None): "down",
    }


def test_a_hop_says_how_each_delivery_ended(truth: Truth) -> None:
    twice = next(hop for hop in truth.path("orders.created", 7, 1) if hop.group == "shipping")
    failed = next(hop for hop in truth.path("orders.created", 7, 2) if hop.group == "billing")
    assert twice.results == ("ok", "ok")
    assert failed.results == ("shop.billing.CardDeclined",)


def test_a_record_that_somebody_else_sent_is_a_hop_without_a_producer(truth: Truth) -> None:
    (hop,) = truth.path("orders.created", 7, 3)
    assert (hop.producer, hop.causes, hop.consumer) == (None, (), "billing-svc")
    assert SENT_BACK in truth.positions()


def test_a_record_that_was_taken_back_was_sent_but_lies_nowhere_that_anybody_reads(tmp_path: Path, log: Log) -> None:
    kept, taken_back = Position("prices.changed", 0, 0), Position("prices.changed", 0, 2)
    pricing = log("pricing-svc")
    for at in (kept, taken_back):
        pricing.produced(at, key=b"mug", causes=())
    pricing.aborted([taken_back])
    truth = Truth.load(tmp_path)
    assert truth.edges() == [produce("pricing-svc", "prices.changed", 2)]
    assert (truth.positions(), truth.aborted) == ([kept], frozenset({taken_back}))


def test_a_position_that_nobody_knows_is_refused(truth: Truth) -> None:
    with pytest.raises(Unknown):
        truth.path("orders.created", 7, 99)


def test_a_folder_without_logs_is_no_truth(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Truth.load(tmp_path)


def test_a_line_is_in_the_file_before_the_journal_is_closed(tmp_path: Path, log: Log) -> None:
    log("orders-svc").produced(ORDER, key=b"\xff")
    assert Truth.load(tmp_path).positions() == [ORDER]


def test_a_full_log_is_turned_over_once_without_loss_and_then_says_what_it_forgot(tmp_path: Path) -> None:
    journal = Journal(part_named("orders-svc"), state_dir=tmp_path, max_bytes=1_000, version="1.0.0")

    def fill(offsets: range) -> None:
        for offset in offsets:
            journal.produced(Position("orders.created", 0, offset), key=None)

    fill(range(12))
    assert len(list(folder_in(tmp_path).iterdir())) == 2
    assert (len(Truth.load(tmp_path).positions()), Truth.load(tmp_path).complete) == (12, True)
    fill(range(12, 60))
    truth = Truth.load(tmp_path)
    assert not truth.complete
    assert max(at.offset for at in truth.positions()) == 59
    assert sum(path.stat().st_size for path in folder_in(tmp_path).iterdir()) <= 2_000
