"""Every Log keeps the same promises: the twin in memory always, real Kafka where it runs."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from collector.domain.records import Headers, Record
from collector.kafka.log import KafkaLog
from collector.kafka.memory import MemoryBroker, MemoryLog
from collector.kafka.publisher import KafkaPublisher
from collector.ports import KafkaUnreachable, Log, NotDelivered, Outgoing, Partition, Taken

N_PARTITIONS = 2
HEADERS: Headers = (("a", b"1"), ("a", None), ("b", b""))


@dataclass(frozen=True)
class World:
    """A log, and what happens on its broker: a record is written, retention deletes, a topic is created again."""

    log: Log
    topic: str
    write: Callable[[int, bytes | None], None]
    transact: Callable[[int, bool], None]  # one record in a transaction of its own, committed or aborted
    delete_before: Callable[[Partition, int], None]
    create_again: Callable[[], None]

    def partition(self, number: int = 0) -> Partition:
        return Partition(self.topic, number)

    def offsets(self, n: int, *, number: int = 0) -> list[int]:
        return [record.offset for record in self.records(n) if record.partition == number]

    def records(self, n: int) -> list[Record]:
        """The next `n` records, however many takes that needs."""
        found: list[Record] = []
        for taken in self._takes():
            found.extend(taken.records)
            assert not taken.lost
            if len(found) >= n:
                return found
        raise AssertionError(f"{len(found)} of {n} records came")

    def end(self, wanted: int, *, number: int = 0) -> list[int]:
        """Offsets that come until the partition is said to end at `wanted`."""
        found: list[int] = []
        for taken in self._takes():
            found += [record.offset for record in taken.records if record.partition == number]
            if taken.ends.get(self.partition(number)) == wanted:
                return found
        raise AssertionError(f"no word of an end at {wanted}, {found} came")

    def lost(self) -> frozenset[Partition]:
        """The partitions that the next takes call lost."""
        return next(taken.lost for taken in self._takes() if taken.lost)

    def _takes(self) -> Iterator[Taken]:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            yield self.log.take(limit=100, limit_bytes=1_000_000, wait=0.1)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A broker with one topic of two partitions."""
    topic = f"log.contract.{uuid4().hex[:8]}"
    made = memory_world(topic) if request.param == "memory" else kafka_world(topic, request)
    await_topic(made)
    yield made
    made.log.close()


def await_topic(world: World) -> None:
    """A topic is created a moment before brokers speak of it."""
    until = time.monotonic() + 20
    while world.topic not in world.log.identities([world.topic]):
        assert time.monotonic() < until
        time.sleep(0.02)


def memory_world(topic: str) -> World:
    broker = MemoryBroker()

    def create() -> None:
        broker.create(topic, n_partitions=N_PARTITIONS)

    def write(number: int, value: bytes | None) -> None:
        broker.append(Record(topic, number, 0, None, 0, b"k", value, HEADERS))

    def transact(number: int, commits: bool) -> None:
        if commits:
            write(number, b"in a transaction")
        else:
            broker.mark(Partition(topic, number))
        broker.mark(Partition(topic, number))

    create()
    return World(MemoryLog(broker), topic, write, transact, broker.delete_before, create)


