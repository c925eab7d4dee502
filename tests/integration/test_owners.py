"""Who owns a service, a topic, a group: the settings file before what services say of themselves."""

import json
from uuid import uuid4

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from collector import clock
from collector.store import service_facts
from dashboard.queries.owners import group_owners, owners_of
from tests.integration.graph_world import World
from tests.integration.people import person, signed_in

pytestmark = pytest.mark.django_db


def attribute_set(**resource: object) -> None:
    body = json.dumps({"resource": {name.replace("__", "."): value for name, value in resource.items()}, "span": {}})
    with connection.cursor() as cursor:
        cursor.execute("insert into attribute_set (digest, body) values (%s, convert_to(%s, 'UTF8'))", [uuid4(), body])


def declare(name: str, **fields: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("insert into declared values ('owners', %s, %s)", [name, json.dumps(fields)])


def facts(identity: str) -> dict[str, str]:
    return {fact.name: fact.text for fact in owners_of(identity)}


@pytest.fixture
def world() -> World:
    world = World(clock.now())
    created, billing = world.topic("orders.created"), world.service("billing-svc")
    world.edge(2, billing, created, world.group("billing"))
    world.scanned(ago=0)
    return world


def test_a_service_says_who_owns_it_and_the_newest_word_counts(world: World) -> None:
    attribute_set(service__name="billing-svc", service__owner="ada", team="payments")
    assert service_facts.learn() > 0
    attribute_set(service__name="billing-svc", service__owner="bob")
    attribute_set(service__name="unknown-svc", service__owner="eve")
    attribute_set(service__name="billing-svc", broken="\ud800")
    service_facts.learn()
    service_facts.learn()
    assert facts("service:billing-svc") == {"owner": "bob", "team": "payments"}
    assert facts("service:unknown-svc") == {}


def test_a_group_is_owned_as_the_one_service_that_reads_as_it(world: World) -> None:
    attribute_set(service__name="billing-svc", team="payments")
    service_facts.learn()
    assert facts("group:demo/billing") == {"team": "payments"}
    (fact,) = owners_of("group:demo/billing")
    assert fact.source == "billing-svc"


def test_the_list_of_groups_names_who_owns_them(
    world: World, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    paid, group = world.topic("orders.paid"), world.group("mailing")
    world.edge(2, world.service("mail-svc"), paid, group)
    world.watermarks(paid, [5], ago=0)
    world.committed(paid, group, [5], ago=0, lag=0)
    viewer = signed_in(person("lena", "viewer"))
    assert ">Owner<" not in viewer.get("/groups/").text
    attribute_set(service__name="mail-svc", service__owner="ada", team="payments")
    service_facts.learn()
    with django_assert_num_queries(2):
        owners = group_owners()
    assert [owners.of("demo", name) for name in ("mailing", "billing")] == ["ada", ""]
    assert ">ada<" in viewer.get("/groups/").text
    declare("pay", groups=["mail*"], owner="team-pay")
    assert group_owners().of("demo", "mailing") == "team-pay"
    other = world.service("refunds-svc")
    world.edge(2, other, world.topic("payments"), world.group("refunds"))
    with connection.cursor() as cursor:
        cursor.execute("update edge set group_id = (select id from consumer_group where name = 'billing')")
    assert facts("group:demo/billing") == {}


def test_a_declared_word_counts_before_a_services_own_and_a_name_before_a_pattern(
    world: World, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    attribute_set(service__name="billing-svc", team="payments", service__owner="ada")
    service_facts.learn()
    wiki = "https://wiki.example/all"
    declare("all", services=["*"], topics=["*"], team="platform", runbook=wiki, repo="javascript:x")
    declare("billing", services=["billing-svc"], team="cash")
    with django_assert_num_queries(2):
        found = owners_of("service:billing-svc")
    assert {fact.name: (fact.text, fact.url, fact.source) for fact in found} == {
        "owner": ("ada", "", "billing-svc"),
        "team": ("cash", "", "declared"),
        "runbook": (wiki, wiki, "declared"),
        "repo": ("javascript:x", "", "declared"),
    }
    assert facts("topic:demo/orders.created")["team"] == "platform"
    assert owners_of("nonsense") == ()


def test_pages_of_services_and_groups_show_it(world: World) -> None:
    declare("billing", services=["billing-svc"], groups=["billing"], team="<cash>", runbook="https://wiki.example/x")
    browser = signed_in(person("vera", "viewer"))
    for address in ("/services/billing-svc/", "/groups/demo/billing/"):
        page = browser.get(address).content.decode()
        assert "&lt;cash&gt;" in page
        assert 'href="https://wiki.example/x"' in page
