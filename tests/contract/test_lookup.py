"""Every Lookup keeps the same promises: the twin in memory always, real Kafka where it runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from collector.domain.positions import Position
from collector.domain.records import Record
from collector.kafka.lookup import KafkaLookup
from collector.kafka.memory import MemoryBroker
from collector.kafka.memory_lookup import MemoryLookup
from collector.ports import Lookup, Partition, Unreadable


@dataclass(frozen=True)
class World:
    """A lookup, a topic with two partitions, and what happens on its broker."""

    lookup: Lookup
    topic: str
    write: Callable[[int, bytes | None], None]
    delete_before: Callable[[int, int], None]


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    topic = f"lookup-{uuid4().hex[:8]}"
    made = _memory(topic) if request.param == "memory" else _real(request.getfixturevalue("kafka_bootstrap"), topic)
    for number, value in ((0, b"a"), (0, None), (1, b"c"), (0, b"d")):
        made.write(number, value)
    yield made
    made.lookup.close()


def _memory(topic: str) -> World:
    broker = MemoryBroker()
    broker.create(topic, n_partitions=2)

    def write(number: int, value: bytes | None) -> None:
        broker.append(Record(topic, number, 0, None, 0, b"k", value, (("h", None),)))

    def delete_before(number: int, offset: int) -> None:
        broker.delete_before(Partition(topic, number), offset)

    return World(MemoryLookup(broker), topic, write, delete_before)


def _real(bootstrap: str, topic: str) -> World:
    properties: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap}
    admin, producer = AdminClient(properties), Producer(properties)
    for future in admin.create_topics([NewTopic(topic, 2, 1)]).values():
        future.result(timeout=20)

    def write(number: int, value: bytes | None) -> None:
        producer.produce(topic, key=b"k", value=value, partition=number, headers=[("h", None)])
        producer.flush(20)

    def delete_before(number: int, offset: int) -> None:
        for future in admin.delete_records([TopicPartition(topic, number, offset)]).values():
            future.result(timeout=20)

    return World(KafkaLookup({"bootstrap.servers": bootstrap}), topic, write, delete_before)


def test_both_ends_of_every_partition_are_told(world: World) -> None:
    assert world.lookup.ends(world.topic) == {0: (0, 3), 1: (0, 1)}


def test_a_topic_that_does_not_exist_has_no_ends_and_is_not_made_by_asking(world: World) -> None:
    for _ in range(2):
        assert world.lookup.ends(f"{world.topic}-absent") == {}
    assert world.lookup.record_at(Position(f"{world.topic}-absent", 0, 0)) is None


def test_one_record_is_read_with_its_null_value_and_headers(world: World) -> None:
    found = world.lookup.record_at(Position(world.topic, 0, 1))
    assert found is not None
    assert (found.offset, found.key, found.value, found.headers) == (1, b"k", None, (("h", None),))
    assert world.lookup.record_at(Position(world.topic, 0, 3)) is None
    assert world.lookup.record_at(Position(world.topic, 7, 0)) is None


def test_everything_between_two_ends_is_read_and_nothing_else(world: World) -> None:
    found = world.lookup.between(world.topic, {0: (1, 3), 1: (0, 1)})
    assert sorted((record.partition, record.offset) for record in found) == [(0, 1), (0, 2), (1, 0)]
    assert list(world.lookup.between(world.topic, {0: (3, 3)})) == []


def test_what_was_deleted_is_gone_and_a_stretch_that_holds_it_cannot_be_read(world: World) -> None:
    world.delete_before(0, 2)
    assert world.lookup.record_at(Position(world.topic, 0, 1)) is None
    assert world.lookup.ends(world.topic)[0] == (2, 3)
    with pytest.raises(Unreadable):
        list(world.lookup.between(world.topic, {0: (1, 3)}))
