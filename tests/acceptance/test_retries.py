"""Retries on real Kafka and Postgres: whatever happens to the workers, a dead letter is sent exactly once."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import psutil
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from django.db import connection

from collector.domain.canary import Sending
from collector.domain.dialects import read
from collector.domain.records import Record
from collector.domain.resending import OLD_TRACE
from collector.kafka.log import KafkaLog
from collector.kafka.lookup import KafkaLookup
from collector.ports import Partition
from collector.retry import control
from collector.retry.records import Asker
from collector.retry.requests import retry
from collector.store.dead_letters import park
from tests.acceptance.topic_ids import topic_ids
from tests.integration.letter_world import AT, LetterWorld, dead_record, one, rows

pytestmark = [pytest.mark.acceptance, pytest.mark.kafka, pytest.mark.usefixtures("clean_tables")]

N_LETTERS = 12
N_MANY, N_KILLS = 300, 4
RATE, N_BEFORE_PAUSE = 20, 120  # slow enough that a pause comes long before the end, however loaded the machine is


class Shop:
    """A topic with originals, and their dead letters as Spring writes them, on real Kafka and read from there."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.topic = f"orders-{uuid4().hex[:8]}"
        self.world = LetterWorld()
        rows("update topic set name = %s where id = %s returning id", self.topic, self.world.orders)
        rows("update topic set name = %s where id = %s returning id", f"{self.topic}.dlq", self.world.dlq)
        admin = AdminClient({"bootstrap.servers": bootstrap})
        made = admin.create_topics([NewTopic(self.topic, 3, 1), NewTopic(f"{self.topic}.dlq", 3, 1)])
        for future in made.values():
            future.result(timeout=20)
        for name, kafka_id in topic_ids(bootstrap, list(made)).items():
            rows("update topic set kafka_id = %s where name = %s returning id", kafka_id, name)

    def die(self, n_letters: int = N_LETTERS, *, value: bytes | None = None) -> list[int]:
        """Orders are written, die, and are parked; the letters' ids."""
        producer = Producer({"bootstrap.servers": self.bootstrap})
        for n in range(n_letters):
            original = dead_record(n)
            producer.produce(self.topic, key=original.key, value=value or original.value, partition=1)
        producer.flush(20)
        for n in range(n_letters):
            dead = dead_record(n, origin_offset=n)
            changed = {"kafka_dlt-original-topic": self.topic.encode(), "kafka_dlt-original-partition": b"\0\0\0\1"}
            headers: list[tuple[str, str | bytes | None]] = [(h, changed.get(h, v)) for h, v in dead.headers]
            producer.produce(f"{self.topic}.dlq", key=dead.key, value=value or dead.value, headers=headers, partition=1)
        producer.flush(20)
        with connection.cursor() as cursor:
            found = [(record, self.world.dlq, letter) for record in self._dead(n_letters) if (letter := read(record))]
            park(cursor, found, now=AT)
        return [int(str(number)) for (number,) in rows("select id from dead_letter order by kafka_offset")]

    def copies(self) -> list[Record]:
        """What was sent to the origin's topic."""
        lookup = KafkaLookup({"bootstrap.servers": self.bootstrap})
        ends = lookup.ends(self.topic)
        found = [one_ for one_ in lookup.between(self.topic, dict(ends)) if one_.first("x-weir-attempt")]
        lookup.close()
        return found

    def worker(self, operation: int, *how: str) -> "subprocess.Popen[str]":
        """A worker's process that dispatches once."""
        database = connection.settings_dict
        address = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
        env = {
            **os.environ, "DATABASE_URL": address, "WEIR_KAFKA_BOOTSTRAP": self.bootstrap,
            "WEIR_CLUSTER_NAME": "demo", "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.acceptance.retry_worker", str(operation), *how]
        return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)

    def _dead(self, n_letters: int) -> Iterator[Record]:
        log = KafkaLog({"bootstrap.servers": self.bootstrap}, commits=False)
        log.assign({Partition(f"{self.topic}.dlq", 1): 0})
        n = 0
        while n < n_letters:
            records = log.take(limit=100, limit_bytes=1_000_000, wait=1).records
            yield from records
            n += len(records)
        log.close()


@pytest.fixture
def shop(kafka_bootstrap: str) -> Shop:
    return Shop(kafka_bootstrap)


def _asked(letters: list[int], sending: Sending | None = None) -> int:
    return retry(
        letters, person_id=1, person_name="operator1", token=uuid4().hex, target=None, expect=len(letters),
        sending=sending,
        now=datetime.now(UTC),  # noqa: TID251  the workers' own clocks run beside it
    ).id  # fmt: skip


def test_two_workers_at_once_send_each_letter_once_to_its_own_partition_with_its_own_bytes(shop: Shop) -> None:
    letters = shop.die()
    operation = _asked(letters)
    workers = [shop.worker(operation), shop.worker(operation)]
    for worker in workers:
        _, said = worker.communicate(timeout=60)
        assert worker.returncode == 0, said
    copies = shop.copies()
    assert sorted((copy.key, copy.value, copy.partition) for copy in copies) == sorted(
        (dead_record(n).key, dead_record(n).value, 1) for n in range(N_LETTERS)
    )
    for copy in copies:
        assert [name for name, _ in copy.headers if not name.startswith("x-weir-")] == ["order-id", "traceparent"]
    assert len({copy.first("traceparent") for copy in copies}) == N_LETTERS
    assert not {copy.first("traceparent") for copy in copies} & {copy.first(OLD_TRACE) for copy in copies}
    reported = rows("select sent_partition, sent_offset from retry_item where status = 2 order by 2")
    assert reported == [(copy.partition, copy.offset) for copy in sorted(copies, key=lambda copy: copy.offset)]


