"""The folder on a real database: exactly once, late, early, and whatever dies in between."""

import json
import random
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, InterfaceError, connection, connections
from psycopg import sql

from collector.domain import histograms
from collector.folding import measure as measuring
from collector.folding.fold import MissingLeaves, RollupLeaves, fold, sum_up_hours, sum_up_minutes
from collector.folding.folder import Folder
from collector.store import measures
from dashboard.queries.health import health
from tests.integration.span_world import AT, SpanWorld, Stored, rows

pytestmark = pytest.mark.usefixtures("clean_tables")

CLOCK, SKEW = 32, 16


@pytest.fixture
def world(clean_tables: None) -> SpanWorld:
    return SpanWorld()


def test_spans_are_counted_by_the_ten_seconds_they_started_in(world: SpanWorld) -> None:
    world.batch(
        [Stored(world.produce, -21), Stored(world.produce, -20, n=3), Stored(world.produce, -11, status=2)], at=0
    )
    folder(30).step()
    assert rows("select bucket_at, edge_id, n, n_error, n_spans, evidence from edge_10s order by 1") == [
        (AT - timedelta(seconds=30), world.produce, 1, 0, 1, 1),
        (AT - timedelta(seconds=20), world.produce, 4, 1, 2, 1),
    ]


def test_what_sampled_spans_stand_for_is_summed_up_beside_what_was_counted(world: SpanWorld) -> None:
    stored_at = world.batch([Stored(world.produce, -21), Stored(world.produce, -5), Stored(world.consume, -5)], at=0)
    with connection.cursor() as cursor:
        for bucket, more in ((-30, 3.0), (-10, 7.0)):
            cursor.execute(
                "insert into batch_weight values (%s, %s, %s, %s)",
                [stored_at, world.produce, AT + timedelta(seconds=bucket), more],
            )
    folder(30).step()
    sum_up_minutes()
    sum_up_hours()
    counted = "select n, sample_weight, evidence from {} where edge_id = %s order by bucket_at"
    assert rows(counted.format("edge_10s"), world.produce) == [(1, 3.0, 65), (1, 7.0, 65)]
    assert rows(counted.format("edge_1m"), world.produce) == [(2, 10.0, 65)]
    assert rows(counted.format("edge_1h"), world.produce) == [(2, 10.0, 65)]
    assert rows(counted.format("edge_10s"), world.consume) == [(1, 0.0, 1)]
    assert rows("select count(*)::int from batch_weight") == [(0,)]
    world.batch([Stored(world.produce, -21)], at=1)
    folder(31).step()
    assert rows(counted.format("edge_10s"), world.produce)[0] == (2, 3.0, 65)


def test_a_minute_whose_seconds_are_about_to_go_loses_nothing(world: SpanWorld) -> None:
    """A part of it that was counted directly must not be summed up again from the ten seconds that are left."""
    world.batch([Stored(world.produce, -86_400)], at=0)
    folder(1).step()
    world.batch([Stored(world.produce, -86_380)], at=1)
    folder(2).step()
    sum_up_minutes()
    assert rows("select bucket_at, n from edge_1m") == [(AT - timedelta(days=1), 2)]


def test_a_clock_that_was_set_back_delays_nothing(world: SpanWorld) -> None:
    at = [AT]
    found = Folder(now=lambda: at[0])
    found.step()
    at[0] -= timedelta(hours=3)
    world.batch([Stored(world.produce, -10_810)], at=-10_800)
    found.step()
    assert rows("select n from edge_1m") == [(1,)]


def test_a_trace_that_never_ends_is_read_once_for_all_its_deliveries(world: SpanWorld) -> None:
    sends = [Stored(world.produce, number / 1000, span=number) for number in range(1, 400)]
    reads = [Stored(world.consume, 1, span=10_000 + each.span, parent=each.span, op=3) for each in sends]
    world.batch([*sends, *reads], at=2)
    for read, send in zip(reads, sends, strict=True):
        world.link(read, send, at=2)
    folder(3).step()
    plans: list[Any] = []
    with connection.execute_wrapper(_Explaining(plans)):
        folder(20).step()
    looked = [node for node in _nodes(plans[0]) if node.get("Relation Name", "").startswith("span_")]
    assert {node["Relation Name"] for node in looked} == {"span_all", "span_link_all"}
    assert [node["Actual Loops"] for node in looked] == [1] * len(looked)
    assert len(waits(world.consume)) == len(reads)


