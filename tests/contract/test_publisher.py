"""Every Publisher keeps the same promises: the twin in memory always, real Kafka where it runs."""

import os
from collections.abc import Iterator

import pytest

from collector.kafka.memory import MemoryBroker
from collector.kafka.memory_publisher import MemoryPublisher
from collector.kafka.properties import Access, properties
from collector.kafka.publisher import PRODUCER, KafkaPublisher
from collector.kafka.spool import make_spool
from collector.ports import NotDelivered, NotTaken, Outgoing, Publisher

TOPIC = "publisher.contract"


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def publisher(request: pytest.FixtureRequest) -> Iterator[Publisher]:
    """A publisher whose broker has TOPIC, with three partitions."""
    made: Publisher
    if request.param == "memory":
        broker = MemoryBroker()
        broker.create(TOPIC, n_partitions=3)
        made = MemoryPublisher(broker)
    else:
        address = request.getfixturevalue("kafka_bootstrap")
        found = properties(Access(address))
        make_spool(found, TOPIC)
        made = KafkaPublisher(found, delivery_seconds=8)
    yield made
    made.close(wait_seconds=1)


def record(**changes: object) -> Outgoing:
    fields: dict[str, object] = {"topic": TOPIC, "key": b"k", "value": b"v", "headers": ()}
    return Outgoing(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_record_is_acknowledged_with_its_position(publisher: Publisher) -> None:
    first = publisher.publish(record(partition=1)).result(timeout=20)
    second = publisher.publish(record(partition=1)).result(timeout=20)
    assert (first.topic, first.partition) == (TOPIC, 1)
    assert second.offset == first.offset + 1


def test_equal_keys_meet_in_one_partition(publisher: Publisher) -> None:
    futures = [publisher.publish(record(key=b"same", value=bytes([number]))) for number in range(20)]
    assert len({future.result(timeout=20).partition for future in futures}) == 1


def test_nulls_and_doubled_headers_may_be_sent(publisher: Publisher) -> None:
    headers = (("h", b"1"), ("h", None), ("h", b""))
    assert publisher.publish(record(key=None, value=None, headers=headers, partition=0)).result(timeout=20)


def test_a_topic_that_is_not_there_gets_nothing(publisher: Publisher) -> None:
    with pytest.raises(NotDelivered):
        publisher.publish(record(topic="nowhere.at.all")).result(timeout=20)


def test_s46_the_producer_makes_no_topic_even_where_brokers_would() -> None:
    """The library's default for producers is true; the broker of the tests forbids it anyway."""
    assert PRODUCER["allow.auto.create.topics"] is False


def test_a_record_that_is_too_large_is_told_at_once(publisher: Publisher) -> None:
    with pytest.raises(NotDelivered):
        publisher.publish(record(value=b"x" * 2_000_000))


def test_what_the_broker_does_not_take_is_told_as_such_and_the_next_is_sent(
    request: pytest.FixtureRequest, publisher: Publisher
) -> None:
    roomy: Publisher
    if isinstance(publisher, KafkaPublisher):
        roomy = KafkaPublisher(properties(Access(request.getfixturevalue("kafka_bootstrap"))), most_bytes=8_000_000)
    else:
        broker = MemoryBroker()
        broker.create(TOPIC, n_partitions=3)
        roomy = MemoryPublisher(broker, most_bytes=8_000_000)
    with pytest.raises(NotTaken):
        roomy.publish(record(value=os.urandom(2_000_000))).result(timeout=20)
    assert roomy.publish(record()).result(timeout=20)
    roomy.close(wait_seconds=1)


@pytest.mark.kafka
def test_a_closed_broker_ends_as_not_delivered() -> None:
    lonely = KafkaPublisher(properties(Access("127.0.0.1:1")), delivery_seconds=1)
    future = lonely.publish(record())
    with pytest.raises(NotDelivered):
        future.result(timeout=20)
    waiting = lonely.publish(record())
    lonely.close(wait_seconds=0)
    with pytest.raises(NotDelivered):
        waiting.result(timeout=5)


@pytest.mark.kafka
def test_the_spool_is_made_once(kafka_bootstrap: str) -> None:
    found = properties(Access(kafka_bootstrap))
    assert [make_spool(found, "made.once"), make_spool(found, "made.once")] == [True, False]
