"""OTLP/HTTP into Kafka: requests of 100 spans per second and core, the time each takes at half load, idle connections.

    python -m benchmarks.receiver [requests] [rounds]      (4000 and 3 by default)

Every request is validated, written to real Kafka with acks=all, and answered after that. The sender runs beside it.
"""

import asyncio
import signal
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from benchmarks.load.meters import Reading, measured
from benchmarks.load.spool import ROOT, World, world
from benchmarks.load.traces import copies, groups
from stack.ports import free_port

IN_FLIGHT = 16
N_IDLE = 1_000
WANTED_PER_CORE, WANTED_P99_MS = 2_000, 50.0
START_SECONDS = 30.0
IDLE_SECONDS = 5.0


@dataclass(frozen=True)
class Load:
    """What a run brought: CPU seconds of the receiver, seconds of each answer, in order."""

    reading: Reading
    cpu_seconds: float
    answers: Sequence[float]

    @property
    def per_second(self) -> float:
        """Requests per second, as they were answered."""
        return len(self.answers) / self.reading.seconds

    @property
    def per_core(self) -> float:
        """Requests that one core could answer in a second."""
        return len(self.answers) / self.cpu_seconds

    def at(self, share: float) -> float:
        """Milliseconds that this share of the answers does not exceed."""
        return sorted(self.answers)[min(len(self.answers) - 1, int(share * len(self.answers)))] * 1e3


def main(words: Sequence[str]) -> int:
    """Print the table; 1 where a target is missed."""
    n_requests, rounds = (int(word) for word in (*words, *("4000", "3")[len(words) :]))
    bodies = [request(body) for body in copies(groups(), n_requests)]
    full, half = [], []
    with world(0) as servers, receiver(servers) as (process, port):
        asyncio.run(sent(port, bodies[:500], None))
        for _ in range(rounds):
            full.append(run(process, port, bodies, None))
            half.append(run(process, port, bodies, full[-1].per_second / 2))
            print(f"  {line('full load', full[-1])}\n  {line('half load', half[-1])}", flush=True)
        idle_bytes, idle_cores = asyncio.run(idle(process, port))
    per_core = statistics.median(each.per_core for each in full)
    p99 = statistics.median(each.at(0.99) for each in half)
    print("\n                requests/s  per core  CPU us   p50 ms   p99 ms  foreign cores")
    for name, runs in (("full load", full), ("half load", half)):
        print(line(name, sorted(runs, key=lambda each: each.per_core)[len(runs) // 2]))
    print(f"{N_IDLE} idle connections: {idle_bytes / N_IDLE / 1024:.1f} KiB each, {idle_cores:.3f} cores in all")
    missed = [f"{per_core:,.0f} requests per core and second, wanted {WANTED_PER_CORE}"] * (per_core < WANTED_PER_CORE)
    missed += [f"p99 at half load {p99:.0f} ms, wanted {WANTED_P99_MS:.0f}"] * (p99 > WANTED_P99_MS)
    for each in missed:
        print(f"MISSED {each}")
    return 1 if missed else 0


def request(body: bytes) -> bytes:
    """One request as an exporter writes it."""
    head = (
        "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: OTel-OTLP-Exporter-Java/1.61.0\r\n"
        f"Content-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@contextmanager
def receiver(servers: World) -> Iterator[tuple[psutil.Process, int]]:
    """`manage.py receive`, ready; its process and its HTTP port."""
    port = free_port()
    ports = {"WEIR_OTLP_HTTP_PORT": str(port), "WEIR_OTLP_GRPC_PORT": str(free_port())}
    started = subprocess.Popen(
        [sys.executable, "manage.py", "receive"],
        cwd=ROOT,
        env={**servers.environment, **ports},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        asyncio.run(ready(port))
        yield psutil.Process(started.pid), port
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(20)


async def ready(port: int) -> None:
    """Until the receiver answers that it takes records."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.write(b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        status = (await reader.readline()).split(b" ")
        writer.close()
        if status[1:2] == [b"200"]:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("The receiver did not become ready.")


def run(process: psutil.Process, port: int, bodies: Sequence[bytes], per_second: float | None) -> Load:
    """Send all bodies, as fast as they are answered or at this pace."""
    before = process.cpu_times()
    with measured("benchmark") as reading:
        answers = asyncio.run(sent(port, bodies, per_second))
    after = process.cpu_times()
    return Load(reading, after.user + after.system - before.user - before.system, answers)


async def sent(port: int, bodies: Sequence[bytes], per_second: float | None) -> list[float]:
    """Seconds that each answer took."""
    waiting = deque(enumerate(bodies))
    began = time.perf_counter()
    found: list[float] = []

    async def send() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            number, body = waiting.popleft()
            if per_second is not None:
                await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            at = time.perf_counter()
            writer.write(body)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(head.decode())
            found.append(time.perf_counter() - at)
        writer.close()

    await asyncio.gather(*(send() for _ in range(IN_FLIGHT)))
    return found


async def idle(process: psutil.Process, port: int) -> tuple[int, float]:
    """Bytes and cores that connections cost on which nothing is sent after one request each."""
    before = process.memory_info().rss
    ask = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    connections = []
    for _ in range(N_IDLE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask)
        await reader.readuntil(b"}")
        connections.append(writer)
    held = process.memory_info().rss - before
    times = process.cpu_times()
    await asyncio.sleep(IDLE_SECONDS)
    later = process.cpu_times()
    for writer in connections:
        writer.close()
    return held, (later.user + later.system - times.user - times.system) / IDLE_SECONDS


def line(name: str, load: Load) -> str:
    """One run as text."""
    us = load.cpu_seconds / len(load.answers) * 1e6
    return (
        f"{name:14}{load.per_second:12,.0f}{load.per_core:10,.0f}{us:8.0f}{load.at(0.5):9.1f}{load.at(0.99):9.1f}"
        f"{load.reading.foreign_cores:11.2f}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
