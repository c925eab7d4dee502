"""A scan of a cluster of 10,000 partitions and 1,000 groups, rows and all: ours beside the raw calls, in turn.

    python -m benchmarks.sampling [rounds [scans of the long run]]      (12 and 1,000 by default)

Three topics in ten get records before each scan, and the groups that read them commit. `raw calls` asks the same broker
for the same numbers and keeps them nowhere; it is the ceiling.
"""

import gc
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load.cluster import N_GROUPS, N_PARTITIONS, N_TOPICS, Cluster, cluster
from benchmarks.load.meters import Reading, measured

AT_ONCE, PARTITIONS_A_CALL, CALLS_AT_ONCE = 32, 400, 4
CADENCE_SECONDS, CADENCE_RUN_SECONDS = 10, 180
SCANS_A_DAY = 86_400 / CADENCE_SECONDS
RSS_FIRST = 100  # scans, before memory is said to be flat or not
SLOWER, MOST_CPU, MOST_BROKER_CPU, MOST_RSS, MOST_CORES = 1.3, 0.8, 0.35, 120, 0.10
FLAT = 1.05
CHUNK_ROW_BYTES = 90  # of a row of sample_chunk beside its body, with its index
Line = tuple[str, str, str, bool]  # what, measured, target, whether it is met


@dataclass
class Runs:
    """Readings by name."""

    of: defaultdict[str, list[Reading]] = field(default_factory=lambda: defaultdict(list))

    def middle(self, name: str, part: str = "") -> float:
        """The median: of the wall time, or of one part's CPU seconds."""
        return statistics.median(each.cpu_seconds[part] if part else each.seconds for each in self.of[name])


def main(words: Sequence[str]) -> int:
    """Print the tables; 1 where a target is missed."""
    rounds, n_scans = (int(word) for word in (*words, *("12", "1000")[len(words) :]))
    if rounds < 1 or n_scans < 2 * RSS_FIRST:
        print(f"Give at least 1 round and {2 * RSS_FIRST} scans: memory is compared with that after {RSS_FIRST}.")
        return 2
    with cluster() as world:
        print(f"{N_TOPICS} topics, {N_PARTITIONS:,} partitions, {N_GROUPS} groups, {world.n_pairs:,} pairs", flush=True)
        runs = Runs()
        stored = side_by_side(world, runs, rounds)
        print(f"\n{'medians, s':14}{'wall':>8}{'client':>8}{'broker':>8}{'postgres':>10}{'foreign cores':>15}")
        for name in runs.of:
            cpu = (runs.middle(name, "collector"), runs.middle(name, "kafka"), runs.middle(name, "postgres"))
            foreign = statistics.median(each.foreign_cores for each in runs.of[name])
            print(f"{name:14}{runs.middle(name):8.2f}{cpu[0]:8.2f}{cpu[1]:8.2f}{cpu[2]:10.2f}{foreign:15.2f}")
        lines = [*scan_lines(runs), *size_lines(stored)]
        shown(lines)
        lines += (of_alone := alone_lines(world, n_scans))
        shown(of_alone)
    return int(not all(is_met for *_, is_met in lines))


def shown(lines: Sequence[Line]) -> None:
    """Print them."""
    print()
    for what, found, wanted, _ in lines:
        print(f"{what:58}{found:>14}{wanted:>14}", flush=True)


# Side by side ---------------------------------------------------------------------------------------------------------


