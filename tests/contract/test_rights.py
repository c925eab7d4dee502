"""What Kafka does not let us read stops nothing else, and is named."""

import os
import time
from collections.abc import Iterator
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

from collector.kafka.log import KafkaLog
from collector.kafka.publisher import KafkaPublisher
from collector.ports import Outgoing, Partition
from stack import cache, kafka, places
from stack.environment import server_environment
from stack.ports import free_port
from stack.supervisor import Supervisor

pytestmark = pytest.mark.kafka

OPEN, SECRET = Partition("open", 0), Partition("secret", 0)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """A broker with an authorizer; `secret` may be described by everybody and read by nobody."""
    fetched = cache.filled(os.environ, say=lambda _: None)
    broker = kafka.embedded(
        tmp_path / "kafka",
        jars=fetched.kafka_jars,
        start_cache=fetched.start_cache,
        ports=(free_port(), free_port()),
        asks_password=False,
        settings={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true",
        },
    )
    parts = broker.parts(env=server_environment(os.environ))
    supervisor = Supervisor(parts, places.made_private(tmp_path / "logs"), say=lambda _: None)
    try:
        supervisor.start()
        yield broker.bootstrap
    finally:
        supervisor.stop()


def test_a_topic_that_may_not_be_read_is_told_and_the_others_are_read(guarded: str) -> None:
    properties: dict[str, str | int] = {"bootstrap.servers": guarded}
    admin = AdminClient({"bootstrap.servers": guarded})
    for future in admin.create_topics([NewTopic(name, 1, 1) for name in ("open", "secret")]).values():
        future.result(20)
    for operation in (AclOperation.DESCRIBE, AclOperation.WRITE):
        allow(admin, operation)
    publisher = KafkaPublisher(properties)
    for name in ("open", "secret"):
        publisher.publish(Outgoing(name, None, b"v", (), 0)).result(20)
    log = KafkaLog(properties, commits=False)
    log.assign({OPEN: 0, SECRET: 0})
    read: list[str] = []
    refused: set[Partition] = set()
    until = time.monotonic() + 30
    while not (read and refused):
        assert time.monotonic() < until
        taken = log.take(limit=10, limit_bytes=1_000, wait=0.1)
        read += [record.topic for record in taken.records]
        refused |= taken.refused
    assert read == ["open"]
    assert refused == {SECRET}
    log.assign({OPEN: 1})
    publisher.publish(Outgoing("open", None, b"w", (), 0)).result(20)
    while not (records := log.take(limit=10, limit_bytes=1_000, wait=0.1).records):
        assert time.monotonic() < until
    assert records[0].value == b"w"
    publisher.close(wait_seconds=1)
    log.close()


def allow(admin: AdminClient, operation: AclOperation) -> None:
    """An ACL on a topic forbids whatever it does not allow."""
    binding = AclBinding(
        ResourceType.TOPIC,
        "secret",
        ResourcePatternType.LITERAL,
        "User:*",
        "*",
        operation,
        AclPermissionType.ALLOW,
    )
    admin.create_acls([binding])[binding].result(20)
