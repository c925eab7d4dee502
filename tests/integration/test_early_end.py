"""An open leaf that takes too much of the disk budget ends early, while rows come in, whoever dies meanwhile."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection
from pytest_django import Settings

from collector import clock
from collector.store import early_end, partitions
from collector.store.connection import StoreAway
from collector.store.early_end import end_early
from collector.store.leadership import Lead
from collector.store.partitions import RAW_TABLES, attached, make
from tests.integration.intake_world import NOW as AT
from tests.integration.intake_world import World, rows, sends, stored_ids
from tests.integration.own_leaves import own_leaves

__all__ = ["own_leaves"]
pytestmark = pytest.mark.usefixtures("own_leaves")

NOW = datetime(2026, 11, 24, 20, 36, tzinfo=UTC)
NOON, MIDNIGHT = datetime(2026, 11, 24, 12, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)
END = datetime(2026, 11, 24, 20, 45, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FULL, ROOMY = 1_000, 10**12  # bytes


def stored(at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into span (trace_id, span_id, started_at, stored_at, duration_ms, source_id, name_id, attrs_id,"
            " n_messages, kind, status, op) select gen_random_uuid(), 1, %(at)s, %(at)s, 1, 0, 0, 0, 0, 1, 0, 0",
            {"at": at},
        )


def span_leaves() -> list[tuple[datetime, datetime]]:
    """Of Postgres' catalogue, which agree with Weir's list."""
    with connection.cursor() as cursor:
        found = sorted(attached(cursor, "span"))
    assert found == rows("select starts_at, ends_at from raw_partition where table_name = 'span' order by 1")
    return found


def checks() -> list[tuple[object, ...]]:
    return rows("select conname from pg_constraint where conname like 'ends_%%'")


def test_one_that_takes_too_much_of_the_budget_ends_at_the_next_quarter_and_rows_go_on_coming() -> None:
    for table in RAW_TABLES:
        make(table, NOW)
    stored(NOW)
    assert {leaf.table for leaf in end_early(NOW, budget_bytes=FULL)} == set(RAW_TABLES)
    assert span_leaves() == [(NOON, END)]
    make("span", END)
    assert span_leaves() == [(NOON, END), (END, MIDNIGHT)]
    for at in (NOW + MINUTE, END):
        stored(at)
    assert rows("select stored_at from span order by 1") == [(NOW,), (NOW + MINUTE,), (END,)]
    assert checks() == []
    assert end_early(NOW + MINUTE, budget_bytes=FULL) == []


def test_one_that_has_room_stays_as_long_as_it_is() -> None:
    make("span", NOW)
    stored(NOW)
    assert end_early(NOW, budget_bytes=ROOMY) == []
    assert span_leaves() == [(NOON, MIDNIGHT)]


@pytest.mark.parametrize(
    ("found_at", "end"), [(NOW + MINUTE, END), (END - MINUTE / 2, MIDNIGHT)], ids=["goes on with it", "takes it back"]
)
def test_a_run_that_died_half_way_is_mended_by_the_next(found_at: datetime, end: datetime) -> None:
    make("span", NOW)
    with connection.cursor() as cursor:
        cursor.execute(
            "alter table span_20261124_1200 add constraint ends_20261124_2045"
            " check (stored_at >= '2026-11-24 12:00+00' and stored_at < '2026-11-24 20:45+00') not valid"
        )
    end_early(found_at, budget_bytes=ROOMY)
    assert span_leaves() == [(NOON, end)]
    assert checks() == []


def test_one_that_a_query_holds_ends_at_the_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_end, "LOCK_TIMEOUT", "50ms")
    make("span", NOW)
    stored(NOW)
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as reader:
        reader.execute("select from span")
        assert end_early(NOW, budget_bytes=FULL) == []
        assert span_leaves() == [(NOON, MIDNIGHT)]
    assert [leaf.table for leaf in end_early(NOW + MINUTE, budget_bytes=FULL)] == ["span"]
    assert span_leaves() == [(NOON, END)]


def test_under_a_budget_the_first_leaves_are_short_and_later_ones_as_long_as_it_allows(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEIR_DISK_BUDGET = 10**9
    assert make("span", NOW) == (END - 15 * MINUTE, END)
    with connection.cursor() as cursor:  # a megabyte in its quarter of an hour: the budget holds ten days of it
        cursor.execute("update raw_partition set n_bytes = 1000000, state = 1")
    assert make("span", END) == (END, MIDNIGHT)
    monkeypatch.setattr(partitions, "_SOME_BYTES", 0)
    make("record", clock.now())  # open now, and full at once
    with connection.cursor() as cursor:
        cursor.execute(
            "update raw_partition set starts_at = now() - interval '1 ms' where n_bytes is null and starts_at < now()"
        )
    assert make("span", MIDNIGHT) == (MIDNIGHT, MIDNIGHT + 15 * MINUTE)


def test_what_a_leaf_refuses_that_nobody_ended_waits_and_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.send(sends(1))
    make("span", AT)
    with connection.cursor() as cursor:
        cursor.execute("select leaf from raw_partition where table_name = 'span'")
        cursor.execute(
            f"alter table {cursor.fetchone()[0]} add constraint ends_20261124_0000"
            " check (stored_at < '2026-11-24') not valid"
        )
    assert checks() == [("ends_20261124_0000",)]
    with pytest.raises(StoreAway):
        world.take(world.collector())
    assert stored_ids() == []
    end_early(AT, budget_bytes=None)
    world.take(world.collector())
    assert stored_ids() == [1]


def test_a_row_beyond_the_new_end_leaves_no_check_behind() -> None:
    make("span", NOW)
    stored(END + MINUTE)  # of a collector whose clock is ahead
    assert end_early(NOW, budget_bytes=FULL) == []
    assert (span_leaves(), checks()) == ([(NOON, MIDNIGHT)], [])


def test_two_runs_are_one_after_the_other() -> None:
    make("span", NOW)
    stored(NOW)
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        other.execute("select pg_advisory_lock(%s, 0)", [int(Lead.ENDING_LEAVES)])
        assert end_early(NOW, budget_bytes=FULL) == []
        other.execute("select pg_advisory_unlock(%s, 0)", [int(Lead.ENDING_LEAVES)])
    assert [leaf.table for leaf in end_early(NOW, budget_bytes=FULL)] == ["span"]
