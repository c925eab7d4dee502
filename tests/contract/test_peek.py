"""Every Peek keeps the same promises: the twin in memory always, real Kafka where it runs."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from collector.domain.lookups import MOST_BYTES, Match, Question, Why
from collector.domain.records import Record
from collector.kafka.memory import MemoryBroker
from collector.kafka.memory_peek import MemoryPeek
from collector.kafka.peek import KafkaPeek
from collector.lookups.reading import Found, NoSuchTopic, read
from collector.lookups.sifting import LookRules, Sieve
from collector.ports import KafkaUnreachable, Partition, Peek

AT = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = 20


@dataclass(frozen=True)
class World:
    """A peek, a topic with three partitions, and what happens on its broker."""

    peek: Peek
    topic: str
    write: Callable[[int, bytes | None, datetime], None]
    delete_before: Callable[[int, int], None]

    def everything(self, positions: Mapping[int, int]) -> list[tuple[int, int]]:
        """Begin there, take until each partition has told its end."""
        self.peek.begin(self.topic, positions)
        places, waiting, until = list[tuple[int, int]](), set(positions), time.monotonic() + SECONDS
        while waiting:
            assert time.monotonic() < until
            taken = self.peek.take(0.2)
            places += [(record.partition, record.offset) for record in taken.records]
            waiting -= {place.number for place in (*taken.ends, *taken.lost)}
        return places


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    topic = f"peek-{uuid4().hex[:8]}"
    made = _memory(topic) if request.param == "memory" else _real(request.getfixturevalue("kafka_bootstrap"), topic)
    for number, value in ((0, b"a"), (0, None), (1, b"c"), (0, b"d")):
        made.write(number, value, AT + timedelta(minutes=ord(value or b"b")))
    yield made
    made.peek.close()


def _memory(topic: str) -> World:
    broker = MemoryBroker()
    broker.create(topic, n_partitions=3)

    def write(number: int, value: bytes | None, at: datetime) -> None:
        broker.append(Record(topic, number, 0, at, 1, b"k", value, (("h", None),)))

    def delete_before(number: int, offset: int) -> None:
        broker.delete_before(Partition(topic, number), offset)

    return World(MemoryPeek(broker), topic, write, delete_before)


def _real(bootstrap: str, topic: str) -> World:
    producer = Producer({"bootstrap.servers": bootstrap})
    _create(bootstrap, topic, 3)

    def write(number: int, value: bytes | None, at: datetime) -> None:
        milliseconds = int(at.timestamp() * 1_000)
        producer.produce(topic, key=b"k", value=value, partition=number, headers=[("h", None)], timestamp=milliseconds)
        producer.flush(SECONDS)

    def delete_before(number: int, offset: int) -> None:
        admin = AdminClient({"bootstrap.servers": bootstrap})
        for future in admin.delete_records([TopicPartition(topic, number, offset)]).values():
            future.result(timeout=SECONDS)

    return World(KafkaPeek({"bootstrap.servers": bootstrap}), topic, write, delete_before)


def _create(bootstrap: str, topic: str, n_partitions: int, **config: str) -> None:
    """Make a topic and wait until its partitions can be asked for: the broker hears of it from the controller."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    settings = {name.replace("_", "."): value for name, value in config.items()}
    for future in admin.create_topics([NewTopic(topic, n_partitions, 1, config=settings)]).values():
        future.result(timeout=SECONDS)
    until = time.monotonic() + SECONDS
    while _ends(bootstrap, topic) != dict.fromkeys(range(n_partitions), (0, 0)):
        assert time.monotonic() < until


def _ends(bootstrap: str, topic: str) -> Mapping[int, tuple[int, int]]:
    """Offsets of both ends of each partition; none while it is not known or has no leader."""
    peek = KafkaPeek({"bootstrap.servers": bootstrap})
    try:
        return peek.ends(topic, list(peek.partitions(topic)))
    except (NoSuchTopic, KafkaUnreachable):
        return {}
    finally:
        peek.close()


