"""Compressed bodies, unpacked in steps, so that a small one cannot fill the memory."""

import zlib
from collections.abc import Generator, Iterator

import zstandard

STEP_BYTES = 64 * 1024
ZSTD_WINDOW_BYTES = 8 * 1024**2
ZSTD_STEP_BYTES = 256  # of packed bytes: at worst they hold 64 runs of 128 kB
MOST_MEMBERS = 1_000  # of gzip, or frames of zstd: a sender writes one, or one for each piece that it packed apart
GZIP, ZLIB, RAW_DEFLATE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


_TOO_MANY = f"The compressed body has more than {MOST_MEMBERS} parts."


class BadCoding(ValueError):
    """The body is not what its Content-Encoding says."""


class UnknownCoding(ValueError):
    """A Content-Encoding that is not taken. Send gzip, zstd, deflate, or none."""


class TooLarge(ValueError):
    """The body unpacks to more than the cap."""


def check_coding(coding: str) -> None:
    """Raise UnknownCoding unless `unpacked` can read it: asked before the body is read."""
    if coding not in _STEPS:
        raise UnknownCoding(UnknownCoding.__doc__)


def unpacked(packed: bytes, coding: str, *, limit_bytes: int) -> bytes:
    """The body behind its Content-Encoding. Raises BadCoding, UnknownCoding, TooLarge."""
    check_coding(coding)
    if coding in ("", "identity"):
        return packed
    found = bytearray()
    try:
        for step in _STEPS[coding](packed):
            if len(found) + len(step) > limit_bytes:
                raise TooLarge(TooLarge.__doc__)
            found += step
    except (zlib.error, zstandard.ZstdError) as error:
        raise BadCoding(f"The body is not {coding}: {error}") from None
    return bytes(found)


def _plain(packed: bytes) -> Iterator[bytes]:
    yield packed


def _gzip(packed: bytes) -> Iterator[bytes]:
    """All members, one after the other."""
    at = n_members = 0
    while at < len(packed):
        n_members += 1
        if n_members > MOST_MEMBERS:
            raise BadCoding(_TOO_MANY)
        at = yield from _zlib_steps(zlib.decompressobj(GZIP), packed, at)


def _deflate(packed: bytes) -> Iterator[bytes]:
    """In the zlib frame, as HTTP means it, or bare, as some send it."""
    framed = len(packed) > 1 and packed[0] & 0x0F == 8 and (packed[0] * 256 + packed[1]) % 31 == 0
    yield from _zlib_steps(zlib.decompressobj(ZLIB if framed else RAW_DEFLATE), packed, 0)


def _zlib_steps(engine: "zlib._Decompress", packed: bytes, at: int) -> Generator[bytes, None, int]:
    """From `at` to the end of one stream, which is returned. Small pieces go in: zlib copies what it does not use."""
    while at < len(packed) and not engine.eof:
        data = packed[at : at + STEP_BYTES]
        at += len(data)
        while data and not engine.eof:
            yield engine.decompress(data, STEP_BYTES)
            data = engine.unconsumed_tail
    yield engine.flush()
    if not engine.eof:
        raise BadCoding("The compressed body stops half-way.")
    return at - len(engine.unused_data)


def _zstd(packed: bytes) -> Iterator[bytes]:
    """All frames. A step of what goes in is small, because what comes out of it has no limit of its own."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    engine = decompressor.decompressobj()
    at, n_frames = 0, 1
    while at < len(packed):
        data = packed[at : at + ZSTD_STEP_BYTES]
        at += len(data)
        if engine.eof:
            engine, n_frames = decompressor.decompressobj(), n_frames + 1
            if n_frames > MOST_MEMBERS:
                raise BadCoding(_TOO_MANY)
        yield engine.decompress(data)
        if engine.eof:
            at -= len(engine.unused_data)
    if not engine.eof:
        raise BadCoding("The compressed body stops half-way.")


_STEPS = {
    "": _plain,
    "identity": _plain,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}
