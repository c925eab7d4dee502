"""OTLP bytes -> spans, and -> the records of the spool."""

from collector.otlp import json_form, protobuf
from collector.otlp.limits import Decoded, Malformed, Tally
from collector.otlp.messages import decode
from collector.otlp.parts import Parts, parts_of_json, parts_of_protobuf

__all__ = [
    "Decoded",
    "Malformed",
    "Parts",
    "decode_json",
    "decode_protobuf",
    "mended",
    "parts_of_json",
    "parts_of_protobuf",
]


def decode_protobuf(body: bytes) -> Decoded:
    """Spans of a serialized TracesData or ExportTraceServiceRequest. Raises Malformed."""
    tally = Tally()
    return decode(protobuf.parse(body, tally), tally)


def mended(body: bytes) -> bytes:
    """The same request, such that every parser takes it. Raises Malformed."""
    return bytes(protobuf.parse(body, Tally()).SerializeToString())


def decode_json(body: bytes) -> Decoded:
    """Spans of a request in OTLP's JSON form. Raises Malformed."""
    tally = Tally()
    return decode(json_form.parse(body, tally), tally)