def test_partitions_and_both_ends_of_those_asked_for_are_told(world: World) -> None:
    assert list(world.peek.partitions(world.topic)) == [0, 1, 2]
    assert world.peek.ends(world.topic, [0, 1, 2]) == {0: (0, 3), 1: (0, 1), 2: (0, 0)}
    assert world.peek.ends(world.topic, [1]) == {1: (0, 1)}


def test_a_topic_that_does_not_exist_has_no_partitions_and_is_not_made_by_asking(world: World) -> None:
    for _ in range(2):
        assert list(world.peek.partitions(f"{world.topic}-absent")) == []


def test_the_first_record_since_a_moment_is_told_of_each_partition_that_has_one(world: World) -> None:
    numbers = [0, 1, 2]
    assert world.peek.since(world.topic, numbers, AT) == {0: 0, 1: 0, 2: None}
    assert world.peek.since(world.topic, numbers, AT + timedelta(minutes=ord("c"))) == {0: 2, 1: 0, 2: None}
    assert world.peek.since(world.topic, numbers, AT + timedelta(days=9)) == dict.fromkeys(numbers)


def test_partitions_are_read_from_their_positions_to_their_ends(world: World) -> None:
    assert sorted(world.everything({0: 1, 1: 0, 2: 0})) == [(0, 1), (0, 2), (1, 0)]
    assert sorted(world.everything({0: 0})) == [(0, 0), (0, 1), (0, 2)], "anew, and nothing of the others"


def test_what_is_left_brings_nothing_more(world: World) -> None:
    world.peek.begin(world.topic, {0: 0, 1: 0})
    world.peek.leave([0])
    until, found = time.monotonic() + SECONDS, list[int]()
    while not found:
        assert time.monotonic() < until
        found += [record.partition for record in world.peek.take(0.2).records]
    assert set(found) == {1}


def test_a_position_that_is_deleted_is_told_as_lost(world: World) -> None:
    world.delete_before(0, 2)
    assert world.peek.ends(world.topic, [0]) == {0: (2, 3)}
    world.peek.begin(world.topic, {0: 0})
    until, lost = time.monotonic() + SECONDS, frozenset[Partition]()
    while not lost:
        assert time.monotonic() < until
        lost = world.peek.take(0.2).lost
    assert lost == {Partition(world.topic, 0)}


# What only a real broker does ---------------------------------------------------------------------------------------


@pytest.fixture
def bootstrap(kafka_bootstrap: str) -> str:
    return kafka_bootstrap


def look(bootstrap: str, topic: str, question: Question) -> Found:
    peek = KafkaPeek({"bootstrap.servers": bootstrap})
    try:
        sieve = Sieve(question, LookRules(), topic=topic, holds_letters=False)
        return read(question, topic, peek, sieve, clock=time.monotonic)
    finally:
        peek.close()


def places(matches: list[Match]) -> list[tuple[int, int]]:
    return [(match.record.partition, match.record.offset) for match in matches]


def produced(bootstrap: str, topic: str, values: Mapping[int, list[bytes]], **settings: str | int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 4_000_000, **settings})
    for number, each in values.items():
        for value in each:
            producer.produce(topic, key=b"k", value=value, partition=number)
    assert producer.flush(SECONDS) == 0


@pytest.mark.kafka
def test_all_partitions_are_read_about_as_far_within_a_megabyte_and_going_on_reads_the_rest(bootstrap: str) -> None:
    topic = f"peek-{uuid4().hex[:8]}"
    _create(bootstrap, topic, 4)
    produced(bootstrap, topic, {number: [b"x" * 10_000] * 60 for number in range(4)})
    began = time.monotonic()
    first = look(bootstrap, topic, Question("forward", words="not there"))
    assert time.monotonic() - began < 6
    assert MOST_BYTES * 0.9 < first.n_read_bytes <= MOST_BYTES
    assert {each.why for each in first.courses} == {Why.BYTES}
    covered = [each.end - each.begin for each in first.courses]
    assert max(covered) - min(covered) <= 2, covered
    on = look(bootstrap, topic, Question("forward", positions={each.number: each.end for each in first.courses}))
    assert len(on.matches) == on.n_read == MOST_BYTES // 10_001
    newest = look(bootstrap, topic, Question())
    assert newest.n_read_bytes <= MOST_BYTES
    assert all(each.end == 60 and each.why in {Why.BYTES, Why.MATCHES} for each in newest.courses)


