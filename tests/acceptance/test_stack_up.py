"""`make up` as a whole: order, secrets, modes, restarts, kills, and nothing left running."""

import contextlib
import json
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.request import Request, urlopen

import psutil
import psycopg
import pytest
import redis
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from psycopg import sql

from stack.ports import free_port
from stack.supervisor import STOP_SECONDS

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).resolve().parents[2]
UP_SECONDS, SLOW_SECONDS = 120.0, 5.0  # a loaded machine takes its time to look and to kill
ANY_PORT = dict.fromkeys(("WEIR_HTTP_PORT", "WEIR_OTLP_HTTP_PORT", "WEIR_OTLP_GRPC_PORT", "WEIR_KAFKA_PORT"), "0")
ClientProperties = dict[str, str | int | float | bool]
SERVERS = {"postgres", "valkey", "kafka"}
T = TypeVar("T")


class Up:
    """A running `python -m stack up` in a folder of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.worker_port = free_port()
        ports = {**ANY_PORT, "WEIR_WORKER_PORT": str(self.worker_port)}
        self.environ = {**os.environ, **ports, "WEIR_DATA_DIR": str(data)}
        self.process = self.spawned()

    def spawned(self, **settings: str) -> subprocess.Popen[bytes]:
        command, environ = (sys.executable, "-m", "stack", "up"), {**self.environ, **settings}
        with self.output_file.open("wb") as out:
            return subprocess.Popen(
                command, cwd=ROOT, env=environ, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def output_file(self) -> Path:
        return self.data.with_name("output")

    def refused(self, **settings: str) -> str:
        """What a start says that must fail."""
        second = self.spawned(**settings)
        assert second.wait(60) == 1
        return self.output_file.read_text()

    def wait_until_up(self) -> float:
        """Wait for stack.json; seconds it took. Fails with the output when the start failed."""
        began = time.monotonic()
        while not (self.data / "stack.json").exists():
            if self.process.poll() is not None:
                pytest.fail(self.output())
            assert time.monotonic() - began < UP_SECONDS, "not up in time"
            time.sleep(0.1)
        return time.monotonic() - began

    def output(self) -> str:
        """What it said until it ended."""
        self.process.wait(20)
        return self.output_file.read_text()

    @property
    def facts(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.data / "stack.json").read_text())
        return found

    @property
    def pids(self) -> dict[str, int]:
        found = self.facts["pids"]
        assert isinstance(found, dict)
        return found

    def url(self, name: str) -> str:
        return str(self.facts[name])

    @property
    def kafka_client(self) -> ClientProperties:
        found = self.facts["kafka_client"]
        assert isinstance(found, dict)
        return ClientProperties({**found, "log_level": 0})

    def asked(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = (sys.executable, "-m", "stack", *arguments)
        return subprocess.run(command, cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False)

    def family(self) -> list[psutil.Process]:
        """All processes of this stack, the supervisor too."""
        with contextlib.suppress(psutil.NoSuchProcess):
            supervisor = psutil.Process(self.process.pid)
            return [supervisor, *supervisor.children(recursive=True)]
        return []

    def asked_each(self, what: Callable[[psutil.Process], T]) -> Iterator[T]:
        """What each process answers that lives long enough: servers of Postgres come and go."""
        for one in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                yield what(one)


def eventually(what: Callable[[], bool], *, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.1)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    found = []
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if one.is_running() and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack for all tests of this module; they run in their order."""
    started = Up(tmp_path_factory.mktemp("stack") / "data")
    try:
        started.wait_until_up()
        yield started
    finally:
        if started.process.poll() is None:
            started.process.send_signal(signal.SIGINT)
            started.output()
        subprocess.run(
            (sys.executable, "-m", "stack", "clean", "--instance", "up"), cwd=ROOT, env=started.environ, check=True
        )
        assert not started.data.exists()


def test_s65_no_secret_stands_in_a_command_line_or_an_environment(up: Up) -> None:
    values = {path.name: path.read_text().strip() for path in (up.data / "secrets").iterdir()}
    values |= {str(path): path.read_text().strip() for path in up.data.glob("*/*.password")}
    assert {"secret_key", "database_url", "broker_url", "kafka_password", "api_token"} <= values.keys()
    seen = " ".join(up.asked_each(lambda one: " ".join((*one.cmdline(), *one.environ().values()))))
    assert not [name for name, value in values.items() if value in seen]


def test_s53_no_secret_stands_in_a_log_or_in_a_row(up: Up) -> None:
    values = {path.name: path.read_text().strip() for path in (up.data / "secrets").iterdir()}
    values |= {str(path): path.read_text().strip() for path in up.data.glob("*/*.password")}
    with psycopg.connect(up.url("database_url")) as connection:
        tables = connection.execute(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
        ).fetchall()
        rows = [
            text
            for (name,) in tables
            for (text,) in connection.execute(sql.SQL("select t::text from {} t").format(sql.Identifier(name)))
        ]
    logs = [path.read_text(errors="replace") for path in (up.data / "logs").iterdir()]
    assert len(logs) > 5
    assert len(rows) > 50
    kept = "\n".join((*logs, *rows, up.output_file.read_text()))
    assert not [name for name, value in values.items() if value in kept]


