"""Lists of 1,000 topics and 1,000 groups, and their charts, among thirty days of samples in a real Postgres.

    python -m benchmarks.sample_pages [runs]      (9 by default)

Three topics in ten are active, and the groups that read them: their sums of samples are there for thirty days by the
hour and two weeks by ten minutes, an hour of samples as rows, and spans' counts of 2,000 edges. Measured are whole
answers: the question, the page and its markup, as signed in. Three days ago a topic of 1,000 partitions was sampled
every two seconds, and a group on it committed with each sample: what packed samples tell of them is unpacked.
"""

import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.load.database import database

N_TOPICS, PARTITIONS_EACH, N_GROUPS, N_ACTIVE, N_SERVICES = 1_000, 10, 1_000, 300, 200
DAYS, FINE_DAYS = 30, 14
LIST_MS, CHART_MS = 300, 200
WIDE, DAYS_AGO, HOURS_PACKED, DAYS_AGO_MS = 1_000, 3, 9, 3_000
FILL = Path(__file__).with_name("load") / "sample_pages.sql"


def main(words: Sequence[str]) -> int:
    """Print the table; 1 where a target is missed."""
    runs = int((*words, "9")[0])
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder, database(Path(folder)):
        fill()
        print(f"\n{'ms, median of ' + str(runs):50}{'first':>8}{'median':>8}{'target':>8}")
        missed = [name for name, ask, most in questions() if not shown(name, ask, most, runs)]
    return int(bool(missed))


def fill() -> None:
    """Everything that pages of topics and groups read."""
    from django.db import connection, transaction

    from collector.clock import now
    from collector.store.day_counts import sum_up_days
    from collector.store.partitions import TABLES, Leaves

    began, at = time.monotonic(), now().replace(microsecond=0)
    leaves = Leaves()
    for table, spec in TABLES.items():
        if table.startswith(("topic_", "group_", "edge_")):
            for day in range(min(DAYS, spec.kept.days or 1) + 1):
                leaves.ensure(table, at - timedelta(days=day))
    for half_hour in range(4):  # the shortest leaves hold two hours
        leaves.ensure("edge_10s", at - timedelta(minutes=30 * half_hour))
    leaves.ensure_ahead(at)
    hour = at.replace(minute=0, second=0)
    parameters: dict[str, int | datetime] = {
        "at": at,
        "hour": hour,
        "day": hour.replace(hour=0),
        "topics": N_TOPICS,
        "groups": N_GROUPS,
        "active": N_ACTIVE,
        "services": N_SERVICES,
        "partitions": PARTITIONS_EACH,
        "hours": 24 * DAYS,
        "tens": 6 * 24 * FINE_DAYS,
    }
    with connection.cursor() as cursor:
        for statement in FILL.read_text().split(";"):
            if statement.strip():
                cursor.execute(statement, parameters)
    with transaction.atomic(), connection.cursor() as cursor:
        sum_up_days(cursor, now=at, most=DAYS + 1)  # as the folder has done by then
    pack(hour - timedelta(days=DAYS_AGO))
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze")
        cursor.execute(
            "select (select count(*) from group_1h), (select count(*) from group_10m), (select count(*) from"
            " group_sample), pg_size_pretty(pg_database_size(current_database()))"
        )
        hours, tens, samples, size = cursor.fetchone()
    print(f"{hours:,} hours and {tens:,} ten minutes of groups, {samples:,} samples, {size}; ", end="")
    print(f"filled in {time.monotonic() - began:.0f} s", flush=True)