class _Explaining:
    """Runs what pairs deliveries under EXPLAIN ANALYZE first, and keeps the plan; what that did is undone."""

    def __init__(self, plans: list[Any]) -> None:
        self._plans = plans

    def __call__(self, execute: Any, statement: Any, values: Any, many: bool, context: Any) -> Any:
        text = statement.as_string(context["cursor"].cursor) if isinstance(statement, sql.Composed) else statement
        if "missed as materialized" in text and not self._plans:
            execute("savepoint explained", None, many, context)
            execute(f"explain (analyze, format json) {text}", values, many, context)
            (found,) = context["cursor"].cursor.fetchone()
            self._plans.append(json.loads(found) if isinstance(found, str) else found)
            execute("rollback to savepoint explained", None, many, context)
        return execute(statement, values, many, context)


def _nodes(plan: Any) -> Iterator[dict[str, Any]]:
    """All nodes of a plan."""
    if isinstance(plan, list):
        for each in plan:
            yield from _nodes(each)
    elif isinstance(plan, dict):
        if "Node Type" in plan:
            yield plan
        for each in plan.values():
            yield from _nodes(each)


def test_what_counts_for_no_message_and_what_is_no_hop_are_left_out(world: SpanWorld) -> None:
    world.batch([Stored(world.consume, 0, n=0), Stored(None, 0), Stored(world.consume, 0)], at=0)
    folder(1).step()
    assert rows("select n, n_spans from edge_10s") == [(1, 1)]


def test_an_impossible_time_counts_when_it_was_stored_and_is_marked(world: SpanWorld) -> None:
    starts = (600, 601, -90_000, -1)  # ten minutes ahead is the last that is believed
    world.batch([Stored(world.produce, second) for second in starts], at=0)
    folder(1).step()
    assert rows("select bucket_at, n, evidence from edge_10s order by 1") == [
        (AT - timedelta(seconds=10), 1, 1),
        (AT, 2, 1 | CLOCK),
        (AT + timedelta(minutes=10), 1, 1),
    ]
    assert rows("select n_clamped from fold_state")[0][0] == 2


def test_a_batch_stored_between_two_others_counts_once_though_they_are_counted_after_it(world: SpanWorld) -> None:
    """They are found by the bounds of their times, which it lies in."""
    for at, folded_at in ((1, 20), (0, None), (2, 40)):
        send = Stored(world.produce, at - 0.5, trace=at + 1, span=1)
        world.batch([send, Stored(world.consume, at, trace=at + 1, span=2, parent=1, op=3)], at=at)
        if folded_at:
            folder(folded_at).step()
    assert rows("select edge_id, sum(n)::int from edge_10s group by 1 order by 1") == [
        (world.produce, 3),
        (world.consume, 3),
    ]
    assert waits(world.consume) == pytest.approx([500] * 3, rel=0.05)
    assert len(processings(world.consume)) == 3


def test_a_second_fold_adds_nothing_and_says_up_to_when_all_is_folded(world: SpanWorld) -> None:
    world.batch([Stored(world.produce, 0)], at=0)
    folder(1).step()
    before = rows("select seq from fold_state")
    folder(2).step()
    assert rows("select n from edge_10s") == [(1,)]
    assert rows("select seq from fold_state") == before
    assert rows("select as_of, n_waiting from fold_state") == [(AT + timedelta(seconds=2), 0)]


def test_a_late_span_adds_to_its_own_bucket_and_to_its_minute_and_hour(world: SpanWorld) -> None:
    world.batch([Stored(world.produce, -7200)], at=-7199)
    folder(-7198).step()
    world.batch([Stored(world.produce, -7195), Stored(world.produce, -5)], at=0)
    folder(100).step()
    for table, first in (("edge_10s", 2), ("edge_1m", 2), ("edge_1h", 2)):
        assert rows(f"select n from {table} order by bucket_at limit 1") == [(first,)], table
        assert rows(f"select sum(n) from {table}") == [(3,)], table


