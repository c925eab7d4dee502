"""A collector's threads: they share the partitions, get over a lost database, and stop when told to."""

import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from django.db import DatabaseError, OperationalError, connection

from collector.domain.records import Record
from collector.intake.collecting import Collector
from collector.intake.native import compiled_taps
from collector.intake.room import Room
from collector.intake.saving import Aside, AtOnce
from collector.intake.sources import NamedTopics, Source, TappedTopics
from collector.intake.spool import SpoolReading
from collector.intake.taking import Intake
from collector.intake.taps import TapReading, TapRules
from collector.intake.working import Ended, Limits, Worker
from collector.kafka.memory import MemoryLog
from collector.ports import Identity, KafkaUnreachable, Taken
from collector.store import broker_names, budget, members
from collector.store.clusters import UNKNOWN
from collector.store.positions import InputKind, input_row
from collector.store.saving import Store
from tests.integration.intake_world import NOW, SPOOL, World, rows, sends, stored_ids

pytestmark = pytest.mark.usefixtures("clean_tables")

N_PARTITIONS = 16  # so many that two of a random share both have some
Start = Callable[..., Collector]


class Usage(NamedTuple):
    """As shutil.disk_usage answers."""

    total: int
    used: int
    free: int


@pytest.fixture
def world(clean_tables: None) -> World:
    """A spool of eight partitions."""
    return World(n_partitions=N_PARTITIONS)


@pytest.fixture
def start(world: World) -> Iterator[Start]:
    """Starts one more collector."""
    started: list[Collector] = []

    def made(lack: Callable[[], str | None] = lambda: None) -> Collector:
        with connection.cursor() as cursor:
            cluster_id = broker_names.cluster_row(cursor, "local")
        taps_id = input_row(InputKind.TAP, cluster_id=cluster_id, topic_name="*")
        rules = TapRules(("*",), (), ())
        taps = TapReading(rules, {}, compiled_taps())
        spool_log, tap_log = MemoryLog(world.broker), MemoryLog(world.broker)
        spool_worker = Worker(
            "spool",
            lambda: Intake(spool_log, Aside(Store(), name="spool"), SpoolReading(), world.input_id, world.clock),
            limits=Limits(10, 1_000_000),
        )
        taps_worker = Worker(
            "taps",
            lambda: Intake(tap_log, Aside(Store(), name="taps"), taps, taps_id, world.clock),
            limits=Limits(10, 1_000_000),
        )
        sources = [
            Source(world.input_id, spool_worker, NamedTopics(lambda: spool_log, [SPOOL])),
            Source(taps_id, taps_worker, TappedTopics(cluster_id, rules, taps.know)),
        ]
        collector = Collector(sources, now=world.clock, lack=lack)
        collector.start()
        collector.step()
        started.append(collector)
        return collector

    yield made
    for each in started:
        each.stop()


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_two_collectors_store_everything_once_and_when_one_stops_the_other_takes_over(
    world: World, start: Start
) -> None:
    one, other = start(), start()
    one.step()
    assert (one.n_members, other.n_members) == (2, 2)
    wait_until(lambda: all(each._wanted is None for each in (*one.workers, *other.workers)))
    for number in range(1, 41):
        world.send(sends(number), partition=number % N_PARTITIONS)
    wait_until(lambda: len(stored_ids()) == 40)
    saved: Counter[str] = Counter()

    def both_saved() -> bool:
        for name, worker in (("one", one.workers[0]), ("other", other.workers[0])):
            saved[name] += worker.taken_counts()["n_spans"]
        return len(+saved) == 2

    wait_until(both_saved)
    other.stop()
    one.step()
    assert one.n_members == 1
    for number in range(41, 81):
        world.send(sends(number), partition=number % N_PARTITIONS)
    wait_until(lambda: len(stored_ids()) == 80)
    assert stored_ids() == list(range(1, 81))


def test_the_share_of_a_dead_process_on_this_host_is_free_at_once(start: Start) -> None:
    members.beat(uuid4(), host=socket.gethostname(), pid=2**22 + 7)
    assert start().n_members == 1


def test_without_room_nothing_is_stored_and_with_room_everything_is(world: World, start: Start) -> None:
    said: list[str | None] = ["The disk is nearly full."]
    collector = start(lambda: said[0])
    for number in range(1, 11):
        world.send(sends(number), partition=number % N_PARTITIONS)
    wait_until(lambda: collector.trouble == "spool, taps: The disk is nearly full.")
    assert stored_ids() == []
    said[0] = None
    collector.step()
    wait_until(lambda: len(stored_ids()) == 10)
    wait_until(lambda: collector.trouble is None)


def test_a_disk_that_is_nearly_full_and_a_budget_that_cannot_be_kept_leave_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [50_000_000_000]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100_000_000_000, 0, free[0]))
    room = Room(tmp_path)
    assert room.lack() is None
    free[0] = 9_000_000_000
    assert "has 9.0 GB left" in str(room.lack())
    free[0] = 10_500_000_000  # only just enough again: it would begin and end by turns
    assert room.lack() is not None
    free[0] = 12_000_000_000
    assert room.lack() is None
    for used, is_short in ((1_200, False), (1_300, True)):
        budget.note_check(budget.Usage(used, 0), budget_bytes=1_000, problem="Raise it.", now=NOW)
        assert (Room(None).lack() is not None) is is_short
    budget.note_check(budget.Usage(1_300, 0), budget_bytes=1_000, problem="", now=NOW)
    assert Room(None).lack() is None


