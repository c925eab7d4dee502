"""Ends that fell: the newest records of a topic are lost, or it is another topic."""

from collections.abc import Mapping
from typing import get_args

import pytest
from django.db import OperationalError
from django.test import Client

from collector.domain.brokers import TopicDescribed, Watermarks
from collector.store import samples
from dashboard.api.schemas import MarkItem
from dashboard.queries.marks import KINDS
from tests.integration.people import bearer, person, token_of
from tests.integration.span_world import rows
from tests.integration.test_sampling import Watched

CUTS = "select t.name, m.before, m.after from change_mark m join topic t on t.id = m.topic_id where m.kind = 8"
MARK = """
insert into change_mark (at, kind, cluster_id, topic_id, before, after)
select now(), 8, t.cluster_id, t.id, '60', '2' from topic t where name = 'orders' returning topic_id
"""


@pytest.fixture
def full(clean_tables: None) -> Watched:
    """500 and 90 records on two partitions."""
    watched = Watched()
    watched.broker.create_topic("orders", 2)
    watched.broker.produce("orders", 0, 500)
    watched.broker.produce("orders", 1, 90)
    watched.scan(2)
    return watched


def set_ends(watched: Watched, *ends: int | None) -> None:
    watched.broker.topics["orders"].high[:] = ends


def create_again(watched: Watched) -> None:
    watched.broker.delete_topic("orders")
    watched.broker.create_topic("orders", 2)
    watched.broker.produce("orders", 0, 3)


def create_again_amid_the_next_scan(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the question for ends and that for ids, in a scan that asks for all ids."""
    ends = watched.broker.watermarks

    def early(leaders: Mapping[str, tuple[int | None, ...]]) -> dict[str, Watermarks]:
        found = ends(leaders)
        monkeypatch.undo()
        create_again(watched)
        return found

    watched.second += 60
    monkeypatch.setattr(watched.broker, "watermarks", early)


def test_it_is_marked_when_the_next_scan_has_told_that_the_topic_is_the_same(full: Watched) -> None:
    set_ends(full, 450, 80)
    full.scan()
    assert rows(CUTS) == []
    full.scan()
    assert rows(CUTS) == [("orders", "60", "2")]
    full.scan(40)
    assert rows(CUTS) == [("orders", "60", "2")]


def test_a_partition_that_did_not_answer_meanwhile_is_compared_with_what_it_had(full: Watched) -> None:
    set_ends(full, None, 90)
    full.scan(3)
    set_ends(full, 450, 90)
    full.scan(2)
    assert rows(CUTS) == [("orders", "50", "1")]


def test_partitions_that_come_back_one_by_one_are_a_mark_each(full: Watched) -> None:
    set_ends(full, 450, 90)
    full.scan()
    set_ends(full, 450, 80)
    full.scan(2)
    assert sorted(rows(CUTS)) == [("orders", "10", "1"), ("orders", "50", "1")]


def test_a_topic_that_was_created_again_was_not_cut(full: Watched) -> None:
    create_again(full)
    full.scan(3)
    assert rows("select kind from change_mark") == [(2,)]


def test_nor_was_one_whose_first_ends_were_those_of_the_one_before(
    full: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_again_amid_the_next_scan(full, monkeypatch)
    full.scan(3)
    assert rows("select kind from change_mark") == [(2,)]


def test_nor_if_a_partition_of_it_answers_later_still(full: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    create_again_amid_the_next_scan(full, monkeypatch)
    full.scan()
    for leaderless in ((None, None), (3, None)):
        set_ends(full, *leaderless)
        full.scan(2)
    set_ends(full, 3, 0)
    full.scan(3)
    assert rows("select kind from change_mark") == [(2,)]


def test_a_scan_that_could_not_be_stored_takes_nothing_along(full: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_all: object, **_more: object) -> None:
        raise OperationalError("away")

    set_ends(full, 450, 90)
    full.scan()
    monkeypatch.setattr(samples, "add_scan", fails)
    with pytest.raises(OperationalError):
        full.scan()
    monkeypatch.undo()
    full.scan()
    assert rows(CUTS) == [("orders", "50", "1")]


def test_an_id_that_is_told_late_is_waited_for(full: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_names: object) -> dict[str, TopicDescribed]:
        return {}

    monkeypatch.setattr(full.broker, "describe_topics", nothing)
    set_ends(full, 450, 90)
    full.scan(3)
    assert rows(CUTS) == []
    monkeypatch.undo()
    full.scan()
    assert rows(CUTS) == [("orders", "50", "1")]


def test_a_sampler_that_starts_again_still_finds_it(full: Watched) -> None:
    set_ends(full, 450, 90)
    full.sampler = full.started()
    full.scan(2)
    assert rows(CUTS) == [("orders", "50", "1")]


def test_the_api_tells_every_kind_of_change(full: Watched) -> None:
    assert set(get_args(MarkItem.model_fields["kind"].annotation)) == {*KINDS.values(), "other"}
    rows(MARK)
    headers = bearer(token_of(person("vera", "viewer"), "read"))
    answer = Client().get("/api/v1/topics/demo/orders", headers=headers).json()
    assert [(each["kind"], each["sentence"]) for each in answer["marks"]] == [
        ("cut", "the end of orders fell by 60 offsets on 2 partitions")
    ]
