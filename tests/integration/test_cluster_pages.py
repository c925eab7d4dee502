"""Several clusters on the pages: chosen, told apart, and what is said of one that does not answer."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from collector.clock import now
from collector.store.reports import report
from dashboard.live.streams import BUILDERS
from dashboard.queries.clusters import Scope, scope
from dashboard.queries.freshness import freshness
from dashboard.queries.graph import graph
from dashboard.queries.letter_filter import of_clusters
from dashboard.queries.window import parse
from tests.integration.graph_world import World
from tests.integration.letter_world import LetterWorld, dead_record
from tests.integration.people import bearer, person, signed_in, token_of

pytestmark = pytest.mark.django_db

STATES = {"east": "ok", "west": "silent"}


class Pair:
    """Clusters east and west with the same topic and group; west has not answered for ten minutes."""

    def __init__(self, *, west_ago: float = 600) -> None:
        self.at = now()
        self.east, self.west = World(self.at, "east"), World(self.at, "west")
        self.topics: list[int] = []
        self.writer = self.east.service("orders-svc")
        for world, ago in ((self.east, 1.0), (self.west, west_ago)):
            topic, group = world.topic("orders"), world.group("billing")
            self.topics.append(topic)
            world.counted(world.edge(1, self.writer, topic), 60, ago=30)
            for before in (ago + 60, ago):
                world.scanned(ago=before)
                world.watermarks(topic, [1_000 - int(before)], ago=before)
                world.committed(topic, group, [900 - int(before)], ago=before, lag=100)
        self.fail("west", "No broker answers.")

    def fail(self, cluster: str, reason: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into scan (cluster_id, sampled_at, ok, n_topics, n_groups, wall_ms, reason)"
                " select id, %s, false, 0, 0, 5000, %s from cluster where name = %s",
                [self.at, reason, cluster],
            )

    def take_out(self, cluster: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("update cluster set is_observed = false where name = %s", [cluster])


@pytest.fixture(autouse=True)
def cadence(settings: Settings) -> None:
    """So slow that no machine is too slow for it: late after 150 s."""
    settings.WEIR_SAMPLE_SECONDS = 60


@pytest.fixture
def pair() -> Pair:
    return Pair()


@pytest.fixture
def browser() -> Client:
    return signed_in(person("ada"))


def states(found: Scope) -> dict[str, str]:
    return {each.name: each.state for each in found.clusters}


def body(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


def said(page: str) -> list[str]:
    """The sentences of the partial state."""
    found = re.search(r'<div id="partial".*?</div></div></div>|<div id="partial"[^>]*></div>', page, re.S)
    assert found, "every page with a time range has room for it"
    texts = [re.sub(r"<[^>]+>", "", each) for each in found[0].split('class="notice')[1:]]
    return [" ".join(text.partition(">")[2].split()) for text in texts]


def test_who_answers_who_does_not_and_who_is_not_asked(
    pair: Pair, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert states(scope((), now=pair.at)) == STATES
    later = pair.at + timedelta(minutes=5)
    assert states(scope((), now=later)) == {"east": "late", "west": "silent"}
    World(pair.at, "south")
    assert states(scope((), now=pair.at)) == {"east": "ok", "south": "new", "west": "silent"}
    pair.fail("south", "No broker answers.")
    assert states(scope((), now=pair.at))["south"] == "silent"
    pair.take_out("south")
    assert states(scope((), now=pair.at)) == STATES, "without topics there is nothing to show of it"
    pair.take_out("west")
    assert states(scope((), now=pair.at)) == {"east": "ok", "west": "traced"}


def test_what_was_chosen_is_what_exists_and_all_is_no_choice(pair: Pair) -> None:
    assert scope(["west"], now=pair.at).chosen == frozenset({"west"})
    assert scope(["west", "nowhere"], now=pair.at).chosen == frozenset({"west"})
    assert scope(["nowhere"], now=pair.at).chosen is None
    assert scope(["west", "east"], now=pair.at).chosen is None
    assert scope(["west"], now=pair.at).without("east") == ["east", "west"]
    assert scope(["west"], now=pair.at).without("west") == []


def test_how_old_the_numbers_are_is_told_by_cluster(pair: Pair) -> None:
    found = freshness(now=pair.at)
    assert (found.scan_delayed, found.late) == (True, frozenset({"west"}))
    assert found.scanned_at == pair.at - timedelta(minutes=10)
    east = found.only(["east"])
    assert (east.scan_delayed, east.scanned_at) == (False, pair.at - timedelta(seconds=1))
    pair.take_out("west")
    assert not freshness(now=pair.at).scan_delayed, "what was taken out makes nothing late"


def test_the_graph_of_a_cluster_has_its_topics_alone_and_equal_names_are_told_apart(pair: Pair) -> None:
    window = parse(None, None, now=pair.at)
    both = graph(window, now=pair.at)
    assert {(node.kind, node.cluster, node.shown_name) for node in both.nodes} == {
        ("service", "", "orders-svc"),
        ("topic", "east", "orders · east"),
        ("topic", "west", "orders · west"),
        ("group", "east", "billing · east"),
        ("group", "west", "billing · west"),
    }
    east = graph(window, now=pair.at, clusters=["east"])
    assert {(node.cluster, node.shown_name) for node in east.nodes} == {
        ("", "orders-svc"),
        ("east", "orders"),
        ("east", "billing"),
    }
    assert [edge.rate for edge in east.edges if edge.kind == "produce"] == [1.0]
    assert not east.freshness.delayed or east.freshness.fold_delayed


def test_a_silent_cluster_is_named_on_every_page_of_its_own_and_on_no_other(pair: Pair, browser: Client) -> None:
    sentence = "Cluster west has not answered since"
    for address in ("/", "/topics/", "/groups/", "/services/", "/topics/west/orders/", "/groups/west/billing/"):
        (found,) = said(body(browser, address))
        assert found.startswith(sentence), address
        assert "Its 1 topic shows the last known values. Health" in found
    for address in (
        "/topics/?cluster=east", "/groups/?cluster=east", "/?cluster=east", "/services/?cluster=east",
        "/topics/east/orders/", "/groups/east/billing/",
    ):  # fmt: skip
        assert said(body(browser, address)) == [], address
    assert said(body(browser, "/topics/?from=2026-11-01T00:00:00Z&to=2026-11-01T01:00:00Z")) == []
    rows = re.findall(r"<tr data-key.*?</tr>", body(browser, "/topics/"), re.S)
    assert ["stale-mark" in row for row in sorted(rows, key=lambda row: "west" in row)] == [False, True]


def test_the_path_of_an_event_says_that_its_cluster_is_silent(pair: Pair, browser: Client) -> None:
    with connection.cursor() as cursor:
        for topic in pair.topics:
            cursor.execute(
                "insert into record (stored_at, produced_at, kafka_offset, topic_id, kafka_partition, size_bytes,"
                " n_headers, timestamp_type) values (%s, %s, 7, %s, 0, 9, 0, 0)",
                [pair.at, pair.at, topic],
            )
    (found,) = said(body(browser, "/events/west/orders/0/7/"))
    assert found.startswith("Cluster west has not answered since")
    assert said(body(browser, "/events/east/orders/0/7/")) == []


def test_a_sampler_that_does_not_report_is_not_called_a_cluster_that_does_not_answer(browser: Client) -> None:
    world = World(now(), "only")
    world.topic("orders")
    world.scanned(ago=600)
    page = body(browser, "/topics/")
    assert said(page) == []
    assert "The lag sampler has not reported." in page.split('id="late"')[1].split("</p>")[0]
    assert 'id="clusters"' not in page, "one cluster is not shown on screen"
    assert ">Cluster<" not in page


def test_the_menu_chooses_and_every_link_carries_the_choice(pair: Pair, browser: Client) -> None:
    page = body(browser, "/topics/?cluster=west&q=orders")
    menu = page[page.index('id="clusters"') :].partition("</details>")[0]
    assert re.findall(r'<a href="([^"]+)"', menu) == [
        "/topics/?q=orders",
        "/topics/?cluster=east&amp;q=orders",
        "/topics/?cluster=west&amp;q=orders",
    ]
    assert 'aria-current="true"><bdi>west' in menu
    assert "/topics/west/orders/?cluster=west" in page
    assert "/groups/?cluster=west" in page
    assert 'data-streams="topics:900:west"' in page
    assert '<input type="hidden" name="cluster" value="west">' in page
    assert "/topics/east/orders/" not in page
    assert 'data-streams="groups:900:east"' in body(browser, "/groups/east/billing/")


def test_three_clusters_can_be_added_and_left_out(pair: Pair, browser: Client) -> None:
    World(pair.at, "south")
    page = body(browser, "/groups/?cluster=west&cluster=east")
    menu = page[page.index('id="clusters"') :].partition("</details>")[0]
    assert "2 of 3 clusters" in menu
    others = re.findall(r'class="other" href="([^"]+)">(\w+ ?\w*)<', menu)
    assert others == [
        ("/groups/?cluster=west", "Leave out"),
        ("/groups/?cluster=east&amp;cluster=south&amp;cluster=west", "Add"),
        ("/groups/?cluster=east", "Leave out"),
    ]
    forms = re.findall(r'<input type="hidden" name="cluster" value="(\w+)">', page)
    assert set(forms) == {"east", "west"}


def test_a_name_from_elsewhere_is_spelled_and_chosen_like_any_other(pair: Pair, browser: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into cluster (name, kafka_cluster_id, is_observed) values (%s, 'x', false) returning id",
            ['a b&c<script>"/:,'],
        )
        cursor.execute("insert into topic (cluster_id, name) values (%s, 'orders')", [cursor.fetchone()[0]])
    page = body(browser, "/topics/?cluster=a+b%26c%3Cscript%3E%22%2F%3A%2C")
    assert "<script>&quot;/:," not in page
    assert 'data-streams="topics:900:a%20b%26c%3Cscript%3E%22%2F%3A%2C"' in page
    assert "known from traces" in page


def test_a_cluster_that_was_never_seen_is_not_called_an_install_without_one(pair: Pair, browser: Client) -> None:
    World(pair.at, "south")
    for address, sentence in (
        ("/?cluster=south", "No events in the last 15 min"),
        ("/topics/?cluster=south", "No topic is known of <bdi>south</bdi>."),
        ("/groups/?cluster=south", "No consumer group is known of <bdi>south</bdi>."),
    ):
        page = body(browser, address)
        assert "No Kafka cluster yet" not in page
        assert sentence in page


def test_services_are_those_that_touch_the_chosen_cluster(pair: Pair, browser: Client) -> None:
    idle = pair.east.service("idle-svc")
    pair.east.edge(1, idle, pair.topics[0])
    page = body(browser, "/services/?cluster=west")
    assert "orders-svc" in page
    assert "idle-svc" not in page
    assert "idle-svc" in body(browser, "/services/?cluster=east")


def test_dead_letters_are_narrowed_by_a_filter_that_is_seen(pair: Pair) -> None:
    operator = signed_in(person("olga", "operator"))
    for name in ("prod", "stage"):
        LetterWorld(name).park(dead_record(1))
    groups = body(operator, "/dead-letters/")
    assert groups.count('<article class="failure') == 2
    assert body(operator, "/dead-letters/?cluster=prod").count('<article class="failure') == 1
    answer = operator.get("/dead-letters/?view=list&cluster=prod&q=declined")
    assert answer.status_code == 302
    page = body(operator, answer.headers["Location"])
    assert 'value="declined cluster:&quot;prod&quot;"' in page
    assert page.count("data-pick ") == 1


def test_a_filter_is_narrowed_in_each_of_its_alternatives() -> None:
    assert of_clusters("", ["a"]) == 'cluster:"a"'
    assert of_clusters('x or "y or z"', ["b", "a"]) == (
        'x cluster:"a" or x cluster:"b" or "y or z" cluster:"a" or "y or z" cluster:"b"'
    )


def test_health_says_which_cluster_and_since_when(pair: Pair, browser: Client) -> None:
    for part, waits_for in (("receive", None), ("fold", None), ("web", None), ("worker", None), ("collect", ["west"])):
        value = {"waits_for": waits_for} if waits_for else {}
        report(part, instance="1@x", now=pair.at, ok=not waits_for, sentence="It waits.", value=value)
    report("sample", instance="2@x", now=pair.at, ok=True, sentence="Scanned east.", value={})
    report("sample", instance="3@x", now=pair.at, ok=False, sentence="No.", value={"waits_for": ["west"]})
    page = body(browser, "/health/")
    assert re.search(r"Cluster west has not answered since [0-9:]{8} UTC\. Weir keeps up", page)
    assert "No broker answers." in page
    report("collect", instance="1@x", now=pair.at, ok=False, sentence="Both.", value={"waits_for": ["", "west"]})
    assert "UTC. Weir does not keep up: collect." in body(browser, "/health/")
    found: dict[str, Any] = Client().get("/api/v1/health", headers=bearer(token_of(person("bo"), "read"))).json()
    assert not found["ok"]
    assert [(each["name"], each["state"], each["last_failure"]) for each in found["clusters"]] == [
        ("east", "ok", ""),
        ("west", "silent", "No broker answers."),
    ]
    pair.take_out("west")
    assert "has not answered" not in body(browser, "/health/")


def test_the_api_takes_clusters_by_name(pair: Pair) -> None:
    headers = bearer(token_of(person("bo"), "read"))

    def ids(address: str) -> list[str]:
        answer = Client().get(f"/api/v1/{address}", headers=headers)
        assert answer.status_code == 200, answer.content
        found = json.loads(answer.content)
        return [each["id"] for each in found.get("items", found.get("nodes"))]

    assert ids("topics") == ["topic:east/orders", "topic:west/orders"]
    assert ids("topics?cluster=west") == ["topic:west/orders"]
    assert ids("groups?cluster=east&cluster=nowhere") == ["group:east/billing"]
    assert ids("topics?cluster=nowhere") == []
    assert ids("graph?cluster=west") == ["group:west/billing", "service:orders-svc", "topic:west/orders"]
    assert ids("services?cluster=west") == ["group:west/billing", "service:orders-svc"]


def test_the_counts_in_the_navigation_are_of_the_chosen_clusters_and_say_which(pair: Pair, browser: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("insert into failure_group (title, first_at, last_at) values ('x', now(), now()) returning id")
        (number,) = cursor.fetchone()
        for topic, n, cluster in ((pair.topics[0], 5, "east"), (pair.topics[1], 2, "west")):
            cursor.execute("insert into failure_count values (%s, 0, %s, %s)", [number, n, topic])
            cursor.execute(
                "insert into retry_operation (token, plan_digest, person_id, person_name, status, created_at,"
                " cluster_id) select %s, gen_random_uuid(), 7, 'olga', 1, now(), id from cluster where name = %s",
                [cluster, cluster],
            )
    for clusters, n, n_running, of in ((None, 7, 2, ""), (["west"], 2, 1, "west"), (["east"], 5, 1, "east")):
        page = browser.get("/topics/", {"cluster": clusters or []}).content.decode()
        assert f'title="{n} open or unknown, {of or "all clusters"}">{n}<' in page
        assert f'data-counted="{of}"' in page
        for build in BUILDERS.values():
            told = build(900, now=pair.at, clusters=clusters).body["about"]["counts"]
            assert told == {"open": n, "running": n_running, "of": of}
    page = browser.get("/dead-letters/", {"cluster": "west"}).content.decode()
    assert 'aria-label="States, west"' in page
    assert 'aria-label="States, all clusters"' in browser.get("/dead-letters/").content.decode()
