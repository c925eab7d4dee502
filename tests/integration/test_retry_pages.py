"""The plan's four steps and an operation's buttons as a browser without scripts uses them, and who may not."""

import re
from dataclasses import replace

import pytest
from django.test import Client

from collector.config.rules import standing
from collector.domain.masking import MASK, Aim, Rule, Rules
from dashboard.queries.retry_keys import keys_of
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
    blast = olga.get(f"{plan}?step=2").content.decode()
    assert "orders.created" in blast
    assert re.findall(r'<input type="radio" name="target"([^>]*)>', blast) == [' value="" checked', ' value="*other"']
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
    wanted = {"dead_letters": letters, "expect": 3, "sending": {"steps": [1, 1], "rate_per_second": 5}}
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


def test_a_letter_that_cannot_be_sent_says_why_instead_of_the_buttons(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    there = f"/dead-letters/{letter}/"
    page = olga.get(there).content.decode()
    assert "Retry…" in page
    assert "Edit…" in page
    rows("update letter_state set attempt = 5 returning 1")
    page = olga.get(there).content.decode()
    assert "<span data-refused><bdi>It died 5 times, which is the limit: something in the flow loops.</bdi>" in page
    assert "Retry…" not in page
    assert "Edit…" not in page


def test_one_letter_is_not_confirmed_while_its_cluster_does_not_answer(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    there = f"/dead-letters/{letter}/retry/"
    assert "Send 1 event" in olga.get(there).content.decode()
    rows("insert into scan select %s, now(), false, 0, 0, 5, 'No broker answers.' returning 1", world.letters.cluster)
    page = olga.get(there).content.decode()
    assert "has never answered: nothing can be sent to it now" in page
    assert "Send 1 event" not in page


def test_the_page_of_one_letter_offers_what_an_admin_names_and_says_what_lies_behind(
    world: RetryWorld, olga: Client
) -> None:
    (letter,) = world.letters.park(dead_record(1))
    world.letters.topic("billing-again")
    world.letters.allow("billing-again")
    page = olga.get(f"/dead-letters/{letter}/retry/").content.decode()
    offered = re.findall(r'name="target" form="choose" value="([^"]*)"( checked)?', page)
    assert offered == [("", " checked"), ("billing-again", ""), ("*other", "")]
    assert "Downstream in 2 hops: nothing known." in page
    chosen = olga.get(f"/dead-letters/{letter}/retry/?target=billing-again").content.decode()
    assert '<input type="hidden" name="target" value="billing-again">' in chosen
    assert "Allowed by an admin." in chosen
    assert 'value="billing-again" checked' in chosen


def test_any_allowed_topic_may_be_typed_for_one_letter_and_is_shown_before_it_is_sent(
    world: RetryWorld, olga: Client
) -> None:
    (letter,) = world.letters.park(dead_record(1))
    there = f"/dead-letters/{letter}/retry/"
    own = world.letters.topic("orders.created.retry.billing", role=2)
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) select t, %s, now(), '{0,0}'"
        " from unnest(array[%s, %s]) t returning 1",
        world.letters.billing, own, world.letters.orders,
    )  # fmt: skip
    world.letters.topic("orders.fixed")
    world.letters.allow("orders.created.retry.billing")
    page = olga.get(there).content.decode()
    offered = re.findall(r'name="target" form="choose" value="([^"]*)"', page)
    assert offered == ["", "*origin", "*other"]
    assert field(page, "target") == ""
    assert "orders.created.retry.billing" in page
    origin = olga.get(f"{there}?target=*origin").content.decode()
    assert 'value="*origin" checked' in origin
    assert '<input type="hidden" name="target" value="orders.created">' in origin
    typed = {"target": "*other", "other": " orders.fixed "}
    refused = olga.get(there, typed).content.decode()
    assert "This target is not allowed for orders.created.dlq: orders.fixed." in refused
    assert "Send 1 event" not in refused
    assert olga.post(there, {**typed, "token": "t1", "typed": "1"}).status_code == 409
    world.letters.allow("orders.fixed")
    shown = olga.get(there, typed).content.decode()
    assert '<input type="hidden" name="target" value="orders.fixed">' in shown
    sent = olga.post(there, {"target": "orders.fixed", "token": "t2", "typed": "1"})
    assert sent.status_code == 302
    assert rows("select t.name from retry_item join topic t on t.id = target_topic_id") == [("orders.fixed",)]


def test_a_letter_without_an_origin_is_offered_what_an_admin_names(world: RetryWorld, olga: Client) -> None:
    record = dead_record(1)
    bare = replace(record, headers=tuple(each for each in record.headers if "original" not in each[0]))
    (letter,) = world.letters.park(bare)
    world.letters.topic("orders.fixed")
    world.letters.allow("orders.fixed")
    page = olga.get(f"/dead-letters/{letter}/retry/").content.decode()
    assert "It names no topic of this cluster as its origin. Choose a target." in page
    assert 'form="choose" value="orders.fixed"' in page


def test_a_running_operation_names_its_step_and_a_stopped_one_leads_to_its_failure(
    world: RetryWorld, olga: Client
) -> None:
    number = click(*world.letters.park(*[dead_record(n) for n in range(3)])).id
    rows("update retry_operation set status = 1, steps = '{1,1}' returning 1")
    rows("update retry_item set step = ordinal returning 1")
    assert "<span>step 1 of 3</span>" in olga.get(f"/retries/{number}/").content.decode()
    rows("update retry_operation set status = 3, reason = 'Stopped: 1 of 1 failed again.' returning 1")
    page = olga.get(f"/retries/{number}/").content.decode()
    assert f'<a href="/dead-letters/groups/{one("select id from failure_group")}/">See the failure</a>' in page
    assert 'href="/topics/demo/orders.created/"' in page
    assert "<span>step" not in page


def test_who_comes_second_is_told_who_asked_and_sends_nothing(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    there = f"/dead-letters/{letter}/retry/"
    token = field(olga.get(there).content.decode(), "token")
    number = click(letter).id
    late = olga.post(there, {"token": token, "typed": "1"})
    assert late.status_code == 409
    for page in (late.content.decode(), olga.get(f"/dead-letters/{letter}/").content.decode()):
        assert "<bdi>operator1</bdi> asked for a retry of this" in page
        assert f'href="/retries/{number}/"' in page
    assert one("select count(*) from retry_item") == 1


def test_outcomes_are_told_key_by_key_those_with_failures_first(world: RetryWorld, olga: Client) -> None:
    records = [replace(dead_record(n), key=key) for n, key in enumerate((b"a", b"b", b"b", b"c", b"\xff", None))]
    number = click(*world.letters.park(*records)).id
    rows("update retry_item set status = 6, sent_at = now() where dead_letter_id in"
         " (select id from dead_letter where kafka_offset = 2) returning 1")  # fmt: skip
    rows("update retry_item set status = 4, sent_at = now() where dead_letter_id in"
         " (select id from dead_letter where kafka_offset = 0) returning 1")  # fmt: skip
    found = keys_of(number)
    assert (found.n_keys, found.n_keyless) == (4, 1)
    assert [(row.key, row.n, row.n_sent, row.n_done, row.n_failed_again, row.n_waiting) for row in found.items] == [
        ("b", 2, 1, 0, 1, 1), ("a", 1, 1, 1, 0, 0), ("c", 1, 0, 0, 0, 1), (None, 1, 0, 0, 0, 1),
    ]  # fmt: skip
    page = olga.get(f"/retries/{number}/?by=key").content.decode()
    assert 'aria-label="Outcomes by key"' in page
    assert "1 letter without a key." in page
    assert 'aria-label="Letters of this operation"' not in page
    standing.pin(Rules((Rule(("orders.created",), Aim(key=True)),)), seconds=60)
    assert [row.key for row in keys_of(number).items] == [MASK, MASK, MASK, None]


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
