"""Kafka's start cache: a JVM cache that a throw-away broker writes at its end. Pure gain; it may fail."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from stack import kafka, places
from stack.cache import Cache
from stack.part import Part
from stack.ports import free_port
from stack.supervisor import Supervisor

NICENESS = 15
WRITE_SECONDS = 60.0


def training(cache: Cache, *, data: Path, env: Mapping[str, str], after: tuple[str, ...]) -> Part:
    """The part that makes the cache once everything else runs, out of everybody's way."""
    return Part(
        name="start-cache",
        argv=(sys.executable, "-u", "-m", "stack", "start-cache", "--work", str(data)),
        env={**env, "WEIR_CACHE_DIR": str(cache.start_cache.parent)},
        cwd=Path(__file__).resolve().parent.parent,
        after=after,
        once=True,
        optional=True,
        niceness=NICENESS,
        notable="Error|Traceback",
        stop_seconds=2.0,
        start_seconds=180,
    )


def make(cache: Cache, *, work: Path, env: Mapping[str, str]) -> None:
    """Start and stop a broker that records what it loads; its cache file appears at once or not at all."""
    folder = work / "start-cache"
    shutil.rmtree(folder, ignore_errors=True)
    places.made_private(folder)
    draft = folder / "kafka.aot"
    try:
        broker = kafka.embedded(
            folder / "kafka",
            jars=cache.kafka_jars,
            start_cache=cache.start_cache,
            ports=(free_port(), free_port()),
            asks_password=False,
            flags=(f"-XX:AOTCacheOutput={draft}",),
            stop_seconds=WRITE_SECONDS,
        )
        supervisor = Supervisor(broker.parts(env=env), places.made_private(folder / "logs"), say=lambda _: None)
        try:
            supervisor.start()
            supervisor.stop(within=WRITE_SECONDS)
        finally:
            supervisor.stop(hurry=lambda: True)
        os.replace(draft, cache.start_cache)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
