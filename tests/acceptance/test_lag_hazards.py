"""Everything that makes lag lie, on a real Kafka and all at once: what the sampler stored is what really happened.

One broker, one sampler every two seconds; each hazard has a topic and a group of its own, and the broker is frozen for
half a minute in the midst of it.
"""

import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not in its stubs
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from tests.acceptance.observed_broker import EVERY_SECONDS, START_SECONDS, Observed, observed_broker

pytestmark = [pytest.mark.acceptance, pytest.mark.kafka, pytest.mark.timeout(900)]  # the first one waits for all

Row = dict[str, Any]
RATE = 50.0
STOPPED_SECONDS, FROZEN_SECONDS = 60.0, 30.0
LEAST_MEASURED = 5
BACK_SECONDS = 20.0  # two intervals on a quiet machine; a broker that was frozen takes its time on a busy one
LIBRARY_DEATHS = {-signal.SIGABRT, -signal.SIGSEGV}  # librdkafka, when an answer comes after its time-out
LATE_SECONDS = 45.0  # how long a loaded machine may take for what a quiet one does in a few
SETTINGS = {"log.retention.check.interval.ms": "1000", "log.initial.task.delay.ms": "500"}
TOPICS = ("steady", "rewound", "again", "grown", "ledger", "held", "short")
RETAINED_MS = "1500"


@dataclass
class Steady:
    """A producer at a known rate, and a consumer that can be stopped; both remember what they did."""

    bootstrap: str
    produced_at: dict[int, float] = field(default_factory=dict)
    is_stopped: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        works = (self._produce, self._consume)
        self.threads = [
            threading.Thread(target=work, daemon=True) for work in works
        ]  # a failed set-up ends all the same
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    def _produce(self) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0, "message.timeout.ms": 0})

        def told(_: Any, message: Message) -> None:
            offset = message.offset()
            assert offset is not None
            self.produced_at[offset] = time.time()

        due = time.monotonic()
        while not self.over.is_set():
            producer.poll(max(0.0, due - time.monotonic()))
            if time.monotonic() >= due:
                producer.produce("steady", b"v", on_delivery=told)
                due += 1 / RATE
        producer.flush(10)

    def _consume(self) -> None:
        client: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.bootstrap,
            "group.id": "stopper",
            "log_level": 0,
            "auto.offset.reset": "earliest",
            "auto.commit.interval.ms": 200,
        }
        consumer = Consumer(client)
        consumer.subscribe(["steady"])
        paused = False
        while not self.over.is_set():
            consumer.poll(0.05)
            if self.is_stopped.is_set() != paused:
                paused = not paused
                (consumer.pause if paused else consumer.resume)(consumer.assignment())
        consumer.close()


@dataclass(frozen=True)
class Day:
    """What the tables said, and what was true."""

    observed: Observed
    standing: dict[str, list[Row]]
    measured: list[tuple[float, float, float]]  # lag in seconds as stored, its margin, and in truth
    ends: list[tuple[float, int]]  # of the topic as stored: when it was sampled, and committed plus lag
    produced_at: dict[int, float]
    frozen: tuple[float, float]
    after: list[Row]
    back_after_seconds: float  # after the broker went on: until a scan saw it


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    with observed_broker(tmp_path_factory.mktemp("hazards"), settings=SETTINGS) as observed:
        yield lived_through(observed)


def lived_through(observed: Observed) -> Day:
    for each in observed.admin.create_topics([NewTopic(name, 1, 1) for name in TOPICS]).values():
        each.result(20)
    steady = Steady(observed.broker.bootstrap)
    steady.start()
    observed.start_sampler()
    until_seen(observed, "stopper", lambda row: row["lag_seconds"] is not None and row["lag"] < RATE)
    steady.is_stopped.set()
    stopped_at = time.time()
    holder = begin(observed)
    hurt(observed, holder)
    time.sleep(2 * EVERY_SECONDS)
    frozen = freeze(observed)
    measured: list[tuple[float, float, float]] = []
    ends: list[tuple[float, int]] = []
    late = time.time() + LATE_SECONDS
    while time.time() < stopped_at + STOPPED_SECONDS or len(measured) <= LEAST_MEASURED:
        assert time.time() < max(late, stopped_at + STOPPED_SECONDS), measured
        observed.keep_running()
        measure(observed, steady, measured, ends)
        time.sleep(EVERY_SECONDS / 4)
    for group, wanted in WANTED.items():
        until_seen(observed, group, wanted)
    standing = all_as_wanted(observed)
    steady.is_stopped.clear()
    until_seen(observed, "stopper", lambda row: row["verdict"] == "OK" and row["lag"] < RATE)
    after = rows(observed, "stopper")
    holder.abort_transaction(10)
    steady.end()
    assert observed.stop_sampler() == 0
    back_after = back_after_seconds(observed, frozen[1])
    return Day(observed, standing, measured, ends, steady.produced_at, frozen, after, back_after)


