"""Kafka -> store, once: whatever happens between the two."""

import hashlib
import random
import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg
import pytest
from django.db import connection, connections
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector.domain.records import Record
from collector.intake.saving import AtOnce
from collector.intake.spool import SpoolReading
from collector.intake.taking import Intake
from collector.kafka.memory import MemoryBroker, MemoryLog
from collector.ports import Partition, Taken
from collector.store import saving
from collector.store.connection import StoreAway, reaching
from collector.store.positions import Place
from collector.store.saving import Store
from dashboard.queries.health import health
from tests.integration.intake_world import NOW, SPOOL, World, rows, sends, stored_ids

T = TypeVar("T")
N_SPANS = 240
BACKENDS = "select pid from pg_stat_activity where datname = current_database() and backend_type = 'client backend'"

pytestmark = pytest.mark.usefixtures("clean_tables")


def test_a_batch_is_stored_with_its_position_and_its_ledger_row() -> None:
    world = World()
    world.send(sends(1, 2))
    world.send(sends(3, topic="payments.captured"))
    (saved,) = world.take(world.collector())
    assert stored_ids() == [1, 2, 3]
    assert rows("select next_offset from intake_position") == [(2,)]
    assert rows("select stored_at, n_spans, n_links, n_repeated, folded from batch") == [
        (saved.stored_at, 3, 0, 0, False)
    ]
    assert rows("select distinct stored_at from span") == [(saved.stored_at,)]
    assert rows(
        "select s.name, t.name, sum(n_messages)::int from span join edge e on e.id = edge_id"
        " join service s on s.id = e.service_id join topic t on t.id = e.topic_id group by 1, 2 order by 2"
    ) == [("orders-svc", "orders.created", 2), ("orders-svc", "payments.captured", 1)]


def test_what_sampled_spans_stand_for_is_stored_with_their_batch() -> None:
    world = World()
    message = TracesData.FromString(sends(1, 2, 3))
    for span in message.resource_spans[0].scope_spans[0].spans[:2]:
        span.trace_state = "ot=th:c"
    world.send(message.SerializeToString())
    (saved,) = world.take(world.collector())
    assert rows("select stored_at, bucket_at, more from batch_weight") == [(saved.stored_at, NOW, 6.0)]


def test_a_collector_that_died_is_followed_by_one_that_goes_on_where_it_was() -> None:
    world = World()
    world.send(sends(1))
    world.take(world.collector())
    world.send(sends(2))
    world.take(world.collector())
    assert stored_ids() == [1, 2]


def test_of_two_owners_of_one_partition_the_second_stores_nothing_and_goes_on_behind_the_first() -> None:
    world = World()
    world.send(sends(1))
    one, other = world.collector(), world.collector()
    world.take(one)
    assert world.take(other) == []
    world.send(sends(2))
    world.take(other)
    assert stored_ids() == [1, 2]


def test_the_same_request_again_is_skipped_and_counted() -> None:
    world = World()
    body = sends(1, 2)
    world.send(body)
    world.send(body)
    collector = world.collector()
    world.take(collector)
    world.send(body)
    world.take(collector)
    assert stored_ids() == [1, 2]
    assert rows("select n_spans, n_repeated from batch order by stored_at") == [(2, 2), (0, 2)]


def test_a_request_is_told_by_its_digest_in_whatever_partition_and_from_whichever_receiver() -> None:
    world = World(n_partitions=2)
    body = sends(1, 2)
    world.send(body)
    world.send(body, partition=1)
    digest = hashlib.blake2b(body, digest_size=16).digest()
    before = Record(SPOOL, 1, 0, world.clock(), 1, digest, body, (("source", b"open"), ("part", b"0/1")))
    world.broker.append(before)  # as a receiver of the version before writes it
    world.take(world.collector())
    assert stored_ids() == [1, 2]
    assert rows("select sum(n_spans)::int, sum(n_repeated)::int from batch") == [(2, 4)]


