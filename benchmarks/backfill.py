"""An existing dead-letter topic from its earliest offset into Postgres: letters a second, against the bar of 15,000.

python -m benchmarks.backfill [thousands of dead letters] [collectors...]     (200, with 1 and with 2 by default)
"""

import sys
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.load import letters
from benchmarks.load.meters import measured
from benchmarks.load.spool import World, world
from benchmarks.taps import topic_row

ORIGIN, TOPIC = "orders.created", "orders.created.dlq"
N_KEYS = 50_000
WARM = 0.1  # of the records, before it counts
WANTED = 15_000
LETTERS = "dead_letter, dead_letter_body, letter_state, failure_group, failure_fingerprint, failure_count"


def main(words: Sequence[str]) -> int:
    """Print what it took; 1 where the bar is missed with each number of collectors."""
    thousands, numbers = int(words[0]) if words else 200, [int(word) for word in words[1:]] or [1, 2]
    with world(0) as empty:
        servers = replace(empty, n_records=thousands * 1_000, environment={**empty.environment, "WEIR_TAP": TOPIC})
        _fill(servers.n_records)
        found = max(_run(servers, number) for number in numbers)
    if found < WANTED:
        print(f"MISSED {found:,.0f} letters per second, wanted {WANTED:,}")
    return int(found < WANTED)


def _run(servers: World, number: int) -> float:
    from django.db import connection

    from dashboard.queries.failure_facts import backfills

    servers.reset()
    with connection.cursor() as cursor:
        cursor.execute(f"truncate {LETTERS} cascade")
    with servers.collectors(number):
        began = servers.wait_for(int(servers.n_records * WARM))
        with measured("benchmark") as reading:
            servers.wait_for(servers.n_records // 2)
            progress = [f"{each.topic} {each.share:.0%}" for each in backfills()]
            servers.wait_for(servers.n_records)
    n = servers.n_records - began
    with connection.cursor() as cursor:
        cursor.execute("select (select count(*) from dead_letter), (select count(*) from failure_group)")
        n_letters, n_groups = cursor.fetchone()
    cpu = ", ".join(f"{part} {seconds / n * 1e6:.0f}" for part, seconds in sorted(reading.cpu_seconds.items()))
    print(f"{n_letters:,} letters in {n_groups} groups; half-way the page said {progress}")
    print(f"{number} collectors: {n / reading.seconds:,.0f} letters/s; CPU µs a letter: {cpu};", end=" ")
    print(f"foreign cores {reading.foreign_cores:.1f}")
    return n / reading.seconds


def _fill(n_records: int) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    from collector.wiring import spool_properties

    admin = AdminClient(dict(spool_properties()))
    for future in admin.create_topics([NewTopic(name, letters.N_PARTITIONS, 1) for name in (TOPIC, ORIGIN)]).values():
        future.result(30)
    producer = Producer({**spool_properties(), "linger.ms": 50, "queue.buffering.max.kbytes": 262_144})
    for number in range(n_records):
        while True:
            try:
                producer.produce(
                    TOPIC,
                    value=letters.VALUE,
                    key=letters.key(number, N_KEYS),
                    headers=list(letters.headers(number, ORIGIN)),
                    partition=number % letters.N_PARTITIONS,
                )
                break
            except BufferError:
                producer.poll(0.5)
        producer.poll(0)
    if producer.flush(120):
        raise RuntimeError("Kafka did not take the records.")
    topic_row(ORIGIN)
    _sampled(topic_row(TOPIC, role=1), n_records)


def _sampled(topic_id: int, n_records: int) -> None:
    """The ends of the topic, as the sampler found them: the progress is told by them."""
    from django.db import connection

    share = n_records // letters.N_PARTITIONS
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into topic_now (topic_id, sampled_at, low, high) values (%s, now(), %s, %s)",
            [topic_id, [0] * letters.N_PARTITIONS, [share] * letters.N_PARTITIONS],
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
