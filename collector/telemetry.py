"""Weir's own numbers and spans: one set of instruments, read by Prometheus and, where asked, sent by OTLP.

Never into Weir's own intake: the receiver refuses whatever carries OWN_HEADER, and the settings refuse its address.
"""

import hmac
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource

OWN_HEADER = "x-weir-own"
EXPOSITION = CONTENT_TYPE_LATEST  # the media type of `exposition`
_SEND_EVERY_MS = 15_000
_SEND_SECONDS = 5

meter = metrics.get_meter("weir")
_tracer = trace.get_tracer("weir")


def start(part: str, *, send_to: str = "", is_read: bool = True) -> None:
    """Count from now on, as the part (web, receive, …) that this process is; once a process.

    `send_to`: an OTLP/HTTP address such as http://collector:4318, which gets metrics and spans; "" for nobody.
    `is_read`: whether somebody can ask for them. To count takes 3 MB: where nobody gets to know it, nothing is counted.
    """
    if not (send_to or is_read):
        return
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource

    resource = Resource({"service.namespace": "weir", "service.name": f"weir-{part}"})
    readers: list[MetricReader] = [PrometheusMetricReader()] if is_read else []
    if send_to:
        readers.append(_sending(send_to, resource))
    metrics.set_meter_provider(MeterProvider(readers, resource=resource, shutdown_on_exit=False))


def exposition() -> bytes:
    """All numbers of this process, as Prometheus reads them."""
    return generate_latest(REGISTRY)


def may_read(client: str, authorization: str, token: str) -> bool:
    """Who gets the exposition: loopback, and others with the token, where there is one."""
    try:
        if ipaddress.ip_address(client).is_loopback:
            return True
    except ValueError:
        return False
    return bool(token) and hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())


def observe(kind: str, name: str, read: Callable[[], float], *, unit: str, description: str) -> None:
    """A number that is read when somebody asks. `kind`: counter (only grows) or gauge."""

    def answer(_options: CallbackOptions) -> Iterator[Observation]:
        yield Observation(read())

    make = meter.create_observable_counter if kind == "counter" else meter.create_observable_gauge
    make(name, callbacks=[answer], unit=unit, description=description)


@contextmanager
def span(name: str, attributes: Mapping[str, str | int] | None = None) -> Iterator[None]:
    """One step of work as a span of Weir's own; costs next to nothing where nobody gets spans."""
    with _tracer.start_as_current_span(name, attributes=attributes):
        yield


def _sending(address: str, resource: "Resource") -> "MetricReader":
    """Spans go there from now on; the reader that sends the metrics, too."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    headers = {OWN_HEADER: "1"}
    spans = OTLPSpanExporter(f"{address}/v1/traces", headers=headers, timeout=_SEND_SECONDS)
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    traces.add_span_processor(BatchSpanProcessor(spans))
    trace.set_tracer_provider(traces)
    sent = OTLPMetricExporter(f"{address}/v1/metrics", headers=headers, timeout=_SEND_SECONDS)
    return PeriodicExportingMetricReader(sent, export_interval_millis=_SEND_EVERY_MS)
