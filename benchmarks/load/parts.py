"""Weir's own processes beside a benchmark, as they run in production, and what they take."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS, STOP_SECONDS = 90.0, 20.0


@contextmanager
def part(name: str, folder: Path, environment: Mapping[str, str], *words: str) -> Iterator[psutil.Process]:
    """`manage.py NAME`, once it is ready, until the end of the block. What it logs is in NAME.log in the folder."""
    ready = folder / f"{name}.ready"
    with (folder / f"{name}.log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "manage.py", name, *words],
            cwd=ROOT,
            env={**environment, "WEIR_READY_FILE": str(ready)},
            stdout=log,
            stderr=log,
        )
    try:
        _await(ready, started, name)
        yield psutil.Process(started.pid)
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(STOP_SECONDS)


def _await(ready: Path, started: "subprocess.Popen[bytes]", name: str) -> None:
    until = time.monotonic() + READY_SECONDS
    while not (ready.exists() and ready.read_text().strip() == str(started.pid)):
        if started.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{name} did not start.")
        time.sleep(0.1)


def held_mb(process: psutil.Process) -> float:
    """Memory of a process and all below it that is not shared with others, and its part of what is."""
    return sum(_pss(each) for each in (process, *process.children(recursive=True))) / 1e6


def servers_mb(name: str) -> float:
    """The same of a server below us, by its program's name: postgres or java."""
    return sum(_pss(each) for each in psutil.Process(os.getpid()).children(recursive=True) if _named(each, name)) / 1e6


def _named(process: psutil.Process, name: str) -> bool:
    try:
        return bool(process.name() == name)
    except psutil.NoSuchProcess:
        return False


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0