WANTED: dict[str, Callable[[Row], bool]] = {
    "stopper": lambda row: row["verdict"] == "STALLED",
    "rewinder": lambda row: row["lag"] == 90,
    "reader": lambda row: row["lag"] == 3,
    "grower": lambda row: row["n_uncommitted"] == 2,
    "booking": lambda row: row["notes"] == {"0": "markers"} and row["verdict"] == "OK",
    "waiting": lambda row: row["notes"] == {"0": "open transaction"} and row["verdict"] == "STOPPED",
    "sleeper": lambda row: row["lost"] > 0,
}


def begin(observed: Observed) -> Producer:
    """The state before: records everywhere, committed where each group shall stand. Returns who holds a transaction."""
    for topic, n in (("rewound", 100), ("again", 50), ("grown", 10), ("short", 40)):
        produce(observed, topic, n)
    for group, topic, offset in (("rewinder", "rewound", 100), ("reader", "again", 50), ("grower", "grown", 10),
                                 ("sleeper", "short", 10)):  # fmt: skip
        commit(observed, group, topic, offset)
    booker = transactional(observed, "booker")
    for keep in (True, False):
        transact(booker, "ledger", 10)
        (booker.commit_transaction if keep else booker.abort_transaction)(20)
    commit(observed, "booking", "ledger", 10)
    holder = transactional(observed, "holder")
    produce(observed, "held", 5)
    commit(observed, "waiting", "held", 5)
    return holder


def hurt(observed: Observed, holder: Producer) -> None:
    """Everything that can go wrong goes wrong, once what was before has been sampled."""
    for group in ("rewinder", "reader", "grower", "booking", "waiting", "sleeper"):
        until_seen(observed, group, lambda row: row["lag"] is not None)
    commit(observed, "rewinder", "rewound", 10)
    observed.admin.delete_topics(["again"])["again"].result(20)
    observed.until(lambda: "again" not in observed.admin.list_topics(timeout=5).topics, seconds=30)
    created_again(observed)
    observed.admin.create_partitions([NewPartitions("grown", 3)])["grown"].result(20)
    observed.until(lambda: len(observed.admin.list_topics(timeout=5).topics["grown"].partitions) == 3, seconds=30)
    for partition in (1, 2):
        produce(observed, "grown", 5, partition=partition)
    transact(holder, "held", 3)
    produce(observed, "held", 20)
    resource = ConfigResource(ResourceType.TOPIC, "short", incremental_configs=[
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in (("retention.ms", RETAINED_MS), ("segment.ms", "1000"))
    ])  # fmt: skip
    for done in observed.admin.incremental_alter_configs([resource]).values():
        done.result(20)
    produce(observed, "short", 1)  # closes the segment that holds what nobody read


def freeze(observed: Observed) -> tuple[float, float]:
    """The broker hangs for half a minute with its connections open."""
    began = time.time()
    os.kill(observed.broker_pid, signal.SIGSTOP)
    try:
        while time.time() < began + FROZEN_SECONDS:
            observed.keep_running()
            time.sleep(0.2)
    finally:
        os.kill(observed.broker_pid, signal.SIGCONT)
    return began, time.time()


def back_after_seconds(observed: Observed, thawed_at: float) -> float:
    seen = f"from scan where ok and sampled_at > to_timestamp({thawed_at})"
    return float(observed.rows(f"select extract(epoch from min(sampled_at))::float8 {seen}")[0][0]) - thawed_at


