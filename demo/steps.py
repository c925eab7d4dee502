"""What each service makes of a record it reads. No Kafka, no clock: the work itself is a call that takes time."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from demo import topics
from demo.gateway import CardDeclined, GatewayTimeout, Refused, charge
from demo.letters import Headers, dead_letter_headers, passed_on
from demo.records import Letter, Outcome, Outgoing, Record, Unreadable, cloud_event, event
from demo.states import State

N_BLOCKING_ATTEMPTS = 2
# In order intervals: usually billing keeps up easily (13 ms at 30 orders/s); 2.8.0 can do one order in three (100 ms).
USUAL_SHARE, SLOW_SHARE = 0.4, 3.0
RETRY_HEADER = "retry-attempt"
REQUEST_ID = "kafka_correlationId"  # as Spring's ReplyingKafkaTemplate writes it: the 16 bytes of a UUID


@dataclass(frozen=True, slots=True)
class Desk:
    """What a step may use besides the record. `spend` takes that many order intervals (1 / RATE seconds)."""

    state: State
    spend: Callable[[float], None]


Step = Callable[[Record, Desk], Outcome]


def billing(record: Record, desk: Desk) -> Outcome:
    """Take the money. A declined card is a dead letter, after blocking attempts; a timeout goes to the retry topic."""
    try:
        order = _charged(record, desk)
    except GatewayTimeout as failure:
        return Outcome((_try_again(record),), failure)
    except Refused as failure:
        return Outcome((_dead_letter(record, failure, group="billing"),), failure)
    order_id = order["order_id"]
    payment_id = f"pay-{order_id.removeprefix('order-')}"
    captured = cloud_event(
        "payments.captured",
        order_id,
        payment_id,
        payment_id=payment_id,
        amount_cents=order["total_cents"],
        currency="EUR",
        business=order.get("business") is True,
    )
    return Outcome((captured,))


def shipping(record: Record, desk: Desk) -> Outcome:
    """Plan a shipment for every order; of several parcels, ask the carrier for a price, and note the answer."""
    if record.position.topic == "quotes.given":
        return audit(record, desk)
    desk.spend(0.15)
    order = record.body()
    lines = order.get("lines")
    parcels = len(lines) if isinstance(lines, list) else 1
    planned = event("shipments.planned", order["order_id"], parcels=parcels, country=order.get("country"))
    if parcels == 1:
        return Outcome((planned,))
    asked = event("quotes.requested", order["order_id"], parcels=parcels)
    question = uuid5(NAMESPACE_URL, f"{order['order_id']}/{record.position.partition}/{record.position.offset}").bytes
    reply_to: Headers = [(REQUEST_ID, question), ("kafka_replyTopic", b"quotes.given")]
    return Outcome((planned, replace(asked, headers=[*asked.headers, *reply_to])))


def carrier(record: Record, desk: Desk) -> Outcome:
    """Give a price: a reply that carries the id of its request."""
    desk.spend(0.1)
    asked = record.body()
    given = event("quotes.given", asked["order_id"], cents=490)
    return Outcome((replace(given, headers=[*given.headers, (REQUEST_ID, record.header(REQUEST_ID))]),))


def partner_bridge(record: Record, desk: Desk) -> Outcome:
    """Hand a notice on, with all headers: the trace's too, though it has no spans of its own."""
    desk.spend(0.05)
    return Outcome((Outgoing("partner.notices", record.key, record.value, record.headers),))


def loyalty(record: Record, desk: Desk) -> Outcome:
    """Points for a payment, as a CloudEvent that names the payment's as its cause."""
    desk.spend(0.05)
    paid = record.body()
    cause = record.header("ce_id")
    earned = cloud_event(
        "loyalty.earned",
        paid["order_id"],
        f"points-{paid['order_id']}-{record.position.partition}-{record.position.offset}",
        cause=cause.decode(errors="replace") if cause else None,
        points=1,
    )
    return Outcome((earned,))


def digest_one(record: Record, desk: Desk) -> Outcome:
    """Look at one mail of many; the digest is of all together."""
    desk.spend(0.02)
    record.body()
    return Outcome()


def digest(records: Sequence[Record]) -> Outgoing:
    """One digest of all the mails that were read at once."""
    value = json.dumps({"n_mails": len(records)}).encode()
    return Outgoing("digests.built", None, value, [("content-type", b"application/json")])


def audit(record: Record, desk: Desk) -> Outcome:
    """Look at every order and every price, withdrawn ones too; tell nobody."""
    if record.position.topic != topics.PRICES_CURRENT:
        record.body()
    desk.spend(0.02)
    return Outcome()


