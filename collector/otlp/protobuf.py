"""OTLP in its binary form."""

from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector.otlp import wire
from collector.otlp.limits import Malformed


def parse(body: bytes) -> TracesData:
    """The message in `body` (ExportTraceServiceRequest and TracesData are the same bytes). Raises Malformed."""
    wire.check(body)
    try:
        message: TracesData = TracesData.FromString(body)
    except DecodeError as error:
        raise Malformed(f"The body is not an OTLP trace request: {error}") from None
    return message
