"""Two real clusters: equal names never meet, and one that hangs slows neither intake, nor sampling, nor pages."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import KafkaException, NewTopic
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from collector.config import declared
from dashboard.queries.clusters import scope
from stack import cache, kafka, places
from stack.environment import server_environment
from stack.ports import free_port
from stack.supervisor import Supervisor
from tests.integration.intake_world import rows, sends
from tests.integration.people import person, signed_in

pytestmark = [pytest.mark.acceptance, pytest.mark.kafka, pytest.mark.usefixtures("clean_tables")]

ROOT = Path(__file__).resolve().parents[2]
N_RECORDS, N_COMMITTED = 100, 40
EVERY_SECONDS = 1.0
BACK_SECONDS = 45  # its clients find it again within 20 s (tests/unit/test_working.py), on a machine that is not busy


@dataclass
class Broker:
    """A cluster with the topic and the group that the other one has, too."""

    name: str
    bootstrap: str
    topic: str
    admin: AdminClient = field(init=False)

    def __post_init__(self) -> None:
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def fill(self) -> None:
        """The topic, records, and a group that is behind."""
        make(self.admin, self.topic)
        self.produce(N_RECORDS)
        wait_until(self._has_committed)

    def produce(self, n: int) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0})
        for number in range(n):
            producer.produce(self.topic, f"{self.name}-{number}", partition=0)
        assert producer.flush(30) == 0

    def n_stored(self) -> int:
        """Records that were tapped, by the cluster that their topic belongs to."""
        return count(
            "select count(*) from record r join topic t on t.id = r.topic_id join cluster c on c.id = t.cluster_id"
            " where c.name = %s and t.name = %s",
            self.name, self.topic,
        )  # fmt: skip

    def lag(self) -> list[tuple[object, ...]]:
        return rows(
            "select n.lag from group_now n join topic t on t.id = n.topic_id join cluster c on c.id = t.cluster_id"
            " where c.name = %s and t.name = %s",
            self.name, self.topic,
        )  # fmt: skip

    def n_scans(self, *, ok: bool, since: datetime) -> int:
        return count(
            "select count(*) from scan s join cluster c on c.id = s.cluster_id where c.name = %s and s.ok = %s"
            " and s.sampled_at > %s",
            self.name, ok, since,
        )  # fmt: skip

    def sampler_pid(self) -> int:
        """Of the process whose last word is of this cluster."""
        found = rows(
            "select instance from part_report where part = 'sample' and sentence like %s order by at desc limit 1",
            f"Scanned {self.name} in%",
        )
        return int(str(found[0][0]).partition("@")[0]) if found else 0

    def _has_committed(self) -> bool:
        asked = self.admin.alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions("billing", [TopicPartition(self.topic, 0, N_COMMITTED)])]
        )
        return asked["billing"].result(10).topic_partitions[0].error is None


@pytest.fixture(scope="module")
def west_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[kafka.Kafka, Supervisor]]:
    """A second broker, which can be hurt."""
    folder = tmp_path_factory.mktemp("west")
    fetched = cache.filled(os.environ, say=lambda _: None)
    broker = kafka.embedded(
        folder / "kafka", jars=fetched.kafka_jars, start_cache=fetched.start_cache,
        ports=(free_port(), free_port()), asks_password=False,
    )  # fmt: skip
    logs = places.made_private(folder / "logs")
    supervisor = Supervisor(broker.parts(env=server_environment(os.environ)), logs, say=lambda _: None)
    try:
        supervisor.start()
        yield broker, supervisor
    finally:
        supervisor.stop()


def wait_until(is_so: Callable[[], bool], *, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def count(statement: str, *parameters: object) -> int:
    return int(str(rows(statement, *parameters)[0][0]))


def make(admin: AdminClient, topic: str) -> None:
    try:
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(20)
    except KafkaException as error:
        if "already exists" not in str(error):
            raise


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  the processes' own clocks run beside it


@contextmanager
def process(command: str, bootstrap: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """One of our commands, on the tests' database."""
    database = connection.settings_dict
    env = {
        **server_environment(os.environ),
        "DATABASE_URL": "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database),
        "SECRET_KEY": "only-for-this-test-0123456789abcdefghijklmnop",
        "WEIR_KAFKA_BOOTSTRAP": bootstrap, "WEIR_CLUSTER_NAME": "east", "WEIR_DATA_DIR": str(folder),
        "WEIR_SAMPLE_SECONDS": str(EVERY_SECONDS),
    }  # fmt: skip
    with (folder / f"{command}.log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-u", "manage.py", command], cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield started
        finally:
            started.terminate()
            started.wait(20)


def states() -> dict[str, str]:
    return {each.name: each.state for each in scope((), now=now()).clusters}