def measure(
    observed: Observed, steady: Steady, measured: list[tuple[float, float, float]], ends: list[tuple[float, int]]
) -> None:
    """Compare what is stored of the stopped group with the truth at the time of that sample."""
    (row,) = rows(observed, "stopper")
    at, position = row["sampled_at"].timestamp(), row["committed"][0]
    if row["lag_seconds"] is None or not row["lag"] or position not in steady.produced_at:
        return
    measured.append((row["lag_seconds"], row["lag_seconds_margin"], at - steady.produced_at[position]))
    ends.append((at, position + row["lag"]))


def rows(observed: Observed, group: str) -> list[Row]:
    names = ("sampled_at", "committed", "lag", "lost", "n_uncommitted", "lag_seconds", "lag_seconds_margin", "verdict",
             "n_judged", "notes", "topic_id")  # fmt: skip
    found = observed.rows(
        f"select {', '.join(f'n.{name}' for name in names)} from group_now n join consumer_group g on g.id = n.group_id"
        f" where g.name = '{group}'"
    )
    return [dict(zip(names, row, strict=True)) for row in found]


def until_seen(observed: Observed, group: str, wanted: Callable[[Row], bool]) -> None:
    """Wait until the group is stored as `wanted`; says how it stands otherwise."""
    end = time.monotonic() + LATE_SECONDS
    while not any(wanted(row) for row in rows(observed, group)):
        assert time.monotonic() < end, (group, rows(observed, group))
        if observed.keep_running():
            end += LATE_SECONDS
        time.sleep(0.2)


def all_as_wanted(observed: Observed) -> dict[str, list[Row]]:
    """How all groups stand once they do at the same time: a sampler that was started again looks anew."""
    end = time.monotonic() + LATE_SECONDS
    while True:
        standing = {group: rows(observed, group) for group in WANTED}
        if all(any(map(wanted, standing[group])) for group, wanted in WANTED.items()):
            return standing
        assert time.monotonic() < end, standing
        if observed.keep_running():
            end += LATE_SECONDS
        time.sleep(0.2)


def marks(observed: Observed, topic: str) -> dict[int, tuple[str, str]]:
    found = observed.rows(
        "select m.kind, m.before, m.after from change_mark m join topic t on t.id = m.topic_id"
        f" where t.name = '{topic}' and m.kind <> 4"
    )
    return {kind: (before, after) for kind, before, after in found}


def test_a_stopped_consumer_stalls_and_its_lag_in_seconds_is_true_within_one_interval(day: Day) -> None:
    (row,) = day.standing["stopper"]
    assert (row["verdict"], row["n_judged"]) == ("STALLED", 1)
    assert len(day.measured) > LEAST_MEASURED
    assert all(abs(stored - true) <= max(EVERY_SECONDS, margin) for stored, margin, true in day.measured)
    assert statistics.median(margin for _, margin, _ in day.measured) <= EVERY_SECONDS
    assert max(true for _, _, true in day.measured) > STOPPED_SECONDS - 5 * EVERY_SECONDS
    (after,) = day.after
    assert after["verdict"] == "OK"


def test_its_lag_in_offsets_is_what_was_written_since(day: Day) -> None:
    """Within one interval. By time, not by number: what waited for the frozen broker is written in one go."""
    assert len(day.ends) > LEAST_MEASURED
    for at, end in day.ends:
        assert day.produced_at[end - 1] <= at + EVERY_SECONDS
        assert day.produced_at[end] >= at - EVERY_SECONDS


def test_while_the_broker_was_frozen_nothing_was_stored_but_that_nothing_was_seen(day: Day) -> None:
    began, ended = day.frozen
    between = f"sampled_at between to_timestamp({began + 1}) and to_timestamp({ended - 1})"
    seen = day.observed.rows(
        f"select count(*) filter (where ok), count(*) filter (where not ok) from scan where {between}"
    )
    assert seen[0][0] == 0
    assert seen[0][1] > 0
    for table in ("topic_sample", "group_sample"):
        assert day.observed.rows(f"select count(*) from {table} where {between}") == [(0,)]
    n_starts = len(day.observed.exits)  # each has its own time
    assert day.back_after_seconds < BACK_SECONDS + n_starts * START_SECONDS
    assert set(day.observed.exits) <= LIBRARY_DEATHS


