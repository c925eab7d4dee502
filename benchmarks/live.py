"""What live pages cost: a thousand sockets at one update a second, slow and silent ones, a burst of connections.

The web process runs as in production on a real Postgres with 100 services, 100 topics and 600 edges; once a second all
rates change and a hint is sent, as the folder does it. The ceiling beside it: the same bytes from a bare loop over
connections, in the same run, to the same clients.

    python -m benchmarks.live [CLIENTS [SECONDS]]     (1,000 clients, 30 s each)
"""

import asyncio
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.load.database import database
from benchmarks.load.live_world import Web, filled, sql, update
from benchmarks.load.live_world import web as web_process
from benchmarks.load.pages import Arrivals, Page, opened
from stack.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
N_SILENT, SILENT_SECONDS = 20, 24  # they are closed after 30
BURST = 2_000
STREAM = "graph:900"
MOST_CPU, MOST_MS, MOST_SILENT_MB = 10.0, 150.0, 5.0


@dataclass(frozen=True)
class Round:
    """One measured stretch: CPU in percent of a core, ms from first to last page and from the hint to the last."""

    cpu: float
    spread_ms: list[float]
    total_ms: list[float]
    n_bytes: float
    n_messages: float  # that each page got, of those that were handed out
    statements: float  # of Postgres, a second
    foreign_cores: float


def main(words: Sequence[str]) -> int:
    """Print the tables; 1 where a target is missed."""
    n_clients = int(words[0]) if words else 1_000
    seconds = float(words[1]) if len(words) > 1 else 30.0
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384) if hard > 0 else 16_384, hard))
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder, database(Path(folder)):
        Path(folder, "web").mkdir(mode=0o700)
        sessions = filled()
        with web_process(Path(folder, "web"), sessions) as web:
            return asyncio.run(_measured(web, n_clients, seconds))


async def _measured(web: Web, n_clients: int, seconds: float) -> int:
    alone = await _round(web, 1, seconds)
    many = await _round(web, n_clients, seconds)
    bare = await _bare(n_clients, int(many.n_bytes), seconds)
    print(f"{n_clients:,} sockets, one update a second ({many.n_bytes / 1000:.1f} kB packed), {seconds:.0f} s")
    print(f"{'':34}{'1 socket':>12}{f'{n_clients:,}':>12}{'bare loop':>12}")
    print(f"{'CPU, % of a core':34}{alone.cpu:12.1f}{many.cpu:12.1f}{bare.cpu:12.1f}")
    for name, rank in (("p50", 0.5), ("p99", 0.99)):
        print(
            f"{f'hand-out to the last page, ms {name}':34}{'':12}{_at(many.spread_ms, rank):12.0f}"
            f"{_at(bare.spread_ms, rank):12.0f}"
        )
    print(f"{'hint to the last page, ms p99':34}{_at(alone.total_ms, 0.99):12.0f}{_at(many.total_ms, 0.99):12.0f}")
    print(f"{'updates that reached each page':34}{alone.n_messages:12.0%}{many.n_messages:12.0%}")
    print(f"{'Postgres transactions a second':34}{alone.statements:12.1f}{many.statements:12.1f}")
    print(f"{'foreign cores':34}{alone.foreign_cores:12.1f}{many.foreign_cores:12.1f}{bare.foreign_cores:12.1f}")
    missed = [f"CPU {many.cpu:.1f} %"] if many.cpu > MOST_CPU else []
    missed += [f"hand-out {_at(many.spread_ms, 0.99):.0f} ms"] if _at(many.spread_ms, 0.99) > MOST_MS else []
    missed += await _bad_readers(web, n_clients)
    missed += await _burst(web)
    print(f"Missed: {', '.join(missed)}" if missed else "All targets met.")
    return 1 if missed else 0


async def _round(web: Web, n_clients: int, seconds: float, *, bad: Sequence[Page] = ()) -> Round:
    arrivals = Arrivals()
    pages = await _connected(web, n_clients, arrivals)
    await asyncio.sleep(2)
    arrivals.at.clear()
    arrivals.n_bytes.clear()
    counted = await asyncio.to_thread(_statements)
    cpu, busy, began = web.cpu_seconds(), _busy(), time.monotonic()
    hints = []
    until = began + seconds
    while time.monotonic() < until:
        hints.append(time.monotonic())
        await asyncio.to_thread(update, len(hints))
        for page in bad:
            page.dribble()
        await asyncio.sleep(max(0.0, hints[-1] + 1 - time.monotonic()))
    spent, took = web.cpu_seconds() - cpu, time.monotonic() - began
    foreign = (_busy() - busy) / took - spent / took
    statements = (await asyncio.to_thread(_statements) - counted) / took
    await asyncio.sleep(1)
    for page in pages:
        page.transport.abort()  # type: ignore[attr-defined]
    await asyncio.sleep(1)
    full = [sorted(times) for _, times in sorted(arrivals.at.items())]
    total = []
    for times in full:
        hint = max((at for at in hints if at <= times[0]), default=None)
        if hint is not None:
            total.append((times[-1] - hint) * 1000)
    return Round(
        100 * spent / took,
        [(times[-1] - times[0]) * 1000 for times in full],
        total,
        sum(arrivals.n_bytes) / max(1, len(arrivals.n_bytes)),
        sum(len(times) for times in full) / max(1, len(full) * n_clients),
        statements,
        foreign,
    )


