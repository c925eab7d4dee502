"""Requests that somebody would send to break a page: each gets an answer of ours, never a 500."""

import json
import re
from datetime import UTC, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client

from collector import clock
from collector.domain.frames import framed
from dashboard.api.problems import MOST_PLACES
from tests.integration.graph_world import World
from tests.integration.people import audit_rows, bearer, person, signed_in, token_of

pytestmark = pytest.mark.django_db
RETRIES = "/api/v1/retries"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-anything"])
def test_s9_text_that_cannot_be_stored_is_refused_whatever_the_body_calls_itself(content_type: str) -> None:
    headers = {**bearer(token_of(person("ada", "operator"), "retry")), "Idempotency-Key": "k"}
    body = '{"dead_letters": [1], "target": "a\\u0000b"}'
    answer = Client().post(RETRIES, body, content_type=content_type, headers=headers)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_numbers_beyond_the_databases_are_nobodys() -> None:
    operator = person("ada", "operator")
    browser = signed_in(operator)
    for path in (
        "dead-letters/{}/",
        "dead-letters/{}/retry/",
        "dead-letters/groups/{}/",
        "retries/{}/",
        "retries/{}/plan/",
    ):
        for number in (0, 2**31, 2**63, 10**30):
            assert browser.get(f"/{path.format(number)}").status_code == 404, (path, number)
    headers = {**bearer(token_of(operator, "retry")), "Idempotency-Key": "k"}
    for wrong in (
        {"dead_letters": [2**63]},
        {"dead_letters": [1], "sending": {"steps": [2**40]}},
        {"dead_letters": [1], "sending": {"steps": [-1]}},
        {"dead_letters": [1], "sending": {"rate_per_second": 10**400}},
    ):
        answer = Client().post(RETRIES, wrong, content_type="application/json", headers=headers)
        assert answer.status_code in {409, 422}, wrong
    for number in (2**31, 10**30):
        for deed in ("pause", "resume", "continue", "cancel"):
            assert Client().post(f"{RETRIES}/{number}/{deed}", headers=headers).status_code == 409, (number, deed)
            there = browser.post(f"/retries/{number}/", {"do": deed})
            assert there.status_code in {404, 409}, (number, deed)
        for rate in ("nan", "inf", "1e999", "-1", "x"):
            assert browser.post(f"/retries/{number}/", {"do": "rate", "rate": rate}).status_code in {404, 409}, rate
        for do in ("choose", "pace", "confirm", "discard", "x"):
            assert browser.post(f"/retries/{number}/plan/", {"do": do}).status_code in {302, 404}, (number, do)


def test_a_body_full_of_faults_is_answered_in_few_words() -> None:
    headers = {**bearer(token_of(person("ada", "operator"), "retry")), "Idempotency-Key": "k"}
    wrong = {"dead_letters": ["no"] * 5_000}
    answer = Client().post(RETRIES, wrong, content_type="application/json", headers=headers)
    assert answer.status_code == 422
    assert answer.json()["detail"].count("dead_letters.") == MOST_PLACES
    assert "and 4990 more" in answer.json()["detail"]


def test_an_unknown_address_of_the_api_is_a_problem_document() -> None:
    answer = Client().get("/api/v1/nothing")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["status"] == 404


def test_s28_who_may_not_retry_by_the_api_is_noted_although_the_body_was_not_read() -> None:
    viewer = person("vera", "viewer")
    answer = Client().post(
        RETRIES, "not json", content_type="application/json", headers=bearer(token_of(viewer, "read", "retry"))
    )
    assert answer.status_code == 403
    assert audit_rows("action", "person_name", "object", "result") == [("retry", "vera", RETRIES, "refused")]