@pytest.mark.timeout(300)
def test_a_cluster_that_hangs_slows_nobody_and_equal_names_never_meet(
    kafka_bootstrap: str, west_broker: tuple[kafka.Kafka, Supervisor], tmp_path: Path, settings: Settings
) -> None:
    settings.WEIR_SAMPLE_SECONDS = 2.4  # of the pages: late after six seconds, while the scans come each second
    (broker, supervisor), topic = west_broker, f"orders-{uuid4().hex[:8]}"
    east, west = Broker("east", kafka_bootstrap, topic), Broker("west", broker.bootstrap, topic)
    make(east.admin, "weir.spool")
    for each in (east, west):
        each.fill()
    with process("sample", kafka_bootstrap, tmp_path) as sampler:
        wait_until(lambda: east.lag() == [(N_RECORDS - N_COMMITTED,)])
        assert set(states()) == {"east"}, "one cluster, by the environment"
        with transaction.atomic():
            clusters = {"east": {"environment": True}, "west": {"bootstrap": broker.bootstrap}}
            declared.replace({"clusters": clusters, "taps": {"topics": [topic]}}, by="test", now=now())
        wait_until(lambda: west.lag() == [(N_RECORDS - N_COMMITTED,)])
        with process("collect", kafka_bootstrap, tmp_path):
            wait_until(lambda: (east.n_stored(), west.n_stored()) == (N_RECORDS, N_RECORDS))
            pid = supervisor.lives["kafka"].pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            stopped_at = now()
            try:
                the_other_goes_on(east, west, stopped_at)
                pages_say_it(topic)
            finally:
                os.kill(pid, signal.SIGCONT)
            west.produce(50)
            wait_until(lambda: west.n_stored() == N_RECORDS + 50, seconds=BACK_SECONDS)
            wait_until(lambda: west.lag() == [(N_RECORDS + 50 - N_COMMITTED,)])
            wait_until(lambda: states()["west"] == "ok")
            a_dead_sampler_leaves_the_other(east, west)
        assert sampler.poll() is None
        pids = [each.sampler_pid() for each in (east, west)]
    assert sampler.returncode == 0
    wait_until(lambda: not any(map(is_alive, pids)))


def the_other_goes_on(east: Broker, west: Broker, stopped_at: datetime) -> None:
    """Until the sampler has given up waiting for the one that hangs, the other is scanned and stored as ever."""
    spool = Producer({"bootstrap.servers": east.bootstrap, "log_level": 0})
    spool.produce("weir.spool", sends(1, 2, 3, topic=east.topic))
    assert spool.flush(30) == 0
    east.produce(50)
    wait_until(lambda: east.n_stored() == N_RECORDS + 50 and len(owners(east.topic)) == 3)
    wait_until(lambda: east.lag() == [(N_RECORDS + 50 - N_COMMITTED,)])
    wait_until(lambda: west.n_scans(ok=False, since=stopped_at) > 0)
    assert east.n_scans(ok=True, since=stopped_at) >= 2
    assert east.n_scans(ok=False, since=stopped_at) == 0
    assert west.n_scans(ok=True, since=stopped_at) <= 1
    beat = "select extract(epoch from clock_timestamp() - max(seen_at)) < 10 from collector_member"
    assert rows(beat) == [(True,)], "the collector's share was never up for grabs"
    # Spans without a cluster, of a topic that both have: nobody knows whose they are.
    assert owners(east.topic) == [("?",)] * 3


def owners(topic: str) -> list[tuple[object, ...]]:
    """The cluster of each span that speaks of the topic."""
    return rows(
        "select c.name from span s join topic t on t.id = s.topic_id join cluster c on c.id = t.cluster_id"
        " where t.name = %s",
        topic,
    )


def pages_say_it(topic: str) -> None:
    browser = signed_in(person("ada"))
    wait_until(lambda: states()["west"] == "silent")
    for address in ("/", "/topics/", "/groups/", f"/topics/west/{topic}/", "/groups/west/billing/"):
        page = browser.get(address).content.decode()
        assert "<code><bdi>west</bdi></code> has not answered since" in page, address
        assert "Its 1 topic shows the last known values" in page, address
    for address in ("/topics/?cluster=east", "/groups/?cluster=east", f"/topics/east/{topic}/"):
        assert "has not answered" not in browser.get(address).content.decode(), address
        wait_until(lambda asked=address: 'data-state="live"' in browser.get(asked).content.decode())  # type: ignore[misc]
    assert "Cluster west has not answered since" in browser.get("/health/").content.decode()


def a_dead_sampler_leaves_the_other(east: Broker, west: Broker) -> None:
    """As when a client library ends its process."""
    wait_until(lambda: west.sampler_pid() > 0 and east.sampler_pid() not in (0, west.sampler_pid()))
    spared, killed = east.sampler_pid(), west.sampler_pid()
    os.kill(killed, signal.SIGABRT)
    killed_at = now()
    wait_until(lambda: west.n_scans(ok=True, since=killed_at) > 0)
    wait_until(lambda: west.sampler_pid() not in (0, killed))
    assert east.sampler_pid() == spared
    assert is_alive(spared)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
