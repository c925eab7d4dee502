"""Indexes of samples: those that became loose are made anew, beside everybody, and by one."""

import threading

import pytest
from django.db import connection

from collector.store import sample_indexes
from collector.store.leadership import Lead, locked
from tests.integration.span_world import rows

N_GROUPS, N_SCANS = 40, 360


def thinned() -> None:
    """An hour of scans of forty groups, of which the last of each minute stays, and nobody else."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into group_sample (sampled_at, topic_id, group_id, committed)"
            " select '2026-03-01 12:00Z'::timestamptz + s * interval '10 s', 1, g, '{1}'"
            " from generate_series(1, %s) s, generate_series(1, %s) g order by 1",
            [N_SCANS, N_GROUPS],
        )
        cursor.execute("delete from group_sample where extract(second from sampled_at) <> 0")
        cursor.execute("vacuum analyze group_sample")


def size(index: str) -> int:
    return int(rows(f"select pg_relation_size('{index}'::regclass)")[0][0])


@pytest.fixture(autouse=True)
def all_sizes(clean_tables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_indexes, "LEAST_BYTES", 0)
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze topic_sample")
        cursor.execute("reindex index topic_sample_at")


def test_an_index_that_became_loose_is_made_anew_once() -> None:
    thinned()
    before = size("group_sample_at")
    assert "group_sample_at" in sample_indexes.renew()
    after = size("group_sample_at")
    assert after < before / 3
    assert after <= sample_indexes.LOOSE * sample_indexes.ENTRY_BYTES * N_GROUPS * N_SCANS / 6
    assert "group_sample_at" not in sample_indexes.renew()
    assert rows("select count(*) from group_sample where topic_id = 1 and group_id = 7") == [(N_SCANS // 6,)]


def test_a_small_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    thinned()
    monkeypatch.setattr(sample_indexes, "LEAST_BYTES", size("group_sample_at"))
    assert "group_sample_at" not in sample_indexes.renew()


@pytest.mark.parametrize("name", ["group_sample_at_ccnew", "group_sample_at_ccold1"])
def test_what_was_broken_off_is_taken_away_although_nothing_is_loose(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_indexes, "LEAST_BYTES", 1024**3)
    with connection.cursor() as cursor:
        cursor.execute(f"create index {name} on group_sample (topic_id, group_id, sampled_at)")
    before = rows("show statement_timeout")
    assert sample_indexes.renew() == []
    assert rows("show statement_timeout") == before
    assert rows("select indexrelid::regclass::text from pg_index where indrelid = 'group_sample'::regclass") == [
        ("group_sample_at",)
    ]


def test_where_somebody_else_is_at_it_nothing_is_done() -> None:
    thinned()
    is_held, may_go = threading.Event(), threading.Event()

    def other() -> None:
        with locked(Lead.SAMPLE_INDEXES):
            is_held.set()
            may_go.wait(60)
        connection.close()

    beside = threading.Thread(target=other)
    beside.start()
    assert is_held.wait(60)
    try:
        assert sample_indexes.renew() == []
    finally:
        may_go.set()
        beside.join(60)
    assert "group_sample_at" in sample_indexes.renew()
