"""Resends at 500 a second, one operation on real servers: the rate in stretches of ten seconds, and the memory.

python -m benchmarks.resends [thousands of dead letters]      (10 by default; 100 is the most an operation takes)

A worker's process sends as in production; this one draws the outcomes every two seconds meanwhile, as a worker does.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from uuid import uuid4

import psutil

from benchmarks.load import letters
from benchmarks.load.meters import measured
from benchmarks.load.spool import ROOT, world
from benchmarks.taps import topic_row

TOPIC, DEAD, N_KEYS = "orders.resends", "orders.resends.dlq", 6_000
RATE, MARGIN = 500, 0.05
STRETCH_SECONDS = 10
SETTLE_SECONDS = 2.0
MOST_GROWTH_MB = 20.0
MB = 1_048_576
SEND = "import sys, django; django.setup(); from collector.tasks import send_retries; send_retries(int(sys.argv[1]))"


def main(words: Sequence[str]) -> int:
    """Print the table; 1 where a bar is missed."""
    n_letters = 1_000 * int((*words, "10")[0])
    os.environ["WEIR_CLUSTER_NAME"] = "local"
    with world(0):
        parked = _fill(n_letters)
        began = time.perf_counter()
        operation = _asked(parked)
        print(f"{n_letters:,} asked for in {time.perf_counter() - began:.2f} s", flush=True)
        with measured("outcomes") as reading:
            sizes = _sent(operation)
        cpu = ", ".join(f"{part} {used / n_letters * 1e6:.0f}" for part, used in sorted(reading.cpu_seconds.items()))
        print(f"CPU µs a letter: {cpu}; foreign cores {reading.foreign_cores:.1f}")
        return int(not _holds(n_letters, sizes))


def _fill(n_letters: int) -> list[int]:
    """Originals in Kafka, and their dead letters in Postgres; the letters' ids."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic
    from django.db import connection

    from collector import clock
    from collector.domain.dialects import read
    from collector.domain.records import Record
    from collector.store.dead_letters import park
    from collector.wiring import spool_properties

    admin = AdminClient(dict(spool_properties()))
    for future in admin.create_topics([NewTopic(name, letters.N_PARTITIONS, 1) for name in (TOPIC, DEAD)]).values():
        future.result(30)
    topic_row(TOPIC)
    dead = topic_row(DEAD, role=1)
    producer = Producer({**spool_properties(), "linger.ms": 50, "enable.idempotence": True})
    for start in range(0, n_letters, 1_000):
        found = []
        for n in range(start, start + 1_000):
            key, at = letters.key(n, N_KEYS), n % letters.N_PARTITIONS
            producer.produce(TOPIC, value=letters.VALUE, key=key, partition=at)
            held = tuple(letters.headers(n, TOPIC))
            record = Record(DEAD, at, n // letters.N_PARTITIONS, clock.now(), 1, key, letters.VALUE, held)
            letter = read(record)
            if letter is not None:
                found.append((record, dead, letter))
        producer.flush(60)
        with connection.cursor() as cursor:
            park(cursor, found, now=clock.now())
    with connection.cursor() as cursor:
        cursor.execute("select id from dead_letter order by id")
        return [number for (number,) in cursor.fetchall()]


def _asked(parked: list[int]) -> int:
    from collector import clock
    from collector.domain.canary import Sending
    from collector.retry.requests import retry

    return retry(
        parked,
        person_id=1,
        person_name="bench",
        token=uuid4().hex,
        target=None,
        expect=len(parked),
        now=clock.now(),
        sending=Sending(rate_per_second=RATE, stop_percent=100),
    ).id


def _sent(operation: int) -> list[float]:
    """Send it all; the worker's memory in MB, twice a second."""
    from collector import clock
    from collector.retry import outcomes

    worker = subprocess.Popen([sys.executable, "-c", SEND, str(operation)], cwd=ROOT)
    watched, sizes, settled = psutil.Process(worker.pid), [], time.monotonic()
    slowest = used = 0.0
    while worker.poll() is None:
        try:
            sizes.append(watched.memory_info().rss / MB)
            times = watched.cpu_times()
            used = times.user + times.system
        except psutil.NoSuchProcess:
            break
        if time.monotonic() - settled > SETTLE_SECONDS:
            settled = time.monotonic()
            outcomes.settle(now=clock.now(), looks_far=False)
            slowest = max(slowest, time.monotonic() - settled)
        time.sleep(0.5)
    print(f"slowest look at the outcomes: {slowest * 1_000:.0f} ms; the worker took {used:.1f} s of CPU")
    return sizes


def _holds(n_letters: int, sizes: Sequence[float]) -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "select floor(extract(epoch from i.sent_at - b.began) / %s)::int, count(*) from retry_item i,"
            " (select min(sent_at) began from retry_item) b where i.sent_at is not null group by 1 order by 1",
            [STRETCH_SECONDS],
        )
        stretches = [n / STRETCH_SECONDS for _, n in cursor.fetchall()][:-1]
        cursor.execute(
            "select count(*), extract(epoch from max(sent_at) - min(sent_at))::float8 from retry_item"
            " where sent_at is not null"
        )
        n_sent, seconds = cursor.fetchone()
    per_second = n_sent / seconds
    half = len(sizes) // 2
    growth = max(sizes[half:]) - max(sizes[: half + 1])
    print(f"{n_sent:,} of {n_letters:,} sent at {per_second:.1f}/s over {seconds:.0f} s (wanted {RATE} ± {MARGIN:.0%})")
    print(f"stretches of {STRETCH_SECONDS} s: {min(stretches):.0f} to {max(stretches):.0f}/s")
    early = sizes[len(sizes) // 10]
    print(f"worker's memory: {early:.0f} MB early, {max(sizes):.0f} MB most, in the second half {growth:+.1f} MB")
    in_time = abs(per_second - RATE) <= RATE * MARGIN
    return n_sent == n_letters and in_time and growth < MOST_GROWTH_MB


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
