"""`manage.py receive` as a process of its own: real Kafka behind it, and no Postgres at all."""

import contextlib
import gzip
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, get_current_span

from collector.domain.spans import Span
from collector.kafka.log import KafkaLog
from collector.kafka.properties import Access, properties
from collector.kafka.spool import N_PARTITIONS
from collector.otlp import decode_protobuf
from collector.ports import Partition
from stack.ports import free_port
from tests.certificates import Authority
from tests.unit.otlp_samples import of

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance]
ROOT = Path(__file__).parents[2]
BODY = of("tracking")[0].body
SPOOL = "weir.spool"
PATIENCE_SECONDS = 60
STOP_SECONDS = 6  # an idle connection would hold it up for ever


@dataclass(frozen=True)
class Running:
    """A receiver that serves."""

    process: "subprocess.Popen[bytes]"
    http_port: int
    grpc_port: int


@contextlib.contextmanager
def running(bootstrap: str, folder: Path, **more: str) -> Iterator[Running]:
    ready = folder / "ready"
    environment = {
        **os.environ,
        "WEIR_SPOOL_BOOTSTRAP": bootstrap,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "SECRET_KEY": "k" * 50,
        "WEIR_DATA_DIR": str(folder),
        "WEIR_OTLP_HTTP_PORT": str(free_port()),
        "WEIR_OTLP_GRPC_PORT": str(free_port()),
        "WEIR_READY_FILE": str(ready),
        **more,
    }
    process = subprocess.Popen([sys.executable, "manage.py", "receive"], cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + 120
        while not ready.exists():
            assert process.poll() is None, "the receiver ended"
            assert time.monotonic() < deadline, "the receiver does not become ready"
            time.sleep(0.05)
        assert int(ready.read_text()) == process.pid
        yield Running(process, int(environment["WEIR_OTLP_HTTP_PORT"]), int(environment["WEIR_OTLP_GRPC_PORT"]))
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture(scope="module")
def receiver(kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(kafka_bootstrap, tmp_path_factory.mktemp("receive")) as started:
        yield started


def post(receiver: Running, body: bytes | Iterator[bytes], **headers: str) -> tuple[int, bytes]:
    """Status and body of the answer. A body that is an iterator goes in chunks, without a length."""
    given = {"Content-Type": "application/x-protobuf", **{k.replace("_", "-"): v for k, v in headers.items()}}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)) as connection:
        connection.request("POST", "/v1/traces", body, given, encode_chunked=not isinstance(body, bytes))
        answer = connection.getresponse()
        return answer.status, answer.read()


def spooled(bootstrap: str) -> list[bytes | None]:
    """Values of everything in the spool."""
    log = KafkaLog(properties(Access(bootstrap)), commits=False)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while log.identities([SPOOL])[SPOOL].n_partitions != N_PARTITIONS:  # of one that was just made larger
            assert time.monotonic() < until
        everything = {Partition(SPOOL, number) for number in range(N_PARTITIONS)}
        log.assign(dict.fromkeys(everything, 0))
        values: list[bytes | None] = []
        ended: set[Partition] = set()
        while ended != everything:
            assert time.monotonic() < until
            taken = log.take(limit=1000, limit_bytes=10_000_000, wait=2)
            values.extend(record.value for record in taken.records)
            ended |= taken.ends.keys()
        return values
    finally:
        log.close()


def test_spans_reach_the_spool_by_http_and_grpc_without_a_database(receiver: Running, kafka_bootstrap: str) -> None:
    before = Counter(spooled(kafka_bootstrap))
    assert post(receiver, BODY) == (200, b"")
    assert post(receiver, iter([BODY[:100], BODY[100:]]), Transfer_Encoding="chunked") == (200, b"")
    assert post(receiver, gzip.compress(BODY), Content_Encoding="gzip") == (200, b"")
    with grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}") as channel:
        answer = TraceServiceStub(channel).Export(  # type: ignore[no-untyped-call]
            ExportTraceServiceRequest.FromString(BODY), timeout=20, compression=grpc.Compression.Gzip
        )
        assert not answer.HasField("partial_success")
        MetricsServiceStub(channel).Export(ExportMetricsServiceRequest(), timeout=20)  # type: ignore[no-untyped-call]
    new = Counter(spooled(kafka_bootstrap)) - before
    assert new.total() == 4
    assert set(new) <= {BODY, ExportTraceServiceRequest.FromString(BODY).SerializeToString()}


