"""The API's answers fit its own document."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client

from collector.clock import now
from dashboard.api.schemas import GraphAnswer
from tests.integration.graph_world import World
from tests.integration.people import bearer, person, signed_in, token_of

pytestmark = pytest.mark.django_db


def shop() -> World:
    """One producer, one reader, one untraced group, and a part that reported."""
    world = World(now().astimezone(UTC))
    created, billing, audit = world.topic("orders.created"), world.group("billing"), world.group("audit")
    world.scanned(ago=60)
    world.scanned(ago=0)
    for ago, high in ((70, [5, 5]), (0, [30, 30])):
        world.watermarks(created, [*high], ago=ago)
        world.committed(created, billing, [*high], ago=ago)
        world.committed(created, audit, [*high], ago=ago)
    world.counted(world.edge(1, world.service("orders-svc"), created), 50, ago=30)
    world.counted(world.edge(2, world.service("billing-svc"), created, billing), 50, ago=30)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into part_report values ('fold', '1@here', %s, 5, true, 'folds', '{\"n_batches\": 3}')", [now()]
        )
        cursor.execute(
            "insert into group_member values (%s, 'm-1', 'billing-1', '10.0.0.1', '[[\"orders.created\", 0]]', %s)",
            [billing, now() - timedelta(seconds=1)],
        )
    return world


def test_every_question_about_topology_is_answered_in_its_own_schema() -> None:
    shop()
    headers = bearer(token_of(person("ada", "operator"), "read"))
    answers = {
        path: Client().get(f"/api/v1/{path}", headers=headers)
        for path in (
            "graph", "topics", "topics/demo/orders.created", "topics/demo/orders.created/series", "groups",
            "groups/demo/billing", "health", "dead-letters",
        )
    }  # fmt: skip
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert {"n_batches": 3} in [part["numbers"] for part in answers["health"].json()["parts"]]
    group = answers["groups/demo/billing"].json()
    assert group["members"] == [{"client_id": "billing-1", "host": "10.0.0.1", "assignment": [["orders.created", 0]]}]
    drawn = answers["graph"].json()
    assert datetime.fromisoformat(drawn["from"]).tzinfo is not None
    assert len(drawn["edges"]) == 3
    assert GraphAnswer.model_validate(drawn).model_dump(by_alias=True) == drawn  # it is sent without such a check


def test_lists_are_read_page_by_page_without_a_gap_also_behind_the_thousandth() -> None:
    world = World(now().astimezone(UTC))
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into topic (cluster_id, name, n_partitions) select %s, 'topic.' || n || '-x', 1"
            " from generate_series(1, 1205) n",
            [world.cluster],
        )
    headers = bearer(token_of(person("ada", "viewer"), "read"))
    seen: list[str] = []
    after, pages = "", []
    while True:
        answer = Client().get("/api/v1/topics", {"limit": "400", "after": after}, headers=headers).json()
        seen += [row["id"] for row in answer["items"]]
        pages.append((len(answer["items"]), answer["truncated"]))
        if answer["next"] is None:
            break
        after = answer["next"]
    assert pages == [(400, True), (400, True), (400, True), (5, False)]
    assert len(set(seen)) == len(seen) == 1205


def test_s24_keys_are_metadata_in_the_api_as_on_the_pages() -> None:
    world = World(now().astimezone(UTC))
    created = world.topic("orders.created")
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into record (stored_at, produced_at, kafka_offset, topic_id, kafka_partition, size_bytes,"
            " n_headers, timestamp_type, key) values (%s, %s, 7, %s, 0, 1, 0, 0, 'order-123')",
            [world.at, world.at, created],
        )
    viewer = person("vera", "viewer")
    event = Client().get("/api/v1/events/demo/orders.created/0/7", headers=bearer(token_of(viewer, "read"))).json()
    assert event["event"]["key"] == "order-123"
    page = signed_in(viewer).get("/events/demo/orders.created/0/7/").content.decode()
    assert "order-123" in page
    assert "Payloads need the operator role." in page


def test_what_is_not_there_or_not_a_window_is_a_problem_document() -> None:
    headers = bearer(token_of(person("ada", "operator"), "read"))
    for path, status in (
        ("topics/demo/nothing", 404),
        ("groups/demo/nothing", 404),
        ("graph?from=yesterday", 400),
        ("graph?from=now&to=now-1h", 400),
        ("retries/99", 404),
        ("topics?limit=5000", 422),
    ):
        answer = Client().get(f"/api/v1/{path}", headers=headers)
        assert (path, answer.status_code) == (path, status)
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == status
