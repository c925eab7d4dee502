"""The whole of Weir, with its demo shop or without, as `make` runs it, on free ports and in a folder of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.parts import PARTS
from stack import postgres
from stack.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 240
STOP_SECONDS = 30
SENDERS = ("orders-svc", "pricing-svc")
CALM_SECONDS = 6.0  # an exporter gathers spans for five


@dataclass(frozen=True)
class Demo:
    """A running Weir, as a rule with its demo shop; `stack` is its stack.json."""

    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    @property
    def stack(self) -> dict[str, Any]:
        """What stack.json says now."""
        return dict(json.loads((self.folder / "stack.json").read_text()))

    @property
    def shop_folder(self) -> Path:
        """Where the shop keeps its state and its truth logs."""
        return self.folder / "demo"

    def get(self, path: str, **query: str) -> Any:
        """The API's answer to GET /api/v1/{path}."""
        return self.ask("GET", path, query=query)[1]

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Status and decoded body of one API call."""
        stack = self.stack
        url = f"{stack['url'].rstrip('/')}/api/v1/{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(
            url,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {stack['api_token']}",
                "Content-Type": "application/json",
                **(headers or {}),
            },
        )
        while True:
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, json.loads(answer.read())
            except urllib.error.HTTPError as error:
                if error.code != 429:
                    return error.code, json.loads(error.read() or b"null")
                time.sleep(int(error.headers["Retry-After"]))

    def command(self, *words: str) -> str:
        """Run `python -m stack …` or another module beside the demo; its output."""
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def kill(self, part: str) -> None:
        """SIGKILL a part; the supervisor brings it back."""
        os.kill(self.stack["pids"][part], signal.SIGKILL)

    def stop_shop(self) -> None:
        """Stop every service of the shop, who sends first, so that what is under way can be finished.

        Those only rest before they end: who ends has a second to send what is left, and its spans are out already.
        """
        environment = {**self.environment, "DEMO_STATE_DIR": str(self.shop_folder)}
        for name in SENDERS:
            rest = [sys.executable, "-m", "demo.control", "stop", name]
            subprocess.run(rest, cwd=ROOT, env=environment, capture_output=True, check=True)
        eventually(lambda: self.is_calm(CALM_SECONDS), seconds=120, what="the end of all flows")
        for name in PARTS:
            self.command("stack", "stop-part", name)

    def is_calm(self, seconds: float) -> bool:
        """Whether no service of the shop did anything for so long, from now on."""
        files = sorted((self.shop_folder / "truth").iterdir())
        before = [file.stat().st_size for file in files]
        time.sleep(seconds)
        return before == [file.stat().st_size for file in files]


@contextlib.contextmanager
def demo(folder: Path, *, instance: str = "demo", **settings: str) -> Iterator[Demo]:
    """Start the demo (`up`: Weir without the shop), wait until it serves, stop it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "WEIR_DATA_DIR": str(folder),
        "PYTHONUNBUFFERED": "1",
        **{name: str(free_port()) for name in _PORTS},
        **settings,
    }
    log = (folder.parent / "demo.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "stack", instance], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
    )
    running = Demo(folder, environment, process)
    try:
        eventually(lambda: _serves(running), seconds=START_SECONDS, what=f"the demo to serve (see {log.name})")
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            log.close()
            postgres.remove_outside(folder / "pg")


_PORTS = ("WEIR_HTTP_PORT", "WEIR_OTLP_HTTP_PORT", "WEIR_OTLP_GRPC_PORT", "WEIR_KAFKA_PORT")


def eventually(check: Callable[[], Any], *, seconds: float, what: str, every: float = 0.3) -> Any:
    """Ask until the answer is true, and return it. Fails with `what` when it never is."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if answer := check():
            return answer
        time.sleep(every)
    raise AssertionError(f"waited {seconds} s for {what}")


def _serves(running: Demo) -> bool:
    assert running.process.poll() is None, "the demo ended before it served"
    if not (running.folder / "stack.json").exists():
        return False
    try:
        return bool(running.ask("GET", "graph")[0] == 200)
    except (OSError, ValueError, KeyError):
        return False
