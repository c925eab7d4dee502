"""OTLP in its binary form."""

from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector.otlp import wire
from collector.otlp.limits import Malformed, Tally
from collector.otlp.mending import mended


def parse(body: bytes, tally: Tally) -> TracesData:
    """The message in `body` (ExportTraceServiceRequest and TracesData are the same bytes). Raises Malformed.

    What is broken in a text or in a span costs that alone, and is counted in `tally`.
    """
    wire.check(body)
    try:
        message: TracesData = TracesData.FromString(body)
    except DecodeError:
        message = _parsed(mended(body, tally))
    return message


def _parsed(body: bytes) -> TracesData:
    try:
        message: TracesData = TracesData.FromString(body)
    except DecodeError as error:
        raise Malformed(f"The body is not an OTLP trace request: {error}") from None
    return message