def pack(until: datetime) -> None:
    """The hours before a moment of one wide topic, and of one group that is a minute behind on it."""
    from django.db import connection

    from collector.domain.sample_chunks import Point, packed
    from collector.store.partitions import Leaves

    chance, leaves = random.Random(5), Leaves()
    ends = [chance.randrange(10**9) for _ in range(WIDE)]
    read = [ends] * 30
    with connection.cursor() as cursor:
        cursor.execute("insert into topic (id, cluster_id, name, n_partitions, first_at) values"
                       " (9999, 7, 'wide', %s, %s)", [WIDE, until - timedelta(days=9)])  # fmt: skip
        cursor.execute("insert into consumer_group (id, cluster_id, name, protocol, state, first_at) values"
                       " (9999, 7, 'wide-reader', 1, 'Stable', %s)", [until - timedelta(days=9)])  # fmt: skip
        cursor.execute("insert into topic_now (topic_id, sampled_at, high, low, n_total) values (9999, %s, %s, %s, 1)",
                       [until, ends, [0] * WIDE])  # fmt: skip
        cursor.execute("insert into group_now (topic_id, group_id, sampled_at, committed, lag, verdict, n_total) values"
                       " (9999, 9999, %s, %s, 1, 'OK', 1)", [until, ends])  # fmt: skip
        for back in range(HOURS_PACKED, 0, -1):
            hour, points, commits = until - timedelta(hours=back), list[Point](), list[Point]()
            leaves.ensure("sample_chunk", hour)
            for number in range(1_800):
                at = hour + timedelta(seconds=2 * number)
                ends = [end + chance.randrange(40) for end in ends]
                read = [*read[1:], ends]
                points.append(Point(at, (tuple(ends), (0,) * WIDE)))
                commits.append(Point(at, (tuple(read[0]),)))
            for kind, group, packable in ((0, 0, points), (1, 9999, commits)):
                cursor.execute("insert into sample_chunk values (%s, 9999, %s, %s, 1800, %s)",
                               [kind, group, hour, packed(packable)])  # fmt: skip
    print(f"{HOURS_PACKED} hours of {WIDE:,} partitions packed; ", end="")


def questions() -> list[tuple[str, Callable[[], object], int]]:
    """Name, question, and the most milliseconds that it may take."""
    from django.test import Client
    from django.test.utils import setup_test_environment

    from collector.clock import now
    from dashboard import people, process
    from dashboard.models import Role

    setup_test_environment(debug=False)
    process.collect_seldom()  # as the web process does
    password = secrets.token_urlsafe(24)
    people.create("vera", role=Role.VIEWER, password=password, now=now())
    client = Client()
    if client.post("/login/", {"name": "vera", "password": password}).status_code != 302:
        raise RuntimeError("The sign-in was refused.")

    def page(address: str, part: str = "") -> Callable[[], object]:
        def ask() -> object:
            answer = client.get(address, headers={"X-Weir-Part": part} if part else {})
            if answer.status_code != 200:
                raise RuntimeError(f"{address}: {answer.status_code}")
            return answer.content

        return ask

    found = []
    for words, span in (("15 min", ""), ("24 h", "from=now-24h"), ("7 d", "from=now-7d"), ("30 d", "from=now-30d")):
        found += [
            (f"list of topics, {words}", page(f"/topics/?{span}"), LIST_MS),
            (f"list of groups, {words}", page(f"/groups/?{span}"), LIST_MS),
            (f"charts of a topic, {words}", page(f"/topics/bench/topic-0001/?{span}", "charts"), CHART_MS),
            (f"charts of a group, {words}", page(f"/groups/bench/group-0009/?{span}", "charts"), CHART_MS),
        ]
    end = now().replace(minute=0, second=0, microsecond=0) - timedelta(days=DAYS_AGO, minutes=20)
    for words, length in (("15 min", timedelta(minutes=15)), ("6 h", timedelta(hours=6))):
        span = f"from={end - length:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"
        found += [
            (f"charts of the wide topic, {words}, 3 d ago", page(f"/topics/bench/wide/?{span}", "charts"), DAYS_AGO_MS),
            (
                f"charts of its group, {words}, 3 d ago",
                page(f"/groups/bench/wide-reader/?{span}", "charts"),
                DAYS_AGO_MS,
            ),
        ]
    found += [
        ("partitions of the wide topic, 3 d ago", page(f"/topics/bench/wide/?{span}&tab=partitions"), DAYS_AGO_MS),
        ("partitions of its group, 3 d ago", page(f"/groups/bench/wide-reader/?{span}&tab=partitions"), DAYS_AGO_MS),
    ]
    return found


def shown(name: str, ask: Callable[[], object], most: int, runs: int) -> bool:
    """Ask, print, and say whether it was quick enough."""
    times = []
    for _ in range(1 + runs):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1_000)
    middle = statistics.median(times[1:])
    print(f"{name:50}{times[0]:8.0f}{middle:8.0f}{most:8}", flush=True)
    return middle <= most


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
