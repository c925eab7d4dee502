"""pricing-svc: changes prices in transactions, takes some of them back, and keeps the current price of each good.

`prices.changed` holds markers of transactions and records that nobody will ever read; `prices.current` is compacted,
and a withdrawn price is a tombstone there.
"""

import json
import logging
import random
import time
from collections.abc import Callable
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from demo import topics
from demo.journal import Journal
from demo.lifeline import heard
from demo.orders import GOODS
from demo.records import Outgoing, Position
from demo.sending import QUIET, Sender

log = logging.getLogger(__name__)

TAKEN_BACK_EACH, WITHDRAWN_EACH = 5, 7
WAIT_SECONDS = 0.1
CALL_SECONDS, TRIES = 1.0, 30
TIMEOUT_MS = 600_000  # the broker ends a transaction that stays open for longer


class Transactions:
    """One transactional producer, made anew after any failure: the broker then takes back what was open."""

    def __init__(self, *, bootstrap: str, client_id: str, journal: Journal) -> None:
        self._config: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "client.id": client_id,
            "transactional.id": "pricing-svc",
            "transaction.timeout.ms": TIMEOUT_MS,
            "message.timeout.ms": 10_000,
            "partitioner": "murmur2_random",
            "log.connection.close": False,
            "log_level": QUIET,
            "error_cb": heard,
        }
        self._journal = journal
        self._made: Producer | None = None
        self._is_known = False  # Kafka has answered it once
        self._sent: list[Position] = []

    def begin(self) -> bool:
        """Open a transaction; False while Kafka does not answer: ask again."""
        try:
            if self._made is None:
                # Looked up on the module now, because an instrumentation puts a class of its own there.
                self._made, self._is_known = confluent_kafka.Producer(self._config), False
            if not self._is_known:
                self._made.init_transactions(CALL_SECONDS)
                self._is_known = True
            self._sent = []
            self._made.begin_transaction()
        except KafkaException as error:
            if not error.args[0].retriable():
                self._drop(error)
            return False
        return True

    def send(self, record: Outgoing) -> None:
        """Queue a record of the open transaction."""
        if self._made is None:
            return

        def report(error: KafkaError | None, message: Message) -> None:
            partition, offset = message.partition(), message.offset()
            if error is not None or partition is None or offset is None:
                log.warning("%s: %s", record.topic, error)
                return
            position = Position(record.topic, partition, offset)
            self._sent.append(position)
            self._journal.produced(position, key=record.key)

        self._made.produce(
            topic=record.topic,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            on_delivery=report,
            partition=-1,  # librdkafka: the partitioner chooses
        )
        self._made.flush(CALL_SECONDS)

    def end(self, *, keep: bool) -> bool:
        """Commit, or take back what was sent. False when Kafka did not say that it has committed.

        First all is sent: what an abort finds in the queue never was, though its span says so.
        """
        for _ in range(TRIES):
            if self._made is None or not self._made.flush(CALL_SECONDS):
                break
        kept = keep and self._ended(confluent_kafka.Producer.commit_transaction)
        if not kept:
            self._ended(confluent_kafka.Producer.abort_transaction)
            self._journal.aborted(self._sent)
        return kept

    def _ended(self, how: Callable[[Producer, float], None]) -> bool:
        """Ask until Kafka answers; a producer that it will not hear any more is dropped."""
        for _ in range(TRIES):
            if self._made is None:
                return False
            try:
                how(self._made, CALL_SECONDS)
            except KafkaException as error:
                if error.args[0].retriable():
                    continue
                if not error.args[0].txn_requires_abort():
                    self._drop(error)
                return False
            return True
        return False

    def _drop(self, error: KafkaException) -> None:
        log.warning("the transactional producer is made anew: %s", error)
        self._made = None


def change_prices(
    wanted: Callable[[], bool],
    held: Callable[[], bool],
    *,
    transactions: Transactions,
    sender: Sender,
    seed: int,
    changes_per_second: float,
    ready: Callable[[], None],
) -> None:
    """Change some prices, that many times a second, until `wanted` says no. While `held`, a transaction stays open."""
    draw, number, due = random.Random(seed), 0, time.monotonic()
    ready()
    while wanted():
        sender.serve()
        early = due - time.monotonic()
        if early > 0:
            time.sleep(min(early, WAIT_SECONDS))
            continue
        due = max(due + 1 / changes_per_second, time.monotonic())
        if not transactions.begin():
            continue
        number += 1
        changed = [
            (sku, round(price * draw.uniform(0.8, 1.2))) for sku, price in draw.sample(GOODS, draw.choice((1, 2, 3)))
        ]
        for sku, price in changed:
            transactions.send(priced(topics.PRICES_CHANGED, sku, price))
        while held() and wanted():
            time.sleep(WAIT_SECONDS)
        if transactions.end(keep=number % TAKEN_BACK_EACH != 0):
            for sku, price in changed:
                withdrawn = number % WITHDRAWN_EACH == 0
                sender.send(priced(topics.PRICES_CURRENT, sku, None if withdrawn else price))


def priced(topic: str, sku: str, price_cents: int | None) -> Outgoing:
    """The price of a good; without one a tombstone."""
    value = None if price_cents is None else json.dumps({"sku": sku, "price_cents": price_cents}).encode()
    return Outgoing(topic=topic, key=sku.encode(), value=value, headers=[("content-type", b"application/json")])
