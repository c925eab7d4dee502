"""A small world with dead letters, for tests: topics, groups, and records as Spring's recoverer writes them."""

import struct
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from collector.config import declared
from collector.domain.dead_letters import DeadLetter
from collector.domain.dialects import read
from collector.domain.records import Headers, Record
from collector.store.dead_letters import park

AT = datetime(2026, 11, 23, 14, 5, 17, tzinfo=UTC)
STACK = (
    "org.springframework.kafka.listener.ListenerExecutionFailedException: Listener failed\n"
    "\tat org.springframework.kafka.listener.KafkaMessageListenerContainer.run(KafkaMessageListenerContainer.java:13)\n"
    "Caused by: shop.billing.CardDeclined: card of order {n} declined\n"
    "\tat shop.billing.Gateway.charge(Gateway.java:88)\n"
    "\tat shop.billing.Billing.pay(Billing.java:31)\n"
    "\t... 6 more\n"
)


class LetterWorld:
    """A cluster: orders.created (2 partitions), its dead-letter topic, the groups billing and shipping."""

    def __init__(self, cluster: str = "demo") -> None:
        self.cluster = one("insert into cluster (name) values (%s) returning id", cluster)
        self.orders = self.topic("orders.created")
        self.dlq = self.topic("orders.created.dlq", role=1)
        self.billing = self.group("billing")
        self.shipping = self.group("shipping")

    def topic(self, name: str, *, role: int = 0) -> int:
        return one(
            "insert into topic (cluster_id, name, role, n_partitions, kafka_id, configs) values"
            " (%s, %s, %s, 2, gen_random_uuid(), '{\"retention.ms\": \"604800000\"}') returning id",
            self.cluster, name, role,
        )  # fmt: skip

    def group(self, name: str) -> int:
        return one("insert into consumer_group (cluster_id, name) values (%s, %s) returning id", self.cluster, name)

    def allow(self, target: str, *, dead_letters: str = "orders.created.dlq") -> None:
        """An admin lets the letters of this topic go there; "" takes it back."""
        pair = {"pair": {"dead_letters": [dead_letters], "target": target}} if target else {}
        with transaction.atomic():
            declared.replace({**declared.body(), "retries": pair}, by="admin1", now=AT)

    def park(self, *records: Record) -> list[int]:
        """Take in these records of orders.created.dlq; ids of all letters so far."""
        with connection.cursor() as cursor:
            park(cursor, [(record, self.dlq, letter_of(record)) for record in records], now=AT)
            cursor.execute("select id from dead_letter order by id")
            return [number for (number,) in cursor.fetchall()]


def letter_of(record: Record) -> DeadLetter:
    found = read(record)
    assert found is not None
    return found


def dead_record(n: int, *, group: str = "billing", marks: Headers = (), origin_offset: int | None = None) -> Record:
    """The nth dead letter of an order; its origin is orders.created/0/<100 + n>."""
    headers = (
        ("order-id", f"order-{n}".encode()),
        *marks,
        ("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException"),
        ("kafka_dlt-exception-cause-fqcn", b"shop.billing.CardDeclined"),
        ("kafka_dlt-exception-stacktrace", STACK.format(n=n).encode()),
        ("kafka_dlt-original-topic", b"orders.created"),
        ("kafka_dlt-original-partition", struct.pack(">i", 0)),
        ("kafka_dlt-original-offset", struct.pack(">q", 100 + n if origin_offset is None else origin_offset)),
        ("kafka_dlt-original-consumer-group", group.encode()),
        ("traceparent", b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01"),
    )
    return Record("orders.created.dlq", 0, n, AT, 1, f"order-{n}".encode(), b'{"amount": 12.5}', headers)


def one(statement: str, *arguments: Any) -> int:
    """The single number that a statement returns."""
    with connection.cursor() as cursor:
        cursor.execute(statement, list(arguments))
        return int(cursor.fetchone()[0])


def rows(statement: str, *arguments: Any) -> list[tuple[object, ...]]:
    """All rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, list(arguments))
        return list(cursor.fetchall())
