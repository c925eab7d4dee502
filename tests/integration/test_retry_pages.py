"""The plan's four steps and an operation's buttons as a browser without scripts uses them, and who may not."""

import re

import pytest
from django.test import Client

from tests.integration.letter_world import dead_record, one, rows
from tests.integration.people import audit_rows, bearer, person, signed_in, token_of
from tests.integration.retry_world import RetryWorld, click

pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture
def world() -> RetryWorld:
    return RetryWorld()


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]* value="([^"]*)"', page)
    assert found, f"no {name} in the page"
    return found[1]


def test_a_group_is_frozen_planned_confirmed_once_and_paused(world: RetryWorld, olga: Client) -> None:
    letters = world.letters.park(*[dead_record(n) for n in range(3)])
    group = one("select id from failure_group")
    page = olga.get(f"/dead-letters/groups/{group}/").content.decode()
    assert "Retry 3…" in page
    form = {"token": field(page, "token"), "group": str(group)}
    plan = olga.post("/retries/", form)["Location"]
    assert olga.post("/retries/", form)["Location"] == plan, "a double click"
    first = olga.get(plan).content.decode()
    assert "Frozen at" in first
    assert "Selected 3: <bdi>failure group CardDeclined at Gateway.charge:88</bdi>" in first
    assert one("select count(*) from retry_item") == 0
    assert "Look at step 2 first" in olga.get(f"{plan}?step=4").content.decode()
    assert "orders.created" in olga.get(f"{plan}?step=2").content.decode()
    chosen = olga.post(plan, {"do": "choose", "target": "", "newer": "out", "next": "1"})
    assert chosen["Location"].endswith("?step=3")
    paced = {"do": "pace", "rate": "50", "steps": "1 → 5", "wait": "60", "stop_first": "1", "stop_percent": "5"}
    assert olga.post(plan, paced)["Location"].endswith("?step=4")
    silence = "insert into scan select %s, now(), false, 0, 0, 5, 'No broker answers.' returning 1"
    rows(silence, world.letters.cluster)
    last = olga.get(f"{plan}?step=4").content.decode()
    assert "has never answered: nothing can be sent to it now" in last
    assert 'value="confirm"' not in last
    rows("delete from scan returning 1")
    last = olga.get(f"{plan}?step=4").content.decode()
    confirm = {"do": "confirm", "digest": field(last, "digest"), "typed": "3", "name": "after <b>2.8.1"}
    done = olga.post(plan, confirm)
    number = one("select id from retry_operation")
    assert done["Location"] == f"/retries/{number}/"
    again = olga.post(plan, confirm)
    assert again["Location"] == f"/retries/{number}/?already=1"
    assert f"Already sent as operation #{number}" in olga.get(again["Location"]).content.decode()
    assert rows("select dead_letter_id from retry_item order by 1") == [(letter,) for letter in letters]
    running = olga.get(f"/retries/{number}/").content.decode()
    assert "after &lt;b&gt;2.8.1" in running
    assert olga.post(f"/retries/{number}/", {"do": "pause"}).status_code == 302
    assert "Resume" in olga.get(f"/retries/{number}/").content.decode()
    assert olga.post(f"/retries/{number}/", {"do": "pause"}).status_code == 409
    assert olga.post(f"/retries/{number}/", {"do": "cancel"}).status_code == 302
    assert rows("select distinct status from letter_state") == [(0,)]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"do": "pace", "rate": "9999"}, "less than or equal to 500"),
        ({"do": "pace", "rate": "5", "steps": "one", "wait": "60", "stop_first": "1", "stop_percent": "5"}, "Numbers"),
        ({"do": "choose", "target": "orders.created.dlq"}, "not allowed"),
        ({"do": "choose", "target": "*other", "other": "nowhere"}, "does not exist"),
    ],
)
def test_what_cannot_be_planned_is_said_beside_the_field(
    world: RetryWorld, olga: Client, form: dict[str, str], problem: str
) -> None:
    (letter,) = world.letters.park(dead_record(1))
    plan = olga.post("/retries/", {"token": "t", "letter": str(letter)})["Location"]
    response = olga.post(plan, form)
    assert response.status_code in {400, 409}
    assert problem in response.content.decode()


def test_an_empty_selection_freezes_nothing(world: RetryWorld, olga: Client) -> None:
    response = olga.post("/retries/", {"token": "t"})
    assert response.status_code == 409
    assert "Choose at least one dead letter." in response.content.decode()