def test_parts_of_one_request_are_told_apart_and_repeats_of_each_are_skipped() -> None:
    world = World()
    key = b"k" * 16
    for part, body in ((b"0/2", sends(1)), (b"1/2", sends(2)), (b"0/2", sends(1))):
        world.send(body, key=key, part=part)
    world.take(world.collector())
    assert stored_ids() == [1, 2]


@pytest.mark.parametrize("garbage", [b"", b"\x00", b"\xff" * 50, b"{}", b"\x0a\xff\xff\xff\xff\x0f"])
def test_garbage_becomes_a_row_and_what_follows_is_stored(garbage: bytes) -> None:
    world = World()
    world.send(garbage, key=b"g" * 16)
    world.send(sends(1))
    world.take(world.collector())
    assert stored_ids() == [1]
    found = rows("select kafka_offset, n_bytes, first_bytes from undecodable")
    assert found == ([] if garbage == b"" else [(0, len(garbage), garbage[:256])])


def test_all_that_cannot_be_decoded_is_counted_and_a_part_of_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "UNDECODABLE_PER_MINUTE", 2)
    world = World()
    for number in range(5):
        world.send(b"\xff" * 9, key=bytes([number]) * 16)
    world.take(world.collector())
    assert rows("select count(*)::int from undecodable") == [(2,)]
    assert health(now=world.clock()).n_undecodable_hour == 5


def test_what_only_the_database_refuses_is_found_by_halves() -> None:
    """A check added behind the collector's back stands for whatever a release of Postgres may refuse."""
    world = World()
    for number in range(1, 8):
        world.send(sends(number))
    world.broker.mark(Partition(SPOOL, 0))
    with connection.cursor() as cursor:
        cursor.execute("alter table span add constraint no_five check (span_id <> 5) not valid")
    try:
        world.take(world.collector())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("alter table span drop constraint no_five")
    assert stored_ids() == [1, 2, 3, 4, 6, 7]
    assert rows("select kafka_offset, reason from undecodable") == [(4, "cannot be stored (IntegrityError)")]
    assert rows("select sum(n_undecodable)::int from batch") == [(1,)]
    assert rows("select next_offset from intake_position") == [(8,)]


def test_records_that_retention_took_are_a_gap_that_is_shown() -> None:
    world = World()
    world.send(sends(1))
    collector = world.collector()
    world.take(collector)
    for number in (2, 3, 4):
        world.send(sends(number))
    world.broker.delete_before(Partition(SPOOL, 0), 3)
    world.take(collector)
    world.take(collector)
    assert stored_ids() == [1, 4]
    assert rows("select expected_offset, resumed_offset from intake_gap") == [(1, 3)]
    assert rows("select next_offset from intake_position") == [(4,)]


def test_a_broker_that_lost_its_newest_records_makes_nothing_count_twice() -> None:
    """A crash of its machine takes what was not on disk; what is written then has offsets that were stored before."""
    world = World()
    collector = world.collector()
    for number in (1, 2, 3):
        world.send(sends(number))
    world.take(collector)
    world.clock.advance(hours=2)
    for number in (4, 5):
        world.send(sends(number))
    world.take(collector)
    rows("delete from seen_request returning digest")  # as retention does after an hour
    world.clock.advance(minutes=5)
    world.broker.lose_after(Partition(SPOOL, 0), 3)
    world.send(sends(6))
    world.take(collector)
    world.take(collector)
    assert stored_ids() == [1, 2, 3, 4, 5, 6]
    assert rows("select expected_offset, resumed_offset from intake_gap") == [(5, 3)]
    assert rows("select next_offset from intake_position") == [(4,)]


def test_markers_of_transactions_are_read_over_and_make_no_gap_when_retention_takes_them() -> None:
    world = World()
    collector = world.collector()
    at = Partition(SPOOL, 0)
    world.send(sends(1))
    world.broker.mark(at)
    world.take(collector)
    assert (stored_ids(), collector.n_waiting) == ([1], 0)
    for _ in range(2):  # an aborted record and its marker: nothing comes
        world.broker.mark(at)
    assert collector.n_waiting == 2
    world.take(collector)
    assert collector.n_waiting == 0
    assert rows("select next_offset from intake_position") == [(4,)]
    assert rows("select count(*)::int from batch") == [(1,)]
    world.broker.delete_before(at, 4)
    world.send(sends(2))
    world.take(collector)
    assert stored_ids() == [1, 2]
    assert rows("select count(*)::int from intake_gap") == [(0,)]


