"""An edited copy of a dead letter: which parts may be changed, what a change makes of the bytes, and how it differs.

Only JSON values and headers that are text can be edited: of anything else a person cannot see what they do. Key,
partition and trace context never change; headers that failure left are taken off at the send and not offered.
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from collector.domain.records import Headers
from collector.domain.resending import is_stale

MOST_VALUE_BYTES = 256_000
MOST_HEADER_CHARACTERS = 8_000
_LOCKED = frozenset({"traceparent", "tracestate", "baggage", "b3", "content-type", "spring_json_header_types"})
_LOCKED_PREFIXES = ("x-weir-", "ce_", "ce-", "__")
_SENSITIVE = ("authorization", "cookie", "token", "secret", "password", "api-key", "apikey")


class NotEditable(ValueError):
    """What cannot be edited, or what is wrong with the change; the message never shows a value. `field`: where."""

    def __init__(self, said: str, *, field: Literal["value", "headers", "reason"] = "value") -> None:
        super().__init__(said)
        self.field = field


@dataclass(frozen=True, slots=True)
class EditableHeader:
    """One header as it is offered. `index` is its place on the record; locked ones are only shown."""

    index: int
    name: str
    text: str
    is_locked: bool
    is_sensitive: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a difference: "+" new, "-" old, " " both."""

    sign: str
    text: str


def editable_text(value: bytes | None) -> str:
    """The value as a person edits it. Raises NotEditable."""
    if not value:
        raise NotEditable("Cannot be edited: there is no value. Retry sends the original bytes.")
    if len(value) > MOST_VALUE_BYTES:
        raise NotEditable("Cannot be edited: larger than 256 kB. Retry sends the original bytes.")
    try:
        text = value.decode()
        json.loads(text)
    except (ValueError, RecursionError):
        raise NotEditable("Cannot be edited: only JSON can. Retry sends the original bytes.") from None
    return text


def editable_headers(headers: Headers) -> tuple[EditableHeader, ...]:
    """The headers that would be sent, in their order."""
    found = []
    for index, (name, value) in enumerate(headers):
        if is_stale(name):
            continue
        text = _text(value)
        lowered = name.lower()
        locked = text is None or lowered in _LOCKED or lowered.startswith(_LOCKED_PREFIXES)
        sensitive = any(word in lowered for word in _SENSITIVE)
        found.append(EditableHeader(index, name, text or "", locked, sensitive))
    return tuple(found)


def edited_value(original: bytes, typed: str) -> bytes:
    """The bytes to send. Raises NotEditable for what is no JSON, with the place and never the text."""
    before = editable_text(original)
    text = typed if "\r" in before else typed.replace("\r\n", "\n")
    if text == before:
        return original
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise NotEditable(f"Not valid JSON at line {error.lineno}, column {error.colno}.") from None
    except (ValueError, RecursionError):
        raise NotEditable("Not valid JSON.") from None
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NotEditable("The text holds half a character.") from None


def edited_headers(original: Headers, changes: Mapping[int, str | None]) -> Headers:
    """The headers with these texts at their places, None taking one out. Raises NotEditable for a locked one."""
    open_ones = {header.index: header for header in editable_headers(original) if not header.is_locked}
    kept: list[tuple[str, bytes | None]] = []
    for index, (name, value) in enumerate(original):
        if index not in changes:
            kept.append((name, value))
            continue
        text = changes[index]
        if index not in open_ones:
            raise NotEditable("A locked header cannot be changed.", field="headers")
        if text is None:
            continue
        if len(text) > MOST_HEADER_CHARACTERS:
            raise NotEditable(f"A header holds at most {MOST_HEADER_CHARACTERS:,} characters.", field="headers")
        kept.append((name, value if text == open_ones[index].text else text.encode("utf-8", "replace")))
    return tuple(kept)


def difference(before: bytes, after: bytes) -> tuple[Line, ...]:
    """Line by line, both laid out alike, with three lines around each change."""
    old, new = (_laid_out(value) for value in (before, after))
    lines = list(difflib.unified_diff(old, new, lineterm="", n=3))[2:]
    return tuple(Line(line[:1], line[1:]) for line in lines if not line.startswith("@@"))


def header_difference(before: Headers, after: Headers) -> tuple[Line, ...]:
    """Those that are taken out, changed or new, in their order."""
    old, new = (
        [f"{name}: {(value or b'').decode('utf-8', 'replace')}" for name, value in each] for each in (before, after)
    )
    lines = list(difflib.unified_diff(old, new, lineterm="", n=0))[2:]
    return tuple(Line(line[:1], line[1:]) for line in lines if not line.startswith("@@"))


def _laid_out(value: bytes) -> list[str]:
    return json.dumps(json.loads(value), indent=2, ensure_ascii=False).splitlines()


def _text(value: bytes | None) -> str | None:
    """Header text that survives a form: printable, one line."""
    try:
        text = (value or b"").decode()
    except UnicodeDecodeError:
        return None
    return text if value is not None and text.isprintable() else None