def side_by_side(world: Cluster, runs: Runs, rounds: int) -> dict[str, float]:
    """Raw calls and scans in turn, the order changing; rows and bytes that a scan stored."""
    from django.db import connection

    from collector import clock, observing
    from collector.config import declared
    from collector.management.commands.sample import COLLECT_AFTER
    from collector.sampling.sampler import Sampler
    from collector.store import broker_names

    (where,) = observing.observed(declared.document())
    with connection.cursor() as cursor:
        number = broker_names.cluster_row(cursor, where.name)
    broker, records = observing.broker_metadata(where), observing.first_records(where)
    gc.set_threshold(*COLLECT_AFTER)  # as the command does; the raw calls gain as much
    sampler = Sampler(broker, records=records, cluster_id=number, now=clock.now)
    raw = Raw(world.bootstrap)
    for _ in range(2):  # the first scan registers all names; neither client is cold afterwards
        sampler.tick()
        raw.scan()
    before, n = stored(), 0
    for turn in range(rounds):
        for name in ("raw calls", "ours") if turn % 2 else ("ours", "raw calls"):
            world.move()
            with measured() as reading:
                run = (lambda: raw.scan() >= N_PARTITIONS) if name == "raw calls" else (lambda: sampler.tick() is None)
                is_whole = run()
            if not is_whole:
                raise RuntimeError(f"{name} did not see all of the cluster.")
            n += name == "ours"
            label = "ours, slow" if name == "ours" and has_described(sampler) else name
            runs.of[label].append(reading)
            print(f"  {label:12} {reading.seconds:5.2f} s {dict(reading.cpu_seconds)}", flush=True)
    after = stored()
    broker.close()
    records.close()
    return {name: (after[name] - before[name]) / n for name in after}


def has_described(sampler: Any) -> bool:  # noqa: ANN401  # its memory is its own
    """Whether the last scan was a slow one."""
    memory = sampler._memory
    return memory is not None and memory.slow_at == memory.scanned_at


def stored() -> dict[str, float]:
    """Rows of the two tables of samples, and bytes of all that a scan adds to."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "select (select count(*) from topic_sample), (select count(*) from group_sample),"
            " pg_total_relation_size('topic_sample') + pg_total_relation_size('scan'),"
            " pg_total_relation_size('group_sample')"
        )
        return dict(zip(("topic rows", "group rows", "topic bytes", "group bytes"), cursor.fetchone(), strict=True))


class Raw:
    """The same calls as a scan makes, by the client library alone."""

    def __init__(self, bootstrap: str) -> None:
        from confluent_kafka.admin import AdminClient

        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def scan(self) -> int:
        """Ask for everything; the number of ends."""
        from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
        from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # not in its stubs

        self._admin.list_topics(timeout=5)
        groups = [each.group_id for each in self._admin.list_consumer_groups(request_timeout=30).result().valid]
        commits: list[Any] = []
        for some in chunks(groups, AT_ONCE):
            asked = [
                self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)], request_timeout=30)
                for name in some
            ]
            commits += [future.result() for each in asked for future in each.values()]
        seen = self._admin.list_topics(timeout=5).topics
        places = [
            TopicPartition(name, number)
            for name, topic in seen.items()
            if not name.startswith("__")
            for number in topic.partitions
        ]
        ends = []
        for spec in (OffsetSpec.latest, OffsetSpec.earliest):
            for some_chunks in chunks(chunks(places, PARTITIONS_A_CALL), CALLS_AT_ONCE):
                calls = [
                    self._admin.list_offsets({place: spec() for place in chunk}, request_timeout=15)
                    for chunk in some_chunks
                ]
                ends += [future.result().offset for call in calls for future in call.values()]
        return len(ends) // 2


def chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Runs of `size` items."""
    return [items[at : at + size] for at in range(0, len(items), size)]


# Alone ----------------------------------------------------------------------------------------------------------------


def alone_lines(world: Cluster, n_scans: int) -> list[Line]:
    """`manage.py sample` as it runs in production: at its cadence, then scan upon scan."""
    with world.sampler(CADENCE_SECONDS) as process:
        world.wait_for_scans(2)
        began, before, n_moves = time.perf_counter(), cpu_of(process), 0
        while time.perf_counter() - began < CADENCE_RUN_SECONDS:
            world.move()
            n_moves += 1
            time.sleep(max(0.0, began + n_moves * CADENCE_SECONDS - time.perf_counter()))
        cores = (cpu_of(process) - before) / (time.perf_counter() - began)
    sizes: list[int] = []
    with world.sampler(0.01) as process:
        world.wait_for_scans(1)
        first = world.n_scans()
        for wanted in range(first + RSS_FIRST, first + n_scans + 1, RSS_FIRST):
            while world.n_scans() < wanted:
                world.move()
            sizes.append(process.memory_info().rss)
            print(f"  {wanted - first:5} scans {sizes[-1] / 1e6:6.1f} MB", flush=True)
    flat, size = sizes[-1] / sizes[0], sizes[-1] / 1e6
    pace = f"cores of the sampler, a scan each {CADENCE_SECONDS} s"
    return [
        (pace, f"{cores:.3f}", f"{MOST_CORES:.2f}", cores <= MOST_CORES),
        (f"RSS after {n_scans:,} scans", f"{size:.0f} MB", f"{MOST_RSS:.0f} MB", size <= MOST_RSS),
        (f"the same against {RSS_FIRST} scans", f"{flat:.2f}", f"{FLAT:.2f}", flat <= FLAT),
    ]  # fmt: skip


