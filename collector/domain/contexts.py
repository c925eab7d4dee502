"""Who wrote a record, by the trace context in its headers, in every form that carries one.

W3C Trace Context (section 3.2), B3 in one header and in several, Datadog (decimal halves), and the extension
`traceparent` of CloudEvents. Names are compared without case: Brave writes X-B3-TraceId.
"""

import re
from collections.abc import Callable, Mapping

from collector.domain.records import Record

Written = tuple[bytes, bytes]
"""Trace id (16 bytes) and span id (8 bytes)."""

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_B3 = re.compile(rb"([0-9a-fA-F]{16}|[0-9a-fA-F]{32})-([0-9a-fA-F]{16})(?:-.*)?")
_HEX = re.compile(rb"[0-9a-fA-F]{1,32}")
_HIGH_HALF = re.compile(rb"(?:^|,)_dd\.p\.tid=([0-9a-f]{16})(?:,|$)")
_DECIMAL = re.compile(rb"[0-9]{1,20}")


def writer(record: Record) -> Written | None:
    """The context of whoever wrote this copy: of each form the last header, for a forwarder appends its own."""
    headers = {name.lower(): value for name, value in record.headers if value is not None}
    return next((found for form in _FORMS if (found := form(headers)) and any(found[0]) and any(found[1])), None)


def _traceparent(headers: Mapping[str, bytes]) -> Written | None:
    return _read_traceparent(headers.get("traceparent", b""))


def _cloud_event(headers: Mapping[str, bytes]) -> Written | None:
    """The context in which the event came to be: the transport's own headers come first where there are any."""
    return _read_traceparent(headers.get("ce_traceparent", b""))


def _read_traceparent(value: bytes) -> Written | None:
    match = _TRACEPARENT.fullmatch(value)
    return None if match is None else (bytes.fromhex(match[1].decode()), bytes.fromhex(match[2].decode()))


def _b3(headers: Mapping[str, bytes]) -> Written | None:
    match = _B3.fullmatch(headers.get("b3", b""))
    return None if match is None else (_id(match[1], 16), _id(match[2], 8))


def _b3_apart(headers: Mapping[str, bytes]) -> Written | None:
    trace, span = headers.get("x-b3-traceid", b""), headers.get("x-b3-spanid", b"")
    if not (_HEX.fullmatch(trace) and _HEX.fullmatch(span) and len(span) <= 16):
        return None
    return _id(trace, 16), _id(span, 8)


def _datadog(headers: Mapping[str, bytes]) -> Written | None:
    """The low halves in decimal; the high half of the trace id among the tags, 0 where an old tracer knows of none."""
    trace, span = headers.get("x-datadog-trace-id", b""), headers.get("x-datadog-parent-id", b"")
    if not (_DECIMAL.fullmatch(trace) and _DECIMAL.fullmatch(span)):
        return None
    low, parent = int(trace), int(span)
    if low >= 2**64 or parent >= 2**64:
        return None
    high = _HIGH_HALF.search(headers.get("x-datadog-tags", b""))
    return (bytes.fromhex(high[1].decode()) if high else bytes(8)) + low.to_bytes(8, "big"), parent.to_bytes(8, "big")


def _id(text: bytes, size: int) -> bytes:
    return int(text, 16).to_bytes(size, "big")


_FORMS: tuple[Callable[[Mapping[str, bytes]], Written | None], ...] = (
    _traceparent,
    _b3,
    _b3_apart,
    _datadog,
    _cloud_event,
)
