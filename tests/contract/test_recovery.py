"""Every long-lived client of Weir's comes back after a broker that was away, or up without knowing its cluster.

librdkafka's own clients need not: https://github.com/confluentinc/librdkafka/issues/5301.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from collector.kafka.log import KafkaLog
from collector.kafka.lookup import KafkaLookup
from collector.kafka.metadata import AdminMetadata
from collector.kafka.publisher import KafkaPublisher
from collector.kafka.spool import make_spool
from collector.ports import KafkaUnreachable, NotDelivered, Outgoing, Partition
from tests.contract.waking_broker import WakingBroker

pytestmark = pytest.mark.kafka

SECONDS = 90


@pytest.fixture
def topic(kafka_bootstrap: str) -> str:
    """A topic with one record, on the real broker."""
    name = f"recovery.{uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(20)
    publisher = KafkaPublisher({"bootstrap.servers": kafka_bootstrap})
    publisher.publish(Outgoing(name, None, b"v", (), 0)).result(20)
    publisher.close(wait_seconds=1)
    return name


@pytest.fixture(params=["deaf", "without a cluster"])
def broker(request: pytest.FixtureRequest, kafka_bootstrap: str) -> Iterator[WakingBroker]:
    """Not itself yet, in both ways."""
    made = WakingBroker(kafka_bootstrap)
    if request.param != "deaf":
        made.hear()
    yield made
    made.close()


def woken(broker: WakingBroker) -> None:
    """It is itself now."""
    broker.wake()
    broker.hear()


def until_it_works(step: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not step():
        assert time.monotonic() < until


def test_a_reader_says_that_kafka_is_away_and_then_reads_on(broker: WakingBroker, topic: str) -> None:
    log = KafkaLog({"bootstrap.servers": broker.bootstrap}, commits=False, silence_seconds=1)
    place = Partition(topic, 0)
    log.assign({place: 0})
    with suppress(KafkaUnreachable):
        log.take(limit=10, limit_bytes=1_000, wait=1.0)
    broker.forget()
    log.seek({place: 0})
    with pytest.raises(KafkaUnreachable):
        until_it_works(lambda: bool(log.take(limit=10, limit_bytes=1_000, wait=0.1).records))
    woken(broker)
    log.seek({place: 0})

    def reads() -> bool:
        try:
            return [one.value for one in log.take(limit=10, limit_bytes=1_000, wait=0.1).records] == [b"v"]
        except KafkaUnreachable:
            log.seek({place: 0})
            return False

    until_it_works(reads)
    log.close()


def test_questions_are_answered_again(broker: WakingBroker, topic: str) -> None:
    log = KafkaLog({"bootstrap.servers": broker.bootstrap}, commits=False)
    with suppress(KafkaUnreachable):
        log.identities([topic])
    broker.forget()
    with pytest.raises(KafkaUnreachable):
        log.identities([topic])
    woken(broker)

    def answers() -> bool:
        try:
            return topic in log.identities([topic]) and log.ends(Partition(topic, 0)) == (0, 1)
        except KafkaUnreachable:
            return False

    until_it_works(answers)
    log.close()


def test_records_are_sent_again(broker: WakingBroker, topic: str) -> None:
    sent_after_waking(broker, topic)


def test_a_broker_that_is_away_is_one_line_in_the_log_and_its_return_another(
    kafka_bootstrap: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with closing(WakingBroker(kafka_bootstrap)) as broker:
        publisher = KafkaPublisher({"bootstrap.servers": broker.bootstrap}, delivery_seconds=2)
        record = Outgoing(topic, None, b"later", (), 0)
        for _ in range(3):
            with pytest.raises(NotDelivered):
                publisher.publish(record).result(20)
        assert len(caplog.messages) == 1
        woken(broker)

        def is_told() -> bool:
            with suppress(NotDelivered):
                publisher.publish(record).result(20)
            return any("Kafka answers again" in said for said in caplog.messages)

        until_it_works(is_told)
        assert len(caplog.messages) == 2
        publisher.close(wait_seconds=1)


def test_records_are_sent_again_after_a_fatal_error(kafka_bootstrap: str, topic: str) -> None:
    with closing(WakingBroker(kafka_bootstrap, is_old=True)) as old:
        old.hear()
        sent_after_waking(old, topic)


def sent_after_waking(broker: WakingBroker, topic: str) -> None:
    publisher = KafkaPublisher({"bootstrap.servers": broker.bootstrap}, delivery_seconds=2)
    record = Outgoing(topic, None, b"later", (), 0)
    for _ in range(2):
        with pytest.raises(NotDelivered):
            publisher.publish(record).result(20)
        broker.forget()
    woken(broker)

    def is_sent() -> bool:
        try:
            return publisher.publish(record).result(20).topic == topic
        except NotDelivered:
            return False

    until_it_works(is_sent)
    publisher.close(wait_seconds=1)


def test_a_cluster_is_sampled_again_and_is_never_taken_for_an_empty_one(broker: WakingBroker, topic: str) -> None:
    metadata = AdminMetadata({"bootstrap.servers": broker.bootstrap})
    lookup = KafkaLookup({"bootstrap.servers": broker.bootstrap})
    with suppress(KafkaUnreachable):
        metadata.overview()
    broker.forget()
    with pytest.raises(KafkaUnreachable):
        metadata.overview()
    with pytest.raises(KafkaUnreachable):
        lookup.ends(topic)
    lookup.close()
    with pytest.raises(KafkaUnreachable):
        make_spool({"bootstrap.servers": broker.bootstrap}, topic)
    woken(broker)

    def is_seen() -> bool:
        try:
            return topic in metadata.overview().leaders
        except KafkaUnreachable:
            return False

    until_it_works(is_seen)