def invoicing(record: Record, desk: Desk) -> Outcome:
    """Write the invoice for a payment by a business; private customers get none. Prices are only taken note of."""
    if record.position.topic == topics.PRICES_CHANGED:
        desk.spend(0.02)
        return Outcome()
    desk.spend(0.2)
    paid = record.body()
    if paid.get("business") is not True:
        return Outcome()
    order_id = paid["order_id"]
    number = f"inv-{order_id.removeprefix('order-')}"
    return Outcome((event("invoices.issued", order_id, invoice_id=number, amount_cents=paid.get("amount_cents")),))


def ledger(record: Record, desk: Desk) -> Outcome:
    """Post the invoice."""
    desk.spend(0.1)
    invoice = record.body()
    amount = invoice.get("amount_cents")
    return Outcome((event("ledger.posted", invoice["order_id"], debit=1200, credit=4000, amount_cents=amount),))


def treasury(record: Record, desk: Desk) -> Outcome:
    """Prepare the settlement with the bank."""
    desk.spend(0.1)
    posting = record.body()
    return Outcome((event("settlements.prepared", posting["order_id"], amount_cents=posting.get("amount_cents")),))


def mailer(record: Record, desk: Desk) -> Outcome:
    """Write to the customer when an order is paid, and when a shipment of several parcels is planned."""
    desk.spend(0.1)
    about = record.body()
    if record.position.topic == "payments.captured":
        return Outcome((event("emails.sent", about["order_id"], template="receipt"),))
    if about.get("parcels") == 1:
        return Outcome()
    return Outcome((event("emails.sent", about["order_id"], template="on-its-way"),))


def warehouse(record: Record, desk: Desk) -> Outcome:
    """Pick and pack."""
    desk.spend(0.2)
    shipment = record.body()
    parcels = shipment.get("parcels")
    return Outcome((event("shipments.dispatched", shipment["order_id"], parcels=parcels, carrier="north"),))


def analytics(record: Record, desk: Desk) -> Outcome:
    """Count a settlement. The end of the chain."""
    record.body()
    desk.spend(0.05)
    return Outcome()


STEPS: dict[str, Step] = {
    "billing-svc": billing,
    "shipping-svc": shipping,
    "carrier-svc": carrier,
    "partner-bridge": partner_bridge,
    "digest-svc": digest_one,
    "loyalty-svc": loyalty,
    "audit": audit,
    "invoicing-svc": invoicing,
    "ledger-svc": ledger,
    "mailer": mailer,
    "treasury-svc": treasury,
    "warehouse-svc": warehouse,
    "analytics": analytics,
}


def outcome_of(step: Step, record: Record, desk: Desk) -> Outcome:
    """What the step makes of the record; a refusal that the step has no letter for is a failure and no more."""
    try:
        return step(record, desk)
    except Refused as failure:
        return Outcome((), failure)


def _charged(record: Record, desk: Desk) -> dict[str, Any]:
    """The order, paid after as many attempts as it needed. Raises the last attempt's Refused."""
    order = record.body()
    card = order.get("card")
    if not isinstance(card, dict) or not isinstance(order.get("total_cents"), int):
        raise Unreadable(f"no card or total at {record.position.partition}/{record.position.offset}")
    order_id, again = order["order_id"], record.has_header(RETRY_HEADER)
    for attempts_left in reversed(range(N_BLOCKING_ATTEMPTS)):
        desk.spend(SLOW_SHARE if desk.state.slow else USUAL_SHARE)
        try:
            brand, state = str(card.get("brand")), desk.state
            charge(order_id, brand=brand, broken=state.broken, slow=state.slow, again=again)
        except CardDeclined:
            if not attempts_left:
                raise
        else:
            break
    return order


def _try_again(record: Record) -> Outgoing:
    return Outgoing(
        topic=topics.ORDERS_RETRY,
        key=record.key,
        value=record.value,
        headers=[*passed_on(record.headers), (RETRY_HEADER, b"1")],
        partition=record.position.partition,
    )


def _dead_letter(record: Record, failure: Refused, *, group: str) -> Outgoing:
    at = record.position
    return Outgoing(
        topic=topics.ORDERS_DEAD,
        key=record.key,
        value=record.value,
        headers=dead_letter_headers(
            failure,
            headers=record.headers,
            origin=(at.topic, at.partition, at.offset),
            timestamp_ms=record.timestamp_ms,
            group=group,
        ),
        partition=at.partition,
        letter=Letter(group, failure),
    )
