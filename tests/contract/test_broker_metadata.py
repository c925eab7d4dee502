"""What every implementation of BrokerMetadata must do: the twin always, a real Kafka with the mark `kafka`."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # not in its stubs

from collector.domain.brokers import Member
from collector.kafka.memory_metadata import MemoryMetadata
from collector.kafka.metadata import AdminMetadata
from collector.kafka.metadata_values import shortened
from collector.ports import BrokerMetadata, KafkaRefused, KafkaUnreachable
from stack.ports import free_port


class Cluster(Protocol):
    """A cluster that a test can change, beside the implementation that looks at it."""

    metadata: BrokerMetadata

    def create_topic(self, name: str, n_partitions: int) -> None: ...
    def delete_topic(self, name: str) -> None: ...
    def produce(self, topic: str, partition: int, n: int) -> None: ...
    def commit(self, group: str, topic: str, offsets: dict[int, int]) -> None: ...
    def join(self, group: str, topic: str) -> None: ...
    def away(self) -> BrokerMetadata: ...


class InMemory:
    def __init__(self) -> None:
        self.twin = MemoryMetadata()
        self.metadata: BrokerMetadata = self.twin
        self.create_topic = self.twin.create_topic
        self.delete_topic = self.twin.delete_topic
        self.produce = self.twin.produce
        self.commit = self.twin.commit

    def join(self, group: str, topic: str) -> None:
        n_partitions = len(self.twin.topics[topic].high)
        assignment = tuple((topic, number) for number in range(n_partitions))
        self.twin.join(group, Member("member-1", f"{group}-client", "127.0.0.1", assignment))

    def away(self) -> BrokerMetadata:
        self.twin.is_away = True
        return self.twin


class Real:
    def __init__(self, bootstrap: str) -> None:
        self._properties: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._admin = AdminClient(self._properties)
        self.consumers: list[Consumer] = []
        self.metadata: BrokerMetadata = AdminMetadata(self._properties)

    def create_topic(self, name: str, n_partitions: int) -> None:
        self._admin.create_topics([NewTopic(name, n_partitions, 1)])[name].result(10)
        self._until(lambda: self.metadata.overview().leaders.get(name) == (1,) * n_partitions)
        self._until(lambda: self._has_taken_up(name, n_partitions))

    def _has_taken_up(self, name: str, n_partitions: int) -> bool:
        """A broker is named as leader a moment before it leads."""
        try:
            return None not in self.metadata.watermarks({name: (1,) * n_partitions})[name].high
        except KafkaUnreachable:
            return False

    def delete_topic(self, name: str) -> None:
        self._admin.delete_topics([name])[name].result(10)
        self._until(lambda: name not in self.metadata.overview().leaders)

    def produce(self, topic: str, partition: int, n: int) -> None:
        producer = Producer(self._properties)
        for number in range(n):
            producer.produce(topic, str(number), partition=partition)
        assert producer.flush(10) == 0

    def commit(self, group: str, topic: str, offsets: dict[int, int]) -> None:
        places = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]

        def is_committed() -> bool:
            """The first group of a broker makes the topic of all offsets, and nobody coordinates until then."""
            asked = self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, places)])
            return all(each.error is None for each in asked[group].result(10).topic_partitions)

        self._until(is_committed)

    def join(self, group: str, topic: str) -> None:
        consumer = Consumer({**self._properties, "group.id": group, "client.id": f"{group}-client"})
        self.consumers.append(consumer)
        consumer.subscribe([topic])
        self._until(lambda: consumer.poll(0.1) is None and bool(consumer.assignment()))

    def away(self) -> BrokerMetadata:
        return AdminMetadata({"bootstrap.servers": f"127.0.0.1:{free_port()}"})

    def _until(self, done: Callable[[], bool]) -> None:
        until = time.monotonic() + 20
        while not done():
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    if request.param == "memory":
        yield InMemory()
        return
    real = Real(request.getfixturevalue("kafka_bootstrap"))
    yield real
    for consumer in real.consumers:
        consumer.close()


@pytest.fixture
def topic(cluster: Cluster) -> str:
    name = f"orders.{uuid4().hex[:8]}"
    cluster.create_topic(name, 3)
    return name


def test_an_overview_names_the_cluster_and_the_leader_of_every_partition(cluster: Cluster, topic: str) -> None:
    overview = cluster.metadata.overview()
    assert overview.cluster_id
    assert overview.leaders[topic] == (1, 1, 1)


def test_ends_are_given_for_every_partition_in_order(cluster: Cluster, topic: str) -> None:
    cluster.produce(topic, 2, 5)
    leaders = {topic: cluster.metadata.overview().leaders[topic]}
    found = cluster.metadata.watermarks(leaders)
    assert found.keys() == {topic}
    assert (found[topic].low, found[topic].high) == ((0, 0, 0), (0, 0, 5))


def test_a_partition_without_a_leader_has_no_end_rather_than_zero(cluster: Cluster, topic: str) -> None:
    if isinstance(cluster, InMemory):
        cluster.twin.topics[topic].high[1] = None
    found = cluster.metadata.watermarks({topic: (1, None, 1)})
    assert found[topic].high == (0, None, 0)


def test_only_what_was_committed_is_answered(cluster: Cluster, topic: str) -> None:
    cluster.produce(topic, 0, 9)
    group = f"billing-{topic}"
    cluster.commit(group, topic, {0: 4})
    assert group in {listed.name for listed in cluster.metadata.groups()}
    assert cluster.metadata.committed([group]) == {group: {topic: {0: 4}}}


@pytest.mark.kafka
def test_a_group_whose_name_no_index_holds_is_left_out(request: pytest.FixtureRequest) -> None:
    """Anybody may make one: Kafka takes names of 32 kB."""
    real = Real(request.getfixturevalue("kafka_bootstrap"))
    topic, long = f"orders.{uuid4().hex[:8]}", uuid4().hex * 100
    real.create_topic(topic, 1)
    real.commit(long, topic, {0: 0})
    real.commit(f"billing-{topic}", topic, {0: 0})
    names = {group.name for group in real.metadata.groups()}
    assert f"billing-{topic}" in names
    assert long not in names
    assert long not in {group.name for group in real.metadata.hidden_groups()}


def test_members_ids_that_no_index_holds_are_kept_apart() -> None:
    short, one, other = "m" * 255, "m" * 5_000, "m" * 5_001
    assert shortened(short) == short
    assert len({shortened(one), shortened(other)}) == 2
    assert max(len(shortened(one)), len(shortened(other))) <= 255


def test_a_group_that_is_not_there_has_committed_nothing(cluster: Cluster) -> None:
    assert not cluster.metadata.committed(["nobody"]).get("nobody")


def test_a_topic_that_was_created_again_has_another_id(cluster: Cluster, topic: str) -> None:
    before = cluster.metadata.describe_topics([topic])[topic]
    cluster.delete_topic(topic)
    cluster.create_topic(topic, 1)
    after = cluster.metadata.describe_topics([topic])[topic]
    assert before.kafka_id != after.kafka_id
    assert (before.n_partitions, after.n_partitions) == (3, 1)


def test_what_is_not_there_is_missing_from_descriptions_and_is_not_created(cluster: Cluster) -> None:
    assert cluster.metadata.describe_topics(["no.such.topic"]) == {}
    assert "no.such.topic" not in cluster.metadata.overview().leaders


def test_settings_of_topics_are_text(cluster: Cluster, topic: str) -> None:
    assert cluster.metadata.topic_configs([topic])[topic].values["cleanup.policy"] == "delete"


def test_settings_that_topics_share_are_held_once(cluster: Cluster, topic: str) -> None:
    other = f"{topic}.other"
    cluster.create_topic(other, 1)
    found = cluster.metadata.topic_configs([topic, other])
    assert found[topic] is found[other]


def test_members_tell_their_client_and_what_they_were_given(cluster: Cluster, topic: str) -> None:
    group = f"billing-{topic}"
    cluster.join(group, topic)
    (described,) = cluster.metadata.describe_groups([group])
    (member,) = described.members
    assert described.state == "Stable"
    assert (member.client_id, member.host) == (f"{group}-client", "127.0.0.1")
    assert member.assignment == ((topic, 0), (topic, 1), (topic, 2))


def test_a_group_that_does_not_exist_is_dead(cluster: Cluster, topic: str) -> None:
    (described,) = cluster.metadata.describe_groups([f"nobody-{topic}"])
    assert (described.state, described.members) == ("Dead", ())


def test_a_cluster_that_is_away_raises_and_never_answers_with_nothing(cluster: Cluster) -> None:
    with pytest.raises((KafkaUnreachable, KafkaRefused)):
        cluster.away().overview()