def test_summing_up_again_changes_nothing(world: SpanWorld) -> None:
    world.batch([Stored(world.produce, second) for second in range(0, 180, 7)], at=200)
    folder(201).step()
    before = rows("select * from edge_1h")
    for _ in range(2):
        rows("insert into rollup_dirty select 1, bucket_at from edge_1m on conflict do nothing returning 1")
        assert sum_up_minutes() > 0
        assert sum_up_hours() > 0
    assert rows("select * from edge_1h") == before
    assert rows("select sum(n) from edge_1m") == [(26,)]


def test_a_batch_folded_a_day_late_adds_to_the_minutes_it_can_still_reach(world: SpanWorld) -> None:
    world.batch([Stored(world.produce, 0)], at=1)
    folder(2).step()
    rows("delete from edge_10s returning 1")  # as retention does
    world.batch([Stored(world.produce, 1), Stored(world.produce, 2)], at=3)
    folder(90_000).step()
    assert rows("select sum(n) from edge_1m") == [(3,)]
    assert rows("select sum(n) from edge_1h") == [(3,)]
    assert rows("select count(*) from edge_10s") == [(0,)]


def test_two_rival_folders_whose_connections_are_killed_count_everything_once(world: SpanWorld) -> None:
    drawn = random.Random(7)
    expected = 0
    for number in range(120):
        spans = [
            Stored(drawn.choice([world.produce, world.consume]), drawn.uniform(-3600, 60), n=drawn.randint(1, 4))
            for _ in range(20)
        ]
        expected += sum(span.n for span in spans)
        world.batch(spans, at=61 + number / 1000)
    assert _folded_by_rivals() > 5
    sum_up_minutes()
    sum_up_hours()
    for table in ("edge_10s", "edge_1m", "edge_1h"):
        assert rows(f"select sum(n) from {table}") == [(expected,)], table
    assert rows(
        "select count(*) from (select bucket_at, edge_id, n from edge_10s except select date_bin('10 s', started_at,"
        " '2000-01-01Z'), edge_id, sum(n_messages) from span group by 1, 2) x"
    ) == [(0,)]


def _folded_by_rivals() -> int:
    """Let two rivals fold everything while a third kills their connections; how many it killed."""
    done = threading.Event()
    killed: list[int] = []
    threads = [threading.Thread(target=_fold_until, args=[done]) for _ in range(2)]
    threads.append(threading.Thread(target=_kill_until, args=[done, killed]))
    for thread in threads:
        thread.start()
    try:
        _wait_until_folded(done)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return sum(killed)


def _fold_until(done: threading.Event) -> None:
    leaves = RollupLeaves()
    while not done.is_set():
        try:
            _fold_some(leaves)
        except (InterfaceError, DatabaseError, psycopg.Error):
            connection.close()
    connections.close_all()


def _fold_some(leaves: RollupLeaves) -> None:
    with connection.cursor() as cursor:
        cursor.execute("set application_name = 'rival'")
    try:
        fold(leaves, now=AT + timedelta(seconds=70), limit=3)
    except MissingLeaves as missing:
        leaves.make(missing, now=AT + timedelta(seconds=70))


def _kill_until(done: threading.Event, killed: list[int]) -> None:
    pause = 0.005
    with psycopg.connect(**_address(), autocommit=True) as own:
        while not done.is_set():
            answer = own.execute(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                " where datname = current_database() and application_name = 'rival' and random() < 0.3"
            ).fetchone()
            killed.append(answer[0] if answer else 0)
            done.wait(pause)
            pause *= 1.01  # however slow the machine is, a fold comes through in the end


def _wait_until_folded(done: threading.Event) -> None:
    for _ in range(3000):
        if rows("select count(*) from batch where not folded") == [(0,)]:
            return
        done.wait(0.02)
    raise AssertionError("not all was folded in a minute")


