"""A real broker with 10,000 partitions and 1,000 groups, a real Postgres, and this process as Django on them."""

import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.load.database import database
from stack import cache, kafka, places
from stack.environment import server_environment
from stack.ports import free_port
from stack.supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[2]
N_TOPICS, PARTITIONS_EACH, N_GROUPS = 1_000, 10, 1_000
N_PARTITIONS = N_TOPICS * PARTITIONS_EACH
ACTIVE = 0.3
MOST_TOPICS_READ = 10
FIRST_OFFSET = 300  # beyond 256: smaller numbers take no memory in Python, and in life offsets are not small
TOPICS_A_FLUSH = 20  # 60,000 records: fewer than a producer holds
# as a broker in production: the full compiler, room, and the usual number of partitions for offsets
FLAGS = ("-Xmx2g", "-XX:TieredStopAtLevel=4")
SETTINGS = {"offsets.topic.num.partitions": "50", "num.network.threads": "3", "num.io.threads": "8"}
COMMITS_AT_ONCE = 64
LONGEST_SECONDS = 300.0
SETTLED_SECONDS = 0.5


@dataclass
class Cluster:
    """What was started. `reads`: the topics that each group reads."""

    bootstrap: str
    environment: dict[str, str]
    reads: dict[str, list[str]]
    n_moves: int = 0

    @property
    def n_pairs(self) -> int:
        """Groups on topics."""
        return sum(len(topics) for topics in self.reads.values())

    def move(self) -> None:
        """Two records to each partition of the active topics, and commits of all groups that read them."""
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0, "linger.ms": 20})
        active = topic_names()[: round(ACTIVE * N_TOPICS)]
        for topic in active:
            for partition in range(PARTITIONS_EACH):
                for _ in range(2):
                    producer.produce(topic, b"v", partition=partition)
            producer.poll(0)
        flushed(producer)
        self.n_moves += 1
        self.commit(set(active), FIRST_OFFSET + 2 * self.n_moves - 1)
        time.sleep(SETTLED_SECONDS)

    def commit(self, topics: set[str], offset: int) -> None:
        """Every group's commit on those of these topics that it reads."""
        from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
        from confluent_kafka.admin import AdminClient

        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        wanted = [
            ConsumerGroupTopicPartitions(
                group,
                [
                    TopicPartition(topic, number, offset)
                    for topic in read
                    if topic in topics
                    for number in range(PARTITIONS_EACH)
                ],
            )
            for group, read in self.reads.items()
            if topics.intersection(read)
        ]
        for at in range(0, len(wanted), COMMITS_AT_ONCE):
            asked = [
                admin.alter_consumer_group_offsets([each], request_timeout=60)
                for each in wanted[at : at + COMMITS_AT_ONCE]
            ]
            for future in (future for each in asked for future in each.values()):
                future.result(90)

    @contextmanager
    def sampler(self, every_seconds: float) -> Iterator[psutil.Process]:
        """`manage.py sample`."""
        environment = {**self.environment, "WEIR_SAMPLE_SECONDS": str(every_seconds)}
        started = subprocess.Popen([sys.executable, "manage.py", "sample"], cwd=ROOT, env=environment)
        try:
            yield psutil.Process(started.pid)
        finally:
            started.send_signal(signal.SIGTERM)
            started.wait(20)

    def n_scans(self) -> int:
        """Scans that saw the cluster."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("select count(*) from scan where ok")
            return int(cursor.fetchone()[0])

    def wait_for_scans(self, more: int) -> None:
        """Until there are so many more."""
        wanted, until = self.n_scans() + more, time.monotonic() + LONGEST_SECONDS
        while self.n_scans() < wanted:
            if time.monotonic() > until:
                raise TimeoutError("The sampler does not scan.")
            time.sleep(0.2)


def topic_names() -> list[str]:
    """All topics, the active ones first."""
    return [f"shop.topic-{number:04}" for number in range(N_TOPICS)]


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start, fill, and take everything away at the end."""
    folder = Path(tempfile.mkdtemp(prefix="weir-bench-"))
    folder.chmod(0o755)
    fetched = cache.filled(os.environ, say=lambda _: None)
    broker = kafka.embedded(
        folder / "kafka", jars=fetched.kafka_jars, start_cache=fetched.start_cache, ports=(free_port(), free_port()),
        asks_password=False, settings=SETTINGS, flags=FLAGS, stop_seconds=60,
    )  # fmt: skip
    supervisor = Supervisor(
        broker.parts(env=server_environment(os.environ)), places.made_private(folder / "logs"), say=lambda _: None
    )
    (folder / "store").mkdir()
    try:
        supervisor.start()
        os.environ |= {
            "WEIR_KAFKA_BOOTSTRAP": broker.bootstrap,
            "WEIR_CLUSTER_NAME": "bench",
            "WEIR_DATA_DIR": str(folder),
            "SECRET_KEY": secrets.token_urlsafe(48),
        }
        with database(folder / "store"):
            world = Cluster(broker.bootstrap, dict(os.environ), reads())
            fill(world)
            yield world
    finally:
        supervisor.stop()
        shutil.rmtree(folder, ignore_errors=True)


def flushed(producer: Any) -> None:  # noqa: ANN401  # imported lazily
    """Until the broker has all."""
    if producer.flush(LONGEST_SECONDS):
        raise RuntimeError("Kafka did not take the records.")


def reads() -> dict[str, list[str]]:
    """Who reads what: each group one to ten topics."""
    dice, names = random.Random(7), topic_names()
    return {f"group-{number:04}": dice.sample(names, 1 + number % MOST_TOPICS_READ) for number in range(N_GROUPS)}


def fill(world: Cluster) -> None:
    """Topics, records in each partition, and a commit of every group everywhere."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    began, names = time.monotonic(), topic_names()
    admin = AdminClient({"bootstrap.servers": world.bootstrap, "log_level": 0})
    for at in range(0, N_TOPICS, 50):
        made = admin.create_topics([NewTopic(name, PARTITIONS_EACH, 1) for name in names[at : at + 50]])
        for future in made.values():
            future.result(120)
    producer = Producer({"bootstrap.servers": world.bootstrap, "log_level": 0, "linger.ms": 20})
    for at in range(0, len(names), TOPICS_A_FLUSH):
        for name in names[at : at + TOPICS_A_FLUSH]:
            for number in range(FIRST_OFFSET * PARTITIONS_EACH):
                producer.produce(name, b"v", partition=number % PARTITIONS_EACH)
        flushed(producer)
    first = next(iter(world.reads))
    _until_coordinated(world, first)
    world.commit(set(names), FIRST_OFFSET)
    print(f"filled in {time.monotonic() - began:.0f} s", flush=True)


def _until_coordinated(world: Cluster, group: str) -> None:
    """The first group of a broker makes the topic of all offsets: until then nobody coordinates."""
    from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": world.bootstrap, "log_level": 0})
    asked = [ConsumerGroupTopicPartitions(group, [TopicPartition(world.reads[group][0], 0, 1)])]
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        try:
            answer = admin.alter_consumer_group_offsets(asked, request_timeout=60)[group].result(90)
        except KafkaException:
            time.sleep(0.5)
            continue
        if answer.topic_partitions[0].error is None:
            return
        time.sleep(0.5)
    raise TimeoutError("No group coordinator.")
