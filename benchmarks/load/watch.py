"""What the processes, the store and the broker of a whole Weir take and have, read again each minute."""

import json
import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.load.parts import held_mb

CALL_SECONDS = 20
QUIET = {"log_level": 2}  # the client outlives the broker at the end
PARTS = ("web", "collect", "receive", "fold", "sample", "worker", "beat")
SERVERS = ("postgres", "kafka")
OTHERS = ("shop", "browser", "bench")  # bench: this process, Playwright's, and the stack's supervisor
ORDERS, SPOOL = "orders.created", "weir.spool"
SQL_READ = """
select coalesce(sum(p.next_offset), 0)::bigint from intake_position p join input i on i.id = p.input_id
where i.kind = 1 and i.topic_name = %s
"""
SQL_SPANS = "select sum(n_spans)::bigint from batch"
SQL_FOLDED = "select extract(epoch from clock_timestamp() - as_of)::float8 from fold_state"


class Unread(RuntimeError):
    """Somebody did not answer in time: the store, the broker or the browser."""


@dataclass(frozen=True)
class Page:
    """The overview: JS heap in MB after a collection, elements and listeners."""

    heap_mb: float
    n_elements: int
    n_listeners: int


@dataclass
class Minute:
    """What was seen in one minute. `mb`: PSS by part, `cores`: CPU as a share of one core by part."""

    mb: dict[str, float]
    cores: dict[str, float]
    busy: float
    page: Page
    orders: float
    spans: float
    unread: int
    folder_seconds: float
    restarted: tuple[str, ...]
    delays: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        ranked = sorted(self.delays) or [math.nan]
        shown = (*PARTS, *SERVERS)
        return (
            f"{self.orders:7.0f}{self.spans:8,.0f}  "
            + "".join(f"{self.mb.get(name, 0):6.0f}" for name in shown)
            + f"{self.page.heap_mb:7.1f}{self.page.n_elements:7}{self.page.n_listeners:6}  "
            + "".join(f"{self.cores.get(name, 0) * 100:5.0f}" for name in (*shown, *OTHERS))
            + f"{self.busy * 100:5.0f}"
            + f"{self.unread:9,}{self.folder_seconds:7.1f}{statistics.median(ranked):8.0f}{ranked[-1]:7.0f}"
        )


@dataclass
class Reading:
    """Counters at one moment. `cpu`: part and seconds by process; `busy`: seconds of all cores."""

    when: float
    cpu: dict[int, tuple[str, float]]
    busy: float
    pids: dict[str, int]
    orders: int
    spans: int


class Watch:
    """What the stack's processes, its store and its broker say. All raise Unread."""

    def __init__(self, facts: Path, stack: Mapping[str, Any]) -> None:
        from confluent_kafka import Consumer

        self._facts, self._database_url = facts, stack["database_url"]
        self._store = self._connected()
        self._broker = Consumer(
            {"bootstrap.servers": stack["kafka_bootstrap"], **stack["kafka_client"], "group.id": "bench-wall", **QUIET}
        )

    def reading(self) -> Reading:
        """Counters now."""
        orders, spans = self._end(ORDERS), self._one(SQL_SPANS)
        all_cores = psutil.cpu_times()
        return Reading(
            time.monotonic(),
            self._cpu(),
            sum(all_cores) - all_cores.idle - all_cores.iowait,
            {name: process.pid for name, process in self._processes() if name in PARTS},
            orders,
            spans,
        )

    def minute(self, before: Reading, after: Reading, page: Page) -> Minute:
        """The difference of two readings, and what stands now."""
        seconds = after.when - before.when
        cores: dict[str, float] = {}
        for pid, (name, cpu) in after.cpu.items():
            cores[name] = cores.get(name, 0.0) + (cpu - before.cpu.get(pid, (name, 0.0))[1]) / seconds
        return Minute(
            mb={name: held_mb(process) for name, process in self._processes() if name in (*PARTS, *SERVERS)},
            cores=cores,
            busy=(after.busy - before.busy) / seconds / (psutil.cpu_count() or 1),
            page=page,
            orders=(after.orders - before.orders) / seconds,
            spans=(after.spans - before.spans) / seconds,
            unread=max(0, self._end(SPOOL) - self._one(SQL_READ, [SPOOL])),
            folder_seconds=self._one(SQL_FOLDED),
            restarted=tuple(name for name in PARTS if before.pids.get(name) != after.pids.get(name)),
        )

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        try:
            pids = json.loads(self._facts.read_text())["pids"]
        except (OSError, ValueError) as error:
            raise Unread(f"the stack's processes: {error}") from error
        for name, pid in pids.items():
            try:
                yield name, psutil.Process(pid)
            except psutil.NoSuchProcess:
                continue

    def _cpu(self) -> dict[int, tuple[str, float]]:
        found: dict[int, tuple[str, float]] = {}
        known = {*PARTS, *SERVERS, "valkey"}
        roots = [(name if name in known else "shop", process) for name, process in self._processes()]
        for name, root in [*roots, ("bench", psutil.Process())]:
            for process in (root, *children(root)):
                try:
                    times, program = process.cpu_times(), process.name()
                except psutil.NoSuchProcess:
                    continue
                part = "browser" if name == "bench" and program.startswith("chrom") else name
                found.setdefault(process.pid, (part, times.user + times.system))
        return found

    def _connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            self._database_url,
            autocommit=True,
            connect_timeout=CALL_SECONDS,
            options=f"-c statement_timeout={CALL_SECONDS}s",
        )

    def _end(self, topic: str) -> int:
        from confluent_kafka import KafkaException, TopicPartition

        try:
            partitions = self._broker.list_topics(topic, timeout=CALL_SECONDS).topics[topic].partitions
            ends = [
                self._broker.get_watermark_offsets(TopicPartition(topic, one), timeout=CALL_SECONDS)
                for one in partitions
            ]
        except KafkaException as error:
            raise Unread(f"Kafka on {topic}: {error}") from error
        return sum(high for _, high in ends)

    def _one(self, statement: str, values: Sequence[Any] = ()) -> Any:  # noqa: ANN401
        try:
            if self._store.closed:
                self._store = self._connected()
            row = self._store.execute(statement, values).fetchone()
        except psycopg.Error as error:
            raise Unread(f"Postgres: {error}") from error
        return row[0] or 0 if row else 0


def children(process: psutil.Process) -> list[psutil.Process]:
    """All below it; none where it has ended."""
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []
