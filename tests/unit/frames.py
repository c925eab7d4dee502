"""A frame as a browser takes it apart."""

import struct
import zlib


def payload(frame: bytes) -> bytes:
    """What the one whole message says, unpacked."""
    first, length, start = frame[0], frame[1], 2
    assert first & 0x80, "final"
    if length == 126:
        (length,), start = struct.unpack("!H", frame[2:4]), 4
    elif length == 127:
        (length,), start = struct.unpack("!Q", frame[2:10]), 10
    assert len(frame) == start + length, "not masked, and nothing after it"
    return frame[start:] if first & 0x0F == 1 else zlib.decompress(frame[start:])
