"""Headers of a record as one run of bytes: order, repeats, null and empty values all survive, and names to the byte.

Shape: count, then for each header the length of its name, the name, the length of its value (−1 for null), the
value. All numbers are four bytes, big-endian.

Packed, long values (stacks) are zstd frames: the count is −1 − count, and the length of a frame of n bytes is −2 − n.
Whoever does not know that shape finds it malformed, and takes no frame for a value.
"""

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain

import zstandard

from collector.domain.records import Headers

_NUMBER = struct.Struct(">i")
_number_of = _NUMBER.pack
_NULL = _number_of(-1)
MOST_NAME = 100  # characters of a name that is worth remembering
MOST_PLAIN = 1_000  # bytes of a value that is never packed: so long is what headers are searched by
_LEVEL = -1  # 4 µs for a stack of 3.6 kB, which becomes 0.4 kB; level 3 takes twice as long for 0.3 kB


class Malformed(ValueError):
    """Bytes that are no framed headers."""


def framed(headers: Headers) -> bytes:
    """The headers as bytes."""
    parts = [_number_of(len(headers))]
    for name, value in headers:
        framed_name = _known_name(name) if len(name) <= MOST_NAME else _framed_name(name)
        parts += (framed_name, _NULL) if value is None else (framed_name, _number_of(len(value)), value)
    return b"".join(parts)


def packed(letters: Sequence[Headers]) -> list[bytes]:
    """The headers of each as bytes, long values packed; all in one call, so that other threads go on meanwhile."""
    long = [[value for _, value in headers if value is not None and len(value) > MOST_PLAIN] for headers in letters]
    frames = iter(_compressed([*chain.from_iterable(long)]))
    return [
        _packed(headers, frames) if values else framed(headers) for headers, values in zip(letters, long, strict=True)
    ]


def _packed(headers: Headers, frames: Iterator[bytes]) -> bytes:
    parts = [_number_of(~len(headers))]
    for name, value in headers:
        framed_name = _known_name(name) if len(name) <= MOST_NAME else _framed_name(name)
        if value is None:
            parts += (framed_name, _NULL)
        elif len(value) <= MOST_PLAIN:
            parts += (framed_name, _number_of(len(value)), value)
        else:
            frame = next(frames)
            parts += (framed_name, _number_of(-2 - len(frame)), frame)
    return b"".join(parts)


def _compressed(values: list[bytes | bytearray | memoryview]) -> list[bytes]:
    if not values:
        return []
    found = zstandard.ZstdCompressor(level=_LEVEL).multi_compress_to_buffer(values)
    return [found[index].tobytes() for index in range(len(found))]


def _framed_name(name: str) -> bytes:
    raw = name.encode("utf-8", "surrogateescape")
    return _number_of(len(raw)) + raw


_known_name = lru_cache(maxsize=4_096)(_framed_name)


def unframed(body: bytes) -> Headers:
    """The headers of `framed` or `packed`. Raises Malformed."""
    count, at = _number(body, 0)
    is_packed = count < 0
    found = []
    for _ in range(~count if is_packed else count):
        name, at = _run(body, at)
        value, at = _value(body, at) if is_packed else _run(body, at)
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


def first_plain(body: bytes, name: str) -> bytes | None:
    """The value of the first header of this name; None where there is none, it is null or packed, or for malformed
    bytes. Nothing is unpacked for it."""
    wanted = name.encode("utf-8", "surrogateescape")
    try:
        count, at = _number(body, 0)
        for _ in range(~count if count < 0 else count):
            its_name, at = _run(body, at)
            size, behind = _number(body, at)
            if its_name == wanted:
                return _run(body, at)[0] if size >= 0 else None
            at = behind + (size if size >= 0 else max(0, -2 - size))
    except Malformed:
        return None
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


def _value(body: bytes, at: int) -> tuple[bytes | None, int]:
    size, behind = _number(body, at)
    if size >= -1:
        return _run(body, at)
    end = behind - 2 - size
    if end > len(body):
        raise Malformed("a value is cut off")
    try:
        return zstandard.ZstdDecompressor().decompress(body[behind:end]), end
    except zstandard.ZstdError:
        raise Malformed("a value cannot be unpacked") from None
