"""A small HTTP server for processes that serve nothing else: /health/live, /health/ready and /metrics."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from collector import telemetry
from collector.receive.origins import Origins
from collector.receive.refusals import Refused

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5.0
MOST_AT_ONCE = 16
_PROGRAMS_ONLY = Origins(hosts=(), origins=(), any_host=False)


@dataclass(frozen=True, slots=True)
class Probes:
    """Where to listen (port 0: nowhere), the token for /metrics beyond loopback, and the two answers."""

    bind: str
    port: int
    token: str
    live: Callable[[], bool]
    ready: Callable[[], bool]


@contextmanager
def serving(probes: Probes) -> Iterator[None]:
    """Answer while the block runs. A port that is taken is said in the log: the work does not wait for it."""
    server = _started(probes) if probes.port else None
    try:
        yield
    finally:
        if server is not None:
            server.shutdown()
            server.server_close()


def _started(probes: Probes) -> "_Server | None":
    try:
        server = _Server(probes)
    except OSError as error:
        log.warning("probes: cannot listen on %s port %d: %s", probes.bind, probes.port, error.strerror)
        return None
    threading.Thread(target=server.serve_forever, args=[0.2], name="probes", daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, probes: Probes) -> None:
        self.address_family = socket.AF_INET6 if ":" in probes.bind else socket.AF_INET
        self.probes = probes
        self._slots = threading.Semaphore(MOST_AT_ONCE)
        super().__init__((probes.bind, probes.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  as its base has it
        """In a thread of its own, while there are not too many."""
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Give the slot back whatever happens."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002
        """Somebody who hung up is no news."""
        log.debug("a probe's connection ended early")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = TIMEOUT_SECONDS
    protocol_version = "HTTP/1.0"  # one request a connection

    def do_GET(self) -> None:
        """The three addresses; nothing for pages in a browser."""
        probes = self.server.probes
        if not self._is_from_a_program():
            return
        if self.path == "/health/live":
            self._status(ok=probes.live())
        elif self.path == "/health/ready":
            self._status(ok=probes.live() and probes.ready())
        elif self.path != "/metrics":
            self._answer(404, b"Ask for /health/live, /health/ready or /metrics.\n")
        elif telemetry.may_read(self.client_address[0], self.headers.get("Authorization", ""), probes.token):
            self._answer(200, telemetry.exposition(), telemetry.EXPOSITION)
        else:
            self._answer(401, b"Send WEIR_METRICS_TOKEN as a bearer token.\n")

    do_HEAD = do_GET

    def _is_from_a_program(self) -> bool:
        hosts, names = self.headers.get_all("Host") or [], [name.lower() for name in self.headers]
        fetched = any(name.startswith("sec-fetch-") for name in names)
        try:
            _PROGRAMS_ONLY.check(hosts, self.headers.get("Origin"), fetched_by_a_page=fetched)
        except Refused as refused:
            self._answer(refused.http_status, b"Not for web pages, and only by address or loopback name.\n")
            return False
        return True

    def _status(self, *, ok: bool) -> None:
        self._answer(200 if ok else 503, b"ok\n" if ok else b"not ready\n")

    def _answer(self, code: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response_only(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """No access log."""