class SlowLeader(MemoryLog):
    """Calls a position lost once that is there, as a new leader may before it knows its own end."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.is_slow = False

    def take(self, *, limit: int, limit_bytes: int, wait: float) -> Taken:
        if self.is_slow:
            self.is_slow = False
            return Taken((), frozenset(self._next))
        return super().take(limit=limit, limit_bytes=limit_bytes, wait=wait)


def test_a_position_that_is_there_after_all_is_kept() -> None:
    world = World()
    log = SlowLeader(world.broker)
    intake = Intake(log, AtOnce(Store()), SpoolReading(), world.input_id, world.clock)
    intake.assign(world.places())
    world.send(sends(1))
    world.take(intake)
    rows("delete from seen_request returning digest")
    log.is_slow = True
    world.take(intake)
    world.send(sends(2))
    world.take(intake)
    assert stored_ids() == [1, 2]
    assert rows("select count(*)::int from intake_gap") == [(0,)]


def test_a_topic_that_may_not_be_read_stops_no_other_one() -> None:
    world = World()
    other = Place(world.broker.create("secret").kafka_id, 0)
    wanted = {**world.places(), Partition("secret", 0): other}
    intake = Intake(MemoryLog(world.broker), AtOnce(Store()), SpoolReading(), world.input_id, world.clock)
    world.broker.forbidden.add("secret")
    intake.assign(wanted)
    world.send(sends(1))
    world.take(intake)
    world.send(sends(2))
    intake.assign(wanted)
    world.take(intake)
    assert stored_ids() == [1, 2]
    assert intake.n_partitions == 1
    assert intake.trouble is not None
    assert "read secret." in intake.trouble
    intake.assign(world.places())
    assert intake.trouble is None


def test_a_batch_that_was_refused_for_a_moment_is_stored_and_not_called_garbage() -> None:
    """As where retention dropped the leaf that it was meant for."""
    world = World()
    world.send(sends(1))
    with connection.cursor() as cursor:
        cursor.execute("create sequence refusals")
        cursor.execute(
            "create function refuse_once() returns trigger language plpgsql as $$ begin"
            " if nextval('refusals') = 1 then raise check_violation; end if; return new; end $$"
        )
        cursor.execute("create trigger refuse_once before insert on batch for each row execute function refuse_once()")
    try:
        world.take(world.collector())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("drop trigger refuse_once on batch")
            cursor.execute("drop function refuse_once()")
            cursor.execute("drop sequence refusals")
    assert stored_ids() == [1]
    assert rows("select count(*)::int from undecodable") == [(0,)]


def test_a_spool_that_was_created_again_is_let_go_of_and_then_read_from_its_start() -> None:
    world = World()
    for number in (1, 2):
        world.send(sends(number))
    collector = world.collector()
    world.take(collector)
    world.broker.create(SPOOL)
    world.send(sends(3))
    world.take(collector)
    assert collector.n_partitions == 0
    collector.assign(world.places())
    world.take(collector)
    assert stored_ids() == [1, 2, 3]
    assert rows("select count(*)::int from intake_gap") == [(0,)]


def test_while_postgres_is_away_nothing_is_lost_and_afterwards_all_is_stored_once() -> None:
    world = World()
    world.send(sends(1))
    collector = world.collector()
    world.take(collector)
    world.send(sends(2))
    kill(backend())
    with pytest.raises(StoreAway):
        world.take(collector)
    assert stored_ids() == [1]
    collector.rewind()
    world.take(collector)
    assert stored_ids() == [1, 2]


def test_two_batches_in_one_microsecond_get_times_of_their_own() -> None:
    world = World(n_partitions=2)
    world.send(sends(1), partition=0)
    world.send(sends(2), partition=1)
    one = world.collector()
    stored_at = []
    for _ in range(2):
        stored_at += [each.stored_at for each in one.take_in(limit=1, limit_bytes=1_000_000, wait=0.0)]
    assert (stored_at[1] - stored_at[0]).microseconds == 1
    assert stored_ids() == [1, 2]


def test_while_a_batch_is_being_saved_the_next_one_is_taken_and_both_are_stored_once() -> None:
    world = World()
    collector = world.collector(aside=True)
    for number in range(1, 21):
        world.send(sends(number))
    for _ in range(10):
        collector.take_in(limit=2, limit_bytes=1_000_000, wait=0.0)
    collector.settle()
    assert stored_ids() == list(range(1, 21))
    assert rows("select next_offset from intake_position") == [(20,)]
    assert rows("select count(*)::int from batch") == [(10,)]
    collector.close()


def test_a_batch_that_was_decoded_behind_one_that_failed_is_read_again() -> None:
    world = World()
    collector = world.collector(aside=True)
    world.send(sends(1))
    world.send(sends(2))
    rival = world.collector()
    world.take(rival)
    for _ in range(2):
        collector.take_in(limit=1, limit_bytes=1_000_000, wait=0.0)
    world.send(sends(3))
    collector.take_in(limit=1, limit_bytes=1_000_000, wait=0.0)
    collector.settle()
    assert stored_ids() == [1, 2, 3]
    collector.close()


@pytest.mark.parametrize("aside", [False, True])
def test_rivals_and_killed_connections_store_each_span_once(aside: bool) -> None:
    """Four owners of the same partitions, whose connections are killed in the middle again and again."""
    world = World(n_partitions=3)
    for number in range(1, N_SPANS + 1):
        world.send(sends(number), partition=number % 3)
    killed: list[int] = []
    owners = [threading.Thread(target=own, args=(world, random.Random(seed), killed, aside)) for seed in range(4)]
    for owner in owners:
        owner.start()
    for owner in owners:
        owner.join(120)
    assert undisturbed(stored_ids) == list(range(1, N_SPANS + 1))
    assert rows("select sum(next_offset)::int from intake_position") == [(N_SPANS,)]
    assert rows("select sum(n_spans)::int from batch") == [(N_SPANS,)]
    assert killed


def own(world: World, dice: random.Random, killed: list[int], aside: bool) -> None:
    """Take in until all is stored; some batches meet a connection that is killed meanwhile."""
    intake = undisturbed(lambda: world.collector(aside=aside))
    try:
        while undisturbed(n_stored) < N_SPANS:
            timer = threading.Timer(dice.uniform(0.0, 0.02), kill, [any_backend(dice)]) if dice.random() < 0.3 else None
            if timer:
                timer.start()
                killed.append(1)
            try:
                intake.take_in(limit=dice.randint(1, 12), limit_bytes=10_000_000, wait=0.0)
            except StoreAway:
                undisturbed(intake.rewind)
            if timer:
                timer.join()
    finally:
        intake.close()
        connections.close_all()


def undisturbed(call: Callable[[], T]) -> T:
    """The result of `call`, which is made again when the connection was killed under it."""
    while True:
        try:
            with reaching():
                return call()
        except StoreAway:
            continue


def n_stored() -> int:
    (found,) = rows("select coalesce(sum(next_offset), 0)::int from intake_position")[0]
    return int(str(found))


def backend() -> int:
    return undisturbed(lambda: int(str(rows("select pg_backend_pid()")[0][0])))


def any_backend(dice: random.Random) -> int:
    """Some connection to this database, of whoever."""
    return dice.choice(undisturbed(lambda: [int(str(pid)) for (pid,) in rows(BACKENDS)]))


def kill(pid: int) -> None:
    """From a connection of its own, as an administrator or a crash would."""
    address = connection.settings_dict
    with psycopg.connect(
        host=address["HOST"],
        port=address["PORT"],
        user=address["USER"],
        password=address["PASSWORD"],
        dbname=address["NAME"],
        autocommit=True,
    ) as other:
        other.execute("select pg_terminate_backend(%s)", [pid])