async def _connected(web: Web, n_clients: int, arrivals: Arrivals, **how: bool) -> list[Page]:
    pages = []
    for start in range(0, n_clients, 100):
        some = [
            Page(arrivals, headers=web.headers(n), stream=STREAM, **how)
            for n in range(start, min(n_clients, start + 100))
        ]
        await asyncio.gather(*(_connect(page, web.port) for page in some))
        if await opened(some, within=30) != len(some):
            raise RuntimeError("Not all pages were let in.")
        pages += some
    return pages


async def _connect(page: Page, port: int) -> None:
    await asyncio.get_running_loop().create_connection(lambda: page, "127.0.0.1", port)


async def _bare(n_clients: int, n_bytes: int, seconds: float) -> Round:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load.bare", str(port), str(n_bytes), cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        if process.stdout is not None:
            await process.stdout.readline()
        arrivals, loop = Arrivals(), asyncio.get_running_loop()
        for _ in range(n_clients):
            await loop.create_connection(lambda: Page(arrivals, headers="", stream=STREAM), "127.0.0.1", port)
        await asyncio.sleep(2)
        arrivals.at.clear()
        watched = psutil.Process(process.pid)
        times, busy, began = watched.cpu_times(), _busy(), time.monotonic()
        await asyncio.sleep(seconds)
        after, took = watched.cpu_times(), time.monotonic() - began
        spent = after.user + after.system - times.user - times.system
        spread = [(max(at) - min(at)) * 1000 for at in list(arrivals.at.values()) if len(at) == n_clients]
        return Round(100 * spent / took, spread, [], n_bytes, 1.0, 0.0, (_busy() - busy - spent) / took)
    finally:
        process.kill()
        await process.wait()


async def _bad_readers(web: Web, n_clients: int) -> list[str]:
    """Pages that read nothing and acknowledge nothing, but are there; the others are measured meanwhile."""
    before = await _round(web, n_clients, 10)
    settled = web.rss_mb()
    nobody = Arrivals()
    silent = await _connected(web, N_SILENT, nobody, acknowledges=False, reads=False)
    beside = await _round(web, n_clients, SILENT_SECONDS - 6, bad=silent)
    each = (web.rss_mb() - settled) / N_SILENT
    for page in silent:
        page.transport.abort()  # type: ignore[attr-defined]
    print(f"\n{N_SILENT} silent pages for {SILENT_SECONDS} s: {each:+.2f} MB each (at most {MOST_SILENT_MB})")
    print(
        f"hand-out to the last of the others, ms p99: {_at(before.spread_ms, 0.99):.0f} without them,"
        f" {_at(beside.spread_ms, 0.99):.0f} beside them"
    )
    return [f"silent page {each:.1f} MB"] if each > MOST_SILENT_MB else []


async def _burst(web: Web) -> list[str]:
    """All pages come back at once, as after a restart; meanwhile somebody opens a page."""
    arrivals = Arrivals()
    pages = [Page(arrivals, headers=web.headers(n), stream=STREAM) for n in range(BURST)]
    began, cpu = time.monotonic(), web.cpu_seconds()
    asked = asyncio.create_task(_asking(web.port))
    tried = await asyncio.gather(
        *(_connect(page, web.port) for page in pages),
        return_exceptions=True,
    )
    n_open = await opened(pages, within=60)
    took = time.monotonic() - began
    slowest = await _slowest(asked)
    n_failed = sum(isinstance(each, BaseException) for each in tried)
    print(
        f"\nburst of {BURST:,}: {n_open:,} open after {took:.1f} s ({n_failed} not connected),"
        f" {1000 * (web.cpu_seconds() - cpu) / BURST:.2f} ms of CPU each, slowest page meanwhile {slowest:.1f} s"
    )
    for page in pages:
        if page.is_open:
            page.transport.abort()  # type: ignore[attr-defined]
    return [f"burst: {n_open:,} of {BURST:,} open"] if n_open < BURST else []


async def _slowest(asked: "asyncio.Task[list[float]]") -> float:
    asked.cancel()
    return max(await asked, default=0.0)


async def _asking(port: int) -> list[float]:
    """Ask for the state of Weir again and again; seconds of each answer."""
    took = []
    try:
        while True:
            began = time.monotonic()
            await asyncio.to_thread(_ask, port)
            took.append(time.monotonic() - began)
    except asyncio.CancelledError:
        return took


def _ask(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=60) as answer:
        answer.read()


def _at(values: Sequence[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else float("nan")


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _statements() -> int:
    return int(sql("select xact_commit from pg_stat_database where datname = current_database()")[0][0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
