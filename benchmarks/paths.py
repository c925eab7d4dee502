"""How long the path of one event takes in the API, among millions of stored spans in a real Postgres of its own.

Paths of 30 and 1,000 events in the three shapes that join them (links, parents, positions alone), a search by business
key, and beside each the ceiling: the bare reading of the same spans when their traces are known. The API answers
with the nearest 200 hops of longer paths. Closed leaves are vacuumed, the newest is as it came: without statistics.

    python -m benchmarks.paths [MILLIONS [SECONDS]]     (10 million spans, at most 600 s of filling)
"""

import hashlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from stack.testing import servers

SPANS_A_FLOW, FLOWS_A_ROUND = 9, 20_000
N_LEAVES, LEAF_SECONDS = 12, 3_600
LONG, MIDDLE = 1_000, 30
N_LONG, N_MIDDLE, N_BACKGROUND, N_SEARCHES, N_RUNS_LONG = 12, 200, 400, 400, 24
SHAPES = ("links", "parents", "positions")
MOST_HOPS = 200  # in one answer


def main(words: Sequence[str]) -> int:
    """Fill, measure, print one table."""
    wanted = float(words[0]) * 1e6 if words else 10e6
    seconds = float(words[1]) if len(words) > 1 else 600.0
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-") as folder,
        servers(Path(folder), kafka=False, valkey=False) as started,
    ):
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "DATABASE_URL": started.database_url,
            "SECRET_KEY": "only-for-this-benchmark-" + "x" * 40,
            "WEIR_DATA_DIR": folder,
            "WEIR_API_PER_SECOND": "100000",
        }
        import django

        django.setup()
        return _measured(wanted, seconds)


def _measured(wanted: float, seconds: float) -> int:
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    setup_test_environment(debug=False)
    call_command("migrate", verbosity=0)
    begun, dice = time.monotonic(), random.Random(7)
    n_flows = _fill(wanted, until=begun + seconds)
    chains = {(length, shape): _chains(shape, length) for length in (MIDDLE, LONG) for shape in SHAPES}
    n_spans = _vacuumed()
    print(f"{n_spans:,} spans in {N_LEAVES} partitions, filled in {time.monotonic() - begun:.0f} s; warm; ms")
    print(f"{'':38}{'n':>5}{'p50':>8}{'p99':>8}{'target':>16}{'CPU p50: web':>14}{'Postgres':>10}{'ceiling p50':>13}")
    fine = [_path_line("path of 3 events, background", _backgrounds(dice, n_flows), N_BACKGROUND, Limits(None, 50))]
    for (length, shape), asked in chains.items():
        limits = Limits(None, 50) if length == MIDDLE else Limits(300, 500)
        n_runs = N_MIDDLE if length == MIDDLE else N_RUNS_LONG
        fine.append(_path_line(f"path of {length:,} events, {shape}", asked, n_runs, limits))
    fine.append(_search_line(dice, n_flows))
    return 0 if all(fine) else 1


# What is stored ------------------------------------------------------------------------------------------------------


def _fill(wanted: float, *, until: float) -> int:
    """Background flows: nine spans of one trace, three of them sends, with a tapped record and a key; how many."""
    _run(_NAMES)
    for leaf in range(N_LEAVES):
        for table in ("span", "span_link", "span_error", "record", "record_body", "record_key"):
            _run(
                f"create table {table}_b{leaf} partition of {table} for values from ('{_stored(leaf)}')"
                f" to ('{_stored(leaf + 1)}') with (autovacuum_enabled = false)"
            )
    n_flows, rounds = 0, 0
    while n_flows * SPANS_A_FLOW < wanted and time.monotonic() < until:
        leaf = rounds * FLOWS_A_ROUND * SPANS_A_FLOW * N_LEAVES // int(wanted + 1)
        parameters = {"from": n_flows, "to": n_flows + FLOWS_A_ROUND - 1, "at": _stored(min(leaf, N_LEAVES - 1))}
        for statement in (_FLOWS, _RECORDS, _KEYS):
            _run(statement, parameters)
        n_flows, rounds = n_flows + FLOWS_A_ROUND, rounds + 1
    return n_flows


def _chains(shape: str, length: int) -> list["Asked"]:
    """Chains of `length` events, each of its own traces but for parents; asked for by their middle one."""
    found = []
    for number in range(N_LONG if length == LONG else N_MIDDLE):
        first = (length + number) * 10_000
        parameters = {
            "first": first,
            "length": length,
            "topic": 10 + SHAPES.index(shape),
            "at": _stored(number % N_LEAVES),
            "shape": shape,
        }
        _run(_CHAIN, parameters)
        if shape == "links":
            _run(_LINKS, parameters)
        n_traces = 1 if shape == "parents" else length + 1
        traces = [_uuid(f"{shape} {first} {step}") for step in range(n_traces)]
        url = f"/api/v1/events/bench/{shape}/0/{first + length // 2}"
        found.append(Asked(url, traces, min(2 * length, MOST_HOPS)))
    return found


