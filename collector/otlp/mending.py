"""A binary request that the parser refuses -> one that it takes: what is broken costs its text or its span alone.

protobuf refuses a whole message for one text that is no UTF-8. Spans that can be parsed are passed on as they are; the
others are walked through, their broken texts mended, and those that still cannot be parsed are left out.
"""

from collections.abc import Mapping

from google.protobuf.message import DecodeError

from collector.otlp import slim
from collector.otlp.limits import Malformed, Tally
from collector.otlp.wire import MESSAGES, varint

# For each message the texts in it, by number (opentelemetry-proto 1.11).
_TEXTS: Mapping[str, frozenset[int]] = {
    "ResourceSpans": frozenset({3}),
    "EntityRef": frozenset({1, 2, 3, 4}),
    "ScopeSpans": frozenset({3}),
    "Scope": frozenset({1, 2}),
    "Span": frozenset({3, 5}),
    "Event": frozenset({2}),
    "Link": frozenset({3}),
    "Status": frozenset({2}),
    "KeyValue": frozenset({1}),
    "AnyValue": frozenset({1}),
}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
_MOST_DEPTH = 100  # as the parser has it
_MOST_FIELDS = 200_000  # looked at in one request: a fraction of a second
_BROKEN = "the span is no protobuf"


class _Broken(ValueError):
    """These bytes are not the message they should be."""


def mended(body: bytes, tally: Tally) -> bytes:
    """The request without what is broken in it, which is counted. Raises Malformed where nothing of it can be told."""
    try:
        return _Mender(tally).message(body, "TracesData", 0)
    except _Broken as error:
        raise Malformed(f"The body is not an OTLP trace request: {error}") from None


class _Mender:
    """Walks through one request; `tally` counts what it mends and leaves out."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._n_left = _MOST_FIELDS

    def message(self, raw: bytes, kind: str, depth: int) -> bytes:
        """The same message with its texts mended and without spans that are broken. Raises _Broken."""
        if depth > _MOST_DEPTH:
            raise _Broken("it nests too deep")
        messages, texts = MESSAGES[kind], _TEXTS.get(kind, frozenset())
        kept: list[bytes] = []
        at, end = 0, len(raw)
        while at < end:
            begins = at
            number, wire, held, at = self._field(raw, at)
            if wire != _BYTES:
                kept.append(raw[begins:at])
                continue
            new: bytes | None = held
            if number in texts:
                new = self._text(held)
            elif child := messages.get(number):
                new = self._span(held, depth) if child == "Span" else self.message(held, child, depth + 1)
            if new is not None:
                kept.append(raw[begins:at] if new is held else slim.framed(number, new))
        return b"".join(kept)

    def _field(self, raw: bytes, at: int) -> tuple[int, int, bytes, int]:
        """Number, kind, bytes (of a field that holds bytes) and end of the field that begins at `at`."""
        self._n_left -= 1
        if self._n_left < 0:
            raise Malformed("The body is not an OTLP trace request, and too large to be mended.")
        tag, at = _number(raw, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            return number, wire, b"", _number(raw, at)[1]
        if wire == _BYTES:
            size, at = _number(raw, at)
        else:
            size = _SIZES.get(wire, len(raw) + 1)  # a kind that OTLP does not use does not end
        if size > len(raw) - at:
            raise _Broken("a field does not end in what holds it")
        return number, wire, raw[at : at + size], at + size

    def _span(self, raw: bytes, depth: int) -> bytes | None:
        """The span as it is where it can be parsed, else mended; None, and counted, where it cannot be."""
        if _is_sound(raw):
            return raw
        n_mended = self._tally.n_mended
        try:
            found = self.message(raw, "Span", depth + 1)
        except _Broken:
            found = b""
        if found and _is_sound(found):
            return found
        self._tally.n_mended = n_mended
        self._tally.reject(_BROKEN)
        return None

    def _text(self, raw: bytes) -> bytes:
        try:
            raw.decode()
        except UnicodeDecodeError:
            self._tally.n_mended += 1
            return raw.decode("utf-8", "replace").encode()
        return raw


def _is_sound(span: bytes) -> bool:
    try:
        slim.span_of(span)
    except DecodeError:
        return False
    return True


def _number(raw: bytes, at: int) -> tuple[int, int]:
    try:
        return varint(raw, at, len(raw))
    except Malformed:
        raise _Broken("a number does not end") from None
