"""What is dropped for the disk budget, in which order, and where that is said."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection

from collector import retention
from collector.folding.fold import MissingLeaves, RollupLeaves, fold
from collector.folding.folder import Folder
from collector.store import budget, closing, reports
from collector.store.budget import Usage
from collector.store.clusters import UNKNOWN
from collector.store.partitions import make
from collector.store.positions import InputKind, input_row
from dashboard.models import KeptPath
from dashboard.queries.edges import traced_edges
from dashboard.queries.health import health
from dashboard.queries.window import Window
from tests.integration.intake_world import NOW, World, rows, sends
from tests.integration.own_leaves import own_leaves
from tests.integration.people import audit_rows
from tests.integration.span_world import AT, SpanWorld, Stored

__all__ = ["own_leaves"]
pytestmark = pytest.mark.usefixtures("own_leaves")
DAY = timedelta(days=1)
COUNTS = "bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence) select %(at)s, n, 1, 0, 1, 1, 1"


def filled(table: str, at: datetime) -> None:
    """A leaf of `table` around `at` that takes some room."""
    make(table, at)
    columns = {
        "span": "trace_id, span_id, started_at, stored_at, duration_ms, source_id, name_id, attrs_id, n_messages, kind,"
        " status, op) select gen_random_uuid(), n, %(at)s, %(at)s, 1, 0, 0, 0, 0, 1, 0, 0",
        "record": "stored_at, kafka_offset, topic_id, kafka_partition, size_bytes, n_headers, timestamp_type)"
        " select %(at)s, n, 0, 0, 1, 0, 0",
        "sample_chunk": "kind, topic_id, group_id, from_at, n_points, body) select 1, n, 0, %(at)s, 1, 'x'",
        "edge_10s": COUNTS,
        "edge_1m": COUNTS,
    }[table]
    with connection.cursor() as cursor:
        cursor.execute(f"insert into {table} ({columns} from generate_series(1, 100) n", {"at": at})


def with_budget(settings: Any, n_bytes: int) -> None:
    settings.WEIR_DISK_BUDGET = n_bytes


def left() -> set[str]:
    """Tables that still have a leaf that ended."""
    return {str(name) for (name,) in rows("select distinct table_name from raw_partition where ends_at < %s", NOW)}


def test_within_the_budget_nothing_goes_and_the_check_is_noted(settings: Any) -> None:
    filled("span", NOW - 2 * DAY)
    with_budget(settings, 10**15)
    retention.keep_within_budget(NOW)
    assert left() == {"span"}
    page = health(now=NOW)
    assert page.disk
    assert (page.disk.budget_bytes, page.disk.problem, page.disk.drops) == (10**15, "", ())
    assert page.disk.used_bytes > page.disk.kept_bytes > 0


def test_without_a_budget_only_the_size_is_noted(settings: Any) -> None:
    filled("span", NOW - 2 * DAY)
    with_budget(settings, 0)
    retention.keep_within_budget(NOW)
    assert left() == {"span"}
    page = health(now=NOW)
    assert page.disk
    assert page.disk.budget_bytes is None


def test_the_oldest_goes_first_kind_by_kind_and_each_drop_is_said(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in (3, 2):
        filled("span", NOW - days * DAY)
        filled("record", NOW - days * DAY)
    filled("sample_chunk", NOW - 3 * DAY)
    filled("edge_10s", NOW - 3 * DAY)
    filled("edge_1m", NOW - 40 * DAY)
    make("span", NOW)  # still written
    with_budget(settings, 1)
    steps = iter([*[Usage(10**9, 0)] * 6, Usage(0, 0)])
    monkeypatch.setattr(budget, "usage", lambda: next(steps))
    retention.keep_within_budget(NOW)
    went = rows("select kind, from_at::date - %s::date, reason from dropped_data order by id", NOW)
    assert went == [
        ("raw spans", -3, "budget"),
        ("raw spans", -2, "budget"),
        ("taps", -3, "budget"),
        ("taps", -2, "budget"),
        ("samples", -3, "budget"),
        ("counts by ten seconds", -3, "budget"),
    ]
    assert left() == {"edge_1m"}
    deeds = audit_rows("action", "object", "person_name", "reason", "facts")
    assert [deed[:4] for deed in deeds[:1]] == [("drop data", "raw spans", "Weir", "the disk budget")]
    facts = json.loads(str(deeds[0][4])) if isinstance(deeds[0][4], str) else deeds[0][4]
    assert facts["n_bytes"] > 0  # type: ignore[index]
    assert [drop.kind for drop in health(now=NOW).disk.drops][-1] == "raw spans"  # type: ignore[union-attr]


def test_spans_that_are_not_counted_yet_wait(settings: Any) -> None:
    filled("span", NOW - 2 * DAY)
    with connection.cursor() as cursor:
        cursor.execute("insert into input (kind, cluster_id, topic_name) values (1, 0, 'x') returning id")
        number = cursor.fetchone()[0]
        cursor.execute(
            "insert into batch (stored_at, input_id, n_spans, n_links) values (%s, %s, 100, 0)", [NOW - 2 * DAY, number]
        )
    with_budget(settings, budget.usage().kept_bytes * 2)
    retention.keep_within_budget(NOW)
    assert "span" in left()
    page = health(now=NOW)
    assert not page.ok
    assert page.disk
    assert "nothing more may be dropped" in page.disk.problem


def test_what_is_not_closed_is_closed_before_it_goes_for_the_budget(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    world.clock.at = NOW - DAY
    collector = world.collector()
    for body in (sends(1, 2), sends(2, 3)):  # the same span, batched anew
        world.send(body)
        world.take(collector)
    Folder(now=world.clock).step()
    rows("update batch set measured = true returning 1")
    with_budget(settings, 1)
    monkeypatch.setattr(budget, "usage", lambda: Usage(10**9, 0))
    monkeypatch.setattr(budget, "PATIENCE", 2 * DAY)
    with monkeypatch.context() as patched:
        patched.setattr(closing, "close_full", lambda _: [])
        retention.keep_within_budget(NOW)
    assert "span" in left()
    retention.keep_within_budget(NOW)
    assert "span" not in left()
    assert rows("select sum(n)::int from edge_1m") == [(3,)]


def test_what_cannot_be_closed_for_hours_goes_all_the_same(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    filled("span", NOW - 2 * DAY)
    with_budget(settings, 1)
    monkeypatch.setattr(closing, "close_full", lambda _: [])
    retention.keep_within_budget(NOW)
    assert "span" not in left()


def test_a_minute_that_was_summed_up_is_not_replaced_by_what_comes_after_its_ten_seconds_went(settings: Any) -> None:
    world, leaves, at = SpanWorld(), RollupLeaves(), [AT]
    its = Folder(now=lambda: at[0])

    def sent(*seconds: float, at: datetime) -> None:
        make("span", at)
        world.batch([Stored(world.produce, second) for second in seconds], at=(at - AT).total_seconds())

    sent(0, 1, 2, at=AT)
    its.step()
    sent(3, at=AT + timedelta(seconds=1))
    leaves.make(MissingLeaves([AT]), now=AT)
    fold(leaves, now=AT + timedelta(seconds=2))  # not summed up yet
    at[0] = AT + timedelta(hours=6)
    with_budget(settings, 1)
    retention.keep_within_budget(at[0])
    assert rows("select count(*)::int from edge_10s") == [(0,)]
    assert rows("select tens_since from fold_state") == [(AT + timedelta(hours=2),)]
    sent(30, 31, at=at[0])
    its.step()
    for table in ("edge_1m", "edge_1h"):
        assert rows(f"select sum(n)::int from {table}") == [(6,)], table
    assert rows("select count(*)::int from raw_partition where table_name = 'edge_10s' and starts_at = %s", AT) == [
        (0,)
    ]
    hour = Window(AT - timedelta(minutes=30), AT + timedelta(minutes=30), live=False)
    assert [edge.messages for edge in traced_edges(hour, as_of=at[0], now=at[0])] == [6]


def test_ten_seconds_are_counted_again_where_the_clock_had_been_ahead(settings: Any) -> None:
    world = SpanWorld()
    filled("edge_10s", AT + 30 * DAY)
    with_budget(settings, 1)
    retention.keep_within_budget(AT + 31 * DAY)
    assert rows("select tens_since > %s from fold_state", AT) == [(True,)]
    make("span", AT)
    world.batch([Stored(world.produce, 0)], at=1)
    Folder(now=lambda: AT + timedelta(seconds=2)).step()
    assert rows("select n::int from edge_10s") == [(1,)]
    hour = Window(AT - timedelta(minutes=30), AT + timedelta(minutes=30), live=False)
    assert [edge.messages for edge in traced_edges(hour, as_of=AT, now=AT + timedelta(seconds=2))] == [1]


def test_a_schedule_that_stands_still_makes_health_fail(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else would tell: beat has no word on Health, and the worker waits for it."""
    monkeypatch.setattr(budget, "usage", lambda: Usage(1, 0))
    retention.keep_within_budget(NOW)
    assert "each minute" not in health(now=NOW + timedelta(seconds=149)).sentence
    page = health(now=NOW + timedelta(minutes=12))
    assert not page.ok
    for part in ("receive", "collect", "fold", "sample", "worker", "web"):
        reports.report(part, instance="1@a", now=NOW + timedelta(minutes=12), ok=True, sentence="", value={})
    page = health(now=NOW + timedelta(minutes=12))
    assert not page.ok
    assert page.sentence.startswith("What is done each minute was last done 12 min ago. Start beat")