def _vacuumed() -> int:
    from django.db import connection

    tables = ("span", "span_link", "record", "record_key")
    closed = ", ".join(f"{table}_b{leaf}" for table in tables for leaf in range(N_LEAVES - 1))
    with connection.cursor() as cursor:
        cursor.execute(f"vacuum analyze {closed}")
        cursor.execute("select count(*) from span")
        return int(cursor.fetchone()[0])


def _stored(leaf: int) -> str:
    return time.strftime("%Y-%m-%d %H:00:00+00", time.gmtime(1_790_000_400 // 3_600 * 3_600 + leaf * LEAF_SECONDS))


def _uuid(text: str) -> UUID:
    return UUID(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())


def _run(statement: str, parameters: dict[str, Any] | None = None) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


# One flow is one trace: orders -> payments -> invoices, each sent, read, and a database call in between.
_NAMES = """
insert into cluster (id, name) values (1, 'bench');
insert into topic (id, cluster_id, name, n_partitions) values (1, 1, 'orders', 1), (2, 1, 'payments', 1),
  (3, 1, 'invoices', 1), (10, 1, 'links', 1), (11, 1, 'parents', 1), (12, 1, 'positions', 1);
insert into service (id, name) select n, 'service-' || n from generate_series(1, 9) n;
insert into service_version (id, service_id, first_at, last_at) select n, n, now(), now() from generate_series(1, 9) n;
insert into source (id, service_version_id) select n, n from generate_series(1, 9) n;
insert into edge (id, kind, service_id, topic_id) select 100 * k + 10 * t + 1, k, k, t
  from generate_series(1, 2) k, generate_series(1, 3) t;
"""
_FLOWS = """
insert into span (trace_id, span_id, parent_id, started_at, stored_at, kafka_offset, duration_ms, source_id, name_id,
  edge_id, topic_id, kafka_partition, attrs_id, n_messages, kind, status, op)
select md5('flow ' || f)::uuid, f * 16 + s, case when s > 1 then f * 16 + s - 1 end,
  %(at)s::timestamptz + s * interval '20 ms', %(at)s, case when s %% 3 <> 0 then f end, 12, 1 + s %% 9, 0,
  case s %% 3 when 1 then 100 + 10 * (1 + s / 3) + 1 when 2 then 200 + 10 * (1 + s / 3) + 1 end,
  case when s %% 3 <> 0 then 1 + s / 3 end, case when s %% 3 <> 0 then 0 end, 0, (s %% 3 > 0)::int,
  case s %% 3 when 1 then 4 when 2 then 5 else 3 end, 0, case s %% 3 when 1 then 1 when 2 then 3 else 0 end
from generate_series(%(from)s::bigint, %(to)s::bigint) f, generate_series(1, 9) s
"""
_RECORDS = """
insert into record (stored_at, produced_at, kafka_offset, trace_id, span_id, topic_id, kafka_partition, size_bytes,
  n_headers, timestamp_type, key)
select %(at)s, %(at)s::timestamptz + (3 * t - 2) * interval '20 ms', f, md5('flow ' || f)::uuid, f * 16 + 3 * t - 2, t,
  0, 300, 4, 1, ('order-' || f)::bytea
from generate_series(%(from)s::bigint, %(to)s::bigint) f, generate_series(1, 3) t
"""
_KEYS = """
insert into record_key (stored_at, name_id, value, topic_id, kafka_partition, kafka_offset)
select %(at)s, 1, 'order-' || f, t, 0, f
from generate_series(%(from)s::bigint, %(to)s::bigint) f, generate_series(1, 3) t
"""
# Step n: the reading of event n-1 and, inside it, the send of event n. Where only positions join, a send is a root that
# hangs under the reading; each step has a trace of its own, but for parents.
_CHAIN = """
insert into span (trace_id, span_id, parent_id, started_at, stored_at, kafka_offset, duration_ms, source_id, name_id,
  topic_id, kafka_partition, attrs_id, n_messages, kind, status, op)
select md5(%(shape)s || ' ' || %(first)s || ' ' || case when %(shape)s = 'parents' then 0 else n end)::uuid,
  2 * n + o, case when o = 1 then 2 * n when %(shape)s = 'parents' then 2 * n - 1 end,
  %(at)s::timestamptz + n * interval '50 ms' + o * interval '10 ms', %(at)s,
  case when %(shape)s <> 'links' or o = 0 then %(first)s + n + o - 1 end, 8, 1 + n %% 9, 0, %(topic)s,
  case when %(shape)s <> 'links' or o = 0 then 0 end, 0, 1, case o when 1 then 4 else 5 end, 0,
  case o when 1 then 1 else 3 end
from generate_series(0, %(length)s::int) n, generate_series(0, 1) o
where not (n = 0 and o = 0) and not (n = %(length)s and o = 1)
"""
_LINKS = """
insert into span_link (trace_id, span_id, linked_trace_id, linked_span_id, stored_at)
select md5('links ' || %(first)s || ' ' || n)::uuid, 2 * n, md5('links ' || %(first)s || ' ' || n - 1)::uuid,
  2 * n - 1, %(at)s from generate_series(1, %(length)s::int) n
"""


# What is asked -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """An address of the API, the traces that its answer is made of, and how many hops it must have (None: any)."""

    url: str
    traces: list[UUID]
    n_hops: int | None


def _backgrounds(dice: random.Random, n_flows: int) -> list[Asked]:
    numbers = [dice.randrange(n_flows) for _ in range(N_BACKGROUND)]
    return [Asked(f"/api/v1/events/bench/payments/0/{each}", [_uuid(f"flow {each}")], 6) for each in numbers]


def _path_line(name: str, asked: Sequence[Asked], n: int, limits: "Limits") -> bool:
    """Time the API, then the bare reading of the same traces."""
    from django.test import Client

    client, bearer = Client(), {"authorization": f"Bearer {_token()}"}

    def ask(each: Asked) -> None:
        answer = client.get(each.url, headers=bearer)
        n_hops = len(answer.json()["path"]["hops"])
        if answer.status_code != 200 or (each.n_hops is not None and n_hops != each.n_hops):
            raise SystemExit(f"{each.url}: {answer.status_code}, {n_hops} hops instead of {each.n_hops}")

    return _line(name, [asked[index % len(asked)] for index in range(n)], ask, _read_spans, limits)


def _search_line(dice: random.Random, n_flows: int) -> bool:
    from dashboard.queries.flows import flows
    from dashboard.queries.search import search

    def ask(each: Asked) -> None:
        found = flows(search(each.url).rows)
        if len(found) != 1 or found[0].n_events != 3:
            raise SystemExit(f"{each.url}: {len(found)} flows")

    numbers = [dice.randrange(n_flows) for _ in range(N_SEARCHES)]
    asked = [Asked(f"order-{each}", [_uuid(f"flow {each}")], None) for each in numbers]
    return _line("search by business key, with its flow", asked, ask, _read_spans, Limits(None, 50))


@dataclass(frozen=True)
class Limits:
    """Milliseconds."""

    p50: float | None
    p99: float

    def __str__(self) -> str:
        return f"{f'p50 {self.p50:.0f} ' if self.p50 else ''}p99 {self.p99:.0f}"


def _line(
    name: str, asked: Sequence[Asked], ask: Callable[[Asked], None], bare: Callable[[Asked], None], limits: Limits
) -> bool:
    for each in asked[:10]:
        ask(each)
        bare(each)
    timed = [_timed(ask, each) for each in asked]
    ours = sorted(each.wall for each in timed)
    web, postgres = (statistics.median(each.web for each in timed), statistics.fmean(each.postgres for each in timed))
    ceiling = statistics.median(_timed(bare, each).wall for each in asked)
    p50, p99 = statistics.median(ours), ours[min(len(ours) - 1, int(0.99 * len(ours)))]
    print(
        f"{name:38}{len(ours):>5}{p50:8.1f}{p99:8.1f}{limits!s:>16}{web:14.1f}{postgres:10.1f}{ceiling:13.1f}",
        flush=True,
    )
    return p99 <= limits.p99 and (limits.p50 is None or p50 <= limits.p50)


@dataclass(frozen=True)
class Taken:
    """Milliseconds: by the clock, and of CPU in this process and in the Postgres that serves it (in steps of 10)."""

    wall: float
    web: float
    postgres: float


def _timed(ask: Callable[[Asked], None], each: Asked) -> Taken:
    before = _postgres_ms()
    begun, cpu = time.perf_counter(), time.process_time()
    ask(each)
    wall, web = time.perf_counter() - begun, time.process_time() - cpu
    return Taken(wall * 1_000, web * 1_000, _postgres_ms() - before)


def _postgres_ms() -> float:
    from django.db import connection

    stat = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(stat[11]) + int(stat[12])) * 1_000 / os.sysconf("SC_CLK_TCK")


def _read_spans(each: Asked) -> None:
    """The least that any answer has to read."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select set_config('plan_cache_mode', 'force_generic_plan', true)")
        cursor.execute("select * from span where trace_id = any(%s::uuid[])", [each.traces])
        cursor.fetchall()


def _token() -> str:
    from collector.clock import now
    from collector.config import tokens
    from dashboard.models import Person

    reader, _ = Person.objects.get_or_create(
        name="bench", defaults={"role": "viewer", "password": "!", "is_active": True, "created_at": now()}
    )
    return tokens.mint("api", "bench", person_id=reader.pk, scopes=("read",), now=now(), days=1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