def test_killed_connections_are_got_over_without_loss(world: World, start: Start) -> None:
    collector = start()
    for number in range(1, 31):
        world.send(sends(number), partition=number % N_PARTITIONS)
        if number % 10 == 0:
            rows(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
            time.sleep(0.1)
    wait_until(lambda: len(stored_ids()) == 30)
    wait_until(lambda: collector.trouble is None)
    assert stored_ids() == list(range(1, 31))
    collector.step()


def test_a_topic_is_tapped_once_the_broker_has_confirmed_it(world: World, start: Start) -> None:
    collector = start()
    identity = world.broker.create("orders.created", n_partitions=2)
    world.broker.append(Record("orders.created", 1, 0, NOW, 1, b"o-1", b"{}", ()))
    with connection.cursor() as cursor:
        cluster_id = broker_names.cluster_row(cursor, "local")
        cursor.execute(
            "insert into topic (cluster_id, name, kafka_id, n_partitions) values (%s, 'orders.created', %s, 2),"
            " (%s, 'from.spans.only', null, null)",
            [cluster_id, identity.kafka_id, cluster_id],
        )
    collector.step()
    wait_until(lambda: rows("select count(*)::int from record") == [(1,)])
    assert rows(
        "select t.name, r.kafka_partition, r.kafka_offset, k.value from record r join topic t on t.id = r.topic_id"
        " join record_key k using (topic_id, kafka_partition, kafka_offset)"
    ) == [("orders.created", 1, 0, "o-1")]
    assert rows("select count(*)::int from record_body") == [(0,)]


class Hung(MemoryLog):
    """A broker that takes every question and answers none."""

    def __init__(self, world: World) -> None:
        super().__init__(world.broker)
        self.asked, self.let_go = threading.Event(), threading.Event()

    def identities(self, topics: Collection[str]) -> Mapping[str, Identity]:  # noqa: ARG002
        self.asked.set()
        self.let_go.wait(60)
        raise KafkaUnreachable("no answer")


def test_a_broker_that_hangs_keeps_no_other_input_waiting(world: World, start: Start) -> None:
    """Neither the housekeeping, by whose heartbeat the others share, nor what is read of another cluster."""
    hung, number = Hung(world), input_row(InputKind.OTLP_TOPIC, cluster_id=UNKNOWN, topic_name="*")
    worker = Worker(
        "otlp of west",
        lambda: Intake(hung, AtOnce(Store()), SpoolReading(), number, world.clock),
        limits=Limits(10, 1_000_000),
    )
    spool_log = MemoryLog(world.broker)
    spool = Worker(
        "spool",
        lambda: Intake(spool_log, AtOnce(Store()), SpoolReading(), world.input_id, world.clock),
        limits=Limits(10, 1_000_000),
    )
    sources = [
        Source(number, worker, NamedTopics(lambda: hung, ["otlp_spans"]), is_needed=False),
        Source(world.input_id, spool, NamedTopics(lambda: spool_log, [SPOOL])),
    ]
    collector = Collector(sources, now=world.clock)
    try:
        collector.start()
        assert hung.asked.wait(30)
        world.send(sends(1))
        collector.step()
        wait_until(lambda: stored_ids() == [1])
        collector.step()
        assert not hung.let_go.is_set()
        wait_until(lambda: collector.is_ready)
        assert len(members.live()) == 1
        hung.let_go.set()
        wait_until(lambda: collector.trouble == "otlp of west: no answer")
    finally:
        hung.let_go.set()
        collector.stop()


class Broken(MemoryLog):
    """A fault of ours that looks like the database's, where nobody expects one."""

    def take(self, *, limit: int, limit_bytes: int, wait: float) -> Taken:  # noqa: ARG002
        raise OperationalError("from nowhere")


def test_a_worker_that_ended_by_itself_ends_its_process(world: World) -> None:
    """Whatever ended it: a living process whose reader is dead would look well and store nothing."""
    worker = Worker(
        "spool",
        lambda: Intake(Broken(world.broker), AtOnce(Store()), SpoolReading(), world.input_id, world.clock),
        limits=Limits(10, 1_000_000),
    )
    worker.start()
    worker.want(world.places())
    wait_until(lambda: worker.failure is not None)
    assert isinstance(worker.failure, Ended)
    assert not isinstance(worker.failure, DatabaseError)
    worker.join(5)


def test_stopping_is_quick_and_frees_the_share(start: Start) -> None:
    collector = start()
    wait_until(lambda: collector.is_ready)
    names = {worker.name for worker in collector.workers}
    assert names & {thread.name for thread in threading.enumerate()}
    collector.stop()
    assert not names & {thread.name for thread in threading.enumerate()}, "none was waited for in vain"
    assert members.live() == []
