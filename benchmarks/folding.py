"""What it costs Postgres to count spans, to measure how long events waited, and to close a leaf; beside reading alone.

    python -m benchmarks.folding [thousands of spans] [rounds]      (1000 and 5 by default)

reading     the rows that are counted, found as the folder finds them, and nothing done with them
counting    the folder's fold of the same batches, a few at a time as in operation
measuring   the folder's second look at them: waits and processing times
closing     at the end, once: repeats taken out, bounds noted, rows counted, leaves vacuumed

CPU is that of the one Postgres process that works, and of this one, in microseconds a span.
"""

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil

from benchmarks.load.database import database
from benchmarks.load.traces import N_GROUPS, SPANS_PER_RECORD, copy, groups
from stack.postgres import buffers

BATCH_RECORDS = 90  # about what a collector stores at once at 35,000 spans a second
FOLDED_AT_ONCE = 4  # batches: what comes in between two folds then
MOST_US = {"counting": 0.7, "measuring": 1.1}
LATER = timedelta(seconds=20)  # when both sides of a delivery are there


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU microseconds a span, of Postgres and of this process."""

    postgres: float
    here: float


def main(words: Sequence[str]) -> int:
    """Print the table; 1 where a target is missed."""
    thousands, rounds = (int(word) for word in (*words, *("1000", "5")[len(words) :]))
    costs: defaultdict[str, list[Cost]] = defaultdict(list)
    buffered = {"shared_buffers": buffers(psutil.virtual_memory().total)}  # as `make up` does
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name, database(Path(name), store_settings=buffered):
        n_spans = filled(thousands * 1_000)
        for number in range(rounds):
            reset()
            for what, work in (("reading", read), ("counting", count), ("measuring", measure)):
                costs[what].append(cost_of(work, n_spans))
                if number == 0 and what == "measuring":
                    print(facts(), flush=True)
        close(n_spans)
    return report(costs)


def filled(n_spans: int) -> int:
    """Store them, now; how many."""
    from collector import clock
    from collector.domain.records import Record
    from collector.intake.native import compiled
    from collector.intake.spool import SpoolReading
    from collector.store import positions
    from collector.store.clusters import UNKNOWN
    from collector.store.positions import Advance, InputKind, Place, input_row
    from collector.store.saving import Batch, Store

    input_id = input_row(InputKind.SPOOL, cluster_id=UNKNOWN, topic_name="benchmark")
    place, reading, store, pool = Place(UUID(int=7), 0), SpoolReading(compiled()), Store(), groups()
    positions.begin(input_id, {place: 0}, now=clock.now())
    n_records, number, began = 0, 0, time.monotonic()
    while n_records * SPANS_PER_RECORD < n_spans:
        bodies: list[bytes] = []
        while len(bodies) < BATCH_RECORDS:
            bodies += copy(pool[number % N_GROUPS], number, at_ns=time.time_ns())
            number += 1
        records = [Record("weir.spool", 0, n_records + at, None, 0, None, body, ()) for at, body in enumerate(bodies)]
        requests = reading.rows(records, {}).requests
        upto = n_records + len(bodies)
        store.save(Batch(input_id, [Advance(place, n_records, upto)], requests), now=clock.now())
        n_records = upto
    print(f"stored {n_records * SPANS_PER_RECORD:,} spans in {time.monotonic() - began:.0f} s", flush=True)
    return n_records * SPANS_PER_RECORD


def reset() -> None:
    """Nothing is counted."""
    _run("update batch set folded = false, measured = false")
    _run("truncate edge_10s, edge_1m, edge_1h, edge_day, rollup_dirty, unpaired")
    _run("vacuum analyze batch")


def read() -> None:
    """As `count`, by the same index."""
    batches = [each for (each,) in _run("select stored_at from batch order by 1")]
    for start in range(0, len(batches), FOLDED_AT_ONCE):
        _run(
            "select count(n_messages) from span where stored_at = any(%s::timestamptz[]) and edge_id is not null"
            " and n_messages > 0",
            batches[start : start + FOLDED_AT_ONCE],
        )


def count() -> None:
    """All batches, and the minutes of the edges."""
    from collector import clock
    from collector.folding.fold import MissingLeaves, RollupLeaves, fold, sum_up_minutes
    from collector.store.folds import Summaries

    leaves, summaries, is_full = RollupLeaves(), Summaries(), True
    summaries.refresh(clock.now())
    while is_full:
        try:
            is_full = fold(leaves, now=clock.now(), limit=FOLDED_AT_ONCE).is_full
        except MissingLeaves as missing:
            leaves.make(missing, now=clock.now())
    sum_up_minutes()


def measure() -> None:
    """All batches."""
    from collector import clock
    from collector.folding import measure as measuring
    from collector.folding.fold import MissingLeaves, RollupLeaves

    leaves, is_more = RollupLeaves(), True
    while is_more:
        try:
            is_more = measuring.measure(leaves, now=clock.now() + LATER)
        except MissingLeaves as missing:
            leaves.make(missing, now=clock.now())


def cost_of(work: Callable[[], None], n_spans: int) -> Cost:
    """Of one run, on a connection that prefers indexes as the folder's does."""
    from django.db import connection

    from collector.store.folds import prefer_indexes

    prefer_indexes()
    _run("vacuum analyze batch")
    backend = psutil.Process(_run("select pg_backend_pid()")[0][0])
    postgres, here = sum(backend.cpu_times()[:2]), time.process_time()
    work()
    cost = Cost((sum(backend.cpu_times()[:2]) - postgres) / n_spans * 1e6, (time.process_time() - here) / n_spans * 1e6)
    connection.close()
    return cost


def close(n_spans: int) -> None:
    """Close every raw leaf there is, and say how long each statement took."""
    from collector.store import closing
    from collector.store.partitions import RAW_TABLES

    (ends_at,) = _run("select max(ends_at) from raw_partition where table_name = any(%s)", list(RAW_TABLES))[0]
    with timed() as seconds:
        began = time.monotonic()
        closed = closing.close_full(ends_at + closing.SETTLE + timedelta(seconds=1))
    print(
        f"closed {len(closed)} leaves of {n_spans:,} spans in {time.monotonic() - began:.1f} s; the longest statements:"
    )
    for statement, its in sorted(seconds.items(), key=lambda each: -each[1])[:8]:
        print(f"  {its:7.2f} s  {' '.join(statement.split())[:100]}")


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Seconds by statement."""
    from django.db import connection

    seconds: defaultdict[str, float] = defaultdict(float)

    def around(execute: Any, statement: Any, *rest: Any) -> Any:  # noqa: ANN401  as Django calls it
        began = time.monotonic()
        try:
            return execute(statement, *rest)
        finally:
            text = statement if isinstance(statement, str) else statement.as_string(None)
            seconds[text] += time.monotonic() - began

    with connection.execute_wrapper(around):
        yield seconds


def facts() -> str:
    """What was counted."""
    ((edges, counted),) = _run("select count(distinct edge_id), sum(n_spans)::bigint from edge_10s")
    ((waits, unpaired),) = _run("select sum(n_wait)::bigint, (select count(*) from unpaired) from edge_1m")
    return f"{counted:,} spans counted on {edges:,} edges; {waits:,} waits measured, {unpaired:,} without a producer"


def report(costs: dict[str, list[Cost]]) -> int:
    """Medians, and what each round said."""
    print(f"\n{'CPU µs a span':14}Postgres   here   target   rounds (Postgres)")
    missed = 0
    for what, its in costs.items():
        postgres, here = (statistics.median(getattr(each, name) for each in its) for name in ("postgres", "here"))
        wanted = MOST_US.get(what)
        each = " ".join(f"{one.postgres:.2f}" for one in its)
        print(f"{what:14}{postgres:8.2f}{here:7.2f}{wanted or '':>9}   {each}")
        missed += bool(wanted and postgres > wanted)
    return int(missed > 0)


def _run(statement: str, *values: Any) -> list[Any]:  # noqa: ANN401
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, list(values))
        return cursor.fetchall() if cursor.description else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