def test_s26_somebody_elses_plan_is_not_there(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    plan = olga.post("/retries/", {"token": "t", "letter": str(letter)})["Location"]
    otto = signed_in(person("otto", "operator"))
    assert otto.get(plan).status_code == 404
    assert otto.post(plan, {"do": "discard"}).status_code == 404
    assert olga.post(plan, {"do": "discard"})["Location"] == "/dead-letters/"
    assert olga.get(plan).status_code == 404


def test_another_target_is_shown_before_the_next_step(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    plan = olga.post("/retries/", {"token": "t", "letter": str(letter)})["Location"]
    olga.get(f"{plan}?step=2")
    chosen = {"do": "choose", "target": "*other", "other": "orders.created", "newer": "out", "next": "1"}
    world.letters.topic("orders.created.2")
    again = olga.post(plan, chosen)["Location"]
    assert again == f"{plan}?step=2&other=1"
    assert "Look at who will get these events now" in olga.get(again).content.decode()
    assert olga.post(plan, chosen)["Location"] == f"{plan}?step=3"


def test_a_viewer_is_told_who_may_and_a_forced_freeze_is_refused_and_noted(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    vera = signed_in(person("vera", "viewer"))
    page = vera.get("/dead-letters/").content.decode()
    assert "Retry needs the operator role." in page
    assert "Retry 1…" not in page
    forced = vera.post("/retries/", {"token": "t", "letter": str(letter)})
    assert forced.status_code == 403
    assert "Retry needs the operator role." in forced.content.decode()
    assert audit_rows("action", "person_name", "result", actions=["retry"]) == [("retry", "vera", "refused")]
    assert one("select count(*) from retry_operation") == 0


def test_the_api_sends_in_steps_and_controls_what_runs(world: RetryWorld) -> None:
    letters = world.letters.park(*[dead_record(n) for n in range(3)])
    headers = {**bearer(token_of(person("otto", "operator"), "read", "retry")), "idempotency-key": "k1"}
    wanted = {"dead_letters": letters, "sending": {"steps": [1, 1], "rate_per_second": 5}}
    asked = Client().post("/api/v1/retries", wanted, content_type="application/json", headers=headers)
    assert asked.status_code == 202, asked.content
    number = asked.json()["id"]
    answer = Client().get(f"/api/v1/retries/{number}", headers=headers).json()
    assert [step["events"] for step in answer["steps"]] == [1, 1, 1]
    for deed, status in (("pause", 200), ("pause", 409), ("resume", 200), ("cancel", 200), ("continue", 409)):
        assert Client().post(f"/api/v1/retries/{number}/{deed}", headers=headers).status_code == status, deed
    assert Client().get(f"/api/v1/retries/{number}", headers=headers).json()["counts"]["not_sent"] == 3


def test_the_api_filters_and_sends_what_matches(world: RetryWorld) -> None:
    letters = world.letters.park(*[dead_record(n) for n in range(3)])
    headers = {**bearer(token_of(person("otto", "operator"), "read", "retry")), "idempotency-key": "k1"}
    found = Client().get("/api/v1/dead-letters", {"q": "key:order-2"}, headers=headers).json()["items"]
    assert [item["id"] for item in found] == [letters[2]]
    wrong = Client().get("/api/v1/dead-letters", {"q": "colour:red"}, headers=headers)
    assert wrong.status_code == 400
    assert "colour" not in wrong.content.decode()
    asked = Client().post(
        "/api/v1/retries", {"matching": "key:order-*", "expect": 3}, content_type="application/json", headers=headers
    )
    assert asked.status_code == 202, asked.content
    assert one("select count(*) from retry_item") == 3
    world.letters.park(dead_record(9))
    again, other = (
        Client().post("/api/v1/retries", body, content_type="application/json", headers=headers)
        for body in ({"matching": "key:order-*", "expect": 3}, {"matching": "key:order-9", "expect": 3})
    )
    assert (again.status_code, again.json()) == (200, asked.json()), "though other letters match by now"
    assert other.status_code == 409
    assert one("select count(*) from retry_item") == 3


def test_each_refusal_is_noted(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    group, number = one("select id from failure_group"), click(letter).id
    plan = olga.post("/retries/", {"token": "t", "letter": str(world.letters.park(dead_record(2))[1])})["Location"]
    olga.post(plan, {"do": "choose", "target": "*other", "other": "__consumer_offsets"})
    olga.post("/retries/", {"token": "t", "matching": "1", "q": "colour:red"})
    for deed in ({"do": "resume"}, {"do": "continue"}, {"do": "rate", "rate": "9999"}):
        assert olga.post(f"/retries/{number}/", deed).status_code == 409
    olga.post(f"/dead-letters/groups/{group}/parts/", {"do": "merge", "into": str(group)})
    headers = {**bearer(token_of(person("otto", "operator"), "read", "retry")), "idempotency-key": "k1"}
    body = {"matching": "colour:red"}
    assert Client().post("/api/v1/retries", body, content_type="application/json", headers=headers).status_code == 400
    refused = [row[1:] for row in audit_rows("result", "action", "person_name", "object", actions=["refused"])]
    assert refused == [
        ("choose target", "olga", plan.removesuffix("/plan/").strip("/").replace("retries/", "retry ")),
        ("retry", "olga", "dead letters"),
        ("resume retry", "olga", f"retry {number}"),
        ("continue retry", "olga", f"retry {number}"),
        ("set retry rate", "olga", f"retry {number}"),
        ("merge failure groups", "olga", f"failure group {group}"),
        ("retry", "otto", "dead letters"),
    ]


def test_a_plan_that_expired_says_so_and_is_changed_by_nothing(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = olga.post("/retries/", {"letter": letter, "token": "t"})
    rows("update retry_operation set created_at = created_at - interval '25 hours' returning 1")
    for answer in (olga.get(asked["Location"]), olga.post(asked["Location"], {"do": "discard"})):
        assert answer.status_code == 410
        assert "Expired after 24 h: what it froze has changed since. Freeze again." in answer.content.decode()
    assert ("discard plan", "refused") in audit_rows("action", "result")


def test_the_list_of_retries_of_one_cluster_leaves_out_the_others(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    number = click(letter).id
    rows("insert into cluster (name) values ('other') returning id")
    link = f'href="/retries/{number}/'
    page = olga.get("/retries/?cluster=demo").content.decode()
    assert link in page
    assert ">Cluster</th>" in page
    page = olga.get("/retries/?cluster=other").content.decode()
    assert link not in page
    assert "No retry to" in page
    assert link in olga.get("/retries/").content.decode()