def kafka_world(topic: str, request: pytest.FixtureRequest) -> World:
    properties = {"bootstrap.servers": request.getfixturevalue("kafka_bootstrap")}
    admin, producer = AdminClient(properties), Producer(properties)

    def create() -> None:
        admin.create_topics([NewTopic(topic, N_PARTITIONS, 1)])[topic].result(20)

    def write(number: int, value: bytes | None) -> None:
        producer.produce(topic, key=b"k", value=value, partition=number, headers=list(HEADERS))
        assert producer.flush(20) == 0

    def transact(number: int, commits: bool) -> None:
        sender = Producer({**properties, "transactional.id": f"{topic}-{uuid4().hex}"})
        sender.init_transactions(20)
        sender.begin_transaction()
        sender.produce(topic, value=b"in a transaction", partition=number)
        assert sender.flush(20) == 0
        (sender.commit_transaction if commits else sender.abort_transaction)(20)

    def delete_before(partition: Partition, offset: int) -> None:
        place = TopicPartition(*partition, offset)
        admin.delete_records([place])[place].result(20)

    def create_again() -> None:
        admin.delete_topics([topic])[topic].result(20)
        until = time.monotonic() + 20
        while True:  # the broker lets go of the name a moment after it answered
            try:
                return create()
            except KafkaException:
                assert time.monotonic() < until
                time.sleep(0.2)

    create()
    return World(KafkaLog(properties, commits=True), topic, write, transact, delete_before, create_again)


def test_the_end_lies_behind_the_markers_of_transactions_and_what_was_aborted(world: World) -> None:
    world.log.assign({world.partition(): 0})
    world.write(0, b"plain")
    assert world.end(1) == [0]
    world.transact(0, True)  # a record and a marker
    assert world.end(3) == [1]
    world.transact(0, False)
    assert world.end(5) == []
    world.write(0, b"plain")
    assert world.end(6) == [5]
    world.log.seek({world.partition(): 1})
    assert world.end(6) == [1, 5]


def test_a_topic_is_known_by_its_id_and_what_does_not_exist_is_left_out(world: World) -> None:
    found = world.log.identities([world.topic, "log.contract.none"])
    assert list(found) == [world.topic]
    assert found[world.topic].n_partitions == N_PARTITIONS


def test_a_topic_created_again_is_another_one(world: World) -> None:
    before = world.log.identities([world.topic])[world.topic]
    world.create_again()
    until = time.monotonic() + 20
    while (after := world.log.identities([world.topic]).get(world.topic)) in (None, before):
        assert time.monotonic() < until
    assert after is not None
    assert after.kafka_id != before.kafka_id


def test_asking_for_a_topic_does_not_create_it(world: World) -> None:
    for _ in range(2):
        assert world.log.identities(["log.contract.none"]) == {}
    assert world.log.low_ends([Partition("log.contract.none", 0)]) == {}


def test_records_come_whole_and_in_order(world: World) -> None:
    for value in (b"one", None, b""):
        world.write(0, value)
    world.log.assign({world.partition(): 0})
    records = world.records(3)
    assert [(record.offset, record.value) for record in records] == [(0, b"one"), (1, None), (2, b"")]
    assert {record.headers for record in records} == {HEADERS}
    assert {record.key for record in records} == {b"k"}


def test_reading_begins_where_it_is_told_to(world: World) -> None:
    for _ in range(4):
        world.write(0, b"v")
    world.log.assign({world.partition(): 2})
    assert world.offsets(2) == [2, 3]


def test_assigning_more_leaves_what_was_read_where_it_is(world: World) -> None:
    for _ in range(2):
        world.write(0, b"v")
    world.log.assign({world.partition(): 0})
    assert world.offsets(2) == [0, 1]
    world.write(0, b"v")
    world.write(1, b"v")
    world.log.assign({world.partition(): 0, world.partition(1): 0})
    assert sorted((record.partition, record.offset) for record in world.records(2)) == [(0, 2), (1, 0)]


def test_what_is_not_assigned_any_more_does_not_come(world: World) -> None:
    world.log.assign({world.partition(): 0, world.partition(1): 0})
    world.log.assign({world.partition(1): 0})
    world.write(0, b"v")
    world.write(1, b"v")
    assert [record.partition for record in world.records(1)] == [1]


def test_after_a_seek_everything_from_there_comes_again_and_nothing_else(world: World) -> None:
    for _ in range(3):
        world.write(0, b"v")
    world.log.assign({world.partition(): 0})
    assert world.offsets(3) == [0, 1, 2]
    world.log.seek({world.partition(): 1})
    assert world.offsets(2) == [1, 2]


