"""Who wrote a record, by the trace context in its headers (W3C Trace Context, section 3.2)."""

import re

from collector.domain.records import Record

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")


def writer(record: Record) -> tuple[bytes, bytes] | None:
    """(trace id, span id) of the last `traceparent`: who forwards a record appends its own behind the old one's."""
    match = _TRACEPARENT.fullmatch(record.last("traceparent") or b"")
    if match is None:
        return None
    trace_id, span_id = bytes.fromhex(match[1].decode()), bytes.fromhex(match[2].decode())
    return (trace_id, span_id) if any(trace_id) and any(span_id) else None
