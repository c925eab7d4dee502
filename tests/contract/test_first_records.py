"""What every implementation of FirstRecords must do: the twin always, a real Kafka with the mark `kafka`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # not in its stubs

from collector.domain.lag import FirstUnread, is_blocked, nothing_left
from collector.kafka.first_records import KafkaFirstRecords
from collector.kafka.memory_metadata import MemoryMetadata
from collector.ports import FirstRecords, Partition
from tests.acceptance.running_demo import eventually

WRITTEN_AT = 1_700_000_000.25


@dataclass(frozen=True)
class World:
    """A topic with one partition: `plain` writes records, `transact` a transaction that ends so, or stays open."""

    records: FirstRecords
    topic: str
    plain: Callable[[int], None]
    transact: Callable[[int, str], None]
    delete_before: Callable[[int], None]

    def at(self, position: int) -> FirstUnread | None:
        """What lies there."""
        place = Partition(self.topic, 0)
        return self.records.first_unread({place: position}).get(place)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    topic = f"first-{uuid4().hex[:8]}"
    made = _memory(topic) if request.param == "memory" else _real(request.getfixturevalue("kafka_bootstrap"), topic)
    made.plain(3)
    yield made
    made.records.close()


def _memory(name: str) -> World:
    cluster = MemoryMetadata()
    cluster.create_topic(name, 1)
    topic = cluster.topics[name]

    def plain(n: int) -> None:
        start = topic.high[0] or 0
        cluster.produce(name, 0, n)
        topic.written_at |= {(0, offset): WRITTEN_AT for offset in range(start, start + n)}

    def transact(n: int, end: str) -> None:
        start = topic.high[0] or 0
        plain(n)
        if end == "open":
            topic.open_from[0] = start
            return
        if end == "abort":
            topic.markers |= {(0, offset) for offset in range(start, start + n)}
        topic.markers.add((0, start + n))
        cluster.produce(name, 0, 1)

    def delete_before(offset: int) -> None:
        topic.low[0] = offset

    return World(cluster, name, plain, transact, delete_before)


def _real(bootstrap: str, name: str) -> World:
    properties: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap, "log_level": 0}
    admin, producer = AdminClient(properties), Producer(properties)
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(20)
    kept_open: list[Producer] = []

    def write(sender: Producer, n: int) -> None:
        for _ in range(n):
            sender.produce(name, b"v", partition=0, timestamp=int(WRITTEN_AT * 1000))
        assert sender.flush(20) == 0

    def transact(n: int, end: str) -> None:
        sender = Producer({**properties, "transactional.id": uuid4().hex})
        sender.init_transactions(20)
        sender.begin_transaction()
        write(sender, n)
        if end == "open":
            kept_open.append(sender)
        elif end == "abort":
            sender.abort_transaction(20)
        else:
            sender.commit_transaction(20)

    def delete_before(offset: int) -> None:
        for future in admin.delete_records([TopicPartition(name, 0, offset)]).values():
            future.result(20)

    return World(
        KafkaFirstRecords({"bootstrap.servers": bootstrap}), name, lambda n: write(producer, n), transact, delete_before
    )


def test_a_record_tells_its_offset_and_its_time(world: World) -> None:
    found = world.at(1)
    assert found is not None
    assert (found.offset, found.written_at) == (1, WRITTEN_AT)
    assert found.end > 1


def test_at_the_end_there_is_nothing(world: World) -> None:
    found = world.at(3)
    assert found == FirstUnread(None, None, 3)
    assert nothing_left(found, high=3)


def test_behind_the_last_record_of_a_transaction_there_is_only_its_marker(world: World) -> None:
    world.transact(2, "commit")
    # The broker writes the marker a moment after it said that the transaction is committed.
    found = eventually(lambda: seen if (seen := world.at(5)) and seen.end == 6 else None, seconds=20, what="the marker")
    assert (found.offset, nothing_left(found, high=6), is_blocked(found, high=6)) == (None, True, False)


def test_aborted_records_are_nothing_to_read(world: World) -> None:
    world.transact(4, "abort")
    found = eventually(lambda: seen if (seen := world.at(3)) and seen.end == 8 else None, seconds=20, what="the marker")
    assert nothing_left(found, high=8)


def test_an_open_transaction_ends_what_can_be_read(world: World) -> None:
    world.transact(2, "open")
    world.plain(5)
    found = world.at(3)
    assert found == FirstUnread(None, None, 3)
    assert is_blocked(found, high=10)
    first = world.at(2)
    assert first is not None
    assert first.offset == 2


def test_a_position_that_was_deleted_and_a_topic_that_is_not_there_bring_no_answer(world: World) -> None:
    world.delete_before(2)
    assert world.records.first_unread({Partition(f"{world.topic}-absent", 0): 0}) == {}