def cpu_of(process: Any) -> float:  # noqa: ANN401
    """CPU seconds that a process has spent."""
    times = process.cpu_times()
    return float(times.user + times.system)


# Targets --------------------------------------------------------------------------------------------------------------


def scan_lines(runs: Runs) -> list[Line]:
    """The bars of a scan."""
    ratio = runs.middle("ours") / runs.middle("raw calls")
    cpu, broker = runs.middle("ours", "collector"), runs.middle("ours", "kafka")
    return [
        ("scan and rows, wall time against the raw calls", f"{ratio:.2f}", f"{SLOWER}", ratio <= SLOWER),
        ("client CPU of a scan", f"{cpu:.2f} s", f"{MOST_CPU} s", cpu <= MOST_CPU),
        ("broker CPU of a scan", f"{broker:.2f} s", f"{MOST_BROKER_CPU} s", broker <= MOST_BROKER_CPU),
    ]


def size_lines(stored_per_scan: dict[str, float]) -> list[Line]:
    """What is stored: no bars, but for docs/operations.md."""
    from collector.domain.sample_chunks import KEPT_AS_ROWS
    from collector.store.sample_chunks import HOUR, KEPT_BY_MINUTE

    rows = stored_per_scan["topic rows"] + stored_per_scan["group rows"]
    day = SCANS_A_DAY * (stored_per_scan["topic bytes"] + stored_per_scan["group bytes"])
    chunks_day = packed_day(stored_per_scan)
    hours = (KEPT_AS_ROWS + HOUR) / HOUR  # an hour goes when all of it is old enough
    as_rows = day / 24 * (hours + (KEPT_BY_MINUTE / HOUR + 1 - hours) * CADENCE_SECONDS / 60)
    return [
        ("rows stored by a scan", f"{rows:,.0f}", "", True),
        ("as rows, a day at that pace", f"{day / 1e9:.2f} GB", "", True),
        ("packed, a day", f"{chunks_day / 1e9:.3f} GB", "", True),
        ("packed, 30 days", f"{chunks_day * 30 / 1e9:.2f} GB", "", True),
        ("as rows at one time", f"{as_rows / 1e9:.2f} GB", "", True),
        ("in all, 30 days", f"{(chunks_day * 30 + as_rows) / 1e9:.2f} GB", "", True),
    ]


def packed_day(stored_per_scan: dict[str, float]) -> float:
    """Bytes a day in chunks of an hour, of as many topics and pairs as changed in a scan."""
    from datetime import UTC, datetime, timedelta

    from collector.domain.sample_chunks import Point, packed

    dice, at = random.Random(7), datetime(2026, 1, 1, tzinfo=UTC)

    def hour(n_values: int) -> int:
        offsets, points = [dice.randrange(10**6) for _ in range(10)], []
        for step in range(3600 // CADENCE_SECONDS):
            offsets = [offset + max(0, round(dice.gauss(20, 8))) for offset in offsets]
            late = timedelta(seconds=step * CADENCE_SECONDS, milliseconds=dice.randrange(1000))
            points.append(Point(at + late, (tuple(offsets), (0,) * 10)[:n_values]))
        return len(packed(points)) + CHUNK_ROW_BYTES

    topics = statistics.mean(hour(2) for _ in range(20)) * stored_per_scan["topic rows"]
    groups = statistics.mean(hour(1) for _ in range(20)) * stored_per_scan["group rows"]
    return 24 * (topics + groups)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
