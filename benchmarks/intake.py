"""Spans from Kafka into Postgres: ours beside what nobody can beat, in interleaved runs on real servers.

    python -m benchmarks.intake [thousands of spans] [rounds]      (400 and 3 by default)

consume only    records taken from Kafka by the same client, and dropped
decode only     OTLP bytes to rows ready for COPY; no Kafka, no Postgres
COPY only       the same rows, indexes, ledger and position in the same transactions; decoded before
ours, 1 and 2   `manage.py collect`, from a spool that is full to one that is stored; without start and end
native, 1 and 2 the same with the compiled scanner
"""

import secrets
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from benchmarks.load.meters import Reading, measured
from benchmarks.load.spool import N_PARTITIONS, World, world
from benchmarks.load.traces import SPANS_PER_RECORD

BATCH_RECORDS = 100
WARM = 0.1  # of the records, before a run of a collector counts
OF_DECODING = {"ours, 1": 0.60}
OF_COPYING = {"native, 1": 0.75, "native, 2": 1.0}
CPU_US = {"ours, 1": 8.0}


@dataclass
class Run:
    """One measured run."""

    n_spans: int
    reading: Reading

    @property
    def per_second(self) -> float:
        """Spans per second."""
        return self.n_spans / self.reading.seconds

    def cpu_us(self, part: str) -> float:
        """CPU microseconds per span in one part."""
        return self.reading.cpu_seconds[part] / self.n_spans * 1e6


