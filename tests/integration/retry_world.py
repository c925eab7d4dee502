"""Retries in a small world: an operator's click, and a worker on an in-memory Kafka."""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from collector.domain.records import Record
from collector.kafka.memory import MemoryBroker
from collector.kafka.memory_lookup import MemoryLookup
from collector.kafka.memory_publisher import MemoryPublisher
from collector.kafka.memory_rights import MemoryRights
from collector.ports import Lookup, Partition, Publisher
from collector.retry.dispatch import TURN_SECONDS, NotObserved, Sender, dispatch
from collector.retry.patience import Patience
from collector.retry.requests import Requested, retry
from tests.integration.letter_world import AT, LetterWorld, dead_record, rows


def click(
    *letters: int,
    token: str = "t1",  # noqa: S107  it makes a click count once
    target: str | None = None,
    expect: int | None = None,
    sends_newer: bool = False,
) -> Requested:
    """What an operator asks for; they expect all to be sent."""
    return retry(
        letters, person_id=7, person_name="operator1", token=token, target=target,
        expect=len(set(letters)) if expect is None else expect, now=AT, address="::1", sends_newer=sends_newer,
    )  # fmt: skip


@dataclass
class RetryWorld:
    """Letters, and a broker that holds their originals at orders.created/0/100 and after."""

    letters: LetterWorld = field(default_factory=LetterWorld)
    broker: MemoryBroker = field(default_factory=MemoryBroker)
    now: datetime = AT
    cluster: str = "demo"  # which the worker's settings name
    scanned: set[str] = field(default_factory=set)  # topics whose ids are known, as after a scan

    def __post_init__(self) -> None:
        rows(
            "insert into topic_now (topic_id, sampled_at, high, low) values (%s, %s, '{99999,99999}', '{0,0}')"
            " returning 1",
            self.letters.orders, AT,
        )  # fmt: skip
        self.broker.create("orders.created", n_partitions=2)
        self.broker.delete_before(Partition("orders.created", 0), 100)
        for n in range(10):
            self.original(n)

    def original(self, n: int) -> None:
        """The nth order as it was when it failed."""
        dead = dead_record(n)
        self.broker.append(Record("orders.created", 0, 0, AT, 1, dead.key, dead.value, ()))

    def saw(self, key: str, offset: int) -> None:
        """The tap stored a record of the key."""
        rows(
            "insert into record_key (stored_at, name_id, value, topic_id, kafka_partition, kafka_offset)"
            " values (%s, 1, %s, %s, 0, %s) returning 1",
            AT, key, self.letters.orders, offset,
        )  # fmt: skip
        rows(
            "insert into record (stored_at, produced_at, kafka_offset, topic_id, kafka_partition, size_bytes,"
            " n_headers, timestamp_type) values (%s, %s, %s, %s, 0, 1, 0, 1) returning 1",
            AT, AT, offset, self.letters.orders,
        )  # fmt: skip

    def reads_up_to(self, offset: int) -> None:
        """Billing committed so far on the first partition of orders.created."""
        rows("delete from group_now where group_id = %s returning 1", self.letters.billing)
        rows(
            "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, %s) returning 1",
            self.letters.orders, self.letters.billing, AT, [offset, 0],
        )  # fmt: skip

    def send(
        self,
        operation: int,
        publisher: Publisher | None = None,
        *,
        lookup: Lookup | None = None,
        read_only: Collection[str] = (),
        after_seconds: float = 0,
        clock_ahead_seconds: float = 0,
        stopping: threading.Event | None = None,
        turn_seconds: float = TURN_SECONDS,
    ) -> None:
        """Let a worker dispatch the operation, whose own clock may be ahead."""
        self.now += timedelta(seconds=after_seconds)
        rows("update retry_item set claimed_at = claimed_at - make_interval(secs => %s) returning 1", after_seconds)
        self.scan()
        used = publisher or MemoryPublisher(self.broker)
        looked = lookup or MemoryLookup(self.broker)

        @contextmanager
        def sender(cluster: str) -> Iterator[Sender]:
            if cluster != self.cluster:
                raise NotObserved(cluster)
            rights = MemoryRights(self.broker, read_only=read_only)
            its_now = self.now + timedelta(seconds=clock_ahead_seconds)
            made = Sender(looked, used, rights, self.cluster, "1@test", lambda: its_now, quiet_seconds=0)
            yield replace(made, stopping=stopping or made.stopping, turn_seconds=turn_seconds)

        dispatch(operation, sender, now=self.now + timedelta(seconds=clock_ahead_seconds), patience=Patience())

    def scan(self) -> None:
        """What the sampler writes down of a topic the first time."""
        for name in self.broker.topics.keys() - self.scanned:
            kafka_id = self.broker.topics[name].kafka_id
            rows("update topic set kafka_id = %s where name = %s and deleted_at is null returning 1", kafka_id, name)
            self.scanned.add(name)

    def sent(self, topic: str = "orders.created") -> list[Record]:
        """Everything that Weir sent to the topic."""
        return [
            record
            for kept in self.broker.topics[topic].records
            for record in kept
            if record.first("x-weir-attempt") is not None
        ]


def counts_fit() -> bool:
    """Whether the kept counts of all operations are those of their items, and the first event of each key is known."""
    heads = "select operation_id, key_hash, ordinal, waits_since from retry_head order by 1, 2"
    keys = "select distinct operation_id, key_hash from retry_item where key_hash is not null"
    found = f"select k.*, f.* from ({keys}) k, retry_head_of(k.operation_id, k.key_hash) f order by 1, 2"
    if rows(heads) != rows(found):
        return False
    counted = "select operation_id, step, status, is_sent, n::int from retry_count where n <> 0 order by 1, 2, 3, 4"
    return rows(counted) == rows(
        "select operation_id, step, status, sent_at is not null, count(*)::int from retry_item"
        " group by 1, 2, 3, 4 order by 1, 2, 3, 4"
    )
