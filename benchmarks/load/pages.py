"""Pages as the live socket sees them: thousands of connections that read, acknowledge, and say when what arrived."""

import asyncio
import base64
import re
import secrets
import struct
import time
import zlib
from collections import defaultdict
from dataclasses import dataclass, field

_SEQ = re.compile(rb'"seq":(\d+)')
_KIND = re.compile(rb'"kind":"(\w+)"')


@dataclass
class Arrivals:
    """When each message of a stream came, page by page, by its number; seconds of `time.monotonic()`."""

    at: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    n_bytes: list[int] = field(default_factory=list)
    _known: dict[bytes, tuple[int, bool]] = field(default_factory=dict)

    def note(self, payload: bytes, *, is_packed: bool) -> int:
        """Note a message, and its number for the acknowledgement; bells are not noted."""
        known = self._known.get(payload)
        if known is None:
            text = zlib.decompress(payload) if is_packed else payload
            seq = _SEQ.search(text[:200])
            known = self._known[payload] = (int(seq[1]) if seq else 0, _KIND.search(text[:200]) is not None)
            if len(self._known) > 100:
                self._known.pop(next(iter(self._known)))
            if known[1]:
                self.n_bytes.append(len(payload))
        number, is_stream = known
        if is_stream:
            self.at[number].append(time.monotonic())
        return number


class Page(asyncio.Protocol):
    """One page. `acknowledges` False: it never says that it got anything; `reads` False: it takes nothing either."""

    def __init__(
        self, arrivals: Arrivals, *, headers: str, stream: str, acknowledges: bool = True, reads: bool = True
    ) -> None:
        self._arrivals, self._headers, self._stream = arrivals, headers, stream
        self._acknowledges, self._reads = acknowledges, reads
        self._buffer = bytearray()
        self.opened: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        self.transport = transport
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._write(
            f"GET /live/ HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{self._headers}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Frames, or the answer to the handshake."""
        self._buffer += data
        if not self.is_open and not self._open():
            return
        while (frame := self._frame()) is not None:
            opcode, payload = frame
            if opcode in {1, 2}:
                seq = self._arrivals.note(payload, is_packed=opcode == 2)
                if self._acknowledges:
                    self.say(f'{{"ack":{seq}}}')
            elif opcode == 9:
                self._send(10, payload)

    def connection_lost(self, _reason: Exception | None) -> None:
        """Closed."""
        self.is_open = False
        if not self.opened.done():
            self.opened.set_result(False)

    def say(self, text: str) -> None:
        """One message."""
        self._send(1, text.encode())

    def dribble(self) -> None:
        """A pong that nobody asked for: the page is there, and that is all."""
        self._send(10, b"")

    def _open(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        self.is_open = self._buffer.startswith(b"HTTP/1.1 101")
        del self._buffer[: end + 4]
        if not self.opened.done():
            self.opened.set_result(self.is_open)
        if self.is_open:
            self.say(f'{{"want":["{self._stream}"],"bells":["layout"]}}')
            if not self._reads:
                self.transport.pause_reading()  # type: ignore[attr-defined]
        return self.is_open

    def _frame(self) -> tuple[int, bytes] | None:
        head = self._buffer
        if len(head) < 2:
            return None
        length, start = head[1] & 0x7F, 2
        if length == 126:
            start = 4
        elif length == 127:
            start = 10
        if len(head) < start:
            return None
        if length == 126:
            (length,) = struct.unpack_from(">H", head, 2)
        elif length == 127:
            (length,) = struct.unpack_from(">Q", head, 2)
        if len(head) < start + length:
            return None
        opcode, payload = head[0] & 0x0F, bytes(head[start : start + length])
        del self._buffer[: start + length]
        return opcode, payload

    def _send(self, opcode: int, payload: bytes) -> None:
        self._write(bytes([0x80 | opcode, 0x80 | len(payload)]) + b"\0\0\0\0" + payload)

    def _write(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]


async def opened(pages: list[Page], *, within: float) -> int:
    """How many of them are open in the end."""
    done, _ = await asyncio.wait([page.opened for page in pages], timeout=within)
    return sum(each.result() for each in done)
