"""Half of what the whole way takes, under a disk budget: memory, lag, disk and query times, minute by minute.

    python -m benchmarks.endurance [minutes] [spans per second] [disk budget]     (3, 35000 and 20GB by default)

Spans go to the receiver over HTTP, through Kafka and one collector into Postgres, and a folder counts them. All of
these and the sender share the machine: on two cores they take about 70,000 spans a second together, where a collector
that has one to itself stores several times as many. Postgres has the buffers that `make up` gives it. This process
does what Celery's beat asks for each minute: close leaves, drop by age and budget. Leaves are at least 15 minutes
long, so a budget shows only in a longer run: 60 minutes are meant.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.load.meters import measured
from benchmarks.load.parts import ROOT, held_mb, part, servers_mb
from benchmarks.load.spool import N_PARTITIONS, world
from benchmarks.load.traces import SPANS_PER_RECORD
from stack.ports import free_port
from stack.postgres import buffers

N_TRACES, N_GRAPHS = 40, 10  # asked for each minute
WARM_SECONDS = 20.0
MOST_LAG_SECONDS = 10.0  # of what is sent in that time, at the end
LEAST_STORED = 0.98  # of the pace: senders wait where nobody takes what they send
MOST_GROWTH = 1.15  # of the collector's memory, from the second minute to the last
SQL_TRACE = "select trace_id from span where trace_id >= %s order by trace_id limit 1"  # by the index of every leaf


@dataclass
class Minute:
    """What was seen in one minute."""

    spans: int
    collector_mb: float
    folder_mb: float
    receiver_mb: float
    postgres_mb: float
    lag_spans: int
    folder_seconds: float
    disk_gb: float
    n_drops: int
    trace_ms: tuple[float, float]
    graph_ms: float
    foreign_cores: float

    def __str__(self) -> str:
        return (
            f"{self.spans / 60:8,.0f}{self.collector_mb:10.0f}{self.folder_mb:8.0f}{self.receiver_mb:9.0f}"
            f"{self.postgres_mb:9.0f}{self.lag_spans:11,}{self.folder_seconds:9.1f}{self.disk_gb:8.2f}{self.n_drops:6}"
            f"{self.trace_ms[0]:9.1f}{self.trace_ms[1]:7.1f}{self.graph_ms:9.1f}{self.foreign_cores:9.2f}"
        )


HEAD = (
    "          spans    PSS, MB                              not stored    folder  stored         trace, ms    graph,"
    "  foreign\n"
    "minute    per s  collector  folder receiver postgres     spans  behind s      GB drops      p50    max   ms p50"
    "    cores"
)


def main(words: Sequence[str]) -> int:
    """Print a line each minute; 1 where memory grew, or the lag did, or the pace was not kept."""
    minutes, pace, budget = (*words, *("3", "35000", "20GB")[len(words) :])
    os.environ["WEIR_DISK_BUDGET"] = budget
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-") as name,
        world(0, store_settings={"shared_buffers": buffers(psutil.virtual_memory().total)}) as servers,
        _whole_of_weir(Path(name), servers.environment, float(pace)) as processes,
    ):
        print(HEAD, flush=True)
        ask, seen = _Questions(), []
        for number in range(1, int(minutes) + 1):
            seen.append(_minute(processes, ask))
            print(f"{number:6}{seen[-1]}", flush=True)
    return _verdict(seen, float(pace))


@contextmanager
def _whole_of_weir(
    folder: Path, environment: Mapping[str, str], pace: float
) -> Iterator[tuple[psutil.Process, psutil.Process, psutil.Process]]:
    port = free_port()
    variables = {**environment, "WEIR_OTLP_HTTP_PORT": str(port), "WEIR_OTLP_GRPC_PORT": str(free_port())}
    with ExitStack() as stack:
        receiver = stack.enter_context(part("receive", folder, variables))
        collector = stack.enter_context(part("collect", folder, variables))
        counting = stack.enter_context(part("fold", folder, variables))
        sender = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load.stream", f"http://127.0.0.1:{port}", str(pace)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        stack.callback(sender.wait)
        stack.callback(sender.kill)
        time.sleep(WARM_SECONDS)
        yield collector, counting, receiver


def _minute(processes: tuple[psutil.Process, psutil.Process, psutil.Process], ask: "_Questions") -> Minute:
    from collector import tasks
    from collector.store import budget

    began, before = time.monotonic(), _n_stored()
    with measured("benchmark") as reading:
        for task in (tasks.make_leaves, tasks.close_leaves, tasks.count_leaves, tasks.keep_within_budget):
            task()
        tasks.drop_old()
        traces, graph = ask.traces(), ask.graph()
        time.sleep(max(0.0, began + 60 - time.monotonic()))
    n_stored = _n_stored()
    collector_mb, folder_mb, receiver_mb = map(held_mb, processes)
    return Minute(
        spans=round((n_stored - before) * SPANS_PER_RECORD * 60 / reading.seconds),
        collector_mb=collector_mb,
        folder_mb=folder_mb,
        receiver_mb=receiver_mb,
        postgres_mb=servers_mb("postgres"),
        lag_spans=max(0, _n_sent() - n_stored) * SPANS_PER_RECORD,
        folder_seconds=float(_one("select extract(epoch from clock_timestamp() - as_of) from fold_state")),
        disk_gb=budget.usage().used_bytes / 1e9,
        n_drops=int(_one("select count(*) from dropped_data")),
        trace_ms=traces,
        graph_ms=graph,
        foreign_cores=reading.foreign_cores,
    )


class _Questions:
    """What a person asks meanwhile, through the API in this process."""

    def __init__(self) -> None:
        from django.test import Client
        from django.test.utils import setup_test_environment

        from collector.clock import now
        from collector.config import tokens
        from dashboard.models import Person

        setup_test_environment(debug=False)
        reader = Person.objects.create(name="bench", role="viewer", created_at=now())
        token = tokens.mint("api", "bench", person_id=reader.pk, scopes=("read",), now=now(), days=1)
        self._client, self._headers = Client(), {"authorization": f"Bearer {token}"}
        self._dice = random.Random(7)

    def traces(self) -> tuple[float, float]:
        """A trace of any age, p50 and longest of some, in ms."""
        wanted = [_one(SQL_TRACE, [uuid.UUID(int=self._dice.getrandbits(128))]) for _ in range(N_TRACES)]
        times = [self._asked(f"/api/v1/traces/{trace.hex}") for trace in wanted if trace is not None]
        return statistics.median(times), max(times)

    def graph(self) -> float:
        """The service graph of 15 minutes, p50 in ms."""
        return statistics.median(self._asked("/api/v1/graph") for _ in range(N_GRAPHS))

    def _asked(self, url: str) -> float:
        began = time.perf_counter()
        answer = self._client.get(url, headers=self._headers)
        if answer.status_code != 200:
            raise RuntimeError(f"{url}: {answer.status_code}")
        time.sleep(1 / 20)  # as fast as one token may ask
        return (time.perf_counter() - began - 1 / 20) * 1_000


def _n_stored() -> int:
    return int(_one("select coalesce(sum(next_offset), 0) from intake_position"))


def _n_sent() -> int:
    from collector.ports import Partition
    from collector.wiring import SPOOL_TOPIC, spool_log

    log = spool_log()
    ends = [log.ends(Partition(SPOOL_TOPIC, number)) for number in range(N_PARTITIONS)]
    log.close()
    return sum(high for found in ends if found is not None for _, high in [found])


def _one(statement: str, values: Sequence[Any] = ()) -> Any:  # noqa: ANN401
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    return row[0] if row else None


def _verdict(seen: Sequence[Minute], pace: float) -> int:
    first = seen[min(1, len(seen) - 1)]
    rules = {
        "lag grew": seen[-1].lag_spans <= pace * MOST_LAG_SECONDS,
        "memory of the collector grew": seen[-1].collector_mb <= first.collector_mb * MOST_GROWTH,
        "less was stored than was to be sent": sum(each.spans for each in seen) >= pace * 60 * len(seen) * LEAST_STORED,
    }
    missed = [what for what, holds in rules.items() if not holds]
    for what in missed:
        print(f"MISSED: {what}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
