"""A small OTLP/HTTP receiver for tests of the shop: keeps every span, and can be away for a while."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Seen:
    """One span as it came, with the resource that sent it."""

    resource: dict[str, str]
    span: Span
    attributes: dict[str, str | int]

    @property
    def service(self) -> str:
        """The service.name."""
        return self.resource["service.name"]


@dataclass
class Sink:
    """What came so far; `away` makes it answer 503 to everything."""

    endpoint: str = ""
    away: bool = False
    spans: list[Seen] = field(default_factory=list)
    n_refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, body: bytes) -> None:
        """Keep the spans of one request."""
        request = ExportTraceServiceRequest.FromString(body)
        found = []
        for resource_spans in request.resource_spans:
            resource = {item.key: item.value.string_value for item in resource_spans.resource.attributes}
            for scope_spans in resource_spans.scope_spans:
                found += [Seen(resource, span, _attributes(span)) for span in scope_spans.spans]
        with self._lock:
            self.spans += found

    def refuse(self) -> None:
        """Count a request that was turned away."""
        with self._lock:
            self.n_refused += 1


def _attributes(span: Span) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for item in span.attributes:
        text = item.value.HasField("string_value")
        found[item.key] = item.value.string_value if text else item.value.int_value
    return found


@contextmanager
def open_sink() -> Iterator[Sink]:
    """A sink on a free port of loopback, closed at the end."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if sink.away:
                sink.refuse()
                self._answer(503)
                return
            sink.take(body)
            self._answer(200)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sink.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