def test_nothing_comes_while_paused_and_nothing_is_missing_after(world: World) -> None:
    world.log.assign({world.partition(): 0})
    world.log.pause()
    for _ in range(3):
        world.write(0, b"v")
    for _ in range(3):
        assert world.log.take(limit=10, limit_bytes=1_000, wait=0.1) == Taken((), frozenset())
    world.log.resume()
    assert world.offsets(3) == [0, 1, 2]


def test_a_take_is_bounded_by_number(world: World) -> None:
    for _ in range(5):
        world.write(0, b"v")
    world.log.assign({world.partition(): 0})
    taken = [world.log.take(limit=2, limit_bytes=1_000_000, wait=1.0) for _ in range(3)]
    assert max(len(each.records) for each in taken) <= 2


@pytest.mark.parametrize(("size", "limit_bytes"), [(1, 1_000), (500_000, 1_000_000)])
def test_a_take_is_bounded_by_the_memory_of_its_records(world: World, size: int, limit_bytes: int) -> None:
    """Small ones, whose headers take it, and large ones, of which many may lie ready."""
    for _ in range(12):
        world.write(0, b"v" * size)
    world.log.assign({world.partition(): 0})
    came: list[int] = []
    until = time.monotonic() + 20
    while sum(came) < 12 and time.monotonic() < until:
        came.append(len(world.log.take(limit=100, limit_bytes=limit_bytes, wait=0.5).records))
    assert sum(came) == 12
    assert max(came) <= 2


def test_a_position_that_is_gone_is_called_lost_and_can_be_left_by_a_seek(world: World) -> None:
    for _ in range(4):
        world.write(0, b"v")
    world.delete_before(world.partition(), 3)
    world.log.assign({world.partition(): 1})
    assert world.lost() == {world.partition()}
    low = world.log.low_ends([world.partition()])
    assert low == {world.partition(): 3}
    world.log.seek(low)
    assert world.offsets(1) == [3]


def test_a_position_beyond_the_end_is_called_lost(world: World) -> None:
    world.write(0, b"v")
    world.log.assign({world.partition(): 90})
    assert world.lost() == {world.partition()}


def test_the_ends_tell_how_much_waits(world: World) -> None:
    for _ in range(3):
        world.write(0, b"v")
    world.log.assign({world.partition(): 0})
    world.records(3)
    assert world.log.high_ends() == {world.partition(): 3}


def test_a_commit_harms_nothing(world: World) -> None:
    world.log.assign({world.partition(): 0})
    world.log.commit({world.partition(): 1})
    world.write(0, b"v")
    assert world.offsets(1) == [0]


def test_a_broker_that_does_not_answer_is_unreachable() -> None:
    broker = MemoryBroker(up=False)
    with pytest.raises(KafkaUnreachable):
        MemoryLog(broker).identities(["orders"])
    log = KafkaLog({"bootstrap.servers": "127.0.0.1:1"}, commits=False)
    with pytest.raises(KafkaUnreachable):
        log.identities(["orders"])
    log.close()


NOTHING = (
    lambda _n, _value: None,
    lambda _n, _commits: None,
    lambda _partition, _offset: None,
    lambda: None,
)  # what this world cannot do

WRITE_BAD_NAME = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class Name(str):
    def encode(self, *_arguments, **_named):
        return b"bad\\xff"

async def main(bootstrap, topic):
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for number in range(3):
            headers = [("a", b"0"), (Name("x"), b"%d" % number), ("a", None), ("b", b"")]
            await producer.send_and_wait(topic, b"v", headers=headers, partition=0)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.kafka
