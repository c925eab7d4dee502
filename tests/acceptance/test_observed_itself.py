"""A real process of Weir's: its probes, its numbers, and where its own spans go."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from stack.ports import free_port
from stack.testing import Servers

pytestmark = pytest.mark.acceptance
ROOT = Path(__file__).resolve().parents[2]


class Backend(BaseHTTPRequestHandler):
    """Takes OTLP and remembers what came."""

    got: ClassVar[list[tuple[str, str | None, bytes]]] = []

    def do_POST(self) -> None:
        """Anything is fine."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, self.headers["x-weir-own"], body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def backend() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
    except ConnectionError:
        return 0, ""


def until(is_so: Any, *, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert process.poll() is None, "the process ended"
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_the_folder_says_that_it_lives_what_it_counted_and_sends_its_spans_where_asked(
    postgres: Servers, backend: str, tmp_path: Path
) -> None:
    with psycopg.connect(postgres.database_url, autocommit=True) as connection:
        connection.execute("create database observed_itself")
    port = free_port()
    env = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": postgres.database_url.rpartition("/")[0] + "/observed_itself",
        "SECRET_KEY": "s" * 64,
        "WEIR_DATA_DIR": str(tmp_path),
        "WEIR_FOLD_PORT": str(port),
        "WEIR_TELEMETRY_URL": backend,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True)
    with subprocess.Popen(
        [sys.executable, "manage.py", "fold"], cwd=ROOT, env=env, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until(lambda: ask(port, "/health/ready")[0] == 200, process=process)
            assert ask(port, "/health/live") == (200, "ok\n")
            status, body = ask(port, "/metrics")
            assert status == 200
            assert "weir_fold_batches_total" in body
            assert "process_resident_memory_bytes" in body
            until(lambda: any(path == "/v1/traces" for path, _, _ in Backend.got), process=process)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
    path, own, sent = next(each for each in Backend.got if each[0] == "/v1/traces")
    assert (path, own) == ("/v1/traces", "1")
    spans = ExportTraceServiceRequest.FromString(sent).resource_spans[0]
    assert {pair.value.string_value for pair in spans.resource.attributes} == {"weir", "weir-fold"}
    assert {span.name for span in spans.scope_spans[0].spans} == {"fold"}
