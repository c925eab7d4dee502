"""The sampler as a process of its own, while its broker is killed or frozen under it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # not in its stubs

from stack import cache, kafka, places
from stack.environment import server_environment
from stack.ports import free_port
from stack.supervisor import Supervisor
from stack.testing import servers

pytestmark = [pytest.mark.acceptance, pytest.mark.kafka]

ROOT = Path(__file__).resolve().parents[2]
EVERY_SECONDS = 2.0
START_SECONDS = 15.0  # of the sampler itself, on a busy machine
BACK_SECONDS = 20.0  # two intervals on a quiet machine; a broker that was frozen takes its time on a busy one
LIBRARY_DEATHS = {-signal.SIGABRT, -signal.SIGSEGV}  # librdkafka, when an answer comes after its time-out
N_RECORDS, N_COMMITTED = 500, 200


@dataclass
class Observed:
    """A broker that can be hurt, a database, and the sampler between them."""

    broker: kafka.Kafka
    supervisor: Supervisor
    database_url: str
    folder: Path
    sampler: "subprocess.Popen[bytes] | None" = None
    exits: list[int] = field(default_factory=list)
    admin: AdminClient = field(init=False)

    def __post_init__(self) -> None:
        self.admin = AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as own:
            return own.execute(sql.encode()).fetchall()

    def start_sampler(self) -> None:
        with (self.folder / "sampler.log").open("ab") as log:
            self.sampler = subprocess.Popen(
                [sys.executable, "-u", "manage.py", "sample"],
                cwd=ROOT, env=self.environment(), stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def environment(self) -> dict[str, str]:
        return {
            **server_environment(os.environ),
            "DATABASE_URL": self.database_url,
            "SECRET_KEY": "only-for-this-test-0123456789abcdefghijklmnop",
            "WEIR_KAFKA_BOOTSTRAP": self.broker.bootstrap,
            "WEIR_CLUSTER_NAME": "demo",
            "WEIR_DATA_DIR": str(self.folder),
            "WEIR_SAMPLE_SECONDS": str(EVERY_SECONDS),
            "WEIR_READY_FILE": str(self.folder / "ready"),
            "PYTHONFAULTHANDLER": "1",
        }

    def keep_running(self) -> bool:
        """What the supervisor does in real life: start the sampler again if its client library ended it."""
        if self.sampler is not None and self.sampler.poll() is not None:
            self.exits.append(self.sampler.returncode)
            self.start_sampler()
            return True
        return False

    def until(self, done: Callable[[], bool], *, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end
            if self.keep_running():
                end += START_SECONDS
            time.sleep(0.1)

    def stop_sampler(self) -> int:
        assert self.sampler is not None
        self.sampler.send_signal(signal.SIGTERM)
        return self.sampler.wait(10)


@pytest.fixture
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("survives")
    for part in (folder, *folder.parents[:2]):
        part.chmod(0o755)
    fetched = cache.filled(os.environ, say=lambda _: None)
    broker = kafka.embedded(
        folder / "kafka", jars=fetched.kafka_jars, start_cache=fetched.start_cache,
        ports=(free_port(), free_port()), asks_password=False,
    )  # fmt: skip
    logs = places.made_private(folder / "logs")
    supervisor = Supervisor(broker.parts(env=server_environment(os.environ)), logs, say=lambda _: None)
    with servers(folder, kafka=False, valkey=False) as started:
        try:
            supervisor.start()
            world = Observed(broker, supervisor, started.database_url, folder)
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=world.environment(), check=True
            )
            yield world
        finally:
            if world.sampler is not None and world.sampler.poll() is None:
                world.sampler.kill()
                world.sampler.wait()
            supervisor.stop()


def freeze(observed: Observed) -> None:
    """The broker hangs with its connections open, longer than the sampler's probe waits."""
    pid = observed.supervisor.lives["kafka"].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        observed.until(lambda: failed_scans(observed) >= 1, seconds=60)
        time.sleep(EVERY_SECONDS)
    finally:
        os.kill(pid, signal.SIGCONT)


def kill(observed: Observed) -> None:
    """The broker dies without a word and comes again."""
    pid = observed.supervisor.lives["kafka"].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    observed.until(lambda: failed_scans(observed) >= 1, seconds=60)
    observed.supervisor.tick()
    observed.supervisor.start()


def failed_scans(observed: Observed) -> int:
    return int(observed.rows("select count(*) from scan where not ok and reason <> ''")[0][0])


@pytest.mark.parametrize("hurt", [freeze, kill])
def test_the_sampler_is_back_and_stored_nothing_false(observed: Observed, hurt: Callable[[Observed], None]) -> None:
    fill(observed)
    observed.start_sampler()
    observed.until(lambda: observed.rows("select lag from group_now") == [(N_RECORDS - N_COMMITTED,)], seconds=30)
    for _ in range(2):
        hurt(observed)
        back_at = time.time()
        observed.until(lambda at=back_at: scanned_since(observed, at), seconds=BACK_SECONDS)  # type: ignore[misc]
        observed.rows("delete from scan where not ok returning 1")
    assert set(observed.exits) <= LIBRARY_DEATHS
    produce(observed, 50)
    observed.until(lambda: observed.rows("select lag from group_now") == [(N_RECORDS + 50 - N_COMMITTED,)], seconds=30)
    assert observed.rows("select distinct high, low from topic_sample order by 1") == [
        ([N_RECORDS], [0]),
        ([N_RECORDS + 50], [0]),
    ]
    assert observed.rows("select distinct committed from group_sample") == [([N_COMMITTED],)]
    assert observed.rows("select count(*) from topic where name = 'orders'") == [(1,)]
    assert observed.stop_sampler() == 0


def test_another_process_takes_over_when_the_sampler_is_killed(observed: Observed) -> None:
    fill(observed)
    observed.start_sampler()
    observed.until(lambda: scanned_since(observed, 0), seconds=30)
    first = observed.sampler
    assert first is not None
    (observed.folder / "ready").unlink()
    observed.start_sampler()
    observed.until((observed.folder / "ready").exists, seconds=30)
    assert len(observed.rows("select distinct sentence from part_report")) == 2  # one works, one stands by
    first.kill()
    first.wait()
    killed_at = time.time()
    observed.until(lambda: scanned_since(observed, killed_at), seconds=BACK_SECONDS)
    assert observed.stop_sampler() == 0
    assert observed.rows("select distinct high from topic_sample") == [([N_RECORDS],)]


def fill(observed: Observed) -> None:
    observed.admin.create_topics([NewTopic("orders", 1, 1)])["orders"].result(10)
    produce(observed, N_RECORDS)
    observed.until(lambda: has_committed(observed), seconds=30)  # the first group makes the topic of all offsets


def has_committed(observed: Observed) -> bool:
    asked = observed.admin.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions("billing", [TopicPartition("orders", 0, N_COMMITTED)])]
    )
    return asked["billing"].result(10).topic_partitions[0].error is None


def produce(observed: Observed, n: int) -> None:
    producer = Producer({"bootstrap.servers": observed.broker.bootstrap, "log_level": 0})
    for number in range(n):
        producer.produce("orders", str(number))
    assert producer.flush(20) == 0


def scanned_since(observed: Observed, at: float) -> bool:
    return bool(observed.rows(f"select count(*) from scan where ok and sampled_at > to_timestamp({at})")[0][0])
