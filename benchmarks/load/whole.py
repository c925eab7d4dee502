"""The whole of Weir beside a benchmark, as `make up` or `make demo` starts it, and one span of a probe."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from stack.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS, STOP_SECONDS = 240, 60
N_AGAIN = 100
PORTS = ("WEIR_HTTP_PORT", "WEIR_OTLP_HTTP_PORT", "WEIR_OTLP_GRPC_PORT", "WEIR_KAFKA_PORT")


@contextmanager
def running(
    folder: Path, way: Literal["up", "demo"], more: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Weir as `make WAY` starts it, on free ports and with `more` in its environment; stopped at the end."""
    data = folder / "data"
    ports = {name: str(free_port()) for name in PORTS}
    environment = {**os.environ, "WEIR_DATA_DIR": str(data), **ports, **(more or {})}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stack", way], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        until = time.monotonic() + START_SECONDS
        while not _serves(data / "stack.json"):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((folder / "log").read_text()[-2000:])
            time.sleep(0.5)
        yield dict(json.loads((data / "stack.json").read_text()))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


def _serves(facts: Path) -> bool:
    if not facts.exists():
        return False
    try:
        url = f"{json.loads(facts.read_text())['url'].rstrip('/')}/health/ready"
        with urllib.request.urlopen(url, timeout=5) as got:  # noqa: S310 - our own
            return bool(got.status == 200)
    except (OSError, ValueError, KeyError):
        return False


def make_topic(stack: dict[str, Any], topic: str) -> None:
    """A topic of one partition."""
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    admin = AdminClient({"bootstrap.servers": stack["kafka_bootstrap"], **stack["kafka_client"]})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(20)


def probe(stack: dict[str, Any], service: str, topic: str) -> float:
    """One request with one span that writes to the probe's topic; when it was taken, ms since 1970.

    Sent again while it is refused for now, as exporters do.
    """
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    message = ExportTraceServiceRequest()
    spoken = message.resource_spans.add()
    spoken.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value=service)))
    now = time.time_ns()
    spoken.scope_spans.add().spans.append(
        Span(
            trace_id=secrets.token_bytes(16),
            span_id=secrets.token_bytes(8),
            name=f"{topic} publish",
            kind=Span.SPAN_KIND_PRODUCER,
            start_time_unix_nano=now - 1_000_000,
            end_time_unix_nano=now,
            attributes=[
                KeyValue(key=name, value=AnyValue(string_value=value))
                for name, value in (
                    ("messaging.system", "kafka"),
                    ("messaging.destination.name", topic),
                    ("messaging.operation", "publish"),
                )
            ],
        )
    )
    request = urllib.request.Request(  # noqa: S310 - our own receiver
        f"{stack['otlp_http']}/v1/traces",
        data=message.SerializeToString(),
        headers={"Content-Type": "application/x-protobuf"},
    )
    for pause in (*[0.2] * N_AGAIN, None):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                answer.read()
            break
        except urllib.error.HTTPError as refused:
            if refused.code not in {429, 503} or pause is None:
                raise
            time.sleep(pause)
    return time.time() * 1000
