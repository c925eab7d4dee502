"""What nobody can beat: the same bytes, once a second, to all who are connected; nothing else.

python -m benchmarks.load.bare PORT BYTES
"""

import asyncio
import struct
import sys
import zlib


class Reader(asyncio.Protocol):
    """Takes whatever comes and forgets it."""

    def __init__(self, readers: set[asyncio.Transport]) -> None:
        self._readers = readers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is answered unread."""
        transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")  # type: ignore[attr-defined]
        self._transport = transport
        self._readers.add(transport)  # type: ignore[arg-type]

    def connection_lost(self, _reason: Exception | None) -> None:
        """Gone."""
        self._readers.discard(self._transport)


async def main(port: int, n_bytes: int) -> None:
    """Until killed."""
    readers: set[asyncio.Transport] = set()
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Reader(readers), "127.0.0.1", port, backlog=2048)
    print("ready", flush=True)
    seq = 0
    while True:
        await asyncio.sleep(1)
        seq += 1
        frame = _frame(seq, n_bytes)
        for reader in list(readers):
            reader.write(frame)


def _frame(seq: int, n_bytes: int) -> bytes:
    """A packed message of about this size."""
    text = f'{{"seq":{seq},"kind":"delta"}}'.encode()
    payload = zlib.compress(text) + b"\0" * n_bytes
    payload = payload[: max(n_bytes, len(zlib.compress(text)))]
    return b"\x82\x7e" + struct.pack(">H", len(payload)) + payload if len(payload) < 65536 else b""


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
