"""Shown-by 1: killed at random points under load, everything is stored, counted and passed exactly once.

Collectors, receiver, folder, Kafka and Postgres get SIGKILL in an order that follows from a printed seed. By hand:
`WEIR_CRASH_SECONDS=600 python -m pytest tests/acceptance/test_crash.py -s`; `WEIR_CRASH_SEED` repeats a run.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from collector.kafka.log import KafkaLog
from collector.kafka.publisher import KafkaPublisher
from collector.ports import Partition
from tests.acceptance.crash_world import Business, Crashing, Sender, Truth, crashing, templates

pytestmark = [pytest.mark.acceptance, pytest.mark.kafka]
SECONDS = float(os.environ.get("WEIR_CRASH_SECONDS", "40"))
SEED = int(os.environ.get("WEIR_CRASH_SEED") or random.SystemRandom().getrandbits(32))
SETTLE_SECONDS = 240.0
SPOOL, ORDERS, LETTERS = "weir.spool", "orders.created", "orders.created.dlq"
GARBAGE = b"\x0a\x0b not OTLP"


@pytest.mark.timeout(SECONDS + 2 * SETTLE_SECONDS)
def test_shown_by_1_killed_at_random_points_nothing_is_lost_or_counted_twice(tmp_path: Path) -> None:
    sys.stdout.write(f"seed {SEED}\n")
    dice = random.Random(SEED)
    with crashing(tmp_path) as world:
        truth = under_fire(world, dice)
        end = settled(world)
        with psycopg.connect(world.database_url, autocommit=True) as database:
            check(world, database, truth, end)


def under_fire(world: Crashing, dice: random.Random) -> Truth:
    """Send and kill for as long as the test lasts; what was acknowledged."""
    admin = AdminClient({"bootstrap.servers": world.bootstrap})
    for created in admin.create_topics([NewTopic(ORDERS, 4, 1), NewTopic(LETTERS, 2, 1)]).values():
        created.result(20)
    truth, made = Truth(), templates()
    publisher = KafkaPublisher({"bootstrap.servers": world.bootstrap})
    business = Business(publisher, ORDERS, LETTERS, GARBAGE)
    senders = [Sender(world, truth, made, dice.getrandbits(32), by_grpc=number == 2) for number in range(3)]
    threads: list[Business | Sender] = [business, *senders]
    for thread in threads:
        thread.start()
    killed: Counter[str] = Counter()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        world.run_for(dice.uniform(0.2, 2.8))
        killed[world.kill(dice)] += 1
    for thread in threads:
        thread.ends.set()
    wait_until(world, lambda: not any(thread.is_alive() for thread in threads))
    publisher.close(wait_seconds=30)
    said = f"killed {dict(killed)}, {len(truth.spans)} spans, {truth.n_again} requests sent again"
    sys.stdout.write(f"seed {SEED}, {SECONDS:g} s: {said}\n")
    assert killed.total() > SECONDS / 6
    assert truth.spans
    return truth


def settled(world: Crashing) -> dict[Partition, int]:
    """Where each partition ends, once all of it is stored, folded and summed up."""
    wait_until(world, world.supervisor.is_up)
    world.supervisor.kill_part("fold")  # a folder sums up hours when it starts
    world.run_for(0.1)
    log = KafkaLog({"bootstrap.servers": world.bootstrap}, commits=False)
    end: dict[Partition, int] = {}
    for topic, identity in log.identities([SPOOL, ORDERS, LETTERS]).items():
        for number in range(identity.n_partitions):
            ends = log.ends(Partition(topic, number))
            assert ends
            end[Partition(topic, number)] = ends[1]
    log.close()

    def is_done() -> bool:
        with psycopg.connect(world.database_url, autocommit=True) as database:
            waits = "select exists (select from batch where not folded) or exists (select from rollup_dirty)"
            return positions(database) == sum(end.values()) and database.execute(waits).fetchone() == (False,)

    wait_until(world, is_done)
    return end


def check(world: Crashing, database: "psycopg.Connection[Any]", truth: Truth, end: dict[Partition, int]) -> None:
    """Rows, rollups and positions against what was sent."""
    stored = Counter(trace.bytes + span.to_bytes(8, "big", signed=True) for trace, span in database.execute(SPANS))
    assert stored.keys() == truth.spans
    assert stored.total() == len(truth.spans)
    for table in ("edge_10s", "edge_1m", "edge_1h"):
        counted = {tuple(row[:-1]): row[-1] for row in database.execute(EDGES.format(table=table))}
        assert counted == dict(truth.edges), table
    assert database.execute("select sum(n_spans)::bigint from batch").fetchone() == (len(truth.spans),)
    held = records(world, end)
    n_garbage = sum(value == GARBAGE for value in held[SPOOL])
    assert n_garbage
    assert database.execute(GARBAGES, [GARBAGE]).fetchone() == (n_garbage, n_garbage)
    for topic in (ORDERS, LETTERS):
        assert held[topic]
        assert database.execute(RECORDS, [topic]).fetchone() == (len(held[topic]), len(held[topic]))
    letters = "select count(*), (select sum(n)::bigint from failure_count) from dead_letter"
    assert database.execute(letters).fetchone() == (len(held[LETTERS]), len(held[LETTERS]))
    assert database.execute("select count(*) from intake_gap").fetchone() == (0,)


def records(world: Crashing, end: dict[Partition, int]) -> dict[str, list[bytes | None]]:
    """The values of all records that the topics hold."""
    log = KafkaLog({"bootstrap.servers": world.bootstrap}, commits=False)
    log.assign(dict.fromkeys(end, 0))
    held: dict[str, list[bytes | None]] = {SPOOL: [], ORDERS: [], LETTERS: []}
    left = {partition for partition, offset in end.items() if offset}
    until = time.monotonic() + SETTLE_SECONDS
    while left:
        assert time.monotonic() < until
        taken = log.take(limit=10_000, limit_bytes=50_000_000, wait=1.0)
        for record in taken.records:
            held[record.topic].append(record.value)
        left -= {partition for partition, offset in taken.ends.items() if offset >= end[partition]}
    log.close()
    return held


def positions(database: "psycopg.Connection[Any]") -> int:
    """How many offsets are passed, over all that is read."""
    row = database.execute("select coalesce(sum(next_offset), 0)::bigint from intake_position").fetchone()
    assert row
    return int(row[0])


def wait_until(world: Crashing, is_so: Callable[[], bool]) -> None:
    """Let the supervisor work until it is so."""
    until = time.monotonic() + SETTLE_SECONDS
    while not is_so():
        assert time.monotonic() < until
        world.run_for(0.3)


SPANS = "select trace_id, span_id from span"
EDGES = (
    "select e.kind::int, s.namespace, s.name, t.name, coalesce(g.name, ''), sum(r.n)::bigint from {table} r"
    " join edge e on e.id = r.edge_id join service s on s.id = e.service_id join topic t on t.id = e.topic_id"
    " left join consumer_group g on g.id = e.group_id group by 1, 2, 3, 4, 5"
)
GARBAGES = (
    "select count(distinct (topic_uuid, partition, kafka_offset)), count(*) from undecodable where first_bytes = %s"
)
RECORDS = (
    "select count(distinct (r.topic_id, r.kafka_partition, r.kafka_offset)), count(*) from record r"
    " join topic t on t.id = r.topic_id where t.name = %s"
)
