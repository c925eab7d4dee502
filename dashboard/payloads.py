"""Bytes as a person reads them: JSON laid out, text as it is, anything else as hex. Never more than 64 kB."""

import json
from dataclasses import dataclass, replace

from collector.domain import json_values
from collector.domain.records import Headers
from collector.domain.texts import storable

MOST_BYTES = 64_000
MOST_LAID_OUT = 4 * MOST_BYTES  # characters: nesting makes far more of far fewer bytes
MOST_WIDENING = 8  # times as long as it came, but a short one: many of them stand on one page
SHORT = 1_000
MOST_HEADERS = 200
_HEX_LINE = 16
_TRACE_HEADERS = frozenset({"traceparent", "tracestate", "baggage", "b3"})


@dataclass(frozen=True, slots=True)
class Readable:
    """`form`: json, text, hex, empty or tombstone. `n_bytes` is the whole size; `cut` where not all is shown.

    `why`: why it is not read as what it may be meant to be; positions and rules, never what stands there.
    """

    form: str
    text: str
    n_bytes: int
    cut: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class ReadableHeader:
    """One header, in the record's own order; `is_trace` marks what tracing put there."""

    name: str
    value: Readable
    is_trace: bool


def readable(value: bytes | None, *, n_bytes: int | None = None, form: str = "") -> Readable:
    """The bytes of a key, a value or a header; None is a tombstone, which is not the empty value.

    `n_bytes`: of the whole, where `value` is what rules leave to be seen of it. `form`: "raw" for text as it is, "hex"
    for bytes.
    """
    found = _readable(value, form)
    return found if n_bytes is None else replace(found, n_bytes=n_bytes)


def _readable(value: bytes | None, form: str) -> Readable:
    if value is None:
        return Readable("tombstone", "", 0, cut=False)
    if not value:
        return Readable("empty", "", 0, cut=False)
    cut = len(value) > MOST_BYTES
    part = value[:MOST_BYTES]
    text, why = (None, "") if form == "hex" else _text(part, cut=cut)
    if text is None:
        return Readable("hex", _hex(part), len(value), cut, why)
    laid_out, why = (None, "") if form == "raw" or cut else _json(text)
    return Readable("text" if laid_out is None else "json", laid_out or text, len(value), cut, why)


@dataclass(frozen=True, slots=True)
class ReadableHeaders:
    """The first 200 headers, repeated ones too, and how many more there are."""

    items: list[ReadableHeader]
    n_more: int


def readable_headers(headers: Headers) -> ReadableHeaders:
    """Headers as a page shows them: a record may hold a hundred thousand."""
    items = [
        ReadableHeader(storable(name), readable(value), name.lower() in _TRACE_HEADERS)
        for name, value in headers[:MOST_HEADERS]
    ]
    return ReadableHeaders(items, max(0, len(headers) - MOST_HEADERS))


def _text(part: bytes, *, cut: bool) -> tuple[str | None, str]:
    why = ""
    for spare in range(4 if cut else 1):  # a cut may fall inside a character
        try:
            text = part[: len(part) - spare].decode()
        except UnicodeDecodeError as error:
            why = why or f"No text: {error.reason} at byte {error.start:,}, where UTF-8 is expected."
            continue
        at = text.find("\x00")
        return (text, "") if at < 0 else (None, f"No text: a NUL at character {at:,}.")
    return None, why


def _json(text: str) -> tuple[str | None, str]:
    if text.lstrip()[:1] not in {"{", "["}:
        return None, ""
    try:
        found = json.loads(text)
        if json_values.is_too_deep(found):
            return None, f"Not laid out: nested deeper than {json_values.MOST_DEPTH} levels."
        return _laid_out(found, min(MOST_LAID_OUT, MOST_WIDENING * len(text) + SHORT))
    except json.JSONDecodeError as error:
        return None, f"No JSON: {error.msg} at line {error.lineno:,}, column {error.colno:,}."
    except (ValueError, RecursionError):
        return None, "No JSON: too deep, or a number too long."


def _laid_out(found: json_values.Json, most: int) -> tuple[str | None, str]:
    parts, left = [], most
    for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(found):
        parts.append(part)
        left -= len(part)
        if left < 0:
            return None, f"Not laid out: it would be longer than {most:,} characters."
    return "".join(parts), ""


def _hex(part: bytes) -> str:
    rows = [part[at : at + _HEX_LINE] for at in range(0, len(part), _HEX_LINE)]
    return "\n".join(f"{number * _HEX_LINE:08x}  {row.hex(' ')}" for number, row in enumerate(rows))
