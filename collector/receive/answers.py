"""What senders are told, in the encoding they speak: OTLP's responses, and google.rpc.Status for errors."""

import json
from enum import StrEnum

from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.receive.refusals import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE, Refused


class Form(StrEnum):
    """The two encodings of OTLP, by their media types."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


RETRY_SECONDS = 5


def malformed(message: str) -> Refused:
    """The body is not what it should be: never sent again."""
    return Refused(400, INVALID_ARGUMENT, message)


def too_large(limit_bytes: int) -> Refused:
    """The body, or what it unpacks to, is beyond the cap."""
    return Refused(413, RESOURCE_EXHAUSTED, f"The request is larger than {limit_bytes} bytes. Send smaller batches.")


def busy(message: str) -> Refused:
    """Not now: senders keep the data and try again (OTLP/HTTP names 503 and 429 for it, gRPC UNAVAILABLE)."""
    return Refused(503, UNAVAILABLE, message, RETRY_SECONDS)


def taken(form: Form, n_rejected: int = 0, reason: str = "") -> bytes:
    """The body of a success. Empty in protobuf, {} in JSON, where nothing was refused and nothing is to be said."""
    if form is Form.JSON:
        if not n_rejected and not reason:
            return b"{}"
        partial = {"rejectedSpans": str(n_rejected), "errorMessage": reason}
        return json.dumps({"partialSuccess": partial}).encode()
    response = ExportTraceServiceResponse()
    if n_rejected or reason:
        response.partial_success.rejected_spans = n_rejected
        response.partial_success.error_message = reason
    encoded: bytes = response.SerializeToString()
    return encoded


def status(form: Form, refused: Refused) -> bytes:
    """The body of an error."""
    if form is Form.JSON:
        return json.dumps({"code": refused.code, "message": refused.message}).encode()
    return status_message(refused)


def status_message(refused: Refused) -> bytes:
    """google.rpc.Status, with RetryInfo where trying again may help."""
    message = status_pb2.Status(code=refused.code, message=refused.message)
    if refused.retry_seconds is not None:
        delay = duration_pb2.Duration(seconds=refused.retry_seconds)
        message.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    encoded: bytes = message.SerializeToString()
    return encoded
