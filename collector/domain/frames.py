"""Headers of a record as one run of bytes: order, repeats, null and empty values all survive, and names to the byte.

Shape: count, then for each header the length of its name, the name, the length of its value (−1 for null), the
value. All numbers are four bytes, big-endian.
"""

import struct
from functools import lru_cache

from collector.domain.records import Headers

_NUMBER = struct.Struct(">i")
_number_of = _NUMBER.pack
_NULL = _number_of(-1)
MOST_NAME = 100  # characters of a name that is worth remembering


class Malformed(ValueError):
    """Bytes that are no framed headers."""


def framed(headers: Headers) -> bytes:
    """The headers as bytes."""
    parts = [_number_of(len(headers))]
    for name, value in headers:
        framed_name = _known_name(name) if len(name) <= MOST_NAME else _framed_name(name)
        parts += (framed_name, _NULL) if value is None else (framed_name, _number_of(len(value)), value)
    return b"".join(parts)


def _framed_name(name: str) -> bytes:
    raw = name.encode("utf-8", "surrogateescape")
    return _number_of(len(raw)) + raw


_known_name = lru_cache(maxsize=4_096)(_framed_name)


def unframed(body: bytes) -> Headers:
    """The headers of `framed`. Raises Malformed."""
    count, at = _number(body, 0)
    found = []
    for _ in range(count):
        name, at = _run(body, at)
        value, at = _run(body, at)
        found.append(((name or b"").decode("utf-8", "surrogateescape"), value))
    if at != len(body):
        raise Malformed("bytes are left over")
    return tuple(found)


def readable(body: bytes) -> Headers | None:
    """The headers, or None where the bytes are no framed headers."""
    try:
        return unframed(body)
    except Malformed:
        return None


def _number(body: bytes, at: int) -> tuple[int, int]:
    if at + _NUMBER.size > len(body):
        raise Malformed("a number is missing")
    return _NUMBER.unpack_from(body, at)[0], at + _NUMBER.size


def _run(body: bytes, at: int) -> tuple[bytes | None, int]:
    size, at = _number(body, at)
    if size < 0:
        return None, at
    if at + size > len(body):
        raise Malformed("a value is cut off")
    return body[at : at + size], at + size
