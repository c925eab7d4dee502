"""The whole shop as processes, for tests: started like a supervisor would, stopped with SIGTERM."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.parts import PARTS

ROOT = Path(__file__).parents[2]
READY_SECONDS, STOP_SECONDS = 60.0, 8.0


class Shop:
    """The running services. `environ` is what each was started with."""

    def __init__(self, *, bootstrap: str, endpoint: str, folder: Path, rate: float) -> None:
        self.state_dir = folder / "shop"
        self._ready = folder / "ready"
        self._ready.mkdir(parents=True)
        self._logs = folder / "logs"
        self._logs.mkdir()
        self.environ = {
            **os.environ,
            "DEMO_KAFKA_BOOTSTRAP": bootstrap,
            "DEMO_STATE_DIR": str(self.state_dir),
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "RATE": str(rate),
            "SEED": "7",
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def control(self, *words: str) -> None:
        """Run `python -m demo.control`."""
        self._module("demo.control", *words)

    def start(self, names: tuple[str, ...] = PARTS) -> None:
        """Create the topics, start these services and wait until each serves."""
        self._module("demo.setup")
        for name in names:
            with (self._logs / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "demo.run", name],
                    cwd=ROOT,
                    env={**self.environ, "WEIR_READY_FILE": str(self._ready / name)},
                    stderr=log,
                )
        self._wait_until_ready(names)

    def stop(self) -> dict[str, tuple[int, float]]:
        """SIGTERM to all: exit code and seconds that it took, by service; whoever stays is killed."""
        started = time.monotonic()
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        ended: dict[str, tuple[int, float]] = {}
        for name, process in self.processes.items():
            try:
                process.wait(max(0.1, started + STOP_SECONDS - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            ended[name] = (process.returncode, time.monotonic() - started)
        self.processes.clear()
        return ended

    def log_of(self, name: str) -> str:
        """What the service has said so far."""
        return (self._logs / f"{name}.log").read_text()

    def _module(self, *words: str) -> None:
        subprocess.run([sys.executable, "-m", *words], cwd=ROOT, env=self.environ, check=True, capture_output=True)

    def _wait_until_ready(self, names: tuple[str, ...]) -> None:
        until = time.monotonic() + READY_SECONDS
        for name in names:
            process, file = self.processes[name], self._ready / name
            while not (file.exists() and file.read_text() == f"{process.pid}\n"):
                if process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(f"{name} did not start:\n{self.log_of(name)}")
                time.sleep(0.05)


@contextmanager
def open_shop(*, bootstrap: str, endpoint: str, folder: Path, rate: float) -> Iterator[Shop]:
    """A shop that is not started yet; whatever runs at the end is stopped."""
    shop = Shop(bootstrap=bootstrap, endpoint=endpoint, folder=folder, rate=rate)
    try:
        yield shop
    finally:
        shop.stop()
