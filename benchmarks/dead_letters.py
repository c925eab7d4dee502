"""A million dead letters: what their pages, a plan and a freeze cost, against the bars of issue 6.

python -m benchmarks.dead_letters [thousands of letters]      (1,000 by default)
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import psutil

from benchmarks.load.database import database

GROUPS, KEYS = 200, 50_000
FROZEN = 100_000
WARM_RUNS = 5
T = TypeVar("T")


def main(words: Sequence[str]) -> int:
    """Print the table; 1 where a bar is missed."""
    n_letters = 1_000 * int((*words, "1000")[0])
    with tempfile.TemporaryDirectory() as folder, database(Path(folder)):
        _fill(n_letters)
        missed = [name for name, run, first, warm in _questions() if not _shown(name, run, first, warm)]
        missed += [] if _freezes() else ["freeze"]
    return 1 if missed else 0


def _fill(n_letters: int) -> None:
    from django.db import connection

    from collector.domain.keys import key_hash

    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("insert into cluster (id, name) values (7, 'bench')")
        cursor.execute(
            "insert into topic (id, cluster_id, name, role, n_partitions, kafka_id) values"
            " (71, 7, 'orders', 0, 12, gen_random_uuid()), (72, 7, 'orders.dlq', 1, 12, gen_random_uuid())"
        )
        cursor.execute("insert into consumer_group (id, cluster_id, name) values (73, 7, 'billing')")
        cursor.execute(
            "insert into failure_group (group_id, topic_id, exception_class, title, first_at, last_at)"
            " select 73, 71, 'shop.Failure' || n, 'Failure' || n || ' at Gateway.charge', now(),"
            " now() from generate_series(1, %s) n",
            [GROUPS],
        )
        cursor.execute(
            "insert into dead_letter (topic_id, kafka_partition, kafka_offset, dialect, seen_at, failed_at, expires_at,"
            " group_id, origin_topic_id, origin_partition, origin_offset, exception_class, message, key_hash, key_text,"
            " size_bytes) select 72, n %% 12, n / 12, 'spring', now() - n * interval '1 second', now() - n *"
            " interval '1 second', now() + interval '5 days', 73, 71, n %% 12, n / 12, 'shop.Failure',"
            " 'issuer declined order-' || n || ': expiry year of ' || md5(n::text) || ' not understood', k.hash,"
            " 'order-' || k.number, 900 from generate_series(1, %s) n"
            " join unnest(%s::int[], %s::bigint[]) k(number, hash) on k.number = n %% %s",
            [n_letters, list(range(KEYS)), [key_hash(f"order-{n}".encode()) for n in range(KEYS)], KEYS],
        )
        cursor.execute(
            "insert into dead_letter_body (dead_letter_id, key, value, headers) select id, 'k', '{}', '\\x00000000'"
            " from dead_letter"
        )
        cursor.execute(
            "insert into letter_state (dead_letter_id, failure_group_id, status, changed_at) select id,"
            " (select min(id) from failure_group) + id %% %s, case when id %% 10 < 7 then 0 else 3 end, now()"
            " from dead_letter",
            [GROUPS],
        )
        cursor.execute(
            "insert into failure_count (failure_group_id, topic_id, status, n) select s.failure_group_id, d.topic_id,"
            " s.status, count(*) from letter_state s join dead_letter d on d.id = s.dead_letter_id group by 1, 2, 3"
        )
        cursor.execute("vacuum analyze")
    print(f"{n_letters:,} letters in {GROUPS} groups, filled in {time.monotonic() - began:.0f} s")
    print(f"{'':34}{'first':>10}{'warm':>10}{'CPU, warm':>11}{'bar':>14}")


def _questions() -> list[tuple[str, Callable[[], object], float, float]]:
    """Name, question, and the most milliseconds that the first and a warm run may take."""
    from collector.clock import now
    from dashboard.queries.dead_letters import parked_letters, state_counts
    from dashboard.queries.failure_facts import expiring, failure_facts
    from dashboard.queries.failure_groups import failure_groups
    from dashboard.queries.letter_filter import condition
    from dashboard.queries.letter_selection import n_matching
    from dashboard.queries.letter_words import vocabulary

    def groups() -> None:
        found = failure_groups()
        vocabulary()
        failure_facts([one.id for one in found], now=now())
        state_counts()
        expiring(now=now())

    def filtered(text: str) -> Callable[[], None]:
        def run() -> None:
            parked_letters(status="open", filtered=condition(text))
            n_matching(condition(text), status="open", group=None, most=10_000)

        return run

    return [
        ("groups page", groups, 1_000, 200),
        ("newest open", filtered(""), 500, 500),
        ("rare text", filtered(f"order-{123_456}:"), 500, 500),
        ("common text", filtered("declined"), 500, 500),
        ("text that is nowhere", filtered("zzzz-nowhere"), 500, 500),
        ("by class, nothing fits", filtered("class:Nothing"), 500, 500),
        ("by key", filtered("key:order-777"), 500, 500),
        ("by a part of a key, some fit", filtered("key:*der-777*"), 500, 500),
        ("by a part of a key, nothing fits", filtered("key:nowhere*"), 500, 500),
        ("by two letters of a key", filtered("key:zq*"), 500, 500),
        ("by two letters of the message", filtered("zq"), 500, 500),
        ("of one partition's topic, attempts", filtered("topic:orders.dlq attempt>=2"), 500, 500),
    ]


def _shown(name: str, run: Callable[[], object], first: float, warm: float) -> bool:
    times = []
    cpu = 0.0
    for _ in range(1 + WARM_RUNS):
        _, seconds, cpu = _timed(run)
        times.append(seconds * 1_000)
    middle = sorted(times[1:])[WARM_RUNS // 2]
    bar = f"{first:.0f} / {warm:.0f} ms"
    print(f"{name:34}{times[0]:>7.0f} ms{middle:>7.0f} ms{cpu * 1_000:>8.0f} ms{bar:>14}", flush=True)
    return times[0] <= first and middle <= warm


def _timed(run: Callable[[], T]) -> tuple[T, float, float]:
    """What it returns, its seconds, and the CPU seconds of this process and its Postgres: what it takes when alone."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        server = psutil.Process(cursor.fetchone()[0])
    began, own, its = time.perf_counter(), time.process_time(), server.cpu_times()
    found = run()
    after = server.cpu_times()
    cpu = time.process_time() - own + after.user + after.system - its.user - its.system
    return found, time.perf_counter() - began, cpu


def _freezes() -> bool:
    """A plan of 100,000, its blast radius, and its confirmation."""
    from django.db import connection

    from collector.clock import now
    from collector.retry import drafts
    from collector.retry.records import Asker

    with connection.cursor() as cursor:
        cursor.execute("select dead_letter_id from letter_state where status = 0 limit %s", [FROZEN])
        letters = [number for (number,) in cursor.fetchall()]
    by = Asker(1, "bench", "")
    frozen, *freezing = _timed(lambda: drafts.freeze(letters, by, token=uuid4().hex, selection="bench", now=now()))
    made, *looking = _timed(lambda: drafts.draft(frozen.id, by, now=now(), looks_at_blast=True))
    _, *confirming = _timed(
        lambda: drafts.confirm(frozen.id, by, now=now(), digest=made.digest, typed=str(made.n), name="bench")
    )
    for name, (seconds, cpu) in {"freeze": freezing, "blast radius": looking, "confirm": confirming}.items():
        said = f"{name}, {made.n:,} letters"
        print(f"{said:34}{seconds:>8.2f} s{'':>10}{cpu:>9.2f} s{'2 s' if name == 'freeze' else '':>14}", flush=True)
    return freezing[0] <= 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