def test_a_worker_that_is_killed_between_the_send_and_its_report_leads_to_no_second_send(shop: Shop) -> None:
    letters = shop.die()
    operation = _asked(letters)
    killed = shop.worker(operation, "die")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(shop.copies()) == 1
    assert one("select count(*) from retry_item where status = 1") == N_LETTERS
    # The next worker waits until the dead one's producer must have given up; here that time has passed.
    rows("update retry_item set claimed_at = claimed_at - interval '3 minutes' returning 1")
    worker = shop.worker(operation)
    _, said = worker.communicate(timeout=90)
    assert worker.returncode == 0, said
    copies = shop.copies()
    assert sorted(copy.first("x-weir-original") or b"" for copy in copies) == sorted(
        f"{shop.topic}.dlq/1/{n}".encode() for n in range(N_LETTERS)
    )
    assert one("select count(*) from retry_item where status = 2 and sent_offset is not null") == N_LETTERS
    assert rows("select status, n from failure_count where n > 0") == [(2, N_LETTERS)]


def _listening(port: int) -> int:
    """The process that listens there."""
    found = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    (pid,) = {each.pid for each in found if each.laddr and each.laddr.port == port and each.pid}
    return pid


def test_a_record_in_the_socket_of_a_frozen_broker_is_found_and_not_sent_twice(shop: Shop) -> None:
    operation = _asked(shop.die(2, value=random.Random(4).randbytes(5_000)))
    port = int(shop.bootstrap.rpartition(":")[2])
    broker = _listening(port)
    killed = shop.worker(operation, "freeze", str(broker), str(port))
    try:
        _, said = killed.communicate(timeout=90)
        assert killed.returncode == -signal.SIGKILL, said
        rows("update retry_item set claimed_at = claimed_at - interval '3 minutes' where status = 1 returning 1")
        worker = shop.worker(operation, "patient")
        asking, until = psutil.Process(worker.pid), time.monotonic() + 60
        while not any(each.raddr and each.raddr.port == port for each in asking.net_connections("tcp")):
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        os.kill(broker, signal.SIGCONT)
        killed.kill()
    until = time.monotonic() + 120
    while one("select count(*) from retry_item where status = 1"):
        assert time.monotonic() < until
        worker.communicate(timeout=90)
        worker = shop.worker(operation, "patient")
    worker.communicate(timeout=90)
    originals = sorted(copy.first("x-weir-original") or b"" for copy in shop.copies())
    assert originals == [f"{shop.topic}.dlq/1/{n}".encode() for n in range(2)]
    assert rows("select status, count(*) from retry_item group by 1") == [(2, 2)]


def test_workers_that_are_killed_at_random_points_send_each_letter_once(shop: Shop) -> None:
    seed = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(2**32))
    print(f"CRASH_SEED={seed}")  # noqa: T201  who looks into a failure repeats it with this
    dice = random.Random(seed)
    operation = _asked(shop.die(N_MANY), Sending(rate_per_second=200))
    for n_done in sorted(dice.sample(range(5, N_MANY - 30), N_KILLS)):
        worker = shop.worker(operation)
        until = time.monotonic() + 60
        while one("select count(*) from retry_item where status > 0") < n_done and worker.poll() is None:
            assert time.monotonic() < until, seed
            time.sleep(dice.random() / 50)
        worker.kill()
        worker.communicate()
        rows("update retry_item set claimed_at = claimed_at - interval '3 minutes' where status = 1 returning 1")
    last = shop.worker(operation)
    _, said = last.communicate(timeout=120)
    assert last.returncode == 0, said
    originals = [copy.first("x-weir-original") or b"" for copy in shop.copies()]
    assert len(originals) == len(set(originals)), f"CRASH_SEED={seed}"
    expected = {f"{shop.topic}.dlq/1/{n}".encode() for n in range(N_MANY)}
    assert set(originals) == expected, f"CRASH_SEED={seed}"
    assert rows("select status, count(*) from retry_item group by 1") == [(2, N_MANY)]
    assert rows("select status, n from failure_count where n > 0") == [(2, N_MANY)]


def test_the_rate_is_kept_and_a_pause_takes_effect_within_a_second(shop: Shop) -> None:
    operation = _asked(shop.die(N_MANY), Sending(rate_per_second=RATE))
    worker = shop.worker(operation)
    until = time.monotonic() + 60
    while one("select count(*) from retry_item where status = 2") < N_BEFORE_PAUSE:
        assert time.monotonic() < until
        time.sleep(0.02)
    control.pause(operation, Asker(1, "operator1", "::1"), now=datetime.now(UTC))  # noqa: TID251  beside the worker's own
    paused_at = datetime.now(UTC)  # noqa: TID251
    worker.communicate(timeout=60)
    ((late, n, seconds),) = rows(
        "select max(claimed_at), count(*), extract(epoch from max(claimed_at) - min(claimed_at))::float8"
        " from retry_item where status = 2"
    )
    assert isinstance(late, datetime)
    assert (late - paused_at).total_seconds() < 1
    assert N_BEFORE_PAUSE <= int(str(n)) < N_MANY
    claimed_at_once = RATE // 5
    assert (int(str(n)) - claimed_at_once) / float(str(seconds)) < RATE * 1.05