def _address() -> dict[str, Any]:
    settings = connection.settings_dict
    return {
        "host": settings["HOST"],
        "port": settings["PORT"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "dbname": settings["NAME"],
    }


def test_a_wait_runs_from_the_sending_span_that_is_the_parent(world: SpanWorld) -> None:
    world.batch(
        [
            Stored(world.produce, 0, span=1),
            Stored(world.consume, 0.25, span=2, parent=1, op=3, duration_ms=40),
        ],
        at=1,
    )
    folder(20).step()
    assert waits(world.consume) == pytest.approx([250], rel=0.05)
    assert processings(world.consume) == pytest.approx([40], rel=0.05)
    assert rows("select count(*) from batch where not measured") == [(0,)]


def test_a_batch_span_waits_once_for_each_span_it_links_to(world: SpanWorld) -> None:
    sends = [Stored(world.produce, second, trace=10 + second, span=second + 1) for second in range(3)]
    poll = Stored(None, 4.5, trace=99, span=7, op=2)
    process = Stored(world.consume, 5, trace=99, span=8, parent=7, op=3, n=3)
    world.batch([*sends, poll, process], at=6)
    for send in sends:
        world.link(process, send, at=6)
    folder(30).step()
    assert waits(world.consume) == pytest.approx([3000, 4000, 5000], rel=0.05)
    assert rows("select count(*) from unpaired") == [(0,)]


def test_without_a_sending_span_the_tapped_record_says_when_it_was_produced(world: SpanWorld) -> None:
    place = (world.topic, 3, 77)
    world.batch([Stored(world.consume, 2, span=5, op=3, place=place)], at=3)
    world.record(place, produced=1.5, at=3)
    folder(30).step()
    assert waits(world.consume) == pytest.approx([500], rel=0.05)


def test_a_producer_that_comes_late_is_found_later_and_one_that_never_comes_is_given_up(world: SpanWorld) -> None:
    world.batch(
        [
            Stored(world.consume, 2, trace=1, span=5, parent=1, op=3),
            Stored(world.consume, 2, trace=2, span=6, parent=1, op=3),
        ],
        at=3,
    )
    folder(20).step()
    assert rows("select count(*) from unpaired") == [(2,)]
    world.batch([Stored(world.produce, 1, trace=1, span=1)], at=60)
    folder(90).step()
    assert waits(world.consume) == pytest.approx([1000], rel=0.05)
    assert rows("select count(*) from unpaired") == [(1,)]
    folder(700).step()
    assert rows("select count(*) from unpaired") == [(0,)]
    assert rows("select n_unpaired_dropped from fold_state")[0][0] == 1
    assert waits(world.consume) == pytest.approx([1000], rel=0.05)


def test_a_consumer_that_starts_before_its_producer_has_waited_not_at_all_and_is_marked(world: SpanWorld) -> None:
    world.batch([Stored(world.produce, 1, span=1), Stored(world.consume, 0.5, span=2, parent=1, op=3)], at=2)
    folder(20).step()
    folder(100).step()
    assert waits(world.consume) == [histograms.value_of(0)]
    assert rows("select evidence & %s, n from edge_1m where edge_id = %s", SKEW, world.consume) == [(SKEW, 1)]


def test_a_span_that_links_to_its_parent_waited_for_it_once_and_not_for_the_poll_around_it(world: SpanWorld) -> None:
    send = Stored(world.produce, 0, span=1)
    child = Stored(world.consume, 1, span=2, parent=1, op=3)
    lonely = Stored(world.consume, 1, trace=5, span=3, parent=9, op=3)
    world.batch([send, child, lonely], at=2)
    world.link(child, send, at=2)
    world.link(lonely, Stored(world.produce, 0, trace=6, span=6), at=2)
    folder(20).step()
    assert waits(world.consume) == pytest.approx([1000], rel=0.05)
    assert rows("select trace_id, span_id from unpaired") == [(UUID(int=6), 6)]


def test_durations_fall_into_the_same_bins_wherever_they_are_counted(world: SpanWorld) -> None:
    drawn = random.Random(3)
    times = [0.0, 0.01, 0.011, 0.0121, 10.0, 1e9, *(round(10 ** drawn.uniform(-3, 7), 3) for _ in range(300))]
    stored = [Stored(world.consume, 0, span=number, op=3, duration_ms=ms) for number, ms in enumerate(times)]
    world.batch(stored, at=1)
    folder(20).step()
    expected = histograms.counted(each for (each,) in rows("select duration_ms::float8 from span"))
    assert processings(world.consume) == [histograms.value_of(n) for n in sorted(expected) for _ in range(expected[n])]


def test_deliveries_whose_producers_never_come_are_bounded(world: SpanWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "MOST_UNPAIRED", 10)
    found = "select (select count(*) from unpaired), n_unpaired_dropped from fold_state"
    ((_, before),) = rows(found)
    alone = [Stored(world.consume, 0, span=number, parent=99, op=3) for number in range(1, 8)]
    world.batch(alone, at=1)
    folder(20).step()
    assert rows(found) == [(7, before)]
    world.batch(alone, at=21)
    folder(40).step()
    assert rows(found) == [(10, before + 4)]
    folder(700).step()
    assert rows(found) == [(0, before + 14)]


def test_readers_of_one_edge_do_not_take_the_places_of_all_who_wait(
    world: SpanWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "MOST_UNPAIRED", 10)
    busy, calm = world.consume, _another_reader(world)
    waiting = "select edge_id, count(*)::int from unpaired group by 1"
    ((before,),) = rows("select n_unpaired_dropped from fold_state")
    world.batch([Stored(busy, number / 10, span=number, parent=99, op=3) for number in range(1, 31)], at=4)
    folder(20).step()
    assert dict(rows(waiting)) == {busy: 10}
    world.batch([Stored(calm, 20, trace=7, span=number, parent=number + 50, op=3) for number in range(3)], at=21)
    folder(40).step()
    assert dict(rows(waiting)) == {busy: 7, calm: 3}
    assert rows("select n_unpaired_dropped from fold_state") == [(before + 23,)]
    world.batch([Stored(calm, 41, trace=8, span=number, parent=99, op=3) for number in range(10, 19)], at=42)
    folder(60).step()
    assert dict(rows(waiting)) == {busy: 5, calm: 5}
    assert rows("select n_unpaired_dropped from fold_state") == [(before + 32,)]
    world.batch([Stored(world.produce, 19, trace=7, span=50)], at=61)
    folder(130).step()
    assert waits(calm) == pytest.approx([1000], rel=0.05)
    assert health(now=AT).n_unpaired == before + 32


def _another_reader(world: SpanWorld) -> int:
    """An edge of a second service that reads."""
    ((edge,),) = rows(
        "with its as (insert into service (name) values ('mail-svc') returning id)"
        " insert into edge (kind, service_id, topic_id) select 2, id, %s from its returning id",
        world.topic,
    )
    return int(edge)


def test_what_is_more_than_one_look_takes_is_measured_at_the_next(
    world: SpanWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "SPANS_AT_ONCE", 1)
    for number in range(3):
        world.batch([Stored(world.consume, 0, span=number, op=3)], at=number)
    its = folder(30)
    for left in (2, 1, 0):
        its.step()
        assert rows("select count(*) from batch where not measured") == [(left,)]


def test_durations_reach_the_hour(world: SpanWorld) -> None:
    for minute in range(3):
        second = minute * 60
        world.batch(
            [
                Stored(world.produce, second, trace=minute + 1, span=1),
                Stored(world.consume, second + 1, trace=minute + 1, span=2, parent=1, op=3),
            ],
            at=second + 2,
        )
    folder(200).step()
    folder(300).step()
    assert rows("select n_wait, n from edge_1h where edge_id = %s", world.consume) == [(3, 3)]
    assert waits(world.consume, table="edge_1h") == pytest.approx([1000] * 3, rel=0.05)


def test_measuring_waits_until_both_sides_may_have_come(world: SpanWorld) -> None:
    world.batch([Stored(world.consume, 0, op=3)], at=0)
    assert measuring.measure(RollupLeaves(), now=AT + timedelta(seconds=14)) is False
    assert rows("select count(*) from batch where not measured") == [(1,)]


def folder(second: float) -> Folder:
    """A folder whose clock stands at AT + `second`."""
    return Folder(now=lambda: AT + timedelta(seconds=second))


def waits(edge: int, *, table: str = "edge_1m") -> list[float]:
    return _durations("wait", edge, table)


def processings(edge: int) -> list[float]:
    return _durations("processing", edge, "edge_1m")


def _durations(column: str, edge: int, table: str) -> list[float]:
    bodies = rows(f"select {column} from {table} where edge_id = %s and {column} is not null", edge)
    found = histograms.merged(histograms.decoded(bytes(body)) for (body,) in bodies)
    return [histograms.value_of(number) for number in sorted(found) for _ in range(found[number])]
