"""OTLP bytes -> spans, and -> the records of the spool."""

from collector.otlp import json_form, protobuf
from collector.otlp.limits import Decoded, Malformed, Tally
from collector.otlp.messages import decode
from collector.otlp.parts import Parts, parts_of_json, parts_of_protobuf

__all__ = ["Decoded", "Malformed", "Parts", "decode_json", "decode_protobuf", "parts_of_json", "parts_of_protobuf"]


def decode_protobuf(body: bytes) -> Decoded:
    """Spans of a serialized TracesData or ExportTraceServiceRequest. Raises Malformed."""
    return decode(protobuf.parse(body))


def decode_json(body: bytes) -> Decoded:
    """Spans of a request in OTLP's JSON form. Raises Malformed."""
    tally = Tally()
    return decode(json_form.parse(body, tally), tally)
