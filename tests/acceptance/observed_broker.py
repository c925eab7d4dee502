"""A real broker that can be hurt, a database, and the sampler between them, kept running as a supervisor would."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka.admin import AdminClient

from stack import cache, kafka, places
from stack.environment import server_environment
from stack.ports import free_port
from stack.supervisor import Supervisor
from stack.testing import servers

ROOT = Path(__file__).resolve().parents[2]
EVERY_SECONDS = 2.0
START_SECONDS = 15.0  # of the sampler itself, on a busy machine
MIGRATION_SECONDS = 120.0  # of an empty database, there


@dataclass
class Observed:
    """A broker that can be hurt, a database, and the sampler between them."""

    broker: kafka.Kafka
    supervisor: Supervisor
    database_url: str
    folder: Path
    sampler: "subprocess.Popen[bytes] | None" = None
    exits: list[int] = field(default_factory=list)

    @cached_property
    def admin(self) -> AdminClient:
        """Made when it is first used: before the broker is there it would wait longer and longer between attempts."""
        return AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as own:
            return own.execute(sql.encode()).fetchall()

    @property
    def broker_pid(self) -> int:
        pid = self.supervisor.lives["kafka"].pid
        assert pid is not None
        return pid

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


@contextmanager
def observed_broker(folder: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[Observed]:
    """Start all but the sampler. `settings` are the broker's own."""
    fetched = cache.filled(os.environ, say=lambda _: None)
    broker = kafka.embedded(
        folder / "kafka", jars=fetched.kafka_jars, start_cache=fetched.start_cache,
        ports=(free_port(), free_port()), asks_password=False, settings=settings,
    )  # fmt: skip
    logs = places.made_private(folder / "logs")
    supervisor = Supervisor(broker.parts(env=server_environment(os.environ)), logs, say=lambda _: None)
    with servers(folder, kafka=False, valkey=False) as started:
        world = Observed(broker, supervisor, started.database_url, folder)
        migration = subprocess.Popen(
            [sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=world.environment()
        )
        try:
            supervisor.start()  # meanwhile: each takes as long as the other
            assert migration.wait(MIGRATION_SECONDS) == 0
            yield world
        finally:
            for process in (migration, world.sampler):
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait()
            supervisor.stop()
