"""The servers alone, for tests and benchmarks: in a folder of their own, on free ports, quick rather than safe."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack import cache, kafka, places, postgres, valkey
from stack.environment import server_environment
from stack.ports import free_port
from stack.supervisor import Supervisor

QUICK_SETTINGS = {"synchronous_commit": "off", "max_connections": "200"}


@dataclass(frozen=True)
class Servers:
    """Addresses of what was started; the owner of the database may create databases and roles."""

    database_url: str
    broker_url: str | None
    kafka_bootstrap: str | None
    page_libraries: Path


@contextlib.contextmanager
def servers(
    folder: Path, *, kafka: bool, valkey: bool, store_settings: Mapping[str, str] | None = None
) -> Iterator[Servers]:
    """PostgreSQL, and Valkey and Kafka where asked for; stopped and removed at the end.

    `store_settings`: of PostgreSQL, over the quick ones.

    Call it from the main thread: the servers die with the thread that started them.
    """
    fetched = cache.filled(os.environ, say=lambda _: None)
    place = places.made_data_folder(folder / "servers")
    settings = {**QUICK_SETTINGS, **(store_settings or {})}
    store = postgres.embedded(place / "pg", port=free_port(), settings=settings, owner_may=("createdb", "createrole"))
    queue = _valkey(place) if valkey else None
    broker = _broker(place, fetched) if kafka else None
    env = server_environment(os.environ)
    asked_for = [server for server in (store, queue, broker) if server]
    parts = tuple(part for server in asked_for for part in server.parts(env=env))
    supervisor = Supervisor(parts, places.made_private(place / "logs"), say=lambda _: None)
    try:
        supervisor.start()
        yield Servers(
            database_url=store.url,
            broker_url=queue.url if queue else None,
            kafka_bootstrap=broker.bootstrap if broker else None,
            page_libraries=fetched.page_libraries,
        )
    finally:
        supervisor.stop()
        shutil.rmtree(place, ignore_errors=True)
        postgres.remove_outside(place / "pg")


def _valkey(place: Path) -> valkey.Valkey:
    return valkey.embedded(place / "valkey", port=free_port())


def _broker(place: Path, fetched: cache.Cache) -> kafka.Kafka:
    return kafka.embedded(
        place / "kafka",
        jars=fetched.kafka_jars,
        start_cache=fetched.start_cache,
        ports=(free_port(), free_port()),
        asks_password=False,
    )
