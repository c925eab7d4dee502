"""OpenTelemetry as a service would set it up: the published instrumentation of its client, and OTLP over HTTP."""

import os
import threading

from opentelemetry import trace
from opentelemetry.exporter.http.transport._urllib3 import Urllib3HTTPTransport
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode

from demo.gateway import Refused
from demo.letters import own_trace
from demo.parts import Part, instance

# The exporter tries a batch six times, after 0, 1, 3, 7, 15 and 31 s, but for ten seconds in all unless told otherwise.
# With a minute, a receiver may be away for half a minute; the queue holds far more than the shop makes meanwhile.
DEFAULTS = {
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "OTEL_BSP_MAX_QUEUE_SIZE": "50000",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "512",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
}


class Tracing:
    """The tracer provider of this process."""

    def __init__(self, part: Part, *, version: str) -> None:
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        about = {
            "service.name": part.name,
            "service.version": version,
            "service.instance.id": instance(part),
        }
        if part.group is not None and part.names_its_group:
            about["messaging.consumer.group.name"] = part.group
        self._provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
        # The exporter's other transport, on requests, takes three times the CPU for each export, five a second.
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(_transport=Urllib3HTTPTransport())))
        trace.set_tracer_provider(self._provider)

    def failed(self, failure: Refused) -> None:
        """Record the failure on the current span, under the names that the dead letter gives it."""
        span = trace.get_current_span()
        span.record_exception(
            failure,
            attributes={"exception.type": failure.java_class, "exception.stacktrace": own_trace(failure)},
        )
        span.set_attribute("error.type", failure.java_class)
        span.set_status(Status(StatusCode.ERROR, str(failure)))

    def stop(self, *, seconds: float) -> bool:
        """Export what is left, for at most this long; False if that was too short (the receiver is away)."""
        # The provider itself would wait half a minute for a receiver that is away, and cannot be told otherwise.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(seconds)
        return not closing.is_alive()


def instrument_confluent_kafka() -> None:
    """Instrument confluent-kafka's classes; must come before the first client is made."""
    from opentelemetry.instrumentation.confluent_kafka import ConfluentKafkaInstrumentor

    ConfluentKafkaInstrumentor().instrument()


def instrument_aiokafka() -> None:
    """Instrument aiokafka's classes."""
    from opentelemetry.instrumentation.aiokafka import AIOKafkaInstrumentor

    AIOKafkaInstrumentor().instrument()
