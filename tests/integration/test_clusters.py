"""Several clusters: whose a topic is, what becomes of one that spans named first, and of one that is taken out."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection

from collector.config import declared
from collector.domain.brokers import GroupListed, GroupProtocol, TopicDescribed
from collector.intake.saving import AtOnce
from collector.intake.spool import SpoolReading
from collector.intake.taking import Intake
from collector.kafka.memory import MemoryLog
from collector.store import broker_names, clusters
from collector.store.broker_names import SameCluster
from collector.store.names import Names
from collector.store.saving import Store
from tests.integration.intake_world import NOW, World, rows, sends

pytestmark = pytest.mark.usefixtures("clean_tables")

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def observe(*names: str) -> dict[str, int]:
    return clusters.observe(names, version=declared.version(), now=AT)


def described(cluster: int, name: str) -> int:
    """The broker is seen to have the topic."""
    with connection.cursor() as cursor:
        return broker_names.register_topic(
            cursor, cluster, name, TopicDescribed(uuid4(), n_partitions=2, is_internal=False), role=0, now=AT
        )


def living() -> list[tuple[object, ...]]:
    return rows(
        "select c.name, t.name, t.kafka_id is not null from topic t join cluster c on c.id = t.cluster_id"
        " where t.id > 0 and t.deleted_at is null order by 1, 2"
    )


def traced(world: World, *, topic: str = "orders") -> Intake:
    """Spans of a producer, stored by a collector that has just started."""
    intake = Intake(MemoryLog(world.broker), AtOnce(Store()), SpoolReading(), world.input_id, world.clock)
    intake.assign(world.places())
    world.send(sends(len(rows("select 1 from span")) + 1, topic=topic))
    world.take(intake)
    return intake


def test_a_topic_that_only_one_broker_has_is_its_and_what_spans_alone_say_elsewhere_does_not_count() -> None:
    found = observe("east", "west")
    described(found["west"], "orders")
    rows("insert into topic (cluster_id, name) values (%s, 'orders') returning id", found["east"])
    traced(World())
    assert rows("select c.name from edge e join topic t on t.id = e.topic_id join cluster c on c.id = t.cluster_id"
                " where e.id > 0") == [("west",)]  # fmt: skip


def test_a_topic_that_spans_named_before_a_broker_was_seen_to_have_it_comes_home_with_all_that_is_known_of_it() -> None:
    found = observe("east", "west")
    world = World()
    traced(world)
    assert living() == [("?", "orders", False)]
    ((edge, topic),) = rows("select id, topic_id from edge where id > 0")
    rows("insert into consumer_group (cluster_id, name) values (0, 'billing') returning id")
    rows(
        "insert into edge (kind, service_id, topic_id, group_id) select 2, e.service_id, e.topic_id, g.id"
        " from edge e, consumer_group g where e.id = %s and g.name = 'billing' returning id",
        edge,
    )
    assert described(found["west"], "orders") == topic
    assert living() == [("west", "orders", True)]
    assert rows("select c.name from edge e join consumer_group g on g.id = e.group_id join cluster c"
                " on c.id = g.cluster_id where e.kind = 2") == [("west",)]  # fmt: skip
    traced(world)
    assert rows("select distinct topic_id, edge_id from span") == [(topic, edge)]


def test_a_topic_of_two_brokers_stays_nobodys_and_nothing_of_it_moves() -> None:
    found = observe("east", "west")
    described(found["east"], "orders")
    described(found["west"], "orders")
    traced(World())
    assert living() == [("?", "orders", False), ("east", "orders", True), ("west", "orders", True)]
    described(found["west"], "orders")
    assert ("?", "orders", False) in living()


def test_what_spans_said_of_a_cluster_by_its_id_comes_along_when_it_is_observed() -> None:
    observe("east")
    with connection.cursor() as cursor:
        broker_names.set_cluster_kafka_id(cursor, observe("east")["east"], "EAST-ID")
    named = clusters.named_by_spans("WEST-ID")
    rows("insert into topic (cluster_id, name) values (%s, 'orders') returning id", named)
    west = observe("east", "west")["west"]
    with connection.cursor() as cursor:
        assert broker_names.set_cluster_kafka_id(cursor, west, "WEST-ID")
        assert not broker_names.set_cluster_kafka_id(cursor, west, "WEST-ID")
    assert living() == [("west", "orders", False)]
    assert rows("select name, kafka_cluster_id, is_observed from cluster where id > 0 order by 1") == [
        ("WEST-ID", None, False),
        ("east", "EAST-ID", True),
        ("west", "WEST-ID", True),
    ]


def test_two_names_of_one_cluster_are_refused_and_the_first_keeps_it() -> None:
    found = observe("east", "west")
    with connection.cursor() as cursor:
        broker_names.set_cluster_kafka_id(cursor, found["east"], "ONE")
        with pytest.raises(SameCluster, match="the same Kafka cluster as east"):
            broker_names.set_cluster_kafka_id(cursor, found["west"], "ONE")
    assert rows("select name from cluster where kafka_cluster_id = 'ONE'") == [("east",)]


def test_a_cluster_that_is_taken_out_ends_with_its_topics_and_groups_and_comes_back_as_it_was() -> None:
    found = observe("east", "west")
    kept, gone = described(found["east"], "orders"), described(found["west"], "orders")
    kafka_id = rows("select kafka_id from topic where id = %s", gone)[0][0]
    with connection.cursor() as cursor:
        broker_names.set_groups(
            cursor, found["west"], [GroupListed("billing", "Stable", GroupProtocol.CLASSIC)], now=AT
        )
    for topic in (kept, gone):
        rows("insert into topic_now values (%s, %s, '{1}', '{0}') returning topic_id", topic, AT)
    observe("east")
    assert living() == [("east", "orders", True)]
    assert rows("select topic_id from topic_now") == [(kept,)]
    assert rows("select state from consumer_group where name = 'billing'") == [("Dead",)]
    assert rows("select name from cluster where is_observed") == [("east",)]
    observe("east", "west")
    with connection.cursor() as cursor:
        seen = TopicDescribed(UUID(str(kafka_id)), n_partitions=2, is_internal=False)
        again = broker_names.register_topic(cursor, found["west"], "orders", seen, role=0, now=AT + timedelta(hours=1))
    assert again == gone
    assert living() == [("east", "orders", True), ("west", "orders", True)]


def test_a_collector_with_other_settings_than_the_sampler_ends_nothing() -> None:
    described(observe("east")["east"], "orders")
    clusters.numbers(["local"])
    assert living() == [("east", "orders", True)]
    observe("east")
    clusters.numbers(["east", "local"])
    assert rows("select name from cluster where is_observed order by 1") == [("east",)]


def test_who_read_older_settings_ends_nothing() -> None:
    observe("east", "west")
    clusters.observe(["east"], version=declared.version() - 1, now=AT)
    assert rows("select name from cluster where is_observed order by 1") == [("east",), ("west",)]


def test_with_one_observed_cluster_left_every_topic_is_its_again() -> None:
    described(observe("east", "west")["west"], "orders")
    observe("east")
    traced(World(), topic="brand.new")
    assert living() == [("east", "brand.new", False)]


def test_what_nobody_can_say_is_of_the_cluster_that_people_declared_for_it() -> None:
    found = observe("east", "west")
    described(found["east"], "orders")
    described(found["west"], "orders")
    described(found["east"], "payments")
    rows("insert into declared values ('clusters', 'west', '{\"default\": true}') returning name")
    names = Names()
    names.begin(NOW)
    assert names.cluster(kafka_id=None, topic="orders", source="open") == found["west"]
    assert names.cluster(kafka_id=None, topic="not.seen.yet", source="open") == found["west"]
    assert names.cluster(kafka_id=None, topic="payments", source="open") == found["east"], "its broker alone has it"


def test_spans_that_come_by_a_token_or_an_input_of_a_cluster_are_its() -> None:
    observe("east", "west")
    rows("insert into declared values ('inputs', 'gateway', '{\"spans_of\": \"west\"}') returning name")
    rows(
        "insert into token (public_id, digest, kind, name, scopes, cluster_id, created_at, expires_at)"
        " select 't-east', '', 'ingest', 'x', '{}', id, %s, %s from cluster where name = 'east' returning 1",
        NOW, NOW,
    )  # fmt: skip
    found = observe("east", "west")
    assert clusters.of_senders() == {"t-east": found["east"], "input:gateway": found["west"]}
