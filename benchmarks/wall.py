"""An hour on the wall: the shop at 200 orders a second with the overview open; memory, CPU, freshness by the minute.

The whole of `make demo` runs in a folder of its own. Chromium has the overview open as a wall would (the page), and in
a second tab its table, where events of one more traced service are timed from produce() to the number (the meter).

    python -m benchmarks.wall [MINUTES [ORDERS_A_SECOND]]     (3 minutes, 200; 60 are meant)

It fails when a process of Weir or the page grew by more than 15 % after the first ten minutes, or when the p99 of all
timed events is above two seconds, or when a process of Weir ended and was started again.
"""

import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks import freshness
from benchmarks.freshness import OBSERVE, QUIET, at, chromium, number, sign_in
from benchmarks.load.parts import held_mb
from benchmarks.load.whole import running

MINUTE, EVENTS_A_MINUTE, SETTLE_SECONDS = 60.0, 10, 30.0
PATIENCE_MS = 120_000  # a machine that is busy with its start answers late
MOST_GROWTH, MOST_MS = 1.15, 2_000.0
GROWN_MINUTES, EDGE_MINUTES = 10, 5  # memory of the minutes after the tenth, against the last five
PARTS = ("web", "collect", "receive", "fold", "sample", "worker", "beat")
SERVERS = ("postgres", "kafka")
ORDERS, SPOOL = "orders.created", "weir.spool"
SQL_READ = """
select coalesce(sum(p.next_offset), 0)::bigint from intake_position p join input i on i.id = p.input_id
where i.kind = 1 and i.topic_name = %s
"""


@dataclass
class Minute:
    """What was seen in one minute. `mb`: PSS by part, `cores`: CPU as a share of one core by part."""

    mb: dict[str, float]
    cores: dict[str, float]
    heap_mb: float
    n_elements: int
    n_listeners: int
    orders: float
    spans: float
    unread: int
    folder_seconds: float
    delays: list[float] = field(default_factory=list)
    n_lost: int = 0
    restarted: tuple[str, ...] = ()

    def __str__(self) -> str:
        ranked = sorted(self.delays) or [float("nan")]
        shown = (*PARTS, *SERVERS)
        return (
            f"{self.orders:7.0f}{self.spans:8,.0f}  "
            + "".join(f"{self.mb.get(name, 0):6.0f}" for name in shown)
            + f"{self.heap_mb:7.1f}{self.n_elements:7}{self.n_listeners:6}  "
            + "".join(f"{self.cores.get(name, 0) * 100:5.0f}" for name in (*shown, "shop", "browser"))
            + f"{self.unread:9,}{self.folder_seconds:7.1f}{at(ranked, 0.5):8.0f}{ranked[-1]:7.0f}"
        )


HEAD = (
    "minute orders/s spans/s   PSS, MB: "
    + " ".join((*PARTS, *SERVERS))
    + "   page: heap MB, elements, listeners   CPU, % of a core: "
    + " ".join((*PARTS, *SERVERS, "shop", "browser"))
    + "   spool records unread, folder s behind   produce() to page ms: p50, max"
)


def main(words: Sequence[str]) -> int:
    """Print a line each minute; 1 where memory grew or the page was late."""
    minutes, orders = (*words, *("3", "200")[len(words) :])
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-") as name,
        running(Path(name), "demo", {"RATE": orders}) as stack,
        pages(stack) as (wall, meter, produce),
    ):
        print(HEAD, flush=True)
        watch = Watch(Path(name) / "data" / "stack.json", stack)
        seen = []
        for number_ in range(1, int(minutes) + 1):
            seen.append(minute(watch, wall, meter, produce))
            print(f"{number_:6}{seen[-1]}", flush=True)
    return verdict(seen)


@contextmanager
def pages(stack: dict[str, Any]) -> Iterator[tuple[Any, Any, Any]]:
    """The overview, its table ready to time events, and what sends one."""
    from playwright.sync_api import sync_playwright

    produce, flush = freshness.probe(stack)
    produce()
    edge = f"service:{freshness.SERVICE}>topic:{stack['cluster']}/{freshness.TOPIC}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        wall, meter = context.new_page(), context.new_page()
        sign_in(meter, stack)
        meter.goto(f"{stack['url'].rstrip('/')}/?view=table&from=now-6h")
        meter.locator(f'tr[data-edge="{edge}"]').wait_for()
        meter.evaluate(OBSERVE, edge)
        wall.goto(stack["url"])
        wall.locator("service-graph").wait_for()
        wall.wait_for_timeout(SETTLE_SECONDS * 1000)
        yield wall, meter, produce
        browser.close()
    flush(10)


def minute(watch: "Watch", wall: Any, meter: Any, produce: Any) -> Minute:  # noqa: ANN401
    """One minute, with its events spread over it."""
    began, before = time.monotonic(), watch.reading()
    base = number(meter.evaluate("window.seen.at(-1)[1]"))
    sent = []
    for nth in range(EVENTS_A_MINUTE):
        sent.append(produce())
        meter.wait_for_timeout(max(0.0, began + (nth + 1) * (MINUTE - 8) / EVENTS_A_MINUTE - time.monotonic()) * 1000)
    meter.wait_for_timeout(max(0.0, began + MINUTE - time.monotonic()) * 1000)
    shown = [(when, number(text) - base) for when, text in meter.evaluate("window.seen")]
    meter.evaluate("window.seen.splice(0, window.seen.length - 1)")
    whens = [next((when for when, n in shown if n >= nth), None) for nth in range(1, len(sent) + 1)]
    delays = [when - at_ms for when, at_ms in zip(whens, sent, strict=True) if when is not None]
    after = watch.reading()
    return watch.minute(before, after, page_of(wall), delays, len(sent) - len(delays))


