"""A steady stream of spans to a receiver, as a fleet of exporters sends it.

python -m benchmarks.load.stream URL SPANS_A_SECOND     (until killed; says every five seconds what was taken)
"""

import asyncio
import sys
import time
from urllib.parse import urlsplit

from benchmarks.load.traces import N_GROUPS, SPANS_PER_RECORD, copy, groups

SENDERS = 16
LAG_NS = 50_000_000  # spans end a moment before they are sent


async def main(url: str, spans_a_second: float) -> None:
    """Send for ever."""
    parts = urlsplit(url)
    bodies: asyncio.Queue[bytes] = asyncio.Queue(SENDERS * 2)
    taken = [0]
    senders = [asyncio.create_task(_send(str(parts.hostname), parts.port or 80, bodies, taken)) for _ in range(SENDERS)]
    pool, number, began, said = groups(), 0, time.monotonic(), time.monotonic()
    while True:
        for body in copy(pool[number % N_GROUPS], number, at_ns=time.time_ns() - LAG_NS):
            await bodies.put(body)
        number += 1
        due = began + number * 3 * SPANS_PER_RECORD / spans_a_second
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if time.monotonic() - said >= 5:
            print(f"{taken[0] / (time.monotonic() - said):.0f}", flush=True)
            taken[0], said = 0, time.monotonic()
        for sender in senders:
            if sender.done():
                sender.result()


async def _send(host: str, port: int, bodies: "asyncio.Queue[bytes]", taken: list[int]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    while True:
        body = await bodies.get()
        head = (
            f"POST /v1/traces HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-protobuf\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        status = await reader.readline()
        length = 0
        while (line := await reader.readline()) not in {b"\r\n", b""}:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        await reader.readexactly(length)
        if b" 200 " in status:
            taken[0] += SPANS_PER_RECORD


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