def test_the_worker_tells_prometheus_of_its_tasks(up: Up) -> None:
    def told(path: str) -> str:
        with urlopen(f"http://127.0.0.1:{up.worker_port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    eventually(lambda: re.search(r"^weir_worker_tasks_total.* [1-9]", told("/metrics"), re.MULTILINE) is not None)
    assert told("/health/live") == told("/health/ready") == "ok\n"


def test_s65_each_server_refuses_who_brings_no_password_or_a_wrong_one(up: Up) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(up.url("database_url").replace("weir:", "weir:x", 1))
    host = up.url("broker_url").rpartition("@")[2]
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(f"redis://{host}").ping()
    nobody: ClientProperties = {"bootstrap.servers": up.url("kafka_bootstrap"), "log_level": 0}
    for client in (nobody, {**up.kafka_client, "sasl.password": "wrong"}):
        admin = AdminClient(client)
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=3)


def test_s65_all_servers_listen_on_the_loopback_only(up: Up) -> None:
    heard = {
        connection.laddr.ip
        for connections in up.asked_each(lambda one: one.net_connections(kind="inet"))
        for connection in connections
        if connection.status == psutil.CONN_LISTEN
    }
    assert heard <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_s66_every_file_is_for_its_owner_alone(up: Up) -> None:
    as_root = os.geteuid() == 0
    passable = {up.data, up.data / "pg"} if as_root else set()
    for path in (up.data, *up.data.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(path.lstat().st_mode)
            assert mode & 0o077 == (0o011 if path in passable else 0), f"{path} has mode {mode:o}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as another account")
def test_s66_another_account_reads_no_secret(up: Up) -> None:
    nobody = pwd.getpwnam("nobody")
    for path in (up.data / "stack.json", up.data / "secrets" / "secret_key", up.data / "kafka" / "weir.password"):
        looked = subprocess.run(
            ("cat", str(path)), user=nobody.pw_uid, group=nobody.pw_gid, capture_output=True, check=False
        )
        assert looked.returncode != 0


def test_a_command_that_a_person_types_speaks_to_the_stack_that_runs(up: Up) -> None:
    environ = {"PATH": os.environ["PATH"], "WEIR_DATA_DIR": str(up.data)}
    command = (sys.executable, "manage.py", "create_token", "my-script", "--role", "operator")
    made = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    asked = Request(f"{up.url('url')}/api/v1/health", headers={"Authorization": f"Bearer {made.stdout.strip()}"})
    with urlopen(asked, timeout=30) as answer:
        assert answer.status == 200


def test_a_second_start_with_the_same_data_is_told_who_runs(up: Up) -> None:
    assert f"already running with the data in {up.data} (pid {up.process.pid})" in up.refused()


def test_a_taken_port_is_named_with_its_setting_before_anything_starts(up: Up, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = up.refused(WEIR_DATA_DIR=str(tmp_path / "other"), WEIR_OTLP_GRPC_PORT=port)
    assert f"Port {port} on 127.0.0.1 is taken" in said
    assert f"WEIR_OTLP_GRPC_PORT={int(port) + 1}" in said
    assert not (tmp_path / "other" / "pg").exists()


@pytest.mark.parametrize("part", ["fold", "web", "valkey"])
def test_a_part_that_dies_is_started_again(up: Up, part: str) -> None:
    before = up.pids[part]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: up.pids.get(part, before) != before)
    assert (up.process.poll(), psutil.pid_exists(before)) == (None, False)


def test_a_part_can_be_stopped_and_started_by_name(up: Up) -> None:
    assert up.asked("stop-part", "fold").returncode == 0
    assert "fold" not in up.pids
    assert "stopped" in up.asked("status").stdout
    assert up.asked("start-part", "fold").returncode == 0
    eventually(lambda: "fold" in up.pids)
    refused = up.asked("stop-part", "nonsense")
    assert refused.returncode == 1
    assert "There is no part 'nonsense'" in refused.stderr


def test_killing_the_supervisor_leaves_no_orphan_and_loses_nothing_acknowledged(up: Up) -> None:
    with psycopg.connect(up.url("database_url")) as connection:
        connection.execute("create table kept as select 42 as answer")
    admin = AdminClient(up.kafka_client)
    for made in admin.create_topics([NewTopic("kept", 1, 1)]).values():
        made.result(10)
    producer = Producer({**up.kafka_client, "acks": "all"})
    producer.produce("kept", b"42")
    assert producer.flush(10) == 0
    family = up.family()
    up.process.kill()
    up.process.wait()
    eventually(lambda: not alive(family))

    (up.data / "stack.json").unlink()
    up.process = up.spawned()
    up.wait_until_up()
    with psycopg.connect(up.url("database_url")) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)
        connection.execute("drop table kept")
    consumer = Consumer({**up.kafka_client, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition("kept", 0, 0)])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    assert message.value() == b"42"


def test_killing_everything_at_once_is_survived(up: Up) -> None:
    family = up.family()
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    up.process.wait()
    (up.data / "stack.json").unlink()
    up.process = up.spawned()
    up.wait_until_up()
    assert up.pids.keys() >= SERVERS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_within_ten_seconds_and_leaves_no_process(up: Up, number: signal.Signals) -> None:
    if up.process.poll() is not None:
        up.process = up.spawned()
        up.wait_until_up()
    family = up.family()
    assert len(family) > len(SERVERS)
    began = time.monotonic()
    up.process.send_signal(number)
    said = up.output()
    assert time.monotonic() - began < STOP_SECONDS + SLOW_SECONDS
    assert up.process.returncode == 0
    eventually(lambda: not alive(family), seconds=SLOW_SECONDS)
    assert "stopped; nothing is left running" in said
    assert not (up.data / "stack.json").exists()
