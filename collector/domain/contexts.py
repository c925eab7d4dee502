"""Who wrote a record, by the trace context in its headers, in every form that carries one.

W3C Trace Context (section 3.2), B3 in one header and in several, Datadog (decimal halves), and the extension
`traceparent` of CloudEvents. Names are compared without case: Brave writes X-B3-TraceId.
"""

import re
from binascii import unhexlify
from collections.abc import Callable, Sequence
from functools import lru_cache

from collector.domain.records import Record

Written = tuple[bytes, bytes]
"""Trace id (16 bytes) and span id (8 bytes)."""
Plan = tuple[Callable[[Sequence[bytes]], Written | None], ...]
"""How each form that headers of some names may hold is read of their values."""
MOST_NAMES = 2_000  # characters of all header names of one record that is worth remembering

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_B3 = re.compile(rb"([0-9a-fA-F]{16}|[0-9a-fA-F]{32})-([0-9a-fA-F]{16})(?:-.*)?")
_HEX = re.compile(rb"[0-9a-fA-F]{1,32}")
_HIGH_HALF = re.compile(rb"(?:^|,)_dd\.p\.tid=([0-9a-f]{16})(?:,|$)")
_DECIMAL = re.compile(rb"[0-9]{1,20}")
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


def writer(record: Record) -> Written | None:
    """The context of whoever wrote this copy: of each form the last header, for a forwarder appends its own."""
    held = [(name, value) for name, value in record.headers if value is not None]
    names = tuple([name for name, _ in held])
    how = _known_plan(names) if sum(map(len, names)) <= MOST_NAMES else plan(names)
    return read(how, [value for _, value in held])


def plan(names: Sequence[str]) -> Plan:
    """How the values of headers with these names are read."""
    last = {name.lower(): index for index, name in enumerate(names)}
    return tuple(_reading(form, [last.get(name) for name in of]) for form, of in _FORMS if of[0] in last)


def alone(names: Sequence[str]) -> int | None:
    """Where among these headers the only context stands, which is W3C's; -1: there is none; None: there are others."""
    last = {name.lower(): index for index, name in enumerate(names)}
    held = [of for _, of in _FORMS if of[0] in last]
    if not held:
        return -1
    return last["traceparent"] if held == [("traceparent",)] else None


_known_plan = lru_cache(maxsize=1_024)(plan)  # records of a topic have the same names


def _reading(
    form: Callable[..., Written | None], places: list[int | None]
) -> Callable[[Sequence[bytes]], Written | None]:
    first, *others = places
    if not others and first is not None:
        return lambda values: form(values[first])  # by far the most
    return lambda values: form(*[b"" if at is None else values[at] for at in places])


def read(how: Plan, values: Sequence[bytes]) -> Written | None:
    """The context in these headers, none of which is null."""
    for reading in how:
        found = reading(values)
        if found and found[0] != _NO_TRACE and found[1] != _NO_SPAN:
            return found
    return None


def _traceparent(value: bytes) -> Written | None:
    match = _TRACEPARENT.fullmatch(value)
    return None if match is None else (unhexlify(match[1]), unhexlify(match[2]))


def _b3(value: bytes) -> Written | None:
    match = _B3.fullmatch(value)
    return None if match is None else (_id(match[1], 16), _id(match[2], 8))


def _b3_apart(trace: bytes, span: bytes) -> Written | None:
    if not (_HEX.fullmatch(trace) and _HEX.fullmatch(span) and len(span) <= 16):
        return None
    return _id(trace, 16), _id(span, 8)


def _datadog(trace: bytes, span: bytes, tags: bytes) -> Written | None:
    """The low halves in decimal; the high half of the trace id among the tags, 0 where an old tracer knows of none."""
    if not (_DECIMAL.fullmatch(trace) and _DECIMAL.fullmatch(span)):
        return None
    low, parent = int(trace), int(span)
    if low >= 2**64 or parent >= 2**64:
        return None
    high = _HIGH_HALF.search(tags)
    return (bytes.fromhex(high[1].decode()) if high else bytes(8)) + low.to_bytes(8, "big"), parent.to_bytes(8, "big")


def _id(text: bytes, size: int) -> bytes:
    return int(text, 16).to_bytes(size, "big")


# Each with the names of its headers; without the first there is no such context. The transport's own come before that
# in which a CloudEvent came to be.
_FORMS: tuple[tuple[Callable[..., Written | None], tuple[str, ...]], ...] = (
    (_traceparent, ("traceparent",)),
    (_b3, ("b3",)),
    (_b3_apart, ("x-b3-traceid", "x-b3-spanid")),
    (_datadog, ("x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-tags")),
    (_traceparent, ("ce_traceparent",)),
)