def test_a_header_name_that_is_no_text_is_kept_with_all_its_record_holds(request: pytest.FixtureRequest) -> None:
    """The client's C part raises SystemError for it; a Go service may well write one."""
    world = kafka_world(f"log.contract.{uuid4().hex[:8]}", request)
    await_topic(world)
    bootstrap = request.getfixturevalue("kafka_bootstrap")
    subprocess.run(
        [sys.executable, "-c", WRITE_BAD_NAME, bootstrap, world.topic],
        env={**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"},
        check=True,
    )
    world.write(0, b"next")
    world.log.assign({world.partition(): 0})
    *bad, good = world.records(4)
    name = b"bad\xff".decode("utf-8", "surrogateescape")
    assert [record.headers for record in bad] == [
        (("a", b"0"), (name, b"%d" % number), ("a", None), ("b", b"")) for number in range(3)
    ]
    assert (good.value, good.headers) == (b"next", HEADERS)
    world.log.close()


@pytest.mark.kafka
def test_what_is_sent_again_is_what_was_read(request: pytest.FixtureRequest) -> None:
    """Null, empty and bytes that are no text, in key, value and headers; only a name must be text, or it is refused."""
    world = kafka_world(f"log.contract.{uuid4().hex[:8]}", request)
    await_topic(world)
    publisher = KafkaPublisher({"bootstrap.servers": request.getfixturevalue("kafka_bootstrap")})
    odd: Headers = (("n", None), ("e", b""), ("n", b"\xff\x00"), ("\u00e4\U0001f600", b""))
    sent = [Outgoing(world.topic, key, value, odd, 0) for key in (None, b"", b"\xff\x00") for value in (None, b"")]
    for each in sent:
        publisher.publish(each).result(20)
    world.log.assign({world.partition(): 0})
    assert [(record.key, record.value, record.headers) for record in world.records(len(sent))] == [
        (each.key, each.value, odd) for each in sent
    ]
    bad = b"bad\xff".decode("utf-8", "surrogateescape")
    with pytest.raises(NotDelivered, match="no UTF-8"):
        publisher.publish(Outgoing(world.topic, None, b"v", ((bad, b"1"),), 0))
    publisher.close(wait_seconds=1)
    world.log.close()


@pytest.mark.kafka
def test_a_time_that_no_calendar_holds_is_none(request: pytest.FixtureRequest) -> None:
    """Kafka takes any 64 bits where a topic allows it, and older brokers always do."""
    bootstrap, topic = request.getfixturevalue("kafka_bootstrap"), f"log.contract.{uuid4().hex[:8]}"
    admin, producer = AdminClient({"bootstrap.servers": bootstrap}), Producer({"bootstrap.servers": bootstrap})
    configs = {"message.timestamp.after.max.ms": str(2**63 - 1), "message.timestamp.before.max.ms": str(2**63 - 1)}
    admin.create_topics([NewTopic(topic, 1, 1, config=configs)])[topic].result(20)
    for milliseconds in (2**62, 253_402_300_799_000, 1):
        producer.produce(topic, value=b"v", partition=0, timestamp=milliseconds)
    assert producer.flush(20) == 0
    log = KafkaLog({"bootstrap.servers": bootstrap}, commits=False)
    log.assign({Partition(topic, 0): 0})
    found = World(log, topic, *NOTHING).records(3)
    assert [record.produced_at and record.produced_at.year for record in found] == [None, 9999, 1970]
    log.close()


@pytest.mark.kafka
def test_all_questions_are_asked_by_one_client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client costs a connection, and up to three seconds until it is gone."""
    made: list[AdminClient] = []

    def counted(*given: object, **named: object) -> AdminClient:
        made.append(AdminClient(*given, **named))  # type: ignore[arg-type]  # as it was called
        return made[-1]

    monkeypatch.setattr("collector.kafka.log.AdminClient", counted)
    log = KafkaLog({"bootstrap.servers": request.getfixturevalue("kafka_bootstrap")}, commits=False)
    for _ in range(3):
        assert log.identities(["log.contract.absent"]) == {}
        assert log.ends(Partition("log.contract.absent", 0)) is None
    assert len(made) == 1
    log.close()
