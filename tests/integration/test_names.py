"""Names become ids once, whoever comes first, and senders cannot fill the dictionaries."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, connections

from collector.changes import announce
from collector.intake.saving import AtOnce
from collector.intake.spool import SpoolReading
from collector.intake.taking import Intake
from collector.kafka.memory import MemoryLog
from collector.store import broker_names
from collector.store.guard import LIMITS, Guard, Kind
from collector.store.names import Names, counted
from collector.store.saving import Store
from dashboard.queries.health import health
from tests.integration.intake_world import NOW, World, rows, sends

pytestmark = pytest.mark.usefixtures("clean_tables")


def begun(**limits: int) -> Names:
    names = Names(Guard(Counter(), limits={**LIMITS, **{Kind[name]: limit for name, limit in limits.items()}}))
    names.begin(NOW)
    return names


def test_a_name_keeps_its_id_over_processes() -> None:
    first = begun().services([("shop", "orders-svc"), ("", "orders-svc")])
    assert begun().services([("shop", "orders-svc"), ("", "orders-svc")]) == first
    assert len(set(first.values())) == 2


def test_known_names_cost_no_statement(django_assert_num_queries: object) -> None:
    names = begun()
    names.span_names({"send": 1, "receive": 1})
    with django_assert_num_queries(0):  # type: ignore[operator]
        names.span_names({"send": 1, "receive": 1})


def test_existing_names_use_up_no_identity_values() -> None:
    for _ in range(3):
        begun().span_names({f"name {letter}": 1 for letter in "abcdef"})
    (last,) = rows("select max(id) from span_name")[0]
    begun().span_names({"one more": 1})
    assert rows("select max(id) from span_name") == [(int(str(last)) + 1,)]


def test_many_at_once_get_one_row_per_name() -> None:
    wanted = {f"topic.{number}" for number in range(60)}

    def work(found: list[object]) -> None:
        names = begun(TOPIC=1_000)
        found.append(names.topics({(0, name): 1 for name in wanted}))
        connections.close_all()

    found: list[object] = []
    threads = [threading.Thread(target=work, args=(found,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 4
    assert all(each == found[0] for each in found)
    assert rows("select count(*)::int from topic where id > 0") == [(60,)]


def test_topics_learn_their_role_by_name() -> None:
    begun().topics({(0, name): 1 for name in ("orders", "orders.dlq", "orders-retry-0", "__consumer_offsets")})
    assert rows("select name, role from topic where id > 0 order by name") == [
        ("__consumer_offsets", 3),
        ("orders", 0),
        ("orders-retry-0", 2),
        ("orders.dlq", 1),
    ]


def test_beyond_the_limit_names_are_folded_then_other_and_counted() -> None:
    names = begun(NAME=3)
    found = names.span_names({f"order {number}": 5 for number in range(10, 20)})
    folded = rows("select id from span_name where name = 'order #'")
    assert len(folded) == 1
    assert Counter(found.values())[int(str(folded[0][0]))] == 7
    names.begin(NOW)
    assert names.span_names({"quite another": 5}) == {"quite another": 0}
    assert names.refused.rows() == [(int(Kind.NAME), 5, "('quite another',)", 1)]


def test_sets_of_attributes_beyond_the_limit_share_a_folded_one() -> None:
    names = begun(ATTRIBUTES=1)
    names.attribute_sets([b'{"resource":{},"span":{}}'])
    found = names.attribute_sets([b'{"span":{"host":"pod-1"}}', b'{"span":{"host":"pod-2"}}'])
    assert len(set(found.values())) == 1
    assert rows("select convert_from(body, 'utf-8') from attribute_set where id = %s", *set(found.values())) == [
        ('{"span":{"host":"pod-#"}}',)
    ]


def test_a_new_version_of_a_service_is_marked_once_and_the_first_is_not() -> None:
    names = begun()
    ((service, _),) = [(number, key) for key, number in names.services([("", "billing-svc")]).items()]
    names.versions([(service, "1.0")], NOW)
    assert rows("select count(*)::int from change_mark") == [(0,)]
    names.versions([(service, "1.1")], NOW)
    begun().versions([(service, "1.1")], NOW + timedelta(seconds=5))
    assert rows("select kind, at, service_id, before, after from change_mark") == [(1, NOW, service, "1.0", "1.1")]


def test_a_version_that_is_still_seen_is_noted_at_most_once_a_minute() -> None:
    names = begun()
    (service,) = names.services([("", "billing-svc")]).values()
    for seconds in (0, 30, 61, 90):
        at = NOW + timedelta(seconds=seconds)
        names.note_versions(set(names.versions([(service, "1.0")], at).values()), at)
    assert rows("select last_at from service_version where id > 0") == [(NOW + timedelta(seconds=61),)]


def test_with_one_known_cluster_every_topic_is_its() -> None:
    with connection.cursor() as cursor:
        local = broker_names.cluster_row(cursor, "local")
    assert begun().cluster(kafka_id=None, topic="orders", source="open") == local


def test_with_more_clusters_the_span_then_the_token_then_the_only_topic_decides() -> None:
    with connection.cursor() as cursor:
        east, west = (broker_names.cluster_row(cursor, name) for name in ("east", "west"))
        broker_names.set_cluster_kafka_id(cursor, east, "KAFKA-EAST")
        broker_names.set_cluster_kafka_id(cursor, west, "KAFKA-WEST")
        cursor.execute(
            "insert into topic (cluster_id, name, kafka_id) select c, t, gen_random_uuid()"
            " from (values (%s::smallint, 'only.west'), (%s, 'both'), (%s, 'both')) n(c, t)",
            [west, west, east],
        )
        cursor.execute(
            "insert into token (public_id, digest, kind, name, scopes, cluster_id, created_at, expires_at)"
            " values ('t-west', '', 'ingest', 'shop', '{}', %s, %s, %s)",
            [west, NOW, NOW + timedelta(days=1)],
        )
    names = begun()
    assert names.cluster(kafka_id="KAFKA-EAST", topic="only.west", source="t-west") == east
    assert names.cluster(kafka_id=None, topic="both", source="t-west") == west
    assert names.cluster(kafka_id=None, topic="only.west", source="open") == west
    assert names.cluster(kafka_id=None, topic="both", source="open") == 0
    other = names.cluster(kafka_id="KAFKA-NEW", topic="both", source="open")
    assert rows("select name from cluster where id = %s", other) == [("KAFKA-NEW",)]


def test_spans_make_no_second_row_for_a_cluster_whose_broker_has_not_answered_yet() -> None:
    with connection.cursor() as cursor:
        local = broker_names.cluster_row(cursor, "local")
    assert begun().cluster(kafka_id="NOT-KNOWN-YET", topic="orders", source="open") == local
    assert rows("select count(*)::int from cluster where id > 0") == [(1,)]


def test_a_topic_that_was_created_again_is_found_after_the_notice() -> None:
    with connection.cursor() as cursor:
        local = broker_names.cluster_row(cursor, "local")
    world = World()
    collector = world.collector()
    world.send(sends(1))
    world.take(collector)
    with connection.cursor() as cursor:
        cursor.execute("update topic set deleted_at = %s where name = 'orders.created'", [NOW])
    announce("names")
    world.send(sends(2))
    world.take(collector)
    assert rows("select cluster_id, deleted_at is null from topic where name = 'orders.created' order by id") == [
        (local, False),
        (local, True),
    ]
    assert rows("select count(distinct topic_id)::int from span") == [(2,)]


def test_clients_that_are_stored_do_not_count_again_after_a_restart() -> None:
    (service,) = begun().services([("", "billing-svc")]).values()
    clients = [(service, f"billing-{number}") for number in range(3)]
    begun(CLIENT=3).note_clients(clients[:2])
    again = Names(Guard(counted(), limits={**LIMITS, Kind.CLIENT: 3}))
    again.begin(NOW)
    again.note_clients(clients)
    assert rows("select count(*)::int from service_client where service_id = %s", service) == [(3,)]


def test_clients_of_a_service_are_remembered_up_to_the_limit() -> None:
    names = begun(CLIENT=2)
    (service,) = names.services([("", "billing-svc")]).values()
    for _ in range(2):
        names.note_clients((service, f"billing-{number}") for number in range(3))
    assert rows("select count(*)::int from service_client where service_id = %s", service) == [(2,)]


def test_names_are_read_again_every_minute_and_when_a_clock_was_set_back() -> None:
    names = Names()
    assert names.begin(NOW)
    assert not names.begin(NOW + timedelta(seconds=59))
    assert names.begin(NOW + timedelta(seconds=60))
    assert names.begin(NOW - timedelta(hours=1))


def test_who_sends_is_noted_each_day_and_looked_up_anew(django_assert_num_queries: object) -> None:
    names = begun()
    version = names.versions([(names.services([("", "orders")])["", "orders"], "1")], NOW)
    (version_id,) = version.values()
    (source,) = names.sources([(version_id, "pod-1")]).values()
    rows("update source set seen_on = '2026-01-01' where id = %s returning 1", source)
    names.note_sources([source], NOW)
    with django_assert_num_queries(0):  # type: ignore[operator]
        names.note_sources([source], NOW)
    assert rows("select seen_on from source where id > 0") == [(NOW.date(),)]
    tomorrow = NOW + timedelta(days=1)
    names.begin(tomorrow)
    names.note_sources(names.sources([(version_id, "pod-1")]).values(), tomorrow)
    assert rows("select id, seen_on from source where id > 0") == [(source, tomorrow.date())]


def test_names_that_were_forgotten_free_their_places_the_next_day() -> None:
    names = begun(GROUP=2)
    for number in (1, 2, 3):
        names.groups([(0, f"console-{number}")])
    assert rows("select name from consumer_group where id > 0 order by id") == [
        ("console-1",),
        ("console-2",),
        ("console-#",),
    ]
    rows("delete from consumer_group where id > 0 returning 1")
    names.begin(NOW + timedelta(days=1))
    names.groups([(0, "console-3")])
    assert rows("select name from consumer_group where id > 0") == [("console-3",)]


def test_s60_one_source_that_brings_names_without_end_harms_no_other() -> None:
    guard = Guard(Counter(), most_an_hour=20)
    store = Store(names=Names(guard))
    world = World()
    intake = Intake(MemoryLog(world.broker), AtOnce(store), SpoolReading(), world.input_id, world.clock)
    intake.assign(world.places())
    for number in range(1, 61):
        world.send(sends(number, service=f"svc-{number}x"), source="flood")
    world.take(intake)
    world.send(sends(100, service="honest"), source="other")
    world.take(intake)
    names = [name for (name,) in rows("select name from service where id > 0")]
    assert "honest" in names
    assert len(names) <= 22, "twenty, the folded one, and the other source's"
    (n_folded,) = rows("select sum(n)::int from folded_name where kind = 1")[0]
    assert int(str(n_folded)) >= 40
    page = health(now=world.clock())
    assert {each.kind for each in page.folded} >= {"services"}
    world.clock.advance(hours=1)
    world.send(sends(200, service="late"), source="flood")
    world.take(intake)
    assert rows("select count(*)::int from service where name = 'late'") == [(1,)]