def page_of(wall: Any) -> tuple[float, int, int]:  # noqa: ANN401
    """JS heap in MB after a collection, elements and listeners of the page."""
    session = wall.context.new_cdp_session(wall)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return found["JSHeapUsedSize"] / 1e6, int(found["Nodes"]), int(found["JSEventListeners"])


@dataclass
class Reading:
    """Counters at one moment. `cpu`: seconds by process id."""

    when: float
    cpu: dict[int, tuple[str, float]]
    pids: dict[str, int]
    orders: int
    spans: int


class Watch:
    """What the stack's processes, its store and its broker say."""

    def __init__(self, facts: Path, stack: Mapping[str, Any]) -> None:
        from confluent_kafka import Consumer

        self._facts = facts
        self._store = psycopg.connect(stack["database_url"], autocommit=True)
        self._broker = Consumer(
            {"bootstrap.servers": stack["kafka_bootstrap"], **stack["kafka_client"], "group.id": "bench-wall", **QUIET}
        )

    def reading(self) -> Reading:
        """Counters now."""
        return Reading(
            time.monotonic(),
            self._cpu(),
            {name: process.pid for name, process in self._processes() if name in PARTS},
            self._end(ORDERS),
            self._one("select sum(n_spans)::bigint from batch"),
        )

    def minute(
        self, before: Reading, after: Reading, page: tuple[float, int, int], delays: list[float], n_lost: int
    ) -> Minute:
        """The difference of two readings, and what stands now."""
        seconds = after.when - before.when
        cores: dict[str, float] = {}
        for pid, (name, cpu) in after.cpu.items():
            cores[name] = cores.get(name, 0.0) + (cpu - before.cpu.get(pid, (name, 0.0))[1]) / seconds
        return Minute(
            mb=self._memory(),
            cores=cores,
            heap_mb=page[0],
            n_elements=page[1],
            n_listeners=page[2],
            orders=(after.orders - before.orders) / seconds,
            spans=(after.spans - before.spans) / seconds,
            unread=max(0, self._end(SPOOL) - self._one(SQL_READ, [SPOOL])),
            folder_seconds=self._one("select extract(epoch from clock_timestamp() - as_of)::float8 from fold_state"),
            delays=delays,
            n_lost=n_lost,
            restarted=tuple(name for name in PARTS if before.pids.get(name) != after.pids.get(name)),
        )

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        for name, pid in json.loads(self._facts.read_text())["pids"].items():
            try:
                yield name, psutil.Process(pid)
            except psutil.NoSuchProcess:
                continue

    def _memory(self) -> dict[str, float]:
        return {name: held_mb(process) for name, process in self._processes() if name in (*PARTS, *SERVERS)}

    def _cpu(self) -> dict[int, tuple[str, float]]:
        found: dict[int, tuple[str, float]] = {}
        known = {*PARTS, *SERVERS, "valkey"}
        roots = [(name if name in known else "shop", process) for name, process in self._processes()]
        for name, root in [*roots, ("browser", psutil.Process())]:
            for process in (root, *root.children(recursive=True)):
                try:
                    times = process.cpu_times()
                except psutil.NoSuchProcess:
                    continue
                found.setdefault(process.pid, (name, times.user + times.system))
        return found

    def _end(self, topic: str) -> int:
        from confluent_kafka import TopicPartition

        partitions = self._broker.list_topics(topic, timeout=20).topics[topic].partitions
        ends = [self._broker.get_watermark_offsets(TopicPartition(topic, one), timeout=20) for one in partitions]
        return sum(high for _, high in ends)

    def _one(self, statement: str, values: Sequence[Any] = ()) -> Any:  # noqa: ANN401
        row = self._store.execute(statement, values).fetchone()
        return row[0] or 0 if row else 0


def verdict(seen: Sequence[Minute]) -> int:
    """What the targets say of it; 1 where one is missed."""
    warm = seen[min(GROWN_MINUTES, len(seen) // 3) :]
    missed = []
    series = {name: [one.mb[name] for one in warm if name in one.mb] for name in PARTS}
    series["page's heap"] = [one.heap_mb for one in warm]
    for name, values in series.items():
        first, last = statistics.median(values[:EDGE_MINUTES]), statistics.median(values[-EDGE_MINUTES:])
        print(f"{name}: {first:.1f} MB, at the end {last:.1f} MB")
        if last > first * MOST_GROWTH:
            missed.append(f"memory of {name} grew")
    delays = sorted(delay for one in seen for delay in one.delays)
    n_lost = sum(one.n_lost for one in seen)
    p50, p99, most = (at(delays or [math.inf], share) for share in (0.5, 0.99, 1.0))
    print(
        f"produce() to the number on the page, {len(delays)} events, ms: p50 {p50:.0f}, "
        f"p99 {p99:.0f}, max {most:.0f}; not seen within their minute: {n_lost}"
    )
    if p99 > MOST_MS or n_lost:
        missed.append("the page was late")
    missed += [f"{name} ended and was started again" for one in seen for name in one.restarted]
    for words in missed:
        print(f"MISSED: {words}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