@pytest.mark.kafka
def test_aborted_records_are_not_told_and_markers_are_gone_through_in_both_directions(bootstrap: str) -> None:
    topic = f"peek-{uuid4().hex[:8]}"
    _create(bootstrap, topic, 1)
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": topic})
    producer.init_transactions(SECONDS)
    for n, ends_well in enumerate((True, False, True, False)):
        producer.begin_transaction()
        for _ in range(3):
            producer.produce(topic, value=b"%d" % n, partition=0)
        producer.flush(SECONDS)
        producer.commit_transaction(SECONDS) if ends_well else producer.abort_transaction(SECONDS)
    until = time.monotonic() + SECONDS
    while _ends(bootstrap, topic) != {0: (0, 16)}:  # the last marker is written a moment after the answer
        assert time.monotonic() < until
    told = [(0, offset) for offset in (0, 1, 2, 8, 9, 10)]
    newest = look(bootstrap, topic, Question())
    assert (sorted(places(newest.matches)), newest.courses[0].why) == (told, Why.BEGINNING)
    forward = look(bootstrap, topic, Question("forward"))
    assert (places(forward.matches), forward.courses[0].why, forward.courses[0].end) == (told, Why.END, 16)
    producer.begin_transaction()
    producer.produce(topic, value=b"open", partition=0)
    producer.flush(SECONDS)
    waiting = look(bootstrap, topic, Question())
    assert (sorted(places(waiting.matches)), waiting.courses[0].high) == (told, 16), "an open one is beyond the end"
    producer.abort_transaction(SECONDS)


@pytest.mark.kafka
def test_a_compacted_topic_is_read_over_its_gaps(bootstrap: str) -> None:
    topic = f"peek-{uuid4().hex[:8]}"
    _create(
        bootstrap, topic, 1, cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.01",
        delete_retention_ms="100",
    )  # fmt: skip
    produced(bootstrap, topic, {0: [b"%d" % n for n in range(300)]})
    until = time.monotonic() + 60
    while True:  # the cleaner has its own time; each record closes a segment
        produced(bootstrap, topic, {0: [b"later"]})
        forward = look(bootstrap, topic, Question("forward"))
        if forward.n_read < 100:
            break
        assert time.monotonic() < until
        time.sleep(0.5)
    assert forward.courses[0].why is Why.END
    newest = look(bootstrap, topic, Question())
    assert newest.courses[0].why is Why.BEGINNING
    assert sorted(places(newest.matches)) == sorted(places(forward.matches))


@pytest.mark.kafka
def test_a_record_larger_than_all_that_may_be_read_is_told_cut(bootstrap: str) -> None:
    topic = f"peek-{uuid4().hex[:8]}"
    _create(bootstrap, topic, 1, max_message_bytes="4000000")
    produced(bootstrap, topic, {0: [b"small", b"y" * 3_000_000, b"small"]})
    found = look(bootstrap, topic, Question("forward", positions={0: 1}))
    (match,) = found.matches
    assert (match.record.offset, match.is_cut, match.n_value_bytes) == (1, True, 3_000_000)
    assert found.courses[0].why is Why.BYTES


def is_gone(bootstrap: str, topic: str) -> bool:
    """Whether a look says that there is no such topic."""
    try:
        look(bootstrap, topic, Question())
    except NoSuchTopic:
        return True
    return False


@pytest.mark.kafka
def test_of_an_empty_topic_a_deleted_one_and_a_broker_that_is_away_it_is_said(bootstrap: str) -> None:
    topic = f"peek-{uuid4().hex[:8]}"
    _create(bootstrap, topic, 2)
    empty = look(bootstrap, topic, Question())
    assert (empty.matches, {each.why for each in empty.courses}) == ([], {Why.BEGINNING})
    admin, until = AdminClient({"bootstrap.servers": bootstrap}), time.monotonic() + SECONDS
    for future in admin.delete_topics([topic]).values():
        future.result(timeout=SECONDS)
    while not is_gone(bootstrap, topic):
        assert time.monotonic() < until
    with pytest.raises(KafkaUnreachable):
        look("127.0.0.1:1", topic, Question())
