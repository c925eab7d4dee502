"""WebSocket frames as a server writes them (RFC 6455, 5.2): not masked, so that one serves all sockets."""

import struct

WRITE = "weir.write"
"""The extension in a socket's scope by which our server takes a frame and puts it on the connection, now."""
_TEXT, _BINARY, _FINAL = 1, 2, 0x80
_SHORT, _TWO_BYTES = 126, 0x10000


def framed(payload: bytes, *, is_text: bool) -> bytes:
    """A whole message in one frame."""
    first, length = _FINAL | (_TEXT if is_text else _BINARY), len(payload)
    if length < _SHORT:
        head = struct.pack("!BB", first, length)
    elif length < _TWO_BYTES:
        head = struct.pack("!BBH", first, 126, length)
    else:
        head = struct.pack("!BBQ", first, 127, length)
    return head + payload