def test_no_end_and_no_commit_ever_went_back_but_where_somebody_took_it_back(day: Day) -> None:
    fell = (
        "select distinct t.name from (select topic_id, {key} number, {value} after, lag({value}) over"
        " (partition by topic_id, {key} order by sampled_at) before from {table}) s join topic t on t.id = s.topic_id"
        " where exists (select from unnest(s.before, s.after) u (b, a) where a < b)"
    )
    assert day.observed.rows(fell.format(key="0", value="high", table="topic_sample")) == []
    assert day.observed.rows(fell.format(key="0", value="low", table="topic_sample")) == []
    assert day.observed.rows(fell.format(key="group_id", value="committed", table="group_sample")) == [("rewound",)]
    assert day.observed.rows("select count(*) from group_now where lag < 0 or lag_seconds < 0 or lost < 0") == [(0,)]


def test_a_rewound_group_has_its_lag_and_a_mark(day: Day) -> None:
    assert [row["lag"] for row in day.standing["rewinder"]] == [90]
    assert marks(day.observed, "rewound") == {5: ('{"0": 100}', '{"0": 10}')}


def test_a_topic_that_was_created_again_is_another_one(day: Day) -> None:
    known = day.observed.rows("select id, deleted_at is null from topic where name = 'again' order by id")
    assert [living for _, living in known] == [False, True]
    assert list(marks(day.observed, "again")) == [2]
    assert [(row["topic_id"], row["lag"]) for row in day.standing["reader"]] == [(known[1][0], 3)]


def test_new_partitions_have_no_commit_and_so_no_lag_of_0(day: Day) -> None:
    assert marks(day.observed, "grown") == {3: ("1", "3")}
    assert [(row["n_uncommitted"], row["committed"]) for row in day.standing["grower"]] == [(2, [10, None, None])]


def test_aborted_records_and_markers_are_offsets_and_nothing_to_read(day: Day) -> None:
    (row,) = day.standing["booking"]
    assert (row["lag"], row["lag_seconds"], row["verdict"]) == (12, 0, "OK")  # a marker, ten aborted, their marker


def test_an_open_transaction_holds_up_who_waits_behind_it(day: Day) -> None:
    (row,) = day.standing["waiting"]
    assert (row["lag"], row["verdict"]) == (23, "STOPPED")


def test_what_retention_took_unread_is_lost_and_no_lag(day: Day) -> None:
    (row,) = day.standing["sleeper"]
    assert row["lag"] + row["lost"] <= 31
    assert row["lost"] >= 30
    assert 7 in marks(day.observed, "short")


def produce(observed: Observed, topic: str, n: int, *, partition: int = 0) -> None:
    refused: list[KafkaError] = []

    def told(error: KafkaError | None, _message: Message) -> None:
        refused.extend([error] if error else [])

    producer = Producer({"bootstrap.servers": observed.broker.bootstrap, "log_level": 0})
    for _ in range(n):
        producer.produce(topic, b"v", partition=partition, on_delivery=told)
    assert producer.flush(20) == 0
    assert refused == []


def transactional(observed: Observed, name: str) -> Producer:
    made = Producer({"bootstrap.servers": observed.broker.bootstrap, "log_level": 0, "transactional.id": name,
                     "transaction.timeout.ms": 600_000})  # fmt: skip
    made.init_transactions(30)
    return made


def transact(producer: Producer, topic: str, n: int) -> None:
    producer.begin_transaction()
    for _ in range(n):
        producer.produce(topic, b"v", partition=0)
    assert producer.flush(20) == 0


def commit(observed: Observed, group: str, topic: str, offset: int) -> None:
    """As a tool would; the first group of a broker makes the topic of all offsets: until then nobody coordinates."""
    places = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, offset)])]

    def is_committed() -> bool:
        try:
            found = observed.admin.alter_consumer_group_offsets(places)[group].result(10)
        except KafkaException:
            return False
        return found.topic_partitions[0].error is None

    observed.until(is_committed, seconds=LATE_SECONDS)


def created_again(observed: Observed) -> None:
    """The name is free a moment after the topic is gone."""

    def is_created() -> bool:
        try:
            observed.admin.create_topics([NewTopic("again", 1, 1)])["again"].result(10)
        except KafkaException:
            return False
        return True

    observed.until(is_created, seconds=LATE_SECONDS)
    produce(observed, "again", 60)  # more than there were: only the id tells
    commit(observed, "reader", "again", 57)