def sdk_spans(exporter: SpanExporter, service: str) -> list[ReadableSpan]:
    """What the OpenTelemetry SDK recorded and then sent: a send, and a failed reading that is linked to it."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": service, "service.version": "1.2.3"}))
    for each in (exporter, kept):
        provider.add_span_processor(BatchSpanProcessor(each))
    tracer = provider.get_tracer("orders", "0.1")
    said = {"messaging.system": "kafka", "messaging.destination.name": "orders"}
    with tracer.start_as_current_span("orders send", kind=SpanKind.PRODUCER, attributes=said):
        links = [Link(get_current_span().get_span_context(), {"messaging.kafka.offset": 7})]
    read: dict[str, str | int | float | list[str]] = {
        **said, "messaging.operation.type": "process", "messaging.kafka.offset": 7, "tags": ["a", "b"], "part": 0.5,
    }  # fmt: skip
    with (
        contextlib.suppress(ZeroDivisionError),
        tracer.start_as_current_span("orders process", kind=SpanKind.CONSUMER, links=links, attributes=read),
    ):
        raise ZeroDivisionError("no rest")
    provider.shutdown()
    return list(kept.get_finished_spans())


def as_sent(span: ReadableSpan) -> dict[str, object]:
    context, parent = span.get_span_context(), span.parent
    assert context is not None
    return {
        "ids": (context.trace_id, context.span_id, parent.span_id if parent else None),
        "what": (span.name, span.kind.name, span.status.status_code.name, span.start_time, span.end_time),
        "attributes": dict(span.attributes or {}),
        "links": [(link.context.span_id, dict(link.attributes or {})) for link in span.links],
        "raised": [(event.attributes or {}).get("exception.message") for event in span.events],
        "resource": (span.resource.attributes["service.name"], span.resource.attributes["service.version"]),
    }


def as_decoded(span: Span) -> dict[str, object]:
    number = int.from_bytes
    parent = number(span.parent_id, "big") if span.parent_id else None
    return {
        "ids": (number(span.trace_id, "big"), number(span.span_id, "big"), parent),
        "what": (span.name, span.kind.name, span.status.name, span.started_ns, span.ended_ns),
        "attributes": dict(span.attributes),
        "links": [(number(link.span_id, "big"), dict(link.attributes)) for link in span.links],
        "raised": [one.message for one in span.raised],
        "resource": (span.resource.name, span.resource.version),
    }


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_what_the_sdk_records_is_what_the_spool_holds(
    receiver: Running, kafka_bootstrap: str, protocol: str, compression: str
) -> None:
    exporter: SpanExporter = (
        HttpExporter(f"http://127.0.0.1:{receiver.http_port}/v1/traces", compression=Compression(compression))
        if protocol == "http"
        else GrpcExporter(
            f"http://127.0.0.1:{receiver.grpc_port}",
            compression=grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression,
        )
    )
    service = f"sdk-{protocol}-{compression}"
    sent = sdk_spans(exporter, service)
    found = [span for body in spooled(kafka_bootstrap) for span in decode_protobuf(body or b"").spans]
    assert [as_decoded(span) for span in found if span.resource.name == service] == [as_sent(span) for span in sent]
    assert len(sent) == 2


def test_s59_grpc_tells_what_is_wrong_with_the_codes_of_otlp(receiver: Running) -> None:
    path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    token = "_".join(("weir", "ingest", "a" * 16, "x" * 43))
    with grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}") as channel:
        export = channel.unary_unary(path, None, None)
        for body, metadata, expected in [
            (b"\xff\xff", (), grpc.StatusCode.INVALID_ARGUMENT),
            (bytes(21 * 1024**2), (), grpc.StatusCode.RESOURCE_EXHAUSTED),
            (BODY, (("authorization", "Bearer nonsense"),), grpc.StatusCode.UNAUTHENTICATED),
            (BODY, (("authorization", f"Bearer {token}"),), grpc.StatusCode.UNAVAILABLE),  # no database to ask
            (BODY, (("origin", "https://evil.example"),), grpc.StatusCode.PERMISSION_DENIED),
        ]:
            with pytest.raises(grpc.RpcError) as raised:
                export(body, timeout=20, metadata=metadata)
            assert raised.value.code() is expected
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(reflection, None, None)(b"", timeout=20)
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_head_without_end_is_cut_off(receiver: Running) -> None:
    with socket.create_connection(("127.0.0.1", receiver.http_port), timeout=20) as connection:
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n")
        with contextlib.suppress(ConnectionError):
            for number in range(2_000):
                connection.sendall(b"X-%d: %s\r\n" % (number, b"y" * 100))
        with contextlib.suppress(ConnectionError):
            assert connection.recv(100).startswith(b"HTTP/1.1 431") or not connection.recv(100)
    assert post(receiver, BODY) == (200, b"")


def test_a_large_body_is_no_part_of_the_next_head(receiver: Running) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)) as connection:
        for _ in range(5):
            connection.request("POST", "/v1/metrics", bytes(100_000), {"Content-Type": "application/x-protobuf"})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"")


def test_a_taken_port_is_named_with_the_setting_that_changes_it(receiver: Running, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "SECRET_KEY": "k" * 50,
        "WEIR_DATA_DIR": str(tmp_path),
        "WEIR_OTLP_HTTP_PORT": str(receiver.http_port),
        "WEIR_OTLP_GRPC_PORT": str(free_port()),
    }
    ended = subprocess.run(
        [sys.executable, "manage.py", "receive"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert b"WEIR_OTLP_HTTP_PORT" in ended.stderr


def test_it_stops_at_once_and_in_order_when_told_to(kafka_bootstrap: str, tmp_path: Path) -> None:
    with (
        running(kafka_bootstrap, tmp_path) as started,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", started.http_port, timeout=5)) as idle,
    ):
        idle.request("GET", "/health/ready")
        assert idle.getresponse().read() == b'{"status":"ok"}'
        began = time.monotonic()
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(timeout=10) == 0
        assert time.monotonic() - began < STOP_SECONDS


def test_both_ports_speak_tls_where_a_certificate_is_given(kafka_bootstrap: str, tmp_path: Path) -> None:
    authority = Authority()
    pair = authority.signed("receiver")
    (tmp_path / "cert.pem").write_text(pair.certificate)
    (tmp_path / "key.pem").write_text(pair.key)
    files = {"WEIR_OTLP_TLS_CERT_FILE": str(tmp_path / "cert.pem"), "WEIR_OTLP_TLS_KEY_FILE": str(tmp_path / "key.pem")}
    trusting = ssl.create_default_context(cadata=authority.certificate)
    with running(kafka_bootstrap, tmp_path, **files) as started:
        connection = http.client.HTTPSConnection("127.0.0.1", started.http_port, timeout=20, context=trusting)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/traces", BODY, {"Content-Type": "application/x-protobuf"})
            assert connection.getresponse().status == 200
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", started.http_port, timeout=20)) as plain:
            plain.request("GET", "/health/live")
            with pytest.raises((http.client.HTTPException, OSError)):
                plain.getresponse()
        own = grpc.ssl_channel_credentials(authority.certificate.encode())
        with grpc.secure_channel(f"127.0.0.1:{started.grpc_port}", own) as channel:
            request = ExportTraceServiceRequest.FromString(BODY)
            TraceServiceStub(channel).Export(request, timeout=20)  # type: ignore[no-untyped-call]
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(timeout=20) == 0
