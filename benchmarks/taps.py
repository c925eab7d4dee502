"""Records of a business topic from Kafka into Postgres: ours beside the same without Kafka and Postgres.

    python -m benchmarks.taps [thousands of records] [rounds]      (200 and 3 by default)

Every record has six headers (trace context, two that are searched by), a key and a value of 200 bytes, and becomes
one row of record and three of record_key.
"""

import secrets
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.load.meters import Reading, measured
from benchmarks.load.spool import World, world

TOPIC, N_PARTITIONS = "orders.created", 6
BATCH_RECORDS = 5_000
WARM = 0.1  # of the records, before a run of a collector counts
WANTED = 70_000
Run = tuple[int, Reading]


def main(words: Sequence[str]) -> int:
    """Print the table; 1 where the target is missed."""
    thousands, rounds = (int(word) for word in (*words, *("200", "3")[len(words) :]))
    n_records = thousands * 1_000
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    with world(0) as empty:
        servers = replace(empty, n_records=n_records, environment={**empty.environment, "WEIR_TAP": TOPIC})
        fill(n_records)
        records = list(taken(n_records))
        for _ in range(rounds):
            for name, run in (
                ("decode, Python", lambda: decoded(records, native=False)),
                ("decode only", lambda: decoded(records, native=True)),
                ("ours, Python", lambda: collected(servers, 1, native=False)),
                ("ours, 1", lambda: collected(servers, 1)),
                ("ours, 2", lambda: collected(servers, 2)),
            ):
                servers.reset()
                runs[name].append(run())
                print(f"  {line(name, runs[name][-1])}", flush=True)
    print("\nmedian of runs  records/s collector postgres kafka (CPU us per record)  foreign cores")
    for name, its in runs.items():
        print(line(name, sorted(its, key=per_second)[len(its) // 2]))
    found = statistics.median(map(per_second, runs["ours, 1"]))
    if found < WANTED:
        print(f"MISSED {found:,.0f} records per second in one collector, wanted {WANTED:,}")
    return int(found < WANTED)


def fill(n_records: int) -> None:
    """A topic that the sampler would have found, and its records."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    from collector.wiring import spool_properties

    admin = AdminClient(dict(spool_properties()))
    admin.create_topics([NewTopic(TOPIC, N_PARTITIONS, 1)])[TOPIC].result(30)
    producer = Producer({**spool_properties(), "linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    for number in range(n_records):
        trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01".encode()
        headers: list[tuple[str, str | bytes | None]] = [
            ("traceparent", trace),
            ("content-type", b"application/json"),
            ("event-id", f"e-{number}".encode()),
            ("order-id", f"o-{number % 50_000}".encode()),
            ("schema", b"orders/3"),
            ("source", b"shop"),
        ]
        producer.produce(TOPIC, value=b"{}" * 100, key=f"o-{number % 50_000}".encode(), headers=headers)
        producer.poll(0)
    if producer.flush(60):
        raise RuntimeError("Kafka did not take the records.")
    topic_row(TOPIC)


def topic_row(name: str, *, role: int = 0) -> int:
    """The topic as the sampler would have found it; its id."""
    from django.db import connection

    from collector.wiring import spool_log

    log = spool_log()
    identity = log.identities([name])[name]
    log.close()
    with connection.cursor() as cursor:
        cursor.execute("insert into cluster (name) values ('local') on conflict do nothing")
        cursor.execute(
            "insert into topic (cluster_id, name, kafka_id, n_partitions, role)"
            " select id, %s, %s, %s, %s from cluster where name = 'local' returning id",
            [name, identity.kafka_id, identity.n_partitions, role],
        )
        return int(cursor.fetchone()[0])


def taken(n_records: int) -> Iterator[Any]:
    """All records of the topic."""
    from collector.ports import Partition
    from collector.wiring import spool_log

    log = spool_log()
    log.assign({Partition(TOPIC, number): 0 for number in range(N_PARTITIONS)})
    while n_records:
        found = log.take(limit=10_000, limit_bytes=16_000_000, wait=0.1).records
        n_records -= len(found)
        yield from found
    log.close()


def decoded(records: Sequence[Any], *, native: bool) -> Run:
    """Records to rows ready for COPY."""
    from uuid import UUID

    from collector import clock
    from collector.config import declared
    from collector.intake.native import compiled_taps
    from collector.intake.taps import TapReading
    from collector.management.commands.collect import by_the_clock
    from collector.ports import Partition
    from collector.store import rows
    from collector.store.feeds import feeds
    from collector.store.positions import Place
    from collector.store.records import key_names, packed
    from collector.wiring import tap_rules

    by_the_clock()  # as the command does
    rules = tap_rules(declared.document())
    reading_of = TapReading(rules, key_names(rules.business_keys), compiled_taps() if native else None)
    (feed,) = [each for number in range(1, 9) for each in feeds(number) if each.name == TOPIC]
    reading_of.know([feed])
    places = {Partition(TOPIC, number): Place(UUID(str(feed.kafka_id)), number) for number in range(N_PARTITIONS)}
    with measured() as reading:
        for start in range(0, len(records), BATCH_RECORDS):
            read = reading_of.rows(records[start : start + BATCH_RECORDS], places)
            for each in (*packed(read.tapped), read.packed.records, read.packed.keys):
                rows.copied(each, clock.now())
    return len(records), reading


def collected(servers: World, number: int, *, native: bool = True) -> Run:
    """`manage.py collect`, from a tenth of the topic to its end."""
    with servers.collectors(number, native=native):
        began = servers.wait_for(max(1, int(servers.n_records * WARM)))
        with measured("benchmark") as reading:
            servers.wait_for(servers.n_records)
    return servers.n_records - began, reading


def per_second(run: Run) -> float:
    """Records per second."""
    return run[0] / run[1].seconds


def line(name: str, run: Run) -> str:
    """One run as text."""
    cpu = "".join(f"{run[1].cpu_seconds[part] / run[0] * 1e6:9.2f}" for part in ("collector", "postgres", "kafka"))
    return f"{name:15}{per_second(run):10,.0f}{cpu}{run[1].foreign_cores:9.2f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