@pytest.mark.parametrize("cluster", ["a/b", "50%2F", "line\nend", "..", "<b>&\u202e"])
def test_a_cluster_that_a_span_named_breaks_no_page(cluster: str) -> None:
    world = World(clock.now().astimezone(UTC))
    with connection.cursor() as cursor:
        cursor.execute("update cluster set name = %s where id = %s", [cluster, world.cluster])
    created, group = world.topic("orders.created"), world.group("line\nend/..")
    world.scanned(ago=60)
    world.scanned(ago=1)
    for ago in (60, 1):
        world.watermarks(created, [9 - ago // 10, 0], ago=ago)
        world.committed(created, group, [1, None], ago=ago)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into record (stored_at, produced_at, kafka_offset, topic_id, kafka_partition, size_bytes,"
            " n_headers, timestamp_type) values (%(at)s, %(at)s, 7, %(topic)s, 0, 1, 0, 0)",
            {"at": world.at, "topic": created},
        )
        cursor.execute("insert into input (kind, cluster_id, topic_name) values (3, %s, 'x') returning id", [0])
        cursor.execute(
            "insert into batch (stored_at, input_id, n_spans, n_links, n_records) values (%s, %s, 0, 0, 1)",
            [world.at, cursor.fetchone()[0]],
        )
    browser = signed_in(person("ada", "viewer"))
    for path in (
        "/",
        "/topics/",
        "/groups/",
        "/events/",
        "/search?q=line",
        "/search?q=orders",
        "/search?q=orders.created/0/7",
        "/health/",
    ):
        assert browser.get(path, follow=True).status_code == 200, path
    selected = browser.get("/", {"sel": f"topic:{quote(cluster, safe='')}/orders.created"})
    opened = selected.content.decode().split('class="button primary" href="')[1].split('"')[0]
    assert browser.get(unescape(opened)).status_code == 200
    for page, link in (("/groups/", r'href="(/groups/[^"?]+)" data-open'), ("", r'href="([^"]*tab=members)"')):
        opened = unescape(re.findall(link, browser.get(page or opened).content.decode())[0])
        assert browser.get(opened).status_code == 200, opened
    headers = bearer(token_of(person("api", "viewer"), "read"))
    listed = Client().get("/api/v1/groups", headers=headers).json()["items"][0]
    parts = listed["id"].removeprefix("group:").split("/")
    address = "/".join(quote(part, safe="") for part in parts)  # as an id has them, encoded for an address
    assert Client().get(f"/api/v1/groups/{address}", headers=headers).json()["name"] == "line\nend/.."


def test_s25_a_token_asks_so_often_and_no_more(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEIR_API_PER_SECOND = 2
    now = clock.now()
    monkeypatch.setattr("dashboard.api.auth.now", lambda: now)
    headers = bearer(token_of(person("ada", "viewer"), "read"))
    other = bearer(token_of(person("bob", "viewer"), "read"))
    statuses = [Client().get("/api/v1/health", headers=headers).status_code for _ in range(12)]
    assert statuses == [200] * 10 + [429] * 2
    refused = Client().get("/api/v1/health", headers=headers)
    assert (refused["Retry-After"], refused["Content-Type"]) == ("1", "application/problem+json")
    assert Client().get("/api/v1/health", headers=other).status_code == 200
    now += timedelta(seconds=1)
    assert [Client().get("/api/v1/health", headers=headers).status_code for _ in range(3)] == [200, 200, 429]


def test_s25_ten_retries_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    monkeypatch.setattr("dashboard.api.auth.now", lambda: now)
    headers = {**bearer(token_of(person("ada", "operator"), "retry", "read")), "Idempotency-Key": "k"}
    body = json.dumps({"dead_letters": [1]})
    statuses = [
        Client().post(RETRIES, body, content_type="application/json", headers=headers).status_code for _ in range(11)
    ]
    assert statuses == [409] * 10 + [429]
    assert Client().post(f"{RETRIES}/1/cancel", headers=headers).status_code == 409, "cancelling is never held back"
    assert Client().get("/api/v1/health", headers=headers).status_code == 200
    now += timedelta(seconds=6)
    assert Client().post(RETRIES, body, content_type="application/json", headers=headers).status_code == 409


def test_the_apis_document_is_open_and_names_no_data() -> None:
    World(clock.now().astimezone(UTC)).topic("orders.secret")
    first, second = Client().get("/api/v1/openapi.json"), Client().get("/api/v1/openapi.json")
    assert first.status_code == 200
    assert first.content == second.content
    assert b"orders.secret" not in first.content
    assert "paths" in first.json()


FOREIGN = "<img src=x onerror=alert(1)>\"'&</script><!--\u202egnp.\u200b\u2066\x1b[31m\u0085{{ 7|add:7 }}"


def hostile_world() -> World:
    """A shop in which every text that somebody else writes is FOREIGN."""
    world = World(clock.now().astimezone(UTC))
    created, dlq = world.topic("orders.created"), world.topic("orders.created.dlq", role=1)
    group, service = world.group(FOREIGN), world.service(FOREIGN)
    world.scanned(ago=61)
    world.scanned(ago=1)
    for ago in (61, 1):
        for topic in (created, dlq):
            world.watermarks(topic, [90 - int(ago), 0], ago=ago)
        world.committed(created, group, [20, None], ago=ago, lag=9)
    world.counted(world.edge(1, service, created), 50, ago=30)
    world.counted(world.edge(2, service, created, group), 50, ago=30, errors=9)
    facts: dict[str, Any] = {
        "at": world.at,
        "text": FOREIGN,
        "raw": FOREIGN.encode(),
        "created": created,
        "dlq": dlq,
        "group": group,
    }
    facts["headers"] = framed(((FOREIGN, FOREIGN.encode()),))
    for statement in (
        "update topic set configs = jsonb_build_object('a' || %(text)s::text, %(text)s::text) where id = %(created)s",
        "insert into record (stored_at, produced_at, kafka_offset, topic_id, kafka_partition, size_bytes, n_headers,"
        " timestamp_type, key, event_id) values (%(at)s, %(at)s, 7, %(created)s, 0, 1, 1, 0, %(raw)s, %(text)s)",
        "insert into record_body values (%(at)s, %(created)s, 0, 7, %(headers)s, %(raw)s)",
        "insert into record_key values (%(at)s, 1, %(text)s, %(created)s, 0, 7)",
        "insert into failure_group (group_id, topic_id, exception_class, title, first_at, last_at)"
        " values (%(group)s, %(created)s, %(text)s, %(text)s, %(at)s, %(at)s)",
        "insert into dead_letter (topic_id, kafka_partition, kafka_offset, dialect, seen_at, failed_at, group_id,"
        " origin_topic_id, origin_partition, origin_offset, exception_class, message, key_text, size_bytes)"
        " values (%(dlq)s, 0, 1, %(text)s, %(at)s, %(at)s, %(group)s, %(created)s, 0, 7,"
        " %(text)s, %(text)s, %(text)s, 9)",
        "insert into dead_letter_body select id, %(raw)s, %(raw)s, %(headers)s, %(text)s from dead_letter",
        "insert into letter_state select d.id, g.id, 0, 1, now() from dead_letter d cross join failure_group g",
        "insert into failure_count (failure_group_id, topic_id, status, n) select id, %(dlq)s, 0, 1 from failure_group",
        "insert into audit_entry (at, person_name, action, object, result, reason, address)"
        " values (%(at)s, %(text)s, %(text)s, %(text)s, 'failed', %(text)s, %(text)s)",
        "insert into part_report values ('fold', %(text)s, %(at)s, 5, true, %(text)s)",
        "insert into scan values (%(cluster)s, %(at)s, false, 0, 0, 1, %(text)s)",
    ):
        with connection.cursor() as cursor:
            cursor.execute(statement, {**facts, "cluster": world.cluster})
    return world


def test_s1_foreign_text_is_text_on_every_page() -> None:
    hostile_world()
    with connection.cursor() as cursor:
        cursor.execute("select d.id, g.id from dead_letter d cross join failure_group g")
        letter, failure = cursor.fetchone()
    service = f"service:{quote(FOREIGN, safe='')}"
    browser = signed_in(person("<img src=x onerror=1>", "admin"))
    seen = 0
    for path, query in (
        ("/", {}), ("/", {"sel": service}), ("/", {"sel": FOREIGN, "label": FOREIGN, "view": FOREIGN, "find": FOREIGN}),
        ("/topics/", {}), ("/topics/", {"q": FOREIGN, "sort": FOREIGN}), ("/topics/demo/orders.created/", {}),
        *(("/topics/demo/orders.created/", {"tab": tab}) for tab in ("partitions", "config", "events", FOREIGN)),
        ("/groups/", {}), ("/groups/", {"q": FOREIGN, "sort": FOREIGN}),
        *((f"/groups/demo/{quote(FOREIGN)}/", {"tab": tab}) for tab in ("lag", "members", "history", FOREIGN)),
        ("/events/", {}), ("/events/", {"q": FOREIGN, "order": FOREIGN, "begun_from": FOREIGN}),
        ("/events/", {"view": "stuck"}), ("/events/demo/orders.created/0/7/", {"sel": "hop:1", "tab": "payload"}),
        ("/events/demo/orders.created/0/7/", {}),
        ("/events/demo/orders.created/0/7/", {"tab": "payload"}), ("/search", {"q": FOREIGN}),
        ("/search", {"q": f"key:{FOREIGN}"}), ("/search", {"q": "img"}), ("/dead-letters/", {}),
        ("/dead-letters/", {"view": "list", "status": FOREIGN}), (f"/dead-letters/groups/{failure}/", {}),
        (f"/dead-letters/{letter}/", {}), (f"/dead-letters/{letter}/", {"tab": "payload"}),
        (f"/dead-letters/{letter}/", {"tab": "attempts"}), (f"/dead-letters/{letter}/retry/", {"target": FOREIGN}),
        ("/retries/", {}), ("/audit/", {}), ("/health/", {}), ("/nothing/", {"q": FOREIGN}),
        ("/login/", {"next": FOREIGN}),
    ):  # fmt: skip
        answer = browser.get(path, query)
        html = answer.content.decode()
        assert answer.status_code in {200, 302, 404}, (path, answer.status_code)
        for raw in ("<img src=x", "</script><!--", "\u202e", "\u2066", "\x1b", "\u0085", ">14<"):
            assert raw not in html, (path, query, raw)
        seen += "&lt;img src=x" in html
    assert seen > 12, "the hostile text must have been shown"


def test_only_a_person_who_asks_is_said_to_have_seen_a_payload() -> None:
    hostile_world()
    with connection.cursor() as cursor:
        cursor.execute("select id from dead_letter")
        letter = cursor.fetchone()[0]
    browser = signed_in(person("olga", "operator"))

    def looks() -> int:
        return len(audit_rows("action", actions=["see payload"]))

    event = "/events/demo/orders.created/0/7/"
    for path in (event, f"/dead-letters/{letter}/"):
        before = looks()
        page = browser.get(path, {"tab": "payload"}).content.decode()
        assert looks() == before + 1, path
        browser.get(path)
        assert looks() == before + 1, path
        assert "data-whole" not in page, "a page that reads itself anew would look at the payload each time"
    browser.get(event, {"tab": "payload"}, headers={"X-Weir-Part": "path"})
    assert looks() == 2, "what the page reads by itself while the tab is open is no look"
