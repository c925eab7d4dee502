"""What Kafka does not let us do stops nothing else, and is named; and what Weir needs is no more than what it says.

Against a real broker with an authorizer and four users: `weir` may all, `reader` what docs/connecting.md grants to the
user that reads, `sender` may write to one topic, `looker` may read one, and describe another.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not in its stubs
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from collector.domain.lookups import Question
from collector.kafka.first_records import KafkaFirstRecords
from collector.kafka.log import KafkaLog
from collector.kafka.lookup import KafkaLookup
from collector.kafka.memory import MemoryBroker
from collector.kafka.memory_rights import MemoryRights
from collector.kafka.metadata import AdminMetadata
from collector.kafka.peek import KafkaPeek
from collector.kafka.publisher import KafkaPublisher
from collector.kafka.rights import KafkaRights
from collector.lookups.reading import read
from collector.lookups.sifting import LookRules, Sieve
from collector.ports import KafkaUnreachable, NotDelivered, NotGranted, Outgoing, Partition, Rights
from stack import cache, kafka, places
from stack.environment import server_environment
from stack.ports import free_port
from stack.supervisor import Supervisor

pytestmark = pytest.mark.kafka

OPEN, SECRET = Partition("open", 0), Partition("secret", 0)
TOPICS = ("open", "secret", "orders", "orders.dlq")
SECONDS = 30


@dataclass(frozen=True)
class GuardedKafka(kafka.Kafka):
    """The embedded broker with two users more, who may only what ACLs grant."""

    def configuration(self) -> str:
        """Of a name given twice, the last one counts."""
        before = super().configuration()
        (users,) = (line for line in before.splitlines() if line.startswith("listener.name.clients.plain"))
        more = " ".join(f'user_{name}="{name}-s3cret"' for name in ("reader", "sender", "looker"))
        return f"{before}{users.removesuffix(';')} {more};\n"

    def as_user(self, name: str) -> dict[str, str | int]:
        """Properties of a client that signs in as this user."""
        return {**self.client, "sasl.username": name, "sasl.password": f"{name}-s3cret"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    """With the topics, one record in each, and the ACLs."""
    folder = tmp_path_factory.mktemp("guarded")
    fetched = cache.filled({}, say=lambda _: None)
    broker = GuardedKafka(
        folder=places.made_private(folder / "kafka"),
        jars=fetched.kafka_jars,
        start_cache=fetched.start_cache,
        port=free_port(),
        controller_port=free_port(),
        asks_password=True,
        settings={"auto.create.topics.enable": "true"},  # Kafka's default: only what asks for a topic must not make it
    )
    supervisor = Supervisor(
        broker.parts(env=server_environment({})), places.made_private(Path(folder) / "logs"), say=lambda _: None
    )
    try:
        supervisor.start()
        _furnish(broker)
        yield broker
    finally:
        supervisor.stop()


def _furnish(broker: GuardedKafka) -> None:
    admin = AdminClient(dict(broker.client))
    for future in admin.create_topics([NewTopic(name, 1, 1) for name in TOPICS]).values():
        future.result(20)
    publisher = KafkaPublisher(dict(broker.client))
    for name in TOPICS:
        publisher.publish(Outgoing(name, b"k", b"v", (), 0)).result(20)
    publisher.close(wait_seconds=1)
    operation, topic, group = AclOperation, ResourceType.TOPIC, ResourceType.GROUP
    grants = [
        *(_acl("reader", topic, "*", one) for one in (operation.DESCRIBE, operation.DESCRIBE_CONFIGS, operation.READ)),
        _acl("reader", group, "*", operation.DESCRIBE),
        _acl("reader", ResourceType.BROKER, "kafka-cluster", operation.DESCRIBE),
        _acl("reader", topic, "secret", operation.READ, AclPermissionType.DENY),
        _acl("sender", topic, "orders", operation.WRITE),
        *(_acl("looker", topic, "open", one) for one in (operation.DESCRIBE, operation.READ)),
        _acl("looker", topic, "orders", operation.DESCRIBE),
    ]
    for future in admin.create_acls(grants).values():
        future.result(20)


def _acl(
    user: str,
    kind: ResourceType,
    name: str,
    operation: AclOperation,
    permission: AclPermissionType = AclPermissionType.ALLOW,
) -> AclBinding:
    return AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{user}", "*", operation, permission)


def test_a_topic_that_may_not_be_read_is_told_and_the_others_are_read(guarded: GuardedKafka) -> None:
    log = KafkaLog(guarded.as_user("reader"), commits=False)
    log.assign({OPEN: 0, SECRET: 0})
    read: list[str] = []
    refused: set[Partition] = set()
    until = time.monotonic() + SECONDS
    while not (read and refused):
        assert time.monotonic() < until
        taken = log.take(limit=10, limit_bytes=1_000, wait=0.1)
        read += [record.topic for record in taken.records]
        refused |= taken.refused
    assert read == ["open"]
    assert refused == {SECRET}
    log.assign({OPEN: 1})
    publisher = KafkaPublisher(dict(guarded.client))
    publisher.publish(Outgoing("open", None, b"w", (), 0)).result(20)
    while not (records := log.take(limit=10, limit_bytes=1_000, wait=0.1).records):
        assert time.monotonic() < until
    assert records[0].value == b"w"
    publisher.close(wait_seconds=1)
    log.close()


def test_s46_who_only_reads_is_refused_nothing_that_weir_asks_and_writes_nowhere(guarded: GuardedKafka) -> None:
    reader = guarded.as_user("reader")
    metadata = AdminMetadata(reader)
    leaders = metadata.overview().leaders
    assert leaders.keys() >= set(TOPICS)
    some = {"orders": leaders["orders"], "open": leaders["open"]}
    assert metadata.watermarks(some)["orders"].high == (1,)
    assert metadata.topic_configs(list(some)).keys() == some.keys()
    assert metadata.committed([group.name for group in metadata.groups()]) == {}
    metadata.close()
    first = KafkaFirstRecords(reader)
    assert first.first_unread({Partition("orders", 0): 0})
    first.close()
    lookup = KafkaLookup(reader)
    ends = lookup.ends("orders")
    assert [record.value for record in lookup.between("orders", dict(ends))] == [b"v"]
    publisher = KafkaPublisher(reader, delivery_seconds=2)
    with pytest.raises(NotDelivered):
        publisher.publish(Outgoing("orders", None, b"never", (), 0)).result(20)
    publisher.close(wait_seconds=1)
    assert lookup.ends("orders") == ends
    lookup.close()


def test_describe_and_read_of_a_topic_are_enough_to_look_into_it_and_what_is_missing_is_named(
    guarded: GuardedKafka,
) -> None:
    def look(topic: str) -> list[bytes | None]:
        peek = KafkaPeek(guarded.as_user("looker"))
        try:
            sieve = Sieve(Question(), LookRules(), topic=topic, holds_letters=False)
            found = read(Question(), topic, peek, sieve, clock=time.monotonic)
        finally:
            peek.close()
        return [match.record.value for match in found.matches]

    assert b"v" in look("open"), "without a right on any group"
    for topic in ("orders", "secret"):
        with pytest.raises(NotGranted, match=rf"read {topic}\. Grant Describe and Read there"):
            look(topic)


def test_s46_who_sends_writes_where_it_is_granted_and_nowhere_else(guarded: GuardedKafka) -> None:
    sender = guarded.as_user("sender")
    hidden = {"open": False, "missing": False}  # who may not describe a topic is not told whether there is one
    told = KafkaRights(sender).granted(["orders", "open", "missing"])
    assert {name: grant.may_write for name, grant in told.items()} == {"orders": True, **hidden}
    publisher = KafkaPublisher(sender, delivery_seconds=8)
    assert publisher.publish(Outgoing("orders", None, b"again", (), 0)).result(20).topic == "orders"
    with pytest.raises(NotDelivered):
        publisher.publish(Outgoing("open", None, b"never", (), 0)).result(20)
    publisher.close(wait_seconds=1)


def test_s46_a_topic_that_is_deleted_amid_a_run_is_not_made_again_by_the_producer(guarded: GuardedKafka) -> None:
    """As a user who may create topics, on a broker that makes what is asked for."""
    admin = AdminClient(dict(guarded.client))
    admin.create_topics([NewTopic("fleeting", 1, 1)])["fleeting"].result(20)
    publisher = KafkaPublisher(dict(guarded.client), delivery_seconds=8)
    publisher.publish(Outgoing("fleeting", None, b"v", (), 0)).result(20)
    admin.delete_topics(["fleeting"])["fleeting"].result(20)
    until = time.monotonic() + SECONDS
    while "fleeting" in admin.list_topics(timeout=10).topics:
        assert time.monotonic() < until
    with pytest.raises(NotDelivered):
        publisher.publish(Outgoing("fleeting", None, b"never", (), 0)).result(20)
    publisher.close(wait_seconds=1)
    assert "fleeting" not in admin.list_topics(timeout=10).topics


@pytest.fixture(params=["memory", "kafka"])
def rights(request: pytest.FixtureRequest) -> Rights:
    """Of somebody who may describe all and write to `orders` alone."""
    if request.param == "kafka":
        guarded: GuardedKafka = request.getfixturevalue("guarded")
        admin = AdminClient(dict(guarded.client))
        grant = _acl("sender", ResourceType.TOPIC, "*", AclOperation.DESCRIBE)
        admin.create_acls([grant])[grant].result(20)
        return KafkaRights(guarded.as_user("sender"))
    broker = MemoryBroker()
    for name in TOPICS:
        broker.create(name, n_partitions=1)
    return MemoryRights(broker, read_only=set(TOPICS) - {"orders"})


def test_rights_are_told_topic_by_topic_and_what_is_not_there_is_left_out(rights: Rights) -> None:
    assert rights.granted([]) == {}
    told = rights.granted(["orders", "open", "nowhere"])
    assert {name: grant.may_write for name, grant in told.items()} == {"orders": True, "open": False}
    assert len({grant.kafka_id for grant in told.values()} - {None}) == 2
    assert rights.granted(["orders"])["orders"] == told["orders"]


def test_rights_of_a_broker_that_does_not_answer_are_not_known() -> None:
    broker = MemoryBroker()
    broker.up = False
    for asked in (MemoryRights(broker), KafkaRights({"bootstrap.servers": "127.0.0.1:1"})):
        with pytest.raises(KafkaUnreachable):
            asked.granted(["orders"])
