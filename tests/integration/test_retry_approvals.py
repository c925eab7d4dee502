"""A second person's approval: of many letters and of edited copies, where the settings file asks for it."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from collector.config.rules import standing
from collector.domain import json_paths
from collector.domain.masking import Aim, Rule, Rules
from collector.retry.refusals import NeedsApproval
from tests.integration.letter_world import AT, dead_record, one, rows
from tests.integration.people import audit_rows, bearer, person, signed_in, token_of
from tests.integration.retry_world import RetryWorld, click

RETRY_TOPIC = "orders.created.retry.billing"

pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture
def world(tmp_path: Path) -> RetryWorld:
    """Three letters; more than two, and every edit, need a second person."""
    file = tmp_path / "weir.toml"
    file.write_text("[permissions]\napprove_edits = true\napprove_above = 2\n")
    call_command("apply", str(file))
    found = RetryWorld()
    found.letters.park(*[dead_record(n) for n in range(3)])
    return found


@pytest.fixture
def otto() -> Client:
    return signed_in(person("otto", "operator"))


def frozen(client: Client) -> str:
    """A plan of all three, seen to its last step; its address."""
    ids = ",".join(str(number) for (number,) in rows("select id from dead_letter order by id"))
    there = str(client.post("/retries/", {"letters": ids, "token": "t1"})["Location"])
    client.get(f"{there}?step=2")
    return there


def digest(page: str) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


def asked(client: Client) -> int:
    there = frozen(client)
    page = client.get(f"{there}?step=4").content.decode()
    assert ">Ask for approval</button>" in page
    done = client.post(there, {"do": "confirm", "digest": digest(page), "typed": "3", "name": "after fix"})
    assert done.status_code == 302, done.content.decode()
    return one("select max(id) from retry_operation")


def test_many_letters_wait_for_another_operator(world: RetryWorld, olga: Client, otto: Client) -> None:
    number = asked(olga)
    there = f"/retries/{number}/approval/"
    assert "Waits for approval" in olga.get("/retries/").content.decode()
    assert (one("select count(*) from retry_item"), world.sent()) == (0, [])
    own = olga.get(there).content.decode()
    assert "Approve and send" not in own
    assert olga.post(there, {"do": "approve", "digest": digest(own)}).status_code == 409
    assert otto.post(there, {"do": "approve", "digest": "0" * 32}).status_code == 409
    seen = otto.get(there).content.decode()
    assert "Approve and send 3" in seen
    assert otto.post(there, {"do": "approve", "digest": digest(seen)})["Location"] == f"/retries/{number}/"
    assert otto.post(there, {"do": "approve", "digest": digest(seen)}).status_code == 404, "once"
    world.send(number)
    assert [copy.key for copy in world.sent()] == [b"order-0"], "the first step of its plan"
    assert rows("select person_name, name from retry_operation") == [("olga", "after fix")]
    deeds = audit_rows("action", "person_name", "result")
    assert [deed for deed in deeds if "approv" in str(deed[0])] == [
        ("ask for approval", "olga", "done"),
        ("approve retry", "olga", "refused"),
        ("approve retry", "otto", "refused"),
        ("approve retry", "otto", "done"),
        ("approve retry", "otto", "refused"),
    ]


def test_newer_events_that_were_processed_since_are_found_when_it_is_approved(
    world: RetryWorld, olga: Client, otto: Client
) -> None:
    for n in range(3):
        world.saw(f"order-{n}", 100 + n)
    world.saw("order-1", 150)
    world.reads_up_to(150)
    number = asked(olga)
    there = f"/retries/{number}/approval/"
    seen = otto.get(there).content.decode()
    world.reads_up_to(151)
    rows("update retry_operation set created_at = created_at - interval '2 minutes' returning 1")
    refused = otto.post(there, {"do": "approve", "digest": digest(seen)})
    assert refused.status_code == 409
    assert "Approve and send 2" in refused.content.decode()
    assert one("select count(*) from retry_item") == 0
    assert otto.post(there, {"do": "approve", "digest": digest(refused.content.decode())}).status_code == 302
    assert one("select count(*) from retry_item") == 2


def test_what_is_refused_or_taken_back_is_never_sent(world: RetryWorld, olga: Client, otto: Client) -> None:
    number = asked(olga)
    there = f"/retries/{number}/approval/"
    assert otto.post(there, {"do": "refuse", "reason": "wait for 2.8.1"}).status_code == 302
    assert "Refused by otto: wait for 2.8.1" in olga.get(f"/retries/{number}/").content.decode()
    assert otto.get(there).status_code == 404
    assert rows("select distinct status from letter_state") == [(0,)]
    ids = [int(str(number)) for (number,) in rows("select id from dead_letter order by id")]
    assert click(*ids[:2], token="t2").id > number, "they are open for others"


def test_no_other_way_leads_around_it(world: RetryWorld) -> None:
    letters = [int(str(number)) for (number,) in rows("select id from dead_letter order by id")]
    with pytest.raises(NeedsApproval):
        click(*letters)
    token = token_of(person("script", "operator"), "read", "retry")
    answer = Client().post(
        "/api/v1/retries", {"dead_letters": letters, "expect": len(letters)}, content_type="application/json",
        headers={**bearer(token), "idempotency-key": "k1"},
    )  # fmt: skip
    assert answer.status_code == 409
    assert "second person" in answer.json()["detail"]
    assert (one("select count(*) from retry_item"), one("select count(*) from retry_operation")) == (0, 0)


def checked(client: Client, there: str, *, value: str, header: str) -> dict[str, str]:
    """The form as it stands when the difference was looked at, and the number typed."""
    token = re.search(r'name="token" value="([^"]*)"', client.get(there).content.decode())
    assert token
    form = {"token": token[1], "value": value, "header-0": header, "reason": "PAY-311"}
    page = client.post(there, {**form, "do": "check"}).content.decode()
    assert ">Ask for approval</button>" in page
    seen = re.search(r'name="checked" value="([^"]*)"', page)
    target = re.search(r'name="target" value="([^"]*)"', page)
    assert seen
    assert target
    return {**form, "checked": seen[1], "target": target[1], "typed": "1"}


def test_an_edited_copy_waits_with_its_difference(world: RetryWorld, olga: Client, otto: Client) -> None:
    letter = one("select min(id) from dead_letter")
    there = f"/dead-letters/{letter}/edit/"
    form = checked(olga, there, value='{"amount": 13}', header="order-0")
    sent = olga.post(there, {**form, "do": "send"})
    assert olga.post(there, {**form, "do": "send"})["Location"] == sent["Location"]
    number = one("select max(id) from retry_operation")
    approval = f"/retries/{number}/approval/"
    page = otto.get(approval).content.decode()
    for said in ("PAY-311", "&quot;amount&quot;: 12.5", "&quot;amount&quot;: 13", "Approve and send 1"):
        assert said in page
    assert form["target"] == "orders.created"
    assert rows("select target_name from retry_operation") == [("orders.created",)], "as it was checked"
    assert otto.post(approval, {"do": "approve", "digest": digest(page)}).status_code == 302
    world.send(number)
    (copy,) = world.sent()
    assert (copy.key, copy.value) == (b"order-0", b'{"amount": 13}')
    assert one("select count(*) from asked_edit") == 0


def test_the_second_person_sees_headers_and_no_masked_field_that_the_copy_adds_and_the_look_is_noted(
    world: RetryWorld, olga: Client, otto: Client
) -> None:
    standing.pin(Rules((Rule(("*",), Aim((json_paths.parse("$.card"),))),)), seconds=60)
    letter = one("select min(id) from dead_letter")
    there = f"/dead-letters/{letter}/edit/"
    form = checked(olga, there, value='{"amount": 12.5, "card": "4000-1234"}', header="order-<one>")
    assert olga.post(there, {**form, "do": "send"}).status_code == 302
    number = one("select max(id) from retry_operation")
    page = otto.get(f"/retries/{number}/approval/").content.decode()
    assert "- order-id: order-0" in page
    assert "+ order-id: order-&lt;one&gt;" in page
    assert "&quot;card&quot;: &quot;•••&quot;" in page
    assert "4000-1234" not in page
    assert ("see payload", "otto", f"retry {number}") in audit_rows("action", "person_name", "object")


def test_where_letters_go_to_another_topic_by_now_nobody_approves_what_they_did_not_see(
    world: RetryWorld, olga: Client, otto: Client
) -> None:
    own = world.letters.topic(RETRY_TOPIC, role=2)
    world.letters.allow(RETRY_TOPIC)
    reads = "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, '{0,0}') returning 1"
    rows(reads, own, world.letters.billing, AT)
    number = asked(olga)
    there = f"/retries/{number}/approval/"
    seen = otto.get(there).content.decode()
    assert f'3 to <b class="mono"><bdi>{RETRY_TOPIC}' in seen
    rows(reads, own, world.letters.shipping, AT)
    assert otto.post(there, {"do": "approve", "digest": digest(seen)}).status_code == 409
    assert one("select count(*) from retry_item") == 0