def main(words: Sequence[str]) -> int:
    """Print the table; 1 where a gate is missed."""
    thousands, rounds = (int(word) for word in (*words, *("400", "3")[len(words) :]))
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    with world(thousands * 1_000 // SPANS_PER_RECORD) as servers:
        records = taken(servers)
        for number in range(rounds):
            for name, run in (
                ("consume only", lambda: consumed(servers)),
                ("decode only", lambda: decoded(servers, records)),
                ("COPY only", lambda: copied(servers, records)),
                ("ours, 1", lambda: collected(servers, 1, native=False)),
                ("ours, 2", lambda: collected(servers, 2, native=False)),
                ("native, 1", lambda: collected(servers, 1, native=True)),
                ("native, 2", lambda: collected(servers, 2, native=True)),
            ):
                servers.reset()
                runs[name].append(run())
                print(f"  round {number + 1}: {line(name, runs[name][-1])}", flush=True)
        row_bytes = stored_bytes()
    return report(runs, row_bytes)


def taken(servers: World) -> list[Any]:
    """All records of the spool, in memory."""
    return list(_records(servers))


def consumed(servers: World) -> Run:
    """Take everything and drop it."""
    with measured() as reading:
        n_records = sum(1 for _ in _records(servers))
    return Run(n_records * SPANS_PER_RECORD, reading)


def _records(servers: World) -> Any:  # noqa: ANN401  a generator of records
    from collector.kafka.log import KafkaLog
    from collector.ports import Partition
    from collector.wiring import SPOOL_TOPIC, spool_properties

    log = KafkaLog(spool_properties(), commits=False)
    log.assign({Partition(SPOOL_TOPIC, number): 0 for number in range(N_PARTITIONS)})
    n_left = servers.n_records
    while n_left:
        found = log.take(limit=1_000, limit_bytes=6_000_000, wait=0.1).records
        n_left -= len(found)
        yield from found
    log.close()


def decoded(servers: World, records: Sequence[Any]) -> Run:
    """Bytes to rows, with all names known."""
    from collector import clock
    from collector.intake.spool import SpoolReading
    from collector.management.commands.collect import by_the_clock
    from collector.store import rows
    from collector.store.saving import Store
    from collector.store.spans import whole_rows

    by_the_clock()  # as the command does
    reading_of, store = SpoolReading(), Store()
    for is_counted in (False, True):
        chosen = records if is_counted else records[: len(records) // 4]
        store.names.begin(clock.now())
        with measured() as reading:
            for start in range(0, len(chosen), BATCH_RECORDS):
                requests = reading_of.rows(chosen[start : start + BATCH_RECORDS], {}).requests
                ids = store.ids.of(requests, store.names, now=clock.now())
                for _, packed in whole_rows(requests, ids):
                    rows.copied(packed, clock.now())
    return Run(servers.n_spans, reading)


def copied(servers: World, records: Sequence[Any]) -> Run:
    """Rows that are ready, saved as a collector saves them."""
    from collector import clock
    from collector.intake.spool import SpoolReading
    from collector.store import positions
    from collector.store.clusters import UNKNOWN
    from collector.store.positions import Advance, InputKind, Place, input_row
    from collector.store.saving import Batch, Store

    input_id = input_row(InputKind.SPOOL, cluster_id=UNKNOWN, topic_name="benchmark")
    places = [Place(UUID(int=7), number) for number in range(N_PARTITIONS)]
    positions.begin(input_id, dict.fromkeys(places, 0), now=clock.now())
    reading_of, store = SpoolReading(), Store()
    batches = []
    for number, start in enumerate(range(0, len(records), BATCH_RECORDS)):
        requests = reading_of.rows(records[start : start + BATCH_RECORDS], {}).requests
        fresh = [replace(request, digest=UUID(bytes=secrets.token_bytes(16))) for request in requests]
        batches.append(Batch(input_id, [Advance(place, number * 9, number * 9 + 9) for place in places], fresh))
    store.ids.of([request for batch in batches for request in batch.requests], store.names, now=clock.now())
    with measured() as reading:
        for batch in batches:
            store.save(batch, now=clock.now())
    return Run(servers.n_spans, reading)


def collected(servers: World, number: int, *, native: bool) -> Run:
    """The real thing, from a tenth of the spool to its end."""
    with servers.collectors(number, native=native):
        began = servers.wait_for(max(1, int(servers.n_records * WARM)))
        with measured("benchmark") as reading:
            servers.wait_for(servers.n_records)
    return Run((servers.n_records - began) * SPANS_PER_RECORD, reading)


def stored_bytes() -> tuple[float, float, float]:
    """Bytes per span of the slim row with its links and all their indexes, the share of links, and bytes in full."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "select sum(pg_total_relation_size(inhrelid)) from pg_inherits"
            " where inhparent = any(array['span', 'span_link']::regclass[])"
        )
        n_bytes = int(cursor.fetchone()[0])
        cursor.execute("select count(*), (select count(*) from span_link) from span")
        n_spans, n_links = cursor.fetchone()
        cursor.execute(
            "select sum(pg_total_relation_size(inhrelid)) from pg_inherits"
            " where inhparent = any(array['span_detail', 'span_detail_kept']::regclass[])"
        )
        n_in_full = int(cursor.fetchone()[0])
    return n_bytes / n_spans, n_links / n_spans, n_in_full / n_spans


def line(name: str, run: Run) -> str:
    """One run as text."""
    cpu = "".join(f"{run.cpu_us(part):8.2f}" for part in ("collector", "postgres", "kafka"))
    return f"{name:14}{run.per_second:10,.0f}{cpu}{run.reading.foreign_cores:9.2f}"


def report(runs: dict[str, list[Run]], row_bytes: tuple[float, float, float]) -> int:
    """Medians and ratios; the gates."""
    print(f"\n{'':24}   CPU us per span in    foreign  / decode  / COPY")
    print("median of runs   spans/s collector postgres kafka  cores      only    only")
    medians = {name: statistics.median(run.per_second for run in its) for name, its in runs.items()}
    missed = []
    for name, its in runs.items():
        run = sorted(its, key=lambda each: each.per_second)[len(its) // 2]
        ratios = medians[name] / medians["decode only"], medians[name] / medians["COPY only"]
        print(f"{line(name, run)}{ratios[0]:10.2f}{ratios[1]:8.2f}")
        mine = statistics.median(each.cpu_us("collector") for each in its)
        for ratio, wanted, ceiling in zip(ratios, (OF_DECODING, OF_COPYING), ("decode", "COPY"), strict=True):
            if ratio < wanted.get(name, 0):
                missed.append(f"{name}: {ratio:.2f} of {ceiling} only, wanted {wanted[name]}")
        if mine > CPU_US.get(name, mine):
            missed.append(f"{name}: {mine:.1f} us in the collector, wanted {CPU_US[name]}")
    print(f"bytes per span with links ({row_bytes[1]:.2f} a span) and indexes: {row_bytes[0]:.0f} (target 180)")
    print(f"bytes per span kept in full for a day, failures longer: {row_bytes[2]:.0f}")
    for each in missed:
        print(f"MISSED {each}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
