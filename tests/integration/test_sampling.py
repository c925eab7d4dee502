"""The sampler on a real database, looking at a cluster in memory."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection

from collector.config.readers import GroupOf, Reader, group_of
from collector.domain.brokers import GroupProtocol, Member
from collector.kafka.memory_metadata import MemoryMetadata
from collector.sampling.sampler import Sampler
from collector.store import broker_names, sample_chunks
from collector.store.broker_names import Mark
from collector.store.partitions import Leaves
from collector.store.sample_chunks import Kind
from dashboard.queries.offsets import group_progress, topic_progress
from dashboard.queries.window import Window
from tests.integration.packed_samples import points_of
from tests.integration.span_world import rows

pytestmark = pytest.mark.usefixtures("clean_tables")

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Watched:
    """A cluster, its sampler, and a clock that moves two seconds a scan."""

    def __init__(self) -> None:
        self.broker = MemoryMetadata()
        self.second = 0.0
        self.clock_error = 0.0
        with connection.cursor() as cursor:
            self.cluster_id = broker_names.cluster_row(cursor, "demo")
        self.sampler = self.started()

    def started(self, group_of: GroupOf = lambda _service, _topic: None) -> Sampler:
        """A new sampler process."""
        return Sampler(
            self.broker,
            records=self.broker,
            cluster_id=self.cluster_id,
            now=lambda: AT + timedelta(seconds=self.second + self.clock_error),
            monotonic=lambda: self.second,
            group_of=group_of,
        )

    def scan(self, times: int = 1, *, meanwhile: Callable[[], None] | None = None) -> str | None:
        """Scan; the reason of the last one that failed."""
        reason = None
        for _ in range(times):
            if meanwhile:
                meanwhile()
            self.second += 2
            reason = self.sampler.tick()
        return reason


def numbers() -> list[object]:
    """All offsets that pages show."""
    return [rows(f"select * from {table}") for table in ("topic_now", "group_now", "topic_sample", "group_sample")]


@pytest.fixture
def watched(clean_tables: None) -> Watched:
    found = Watched()
    found.broker.create_topic("orders", 2)
    return found


def test_a_second_name_of_the_same_cluster_sees_nothing_and_says_which_it_is(watched: Watched) -> None:
    watched.scan()
    with connection.cursor() as cursor:
        other = broker_names.cluster_row(cursor, "other")
    sampler = Sampler(watched.broker, records=watched.broker, cluster_id=other, now=lambda: AT + timedelta(seconds=10))
    said = "It is the same Kafka cluster as demo. Take one of the two out of the settings."
    assert [sampler.tick() for _ in range(2)] == [said, said]
    assert rows("select ok, reason from scan where cluster_id = %s", other) == [(False, said)]
    assert rows("select count(*) from topic where cluster_id = %s", other) == [(0,)]
    assert watched.scan() is None


def test_a_scan_brings_topics_groups_and_the_cluster_id(watched: Watched) -> None:
    watched.broker.create_topic("__consumer_offsets", 4)
    watched.broker.create_topic("weir.spool", 3)
    watched.broker.create_topic("orders.dlq", 1)
    watched.broker.hidden["sink"] = GroupProtocol.CONNECT
    watched.broker.commit("weir-collector", "weir.spool", {0: 1})
    watched.broker.join("billing", Member("m1", "billing-1", "10.0.0.1", (("orders", 0), ("orders", 1))))
    assert watched.scan() is None
    assert rows("select name, role, n_partitions from topic where id > 0 order by 1") == [
        ("__consumer_offsets", 3, 4),
        ("orders", 0, 2),
        ("orders.dlq", 1, 1),
        ("weir.spool", 3, 3),
    ]
    assert rows("select kafka_cluster_id from cluster where name = 'demo'") == [("memory",)]
    assert rows("select name, protocol, state from consumer_group where id > 0 order by 1") == [
        ("billing", 1, "Stable"),
        ("sink", 4, "Hidden"),
    ]
    assert rows("select client_id, host, assignment from group_member") == [
        ("billing-1", "10.0.0.1", '[["orders", 0], ["orders", 1]]')
    ]
    assert rows("select ok, n_topics, n_groups from scan") == [(True, 4, 1)]
    assert rows("select count(*) from topic_now") == [(2,)]  # none of Kafka's own, none of Weir's


def test_only_what_changed_is_written_and_the_end_of_every_flat_run(watched: Watched) -> None:
    watched.scan(5)
    watched.broker.produce("orders", 1, 7)
    watched.scan(3)
    assert rows(
        "select extract(epoch from sampled_at - '2026-03-01 12:00Z')::int, high from topic_sample order by 1"
    ) == [
        (2, [0, 0]),
        (10, [0, 0]),
        (12, [0, 7]),
    ]


def test_the_end_of_a_flat_run_is_known_across_a_restart(watched: Watched) -> None:
    watched.scan(5)
    watched.sampler = watched.started()
    watched.broker.produce("orders", 1, 7)
    watched.scan()
    assert rows("select extract(epoch from sampled_at - '2026-03-01 12:00Z')::int from topic_sample order by 1") == [
        (2,),
        (10,),
        (12,),
    ]


def test_lag_in_offsets_and_seconds(watched: Watched) -> None:
    def write() -> None:
        watched.broker.produce("orders", 0, 20)

    watched.broker.commit("billing", "orders", {0: 0})
    watched.scan(10, meanwhile=write)
    watched.broker.commit("billing", "orders", {0: 100})
    watched.scan()
    ((lag, lost, uncommitted, seconds, margin, moved),) = rows(
        "select lag, lost, n_uncommitted, lag_seconds, lag_seconds_margin, moved_at from group_now"
    )
    assert (lag, lost, uncommitted) == (100, 0, 0)  # nothing was ever written to the other partition
    assert seconds == pytest.approx(12, abs=0.3)
    assert margin <= 2
    assert moved == AT + timedelta(seconds=22)


def test_the_age_of_a_lag_survives_a_restart(watched: Watched) -> None:
    watched.broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    watched.broker.produce("orders", 0, 5)
    watched.scan(30)
    watched.sampler = watched.started()
    watched.scan()
    assert rows("select lag from group_now") == [(5,)]
    assert rows("select lag_seconds from group_now")[0][0] == pytest.approx(61, abs=1.1)


def test_the_age_of_a_lag_survives_a_restart_when_its_samples_are_swept(watched: Watched) -> None:
    """Of the minute in which a silence ended the first sample stays, too: else the silence would be a slow trickle."""
    broker = watched.broker
    broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    broker.produce("orders", 0, 10)
    broker.commit("billing", "orders", {0: 10, 1: 0})
    watched.scan()

    def minutes(n: int) -> None:
        for _ in range(n):
            watched.second += 58
            watched.scan()

    minutes(40)
    watched.second += 20
    broker.produce("orders", 0, 5)
    watched.scan()
    written = watched.second
    broker.produce("orders", 0, 5)
    watched.scan()
    minutes(130)
    assert sample_chunks.pack_old(Leaves(), now=AT + timedelta(seconds=watched.second)) == 1
    assert rows("select count(*) from topic_sample") == [(4,)]
    assert sample_chunks.pack_old(Leaves(), now=AT + timedelta(seconds=watched.second)) == 0
    watched.sampler = watched.started()
    watched.scan()
    assert rows("select lag_seconds from group_now")[0][0] == pytest.approx(watched.second - written, abs=30)


def test_a_cluster_that_is_away_is_a_failed_scan_and_changes_no_number(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 5)
    watched.broker.commit("billing", "orders", {0: 2})
    watched.scan(2)
    before = numbers()
    watched.broker.is_away = True
    assert watched.scan(3) is not None
    assert numbers() == before
    assert rows("select ok, reason <> '' from scan order by sampled_at") == [(True, False)] * 2 + [(False, True)] * 3
    watched.broker.is_away = False
    watched.broker.produce("orders", 0, 1)
    assert watched.scan() is None
    assert rows("select high from topic_now") == [([6, 0],)]


def test_a_partition_that_does_not_answer_makes_the_lag_unknown_not_smaller(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 5)
    watched.broker.commit("billing", "orders", {0: 2, 1: 0})
    watched.scan()
    watched.broker.topics["orders"].high[1] = None
    watched.scan()
    assert rows("select high from topic_now") == [([5, None],)]
    assert rows("select lag, lag_seconds from group_now") == [(None, None)]


def test_a_topic_that_was_created_again_is_another_row_at_once_when_its_end_fell(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 50)
    watched.broker.commit("billing", "orders", {0: 50})
    watched.scan(2)
    watched.broker.delete_topic("orders")
    watched.broker.create_topic("orders", 2)
    watched.broker.produce("orders", 0, 3)
    watched.scan()
    ids = rows("select id, deleted_at is null from topic where name = 'orders' order by id")
    assert [living for _, living in ids] == [False, True]
    assert rows("select topic_id, high from topic_now") == [(ids[1][0], [3, 0])]
    assert rows("select kind, topic_id from change_mark") == [(2, ids[1][0])]
    assert rows("select count(*) from group_now") == [(0,)]


def test_a_topic_created_again_whose_end_is_already_higher_is_found_by_the_slow_scan(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 3)
    watched.scan()
    watched.broker.create_topic("orders", 2)
    watched.broker.produce("orders", 0, 9)
    watched.scan(31)
    assert rows("select count(*) from topic where name = 'orders'") == [(2,)]


def test_a_clock_that_was_set_back_delays_no_slow_scan(watched: Watched) -> None:
    watched.scan()
    watched.second -= 7_200
    watched.broker.topics["orders"].configs["cleanup.policy"] = "compact"
    watched.scan()
    assert rows("select configs ->> 'cleanup.policy' from topic where name = 'orders'") == [("compact",)]


def test_a_topic_that_was_out_of_sight_for_a_while_is_the_same_topic(watched: Watched) -> None:
    """A right that is taken away and given again hides topics; their ids stay."""
    watched.scan(2)
    hidden = watched.broker.topics.pop("orders")
    watched.scan(2)
    watched.broker.topics["orders"] = hidden
    assert watched.scan(2) is None
    assert rows("select deleted_at, kafka_id from topic where name = 'orders'") == [(None, hidden.kafka_id)]


def test_a_topic_out_of_sight_that_spans_named_meanwhile_is_known_again(watched: Watched) -> None:
    watched.scan(2)
    hidden = watched.broker.topics.pop("orders")
    watched.scan(2)
    rows("insert into topic (cluster_id, name) values (%s, 'orders') returning id", watched.cluster_id)
    watched.broker.topics["orders"] = hidden
    assert watched.scan(2) is None
    assert rows("select kafka_id from topic where name = 'orders' and deleted_at is null") == [(hidden.kafka_id,)]


def test_a_deleted_topic_ends_and_its_numbers_go(watched: Watched) -> None:
    watched.broker.commit("billing", "orders", {0: 0})
    watched.scan()
    watched.broker.delete_topic("orders")
    watched.scan()
    assert rows("select deleted_at is not null from topic where name = 'orders'") == [(True,)]
    assert rows("select (select count(*) from topic_now), (select count(*) from group_now)") == [(0, 0)]


def test_a_row_that_spans_made_gets_the_kafka_id(watched: Watched) -> None:
    ((topic_id,),) = rows("insert into topic (cluster_id, name) values (%s, 'orders') returning id", watched.cluster_id)
    rows("insert into topic (cluster_id, name) values (%s, 'elsewhere') returning id", watched.cluster_id)
    watched.scan()
    assert rows("select id, kafka_id from topic where name = 'orders'") == [
        (topic_id, watched.broker.topics["orders"].kafka_id)
    ]
    assert rows("select deleted_at from topic where name = 'elsewhere'") == [(None,)]


def test_more_partitions_and_other_settings_leave_marks(watched: Watched) -> None:
    watched.scan()
    watched.broker.topics["orders"].high.append(0)
    watched.broker.topics["orders"].low.append(0)
    watched.broker.topics["orders"].configs["cleanup.policy"] = "compact"
    watched.scan(31)
    assert rows("select kind, before, after from change_mark order by kind") == [
        (3, "2", "3"),
        (4, '{"cleanup.policy": "delete"}', '{"cleanup.policy": "compact"}'),
    ]
    assert rows("select high from topic_now") == [([0, 0, 0],)]


def test_a_rewind_leaves_a_mark_and_is_the_verdict(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 50)
    watched.broker.commit("billing", "orders", {0: 50, 1: 0})
    watched.scan()
    watched.broker.commit("billing", "orders", {0: 20})
    watched.scan()
    assert rows("select kind, before, after from change_mark") == [(5, '{"0": 50}', '{"0": 20}')]
    assert rows("select verdict, lag from group_now") == [("REWOUND", 30)]


def test_a_sampler_that_starts_again_still_knows_of_a_rewind(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 100)
    watched.broker.commit("billing", "orders", {0: 90, 1: 0})
    watched.scan(3)
    watched.broker.commit("billing", "orders", {0: 20})
    watched.scan(2)
    found = rows("select verdict, verdict_at, n_judged from group_now")
    assert found[0][0] == "REWOUND"
    watched.sampler = watched.started()
    watched.scan(3)
    assert rows("select verdict, verdict_at, n_judged from group_now") == found
    watched.scan(70)
    assert rows("select verdict from group_now") == [("STOPPED",)]  # it is long ago, and nothing was read since


def test_an_error_of_one_partition_makes_the_lag_unknown_and_is_no_missing_commit(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 100)
    watched.broker.produce("orders", 1, 10)
    watched.broker.commit("billing", "orders", {0: 90, 1: 10})
    watched.scan(20)
    assert rows("select lag, n_uncommitted, verdict from group_now") == [(10, 0, "STOPPED")]
    watched.broker.commit("billing", "orders", {0: None})
    watched.scan(2)
    assert rows("select committed, lag, lag_seconds, n_uncommitted from group_now") == [([90, 10], None, None, 0)]
    watched.broker.commit("billing", "orders", {0: 100})
    watched.scan()
    assert rows("select committed, lag from group_now") == [([100, 10], 0)]
    assert rows("select committed from group_sample order by sampled_at") == [([90, 10],), ([90, 10],), ([100, 10],)]
    assert rows("select count(*) from change_mark where kind = %s", int(Mark.REWIND)) == [(0,)]
    watched.broker.commit("late", "orders", {0: None, 1: 3})
    watched.scan()
    assert rows("select count(*) from group_now") == [(1,)]  # until it is known where it is
    watched.broker.commit("late", "orders", {0: 7})
    watched.scan()
    assert rows("select committed from group_now order by lag") == [([100, 10],), ([7, 3],)]


def test_a_record_of_the_future_has_no_age(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 10)
    watched.broker.topics["orders"].written_at[0, 4] = AT.timestamp() + 60
    watched.broker.commit("billing", "orders", {0: 4, 1: 0})
    watched.scan(10)
    assert rows("select lag, lag_seconds from group_now") == [(6, None)]
    watched.scan(40)
    assert rows("select lag, lag_seconds, lag_seconds_from_record from group_now") == [(6, 40, True)]


def test_a_topic_that_may_be_seen_from_now_on_is_no_new_one(watched: Watched) -> None:
    """Its records would be a spike, and be counted as written and read since."""
    watched.scan(2)
    reads = watched.broker.first_unread
    watched.broker.first_unread = lambda positions: {  # type: ignore[method-assign]
        place: first for place, first in reads(positions).items() if place.topic != "mute"
    }
    for name in ("cut", "old", "new", "mute"):
        watched.broker.create_topic(name, 1)
        watched.broker.produce(name, 0, 900)
        watched.broker.commit("billing", name, {0: 800})
    watched.broker.topics["cut"].low[0] = 100
    watched.broker.topics["old"].written_at[0, 0] = AT.timestamp() - 3600
    watched.broker.topics["new"].written_at[0, 0] = AT.timestamp() + watched.second
    watched.scan(2)
    at = AT + timedelta(seconds=watched.second)
    window = Window(AT, at, live=True)
    names = dict(rows("select id, name from topic where name in ('cut', 'old', 'new', 'mute')"))
    written = {names[each.topic_id]: each for each in topic_progress(window, now=at).values() if each.topic_id in names}
    assert {name: each.messages for name, each in written.items()} == {
        "cut": None, "old": None, "mute": None, "new": 900,
    }  # fmt: skip
    assert {written[name].rate for name in ("cut", "old", "mute")} == {None}
    read = group_progress(window, now=at)
    assert {names[topic]: each.messages for (topic, _), each in read.items()} == {
        "cut": 0, "old": 0, "mute": 0, "new": 800,
    }  # fmt: skip
    watched.broker.produce("old", 0, 50)
    watched.scan(2)
    at += timedelta(seconds=4)
    (old,) = [number for number, name in names.items() if name == "old"]
    assert topic_progress(Window(at - timedelta(seconds=5), at, live=True), now=at)[old].messages == 50


def test_a_new_topic_whose_description_fails_at_first_is_new_all_the_same(watched: Watched) -> None:
    watched.scan(2)
    describes, fails = watched.broker.describe_topics, iter([True, True])
    watched.broker.describe_topics = lambda names: {} if next(fails, False) else describes(names)  # type: ignore[method-assign]
    watched.broker.create_topic("new", 1)
    watched.broker.produce("new", 0, 900)
    watched.broker.topics["new"].written_at[0, 0] = AT.timestamp() + watched.second
    watched.scan(2)
    assert rows("select count(*) from topic where name = 'new'") == [(0,)]
    watched.scan(2)
    assert rows("select is_older from topic where name = 'new'") == [(False,)]
    assert written_to("new", watched) == 900


def test_a_topic_whose_description_is_refused_for_long_was_there_before(watched: Watched) -> None:
    watched.scan(2)
    describes, asked = watched.broker.describe_topics, list[str]()
    watched.broker.describe_topics = lambda names: asked.extend(names) or {}  # type: ignore[method-assign, func-returns-value]
    watched.broker.create_topic("hidden", 1)
    watched.broker.produce("hidden", 0, 900)
    watched.broker.topics["hidden"].written_at[0, 0] = AT.timestamp() + watched.second
    watched.scan(10)
    assert asked == ["hidden"] * 3
    watched.broker.describe_topics = describes  # type: ignore[method-assign]
    watched.scan(31)
    assert written_to("hidden", watched) is None


def test_a_topic_that_is_seen_again_is_counted_from_when_it_was_seen_first(watched: Watched) -> None:
    watched.scan(2)
    watched.broker.create_topic("new", 1)
    watched.broker.produce("new", 0, 900)
    watched.broker.topics["new"].written_at[0, 0] = AT.timestamp() + watched.second
    watched.scan(60)
    hidden = watched.broker.topics.pop("new")
    watched.scan(2)
    watched.broker.topics["new"] = hidden
    watched.broker.produce("new", 0, 50)
    watched.scan(2)
    assert rows("select is_older from topic where name = 'new'") == [(False,)]
    assert written_to("new", watched) == 950


def written_to(topic: str, watched: Watched) -> int | None:
    """How many records of it count as written since the first scan."""
    at = AT + timedelta(seconds=watched.second)
    numbers = dict(rows("select name, id from topic where deleted_at is null"))
    return topic_progress(Window(AT, at, live=True), now=at)[numbers[topic]].messages


def test_a_group_without_members_that_reads_no_more_is_stopped_after_a_while(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 50)
    watched.broker.commit("billing", "orders", {0: 20, 1: 0})
    watched.scan()
    assert rows("select verdict from group_now") == [("",)]
    watched.scan(16)
    assert rows("select verdict from group_now") == [("STOPPED",)]


def test_a_sampler_that_starts_again_still_knows_who_stands_still_and_since_when(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 50)
    watched.broker.commit("billing", "orders", {0: 20, 1: 0})
    watched.scan(20)
    said = "select verdict, verdict_at, n_judged from group_now"
    before = rows(said)
    assert before[0][0] == "STOPPED"
    watched.sampler = watched.started()
    for _ in range(20):
        watched.scan()
        assert rows(said) == before
    watched.sampler = watched.started()
    watched.broker.commit("billing", "orders", {0: 30})
    watched.scan()
    assert rows("select verdict from group_now") == [("",)]  # it moved: nothing is known of the window
    watched.sampler = watched.started()
    watched.broker.commit("billing", "orders", {0: 50})
    watched.scan()
    assert rows("select verdict from group_now") == [("OK",)]


def test_a_sampler_that_starts_again_still_knows_who_is_slow_or_partly_stands_and_since_when(watched: Watched) -> None:
    watched.broker.create_topic("mails", 2)
    done = iter(range(10, 1000))

    def work() -> None:
        watched.broker.produce("orders", 0, 5)
        watched.broker.produce("mails", 1, 1)
        number = next(done)
        watched.broker.commit("billing", "orders", {0: number, 1: 0})
        watched.broker.commit("mailer", "mails", {0: 1, 1: number - 9})

    watched.broker.produce("orders", 0, 20)
    watched.broker.produce("mails", 0, 8)
    watched.scan(40, meanwhile=work)
    said = "select verdict, verdict_at, n_judged from group_now order by verdict"
    before = rows(said)
    assert [(word, n) for word, _, n in before] == [("SLOW", 1), ("STOPPED", 1)]
    for _ in range(2):
        watched.sampler = watched.started()
        for _ in range(20):
            watched.scan(meanwhile=work)
            assert rows(said) == before
    watched.sampler = watched.started()
    watched.broker.commit("mailer", "mails", {0: 8})
    watched.scan()
    assert [word for word, _, _ in rows(said)] == ["OK", "SLOW"]


def test_what_was_long_before_a_sampler_starts_again_says_nothing_of_now(watched: Watched) -> None:
    done = iter(range(10, 1000))

    def work() -> None:
        watched.broker.produce("orders", 0, 5)
        watched.broker.commit("billing", "orders", {0: next(done), 1: 0})

    watched.broker.produce("orders", 0, 20)
    watched.scan(40, meanwhile=work)
    assert rows("select verdict from group_now") == [("SLOW",)]
    watched.second += 600
    watched.sampler = watched.started()
    watched.scan(meanwhile=work)
    assert rows("select verdict from group_now") == [("",)]


def test_a_member_that_never_committed_is_shown_without_a_lag(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 50)
    watched.broker.join("mailer", Member("m1", "mailer-1", "10.0.0.1", (("orders", 0), ("orders", 1))))
    watched.scan(2)
    assert rows("select verdict, lag, n_uncommitted from group_now") == [("NO COMMITS", None, 1)]


def test_a_group_that_is_gone_leaves_no_numbers(watched: Watched) -> None:
    watched.broker.commit("billing", "orders", {0: 0})
    watched.scan()
    del watched.broker.known_groups["billing"]
    watched.scan()
    assert rows("select state from consumer_group where id > 0") == [("Dead",)]
    assert rows("select count(*) from group_now") == [(0,)]


def test_a_group_that_is_not_listed_stays_until_its_coordinator_says_that_it_is_gone(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.broker.produce("orders", 0, 10)
    watched.broker.commit("billing", "orders", {0: 4})
    watched.scan(2)
    with monkeypatch.context() as loading:  # nothing is listed meanwhile, and nothing is said of what is asked for
        loading.setattr(watched.broker, "groups", list)
        loading.setattr(watched.broker, "describe_groups", lambda _: [])
        watched.scan(5)
        assert rows("select state from consumer_group where id > 0") == [("Empty",)]
        assert rows("select lag from group_now") == [(6,)]
    watched.scan()
    assert rows("select count(*), max(n_total) from group_now") == [(1, 0)]
    del watched.broker.known_groups["billing"]
    watched.scan()
    assert rows("select count(*) from group_now") == [(0,)]


def test_a_delivery_without_a_group_is_explained_by_the_only_member_it_fits(watched: Watched) -> None:
    watched.broker.join("billing", Member("m1", "billing-1", "10.0.0.1", (("orders", 0),)))
    watched.broker.join("shipping", Member("m2", "shipping-1", "10.0.0.2", (("orders", 1),)))
    watched.scan()
    ((topic_id,),) = rows("select id from topic where name = 'orders'")
    ((service_id,),) = rows("insert into service (name) values ('billing-svc') returning id")
    rows("insert into service_client values (%s, 'billing-1') returning 1", service_id)
    rows("insert into edge (kind, service_id, topic_id) values (2, %s, %s) returning id", service_id, topic_id)
    watched.scan()
    assert rows(
        "select h.service_id, g.name, h.evidence from group_hint h join consumer_group g on g.id = h.group_id"
    ) == [(service_id, "billing", 4)]


def test_a_delivery_without_a_group_is_of_the_one_that_is_declared_while_it_is(watched: Watched) -> None:
    watched.broker.join("billing", Member("m1", "billing-1", "10.0.0.1", (("orders", 0),)))
    watched.broker.commit("audit", "orders", {0: 0})
    watched.scan()
    ((topic_id,),) = rows("select id from topic where name = 'orders'")
    ((service_id,),) = rows("insert into service (namespace, name) values ('shop', 'billing-svc') returning id")
    rows("insert into service_client values (%s, 'billing-1') returning 1", service_id)
    rows("insert into edge (kind, service_id, topic_id) values (2, %s, %s) returning id", service_id, topic_id)
    told = "select h.service_id, g.name, h.evidence from group_hint h join consumer_group g on g.id = h.group_id"
    watched.scan()
    assert rows(told) == [(service_id, "billing", 4)]
    declared = [
        Reader("a", "demo", ("shop", "billing-svc"), ("orders",), "audit"),
        Reader("b", "", ("shop", "billing-svc"), ("*",), "billing"),
    ]
    for readers, expected in [
        (declared, [(service_id, "audit", 8)]),  # a person's word before what the broker knows of members
        (declared[1:], [(service_id, "billing", 8)]),
        ([replace(declared[0], cluster="another"), replace(declared[0], service=("", "billing-svc"))],
         [(service_id, "billing", 4)]),
        ([replace(declared[0], group="none-that-there-is")], [(service_id, "billing", 4)]),
    ]:  # fmt: skip
        watched.sampler = watched.started(group_of(readers, "demo"))
        watched.scan(2)
        assert rows(told) == expected


def test_another_cluster_under_the_same_name_has_other_topics(watched: Watched) -> None:
    watched.scan()
    watched.broker.cluster_id = "another"
    watched.broker.create_topic("orders", 2)
    watched.broker.topics["orders"].kafka_id = UUID(int=77)
    watched.scan(31)
    assert rows("select kafka_cluster_id from cluster where name = 'demo'") == [("another",)]
    assert rows("select kafka_id from topic where name = 'orders' and deleted_at is null") == [(UUID(int=77),)]


def test_old_samples_become_chunks_and_the_newest_of_them_stays(watched: Watched) -> None:
    rows(
        "insert into raw_partition (table_name, leaf, starts_at, ends_at)"
        " values ('sample_chunk', 'sample_chunk_all', '2000-01-01Z', '2100-01-01Z') returning 1"
    )
    watched.broker.commit("billing", "orders", {0: 0})

    def work() -> None:
        watched.broker.produce("orders", 0, 3)
        watched.broker.commit("billing", "orders", {0: int(watched.second)})

    watched.scan(20, meanwhile=work)
    before = rows("select sampled_at, high, low from topic_sample order by 1")
    later = AT + timedelta(hours=30)
    assert sample_chunks.pack_old(Leaves(), now=later) == 1
    assert sample_chunks.pack_old(Leaves(), now=later) == 0
    assert rows("select sampled_at, high, low from topic_sample") == [before[-1]]
    assert rows("select count(*) from group_sample") == [(1,)]
    topic = rows("select id from topic where name = 'orders'")[0][0]
    points = points_of(Kind.WATERMARKS, topic_id=topic, since=AT, until=later)
    assert [(each.at, *(list(value) for value in each.values)) for each in points] == before[:-1]


def test_a_group_before_the_last_marker_of_a_transaction_keeps_up(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 10)
    watched.broker.topics["orders"].markers.add((0, 9))
    watched.broker.join("billing", Member("m1", "billing-1", "10.0.0.1", (("orders", 0), ("orders", 1))))
    watched.broker.commit("billing", "orders", {0: 9, 1: 0})
    seen: set[str] = set()

    def look() -> None:
        seen.update(word for (word,) in rows("select verdict from group_now"))

    watched.scan(40, meanwhile=look)
    assert rows("select verdict, lag, lag_seconds, notes::text from group_now") == [("OK", 1, 0, '{"0": "markers"}')]
    assert "STALLED" not in seen


def test_a_group_that_waits_for_an_open_transaction_is_stalled_and_says_why(watched: Watched) -> None:
    watched.broker.join("billing", Member("m1", "billing-1", "10.0.0.1", (("orders", 0), ("orders", 1))))
    watched.broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.broker.topics["orders"].open_from[0] = 0
    watched.scan()
    watched.scan(40, meanwhile=lambda: watched.broker.produce("orders", 0, 5))
    assert rows("select verdict, n_judged, notes::text from group_now") == [("STALLED", 1, '{"0": "open transaction"}')]
    assert rows("select lag_seconds from group_now")[0][0] == pytest.approx(80, abs=4)


def test_an_age_from_before_the_first_sample_is_read_from_the_record_and_says_so(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 10)
    watched.broker.topics["orders"].written_at[0, 4] = AT.timestamp() - 600
    watched.broker.commit("billing", "orders", {0: 4, 1: 0})
    watched.scan()
    assert rows("select lag, lag_seconds from group_now") == [(6, None)]
    watched.scan(2)
    assert rows("select lag, lag_seconds, lag_seconds_from_record from group_now") == [(6, 606, True)]


def test_at_most_fifty_positions_are_looked_at_in_one_scan(watched: Watched) -> None:
    asked: list[int] = []
    watched.broker.create_topic("wide", 120)
    for partition in range(120):
        watched.broker.produce("wide", partition, 3)
        watched.broker.topics["wide"].written_at[partition, 1] = AT.timestamp()
    watched.broker.commit("billing", "wide", dict.fromkeys(range(120), 1))
    reads = watched.broker.first_unread
    watched.broker.first_unread = lambda positions: asked.append(len(positions)) or reads(positions)  # type: ignore[method-assign, func-returns-value]
    watched.scan(6)
    assert asked == [50, 50, 20]
    assert rows("select lag_seconds from group_now") == [(12,)]


def test_a_clock_that_is_set_makes_no_age_jump(watched: Watched) -> None:
    watched.broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    watched.broker.produce("orders", 0, 5)
    watched.scan(10)
    for error in (3600.0, -1800.0):
        watched.clock_error = error
        watched.scan()
        assert 15 < rows("select lag_seconds from group_now")[0][0] < 30


def test_a_clock_that_is_set_back_does_not_put_off_what_is_looked_at_again(watched: Watched) -> None:
    broker = watched.broker
    broker.produce("orders", 0, 10)
    broker.topics["orders"].open_from[0] = 5
    broker.commit("billing", "orders", {0: 5})
    watched.scan(20)
    assert rows("select notes ->> '0' from group_now") == [("open transaction",)]
    watched.clock_error = -3600.0
    watched.scan()
    del broker.topics["orders"].open_from[0]  # committed: they can be read
    watched.scan(10)
    assert rows("select notes ->> '0' from group_now") == [(None,)]


def test_what_is_remembered_does_not_grow_with_the_number_of_scans(watched: Watched) -> None:
    """Readers that come and go, a topic that is made anew, and groups that stand still with events unread."""
    broker, n = watched.broker, 0
    broker.create_topic("stale", 40)
    for number in range(40):
        broker.produce("stale", number, 100)
    for name in ("sink", "archive"):
        broker.commit(name, "stale", dict.fromkeys(range(40), 7))

    def meanwhile() -> None:
        nonlocal n
        n += 1
        watched.second += 58
        broker.produce("orders", n % 2, 10)
        broker.commit("billing", "orders", {0: 5 * n, 1: 5 * n - 5})
        broker.known_groups.pop(f"console-{n - 1}", None)
        broker.commit(f"console-{n}", "orders", {0: n})
        if n % 10 == 0:
            broker.create_topic("again", 3)
            broker.commit("billing", "again", {0: 0})

    watched.scan(60, meanwhile=meanwhile)
    before = len(pickle.dumps(watched.sampler._memory))
    watched.scan(180, meanwhile=meanwhile)
    assert len(pickle.dumps(watched.sampler._memory)) < 1.05 * before


def test_members_that_come_and_go_leave_marks(watched: Watched) -> None:
    first = Member("m1", "billing-1", "10.0.0.1", (("orders", 0), ("orders", 1)))
    watched.broker.join("billing", first)
    watched.scan(31)
    assert rows("select count(*) from change_mark") == [(0,)]
    watched.broker.join("billing", Member("m2", "billing-2", "10.0.0.2", ()))
    watched.scan(31)
    assert rows("select kind, before, after from change_mark") == [(6, "1", "2")]
    watched.sampler = watched.started()
    watched.scan()
    assert rows("select count(*) from change_mark") == [(1,)]


def test_data_that_is_deleted_unread_leaves_a_mark_and_is_no_lag(watched: Watched) -> None:
    watched.broker.produce("orders", 0, 1000)
    watched.broker.commit("billing", "orders", {0: 200, 1: 0})
    watched.scan()
    watched.broker.topics["orders"].low[0] = 1000
    watched.scan(2)
    assert rows("select lag, lost from group_now") == [(0, 800)]
    assert rows("select kind, before, after from change_mark") == [(7, "0", "800")]


def test_another_leader_is_no_change_of_offsets(watched: Watched) -> None:
    watched.scan()
    watched.broker.topics["orders"].leaders[1] = 3
    watched.scan()
    assert rows("select leaders from topic_now") == [([1, 3],)]
    assert len({tuple(map(tuple, row)) for row in rows("select high, low from topic_sample")}) == 1
