"""Leaves are made ahead, closed with their repeats taken out, and dropped when they are too old."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, connections
from django.db.backends.utils import CursorWrapper
from pytest_django import Settings

from collector.folding import fold
from collector.folding.folder import Folder
from collector.store import closing, repeats
from collector.store.closing import Leaf
from collector.store.partitions import MOST_LEAVES, N_AHEAD, RAW_TABLES, TABLES, Leaves, bounds, make
from tests.integration.intake_world import World, rows, sends, stored_ids
from tests.integration.own_leaves import own_leaves

NOW = datetime(2026, 11, 24, 20, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)

__all__ = ["own_leaves"]
pytestmark = pytest.mark.usefixtures("own_leaves")


def leaves(table: str) -> list[tuple[object, ...]]:
    return rows("select starts_at, ends_at, state from raw_partition where table_name = %s order by 1", table)


def test_leaves_are_made_for_now_and_two_ahead_without_gaps() -> None:
    Leaves().ensure_ahead(NOW)
    for table, spec in TABLES.items():
        found = leaves(table)
        assert len(found) == N_AHEAD + 1
        assert found[0][0] <= NOW < found[0][1]  # type: ignore[operator]
        assert [each[1] for each in found[:-1]] == [each[0] for each in found[1:]]
        assert found[0][1] - found[0][0] == spec.length_for(spec.kept)  # type: ignore[operator]


def test_a_look_up_never_has_to_probe_more_than_32_leaves_of_what_is_kept() -> None:
    for spec in TABLES.values():
        assert spec.kept / spec.length_for(spec.kept) <= MOST_LEAVES


def test_a_leaf_has_the_indexes_of_its_table_and_no_vacuum_while_it_is_open() -> None:
    make("span", NOW)
    ((leaf,),) = rows("select leaf from raw_partition")
    assert rows("select count(*)::int from pg_index where indrelid = %s::regclass", leaf) == [(4,)]
    assert rows("select reloptions from pg_class where oid = %s::regclass", leaf) == [(["autovacuum_enabled=false"],)]


def test_many_makers_at_once_make_one() -> None:
    found = []

    def work() -> None:
        found.append(make("span", NOW))
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4
    assert len(set(found)) == 1
    assert len(leaves("span")) == 1


def test_a_changed_length_makes_leaves_that_fill_the_gap_and_overlap_nothing(settings: Settings) -> None:
    settings.WEIR_KEEP_RAW = timedelta(days=1)
    assert make("span", NOW) == (NOW - HOUR / 2, NOW + HOUR / 2)
    settings.WEIR_KEEP_RAW = timedelta(days=7)
    assert make("span", NOW + HOUR) == (NOW + HOUR / 2, datetime(2026, 11, 25, tzinfo=UTC))
    assert make("span", NOW - HOUR) == (datetime(2026, 11, 24, 12, tzinfo=UTC), NOW - HOUR / 2)


def test_bounds_are_whole_multiples_cut_by_their_neighbours() -> None:
    at = datetime(2026, 11, 24, 20, 40, tzinfo=UTC)
    assert bounds(at, length=HOUR, there=[]) == (at.replace(minute=0), at.replace(minute=0) + HOUR)
    neighbour = (at - 2 * HOUR, at.replace(minute=30))
    assert bounds(at, length=HOUR, there=[neighbour])[0] == at.replace(minute=30)


def test_without_a_leaf_no_row_is_taken_and_whoever_saves_makes_it() -> None:
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(
            "insert into edge_10s (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence)"
            " values (%s, 0, 0, 0, 0, 0, 0)",
            [NOW],
        )
    world = World()
    world.send(sends(1))
    world.take(world.collector())
    assert stored_ids() == [1]
    assert {table for (table,) in rows("select distinct table_name from raw_partition")} == set(RAW_TABLES)


def test_closing_takes_repeats_out_of_the_spans_and_off_the_rollups() -> None:
    world = World()
    world.clock.at = NOW
    collector = world.collector()
    for body in (sends(1, 2, 3), sends(2, 3, 4), sends(2)):  # the same spans, batched anew by a pipeline
        world.send(body)
        world.take(collector)
    assert stored_ids() == [1, 2, 2, 2, 3, 3, 4]
    fold_all(NOW)
    assert rows("select sum(n)::int, sum(n_spans)::int, sum(duration_ms_sum)::int from edge_10s") == [(7, 7, 14)]
    end = NOW + timedelta(hours=13)
    closed = closing.close_full(end)
    assert {leaf.table for leaf in closed} == set(RAW_TABLES)
    assert stored_ids() == [1, 2, 3, 4]
    assert rows("select sum(n)::int, sum(n_spans)::int, sum(duration_ms_sum)::int from edge_10s") == [(4, 4, 8)]
    assert rows("select n_repeated::int from fold_state") == [(3,)]
    assert rows(
        "select state, n_rows::int, min_started_at = max_started_at from raw_partition where table_name = 'span'"
    ) == [(1, 4, True)]
    assert closing.close_full(end) == []


def test_a_repeat_in_the_next_leaf_is_taken_out_where_it_came_soon_after_the_first() -> None:
    world, midnight = World(), datetime(2026, 11, 25, tzinfo=UTC)
    collector = world.collector()
    for minutes, body in ((-2, sends(1, 2, 3)), (2, sends(2, 3, 4)), (4, sends(3)), (6, sends(1, 5))):
        world.clock.at = midnight + timedelta(minutes=minutes)
        world.send(body)
        world.take(collector)
    assert stored_ids() == [1, 1, 2, 2, 3, 3, 3, 4, 5]
    end = midnight + timedelta(hours=13)
    fold_all(end)
    closing.close_full(end)
    assert stored_ids() == [1, 1, 2, 3, 4, 5]  # the first again after six minutes: by then nobody sends again
    assert rows("select sum(n)::int, sum(n_spans)::int from edge_10s") == [(6, 6)]
    assert rows("select n_repeated::int from fold_state") == [(3,)]


def test_a_leaf_is_closed_although_the_one_before_cannot_be_searched_in_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world, midnight = World(), datetime(2026, 11, 25, tzinfo=UTC)
    collector = world.collector()
    for minutes, body in ((-2, sends(1)), (2, sends(1, 2, 2))):
        world.clock.at = midnight + timedelta(minutes=minutes)
        world.send(body)
        world.take(collector)
    end = midnight + timedelta(hours=13)
    fold_all(end)
    before = rows("show statement_timeout")
    monkeypatch.setattr(repeats, "BORDER_SECONDS", 1)
    monkeypatch.setattr(repeats, "_BORDER", "select pg_sleep(100)::text")
    closing.close_full(end)
    assert rows("show statement_timeout") == before
    assert stored_ids() == [1, 1, 2]
    assert "stay counted twice" in caplog.text


def test_a_repeat_of_a_sampled_span_stands_for_nothing_more() -> None:
    world = World()
    world.clock.at = NOW
    collector = world.collector()
    for body in (sends(1, 2, 3, tracestate="ot=th:c"), sends(2, tracestate="ot=th:c"), sends(4)):
        world.send(body)
        world.take(collector)
    fold_all(NOW)
    told = "select sum(n)::int, sum(sample_weight)::float8 from {}"
    assert rows(told.format("edge_10s")) == [(5, 12.0)]  # one in four was kept: 3 more for each of four
    closing.close_full(NOW + timedelta(hours=13))
    Folder(now=lambda: NOW + timedelta(hours=13)).step()
    for table in ("edge_10s", "edge_1m", "edge_1h"):
        ((n, more),) = rows(told.format(table))
        assert (n, more) == (4, pytest.approx(9.6)), table  # the cell's share: which of them was one more is not kept


def test_repeats_are_taken_off_minutes_whose_ten_seconds_went_for_the_budget() -> None:
    world = World()
    world.clock.at = NOW
    collector = world.collector()
    for body in (sends(1, 2), sends(2, 3)):
        world.send(body)
        world.take(collector)
    fold_all(NOW)
    ((table, leaf),) = rows(
        "select table_name, leaf from raw_partition where table_name = 'edge_10s' and starts_at <= %s and ends_at > %s",
        NOW,
        NOW,
    )
    closing.drop(Leaf(str(table), str(leaf)))
    closing.close_full(NOW + timedelta(hours=13))
    Folder(now=lambda: NOW + timedelta(hours=13)).step()
    assert rows("select sum(n)::int, sum(n_spans)::int from edge_1m") == [(3, 3)]
    assert rows("select sum(n)::int, sum(n_spans)::int from edge_1h") == [(3, 3)]


def test_a_leaf_that_cannot_be_closed_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in (0, 24):
        make("span", NOW + hours * HOUR)
    note_bounds = closing._note_bounds

    def failing(cursor: CursorWrapper, leaf: Leaf) -> None:
        note_bounds(cursor, leaf)
        if leaf.name.startswith("span_20261124"):
            cursor.execute("select 1 / 0")

    monkeypatch.setattr(closing, "_note_bounds", failing)
    with pytest.raises(DataError, match="division by zero"):
        closing.close_full(NOW + 48 * HOUR)
    assert [state for _, _, state in leaves("span")] == [0, 1]


def test_a_vacuum_that_was_cancelled_is_tried_again_until_it_comes_to_its_end() -> None:
    world = World()
    world.clock.at = NOW
    world.send(sends(1, 2, 3))
    world.take(world.collector())
    fold_all(NOW)
    end, vacuums, is_cancelled = NOW + timedelta(hours=13), list[str](), True

    def watched(execute: Any, statement: Any, *rest: Any) -> Any:
        if "vacuum (freeze" in str(statement):
            vacuums.append(str(statement))
            if is_cancelled:
                raise OperationalError("canceling statement due to statement timeout")
        return execute(statement, *rest)

    before = rows("show statement_timeout")
    with connection.execute_wrapper(watched):
        with pytest.raises(OperationalError):
            closing.close_full(end)
        assert {state for _, _, state in leaves("span")} == {1}
        filled, is_cancelled = list(vacuums), False
        vacuums.clear()
        assert closing.close_full(end) == []
        assert vacuums == filled
        until = time.monotonic() + 30
        while vacuums:  # once more where somebody, autovacuum too, still looked at what was before those rows
            assert time.monotonic() < until
            vacuums.clear()
            closing.close_full(end)
    assert len(filled) > 1  # the span's, and that of its attributes
    assert rows("show statement_timeout") == before


def test_a_leaf_whose_rows_an_old_snapshot_does_not_see_is_vacuumed_once() -> None:
    other, vacuums = connection.copy(), list[str]()
    try:
        with other.cursor() as cursor:
            cursor.execute("begin isolation level repeatable read")
            cursor.execute("select count(*) from span")
            world = World()
            world.clock.at = NOW
            world.send(sends(1, 2, 3))
            world.take(world.collector())
            fold_all(NOW)

            def watched(execute: Any, statement: Any, *rest: Any) -> Any:
                if "vacuum (freeze" in str(statement):
                    vacuums.append(str(statement))
                return execute(statement, *rest)

            with connection.execute_wrapper(watched):
                closing.close_full(NOW + timedelta(hours=13))
                assert len(vacuums) > 1
                vacuums.clear()
                closing.close_full(NOW + timedelta(hours=13))
            assert vacuums == []
            cursor.execute("rollback")
    finally:
        other.close()


def test_a_leaf_waits_for_its_batches_to_be_folded() -> None:
    world = World()
    world.clock.at = NOW
    world.send(sends(1))
    world.take(world.collector())
    end = NOW + timedelta(hours=13)
    assert "span" not in {leaf.table for leaf in closing.close_full(end)}
    fold_all(end)
    assert "span" in {leaf.table for leaf in closing.close_full(end)}


def test_what_is_older_than_its_retention_is_dropped_and_the_rest_stays() -> None:
    Leaves().ensure_ahead(NOW)
    old = {table: make(table, NOW - spec.kept - 2 * spec.length_for(spec.kept)) for table, spec in TABLES.items()}
    dropped = closing.drop_expired(NOW).gone
    assert {leaf.table for each in dropped for leaf in each.leaves} == set(old)
    for table, its in old.items():
        assert its not in {each[:2] for each in leaves(table)}
        assert len(leaves(table)) == N_AHEAD + 1
    assert rows("select count(*)::int from pg_class where relname like 'span_2%%' and relkind = 'r'") == [
        (N_AHEAD + 1,)
    ]


def test_a_detach_that_was_interrupted_is_finished_by_the_next_run() -> None:
    starts, _ = make("span", NOW - timedelta(days=30))
    ((leaf,),) = rows("select leaf from raw_partition")
    with connection.cursor() as cursor:
        cursor.execute(f"alter table span detach partition {leaf}")
        cursor.execute("update raw_partition set state = 2")
    assert [each.name for gone in closing.drop_expired(NOW).gone for each in gone.leaves] == [leaf]
    assert rows("select to_regclass(%s) is null", leaf) == [(True,)]
    assert starts < NOW


def test_old_requests_and_ledger_rows_go_and_unfolded_ones_stay() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into seen_request values (%s, %s), (%s, %s)", [UUID(int=1), NOW - 2 * HOUR, UUID(int=2), NOW]
        )
        world = World()
        cursor.execute(
            "insert into batch (stored_at, input_id, n_spans, n_links, folded, measured) values"
            " (%(old)s, %(input)s, 1, 0, true, true), (%(older)s, %(input)s, 1, 0, false, false),"
            " (%(now)s, %(input)s, 1, 0, true, true)",
            {"old": NOW - 25 * HOUR, "older": NOW - 26 * HOUR, "now": NOW, "input": world.input_id},
        )
    closing.forget_old(NOW)
    assert rows("select digest from seen_request") == [(UUID(int=2),)]
    assert rows("select stored_at from batch order by 1") == [(NOW - 26 * HOUR,), (NOW,)]


def test_requests_stay_while_a_partition_of_the_spool_that_may_hold_their_copies_is_read_late() -> None:
    world = World()
    with connection.cursor() as cursor:
        for n, hours in enumerate((1.5, 2.5, 5, 25)):
            cursor.execute("insert into seen_request values (%s, %s)", [UUID(int=n), NOW - hours * HOUR])
        cursor.execute("update input set kind = 1 where id = %s", [world.input_id])
        for number, hours in enumerate((0, 2, 30)):  # the last is of a spool that is no more
            cursor.execute(
                "insert into intake_position (input_id, topic_uuid, partition, next_offset, stored_at)"
                " values (%s, %s, %s, 1, %s)",
                [world.input_id, UUID(int=0), number, NOW - hours * HOUR],
            )
    closing.forget_old(NOW)
    assert rows("select digest from seen_request order by 1") == [(UUID(int=0),), (UUID(int=1),)]


def test_what_groups_did_goes_with_its_samples_and_what_people_changed_stays() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into change_mark (at, kind) select at, kind from unnest(%s::timestamptz[]) at,"
            " generate_series(1, 7) kind",
            [[NOW - timedelta(days=29), NOW - timedelta(days=31)]],
        )
    closing.forget_old(NOW)
    kinds = "select array_agg(kind::int order by kind) from change_mark where at {} %s"
    assert rows(kinds.format(">"), NOW - timedelta(days=30)) == [([1, 2, 3, 4, 5, 6, 7],)]
    assert rows(kinds.format("<"), NOW - timedelta(days=30)) == [([1, 2, 3, 4],)]


def fold_all(now: datetime) -> None:
    made = fold.RollupLeaves()
    while True:
        try:
            if not fold.fold(made, now=now).is_full:
                return
        except fold.MissingLeaves as missing:
            made.make(missing, now=now)