def test_a_schedule_that_was_never_begun_makes_health_fail_once_something_is_stored() -> None:
    for part in ("receive", "collect", "fold", "sample", "worker", "web"):
        reports.report(part, instance="1@a", now=NOW, ok=True, sentence="", value={})
    assert "each minute" not in health(now=NOW).sentence
    rows(
        "insert into batch (stored_at, input_id, n_spans, n_links) values (%s, %s, 1, 0) returning 1",
        NOW - timedelta(minutes=12), input_row(InputKind.SPOOL, cluster_id=UNKNOWN, topic_name="spool"),
    )  # fmt: skip
    page = health(now=NOW)
    assert not page.ok
    assert page.sentence.startswith("What is done each minute was never done, in 12 min. Start beat")


def test_dead_letters_and_kept_paths_above_80_percent_make_health_fail(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_budget(settings, 1_000)
    monkeypatch.setattr(budget, "usage", lambda: Usage(900, 850))
    retention.keep_within_budget(NOW)
    page = health(now=NOW)
    assert page.disk
    assert page.disk.problem.startswith("Dead letters and kept paths alone take 85 % of the disk budget,")
    assert not page.ok


def test_kept_paths_count_as_what_never_goes() -> None:
    before = budget.usage().kept_bytes
    body = random.Random(1).randbytes(500_000)
    KeptPath.objects.create(
        cluster="local", topic="orders", partition=0, offset=1, body=body, otlp=body, kept_by="ada", kept_at=NOW
    )
    assert budget.usage().kept_bytes >= before + 1_000_000


def test_what_goes_by_age_is_said_too(settings: Any) -> None:
    filled("span", NOW - 9 * DAY)
    retention.drop_old(NOW)
    assert rows("select kind, reason from dropped_data") == [("raw spans", "age")]
    assert audit_rows("object", "reason") == [("raw spans", "older than its retention")]


def test_leaves_are_shorter_where_the_budget_holds_less_than_the_age(settings: Any) -> None:
    at = NOW - 3 * DAY
    filled("span", at)
    closing.close_full(NOW)
    ((n_bytes, seconds),) = rows(
        "select n_bytes, extract(epoch from ends_at - starts_at)::int from raw_partition where table_name = 'span'"
    )
    with_budget(settings, int(4 * 3600 * float(str(n_bytes)) / float(str(seconds))))  # holds four hours
    starts, ends = make("span", NOW)
    assert ends - starts == timedelta(minutes=15)


def test_one_jump_of_the_clock_drops_nothing_and_health_says_so() -> None:
    filled("span", NOW - 2 * DAY)
    retention.drop_old(NOW)
    retention.keep_within_budget(NOW)
    retention.drop_old(NOW + 30 * DAY)
    assert left() == {"span"}
    page = health(now=NOW + 30 * DAY)
    assert page.disk
    assert "moved by 30.0 days" in page.disk.problem
    assert not page.ok
    retention.drop_old(NOW + timedelta(minutes=5))  # set right
    page = health(now=NOW)
    assert page.disk
    assert page.disk.problem == ""
    assert left() == {"span"}


def test_a_clock_that_stays_where_it_jumped_to_is_believed_after_a_day() -> None:
    filled("span", NOW - 2 * DAY)
    retention.drop_old(NOW)
    retention.drop_old(NOW + 30 * DAY)
    retention.drop_old(NOW + 30 * DAY + timedelta(hours=23))
    assert left() == {"span"}
    retention.drop_old(NOW + 31 * DAY)
    assert rows("select count(*)::int from raw_partition where table_name = 'span'") == [(0,)]
    assert rows("select kind, reason from dropped_data") == [("raw spans", "age")]


def test_data_that_says_it_is_of_long_ago_contradicts_the_clock() -> None:
    filled("span", NOW - 20 * DAY)
    make("span", NOW)
    world = World()
    world.send(sends(1))
    world.take(world.collector())
    rows("update span set started_at = started_at - interval '8 days' returning 1")
    retention.drop_old(world.clock())
    assert rows("select count(*)::int from raw_partition where table_name = 'span' and ends_at < %s", NOW) == [(1,)]
    problem = str(rows("select problem from age_check")[0][0])
    assert problem.startswith("What comes in now says it is of")


def test_a_leaf_that_is_still_read_holds_up_no_other(settings: Any) -> None:
    for table in ("span", "record"):
        filled(table, NOW - 30 * DAY)
    ((leaf,),) = rows("select leaf from raw_partition where table_name = 'span'")
    with reading(str(leaf)):
        retention.drop_old(NOW)
        assert left() == {"span"}
        assert "Old data of span could not be dropped" in str(rows("select problem from age_check")[0][0])
        filled("record", NOW - 29 * DAY)
        with_budget(settings, 1)
        retention.keep_within_budget(NOW)
        assert left() == {"span"}
        assert "Old data of span could not be dropped" in str(rows("select problem from disk_check")[0][0])
    retention.drop_old(NOW)
    assert left() == set()
    assert rows("select problem from age_check") == [("",)]


@contextmanager
def reading(leaf: str) -> Iterator[None]:
    """A query that has held a leaf for long."""
    at = connection.settings_dict
    address = {"host": at["HOST"], "port": at["PORT"], "user": at["USER"], "password": at["PASSWORD"]}
    with psycopg.connect(**address, dbname=at["NAME"]) as other:
        other.execute(psycopg.sql.SQL("select from {} limit 1").format(psycopg.sql.Identifier(leaf)))
        yield


def test_instances_and_groups_that_are_long_gone_are_forgotten_and_others_are_not() -> None:
    old = NOW - 40 * DAY
    rows("insert into service (id, name) values (900007, 'orders') returning id")
    rows(
        "insert into service_version (id, service_id, first_at, last_at) values (900007, 900007, now(), now())"
        " returning id"
    )
    rows(
        "insert into source (service_version_id, instance, seen_on) values (900007, 'gone', %s), (900007, 'here', %s)"
        " returning id",
        old.date(),
        (NOW - 6 * DAY).date(),
    )
    rows(
        "insert into consumer_group (cluster_id, name, state, state_at) values (0, 'console-1', 'Dead', %s),"
        " (0, 'named', 'Dead', %s), (0, 'young', 'Dead', %s), (0, 'alive', 'Stable', %s) returning id",
        old,
        old,
        NOW - DAY,
        old,
    )
    rows(
        "insert into edge (kind, topic_id, group_id) select 2, 0, id from consumer_group where name = 'named'"
        " returning 1"
    )
    rows(
        "insert into group_member (group_id, member_id, client_id, host, assignment, seen_at)"
        " select id, 'm', 'c', 'h', '[]', now() from consumer_group where name = 'console-1' returning 1"
    )
    retention.drop_old(NOW)
    assert rows("select instance from source where id > 0") == [("here",)]
    names = rows("select name from consumer_group where id > 0 order by 1")
    assert names == [("alive",), ("named",), ("young",)]
