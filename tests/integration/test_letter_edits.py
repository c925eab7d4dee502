"""An edited copy is checked as a difference, sent once with a reason, and never beside the original."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.utils.html import escape

from collector.config.rules import standing
from collector.domain import json_paths
from collector.domain.masking import Aim, Rule, Rules
from collector.retry import outcomes
from tests.integration.letter_world import AT, dead_record, one, rows
from tests.integration.people import audit_rows, person, signed_in
from tests.integration.retry_world import RetryWorld, click, counts_fit

pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture
def world() -> Iterator[RetryWorld]:
    yield RetryWorld()
    assert counts_fit()


def _form(page: str, **changes: str) -> dict[str, str]:
    token = re.search(r'name="token" value="([^"]*)"', page)
    assert token
    form = {"token": token[1], "value": '{"amount": 13}', "header-0": "order-1", "reason": "PAY-311", "typed": "1"}
    return {**form, **changes}


def _seen(page: str) -> dict[str, str]:
    """What the page's button says of the difference above it."""
    seen = re.search(r'name="checked" value="([^"]*)"', page)
    assert seen
    return {"checked": seen[1]}


def test_an_edited_copy_is_checked_then_sent_once_and_the_original_stays(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    there = f"/dead-letters/{letter}/edit/"
    form = _form(olga.get(there).content.decode(), **{"header-0": "order-one"})
    checked = olga.post(there, {**form, "do": "check"}).content.decode()
    assert "&quot;amount&quot;: 12.5" in checked
    assert "Send edited copy" in checked
    assert one("select count(*) from retry_item") == 0
    form |= _seen(checked)
    sent = olga.post(there, {**form, "do": "send"})
    assert olga.post(there, {**form, "do": "send"})["Location"] == f"{sent['Location']}?already=1"
    number = one("select max(id) from retry_operation")
    world.send(number)
    (copy,) = world.sent()
    assert (copy.key, copy.value, copy.first("order-id")) == (b"order-1", b'{"amount": 13}', b"order-one")
    assert rows("select value from dead_letter_body") == [(dead_record(1).value,)]
    other = {**form, "token": "other", "value": '{"amount": 14}'}
    other |= _seen(olga.post(there, {**other, "do": "check"}).content.decode())
    locked = olga.post(there, {**other, "do": "send"})
    assert locked.status_code == 409
    assert f"Operation #{number}" in locked.content.decode()
    assert len(world.sent()) == 1
    assert ("edit and retry", "done", "PAY-311") in audit_rows("action", "result", "reason")


def test_nothing_is_sent_whose_difference_was_not_looked_at(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    there = f"/dead-letters/{letter}/edit/"
    form = _form(olga.get(there).content.decode())
    unseen = olga.post(there, {**form, "do": "send"})
    assert unseen.status_code == 409
    assert "You changed it since the check." in unseen.content.decode()
    form |= _seen(olga.post(there, {**form, "do": "check"}).content.decode())
    changed = olga.post(there, {**form, "value": '{"amount": 99}', "do": "send"})
    assert (changed.status_code, one("select count(*) from retry_item")) == (409, 0)
    assert "&quot;amount&quot;: 99" in changed.content.decode()
    again = olga.post(there, {**form, "value": '{"amount": 99}', **_seen(changed.content.decode()), "do": "send"})
    assert again.status_code == 302
    assert rows("select edited_value from retry_item") == [(b'{"amount": 99}',)]


def test_an_edited_copy_goes_where_the_check_said(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    there = f"/dead-letters/{letter}/edit/"
    form = _form(olga.get(there).content.decode())
    checked = olga.post(there, {**form, "do": "check"}).content.decode()
    assert '<input type="hidden" name="target" value="orders.created">' in checked
    form |= _seen(checked)
    own = world.letters.topic("orders.created.retry.billing", role=2)
    world.letters.allow("orders.created.retry.billing")
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, '{0,0}') returning 1",
        own, world.letters.billing, AT,
    )  # fmt: skip
    elsewhere = olga.get(f"/dead-letters/{letter}/retry/").content.decode()
    assert 'name="target" value="orders.created.retry.billing"' in elsewhere
    assert olga.post(there, {**form, "target": "orders.created", "do": "send"}).status_code == 302
    assert rows("select target_topic_id from retry_item") == [(world.letters.orders,)]


def test_a_copy_that_died_again_is_the_same_letter_and_its_original_can_be_sent(
    world: RetryWorld, olga: Client
) -> None:
    (letter,) = world.letters.park(dead_record(1))
    there = f"/dead-letters/{letter}/edit/"
    form = _form(olga.get(there).content.decode())
    form |= _seen(olga.post(there, {**form, "do": "check"}).content.decode())
    olga.post(there, {**form, "do": "send"})
    world.send(one("select max(id) from retry_operation"))
    (copy,) = world.sent()
    marks = (("x-weir-attempt", copy.first("x-weir-attempt")),)
    died = replace(dead_record(9, marks=marks, origin_offset=copy.offset), key=copy.key, value=copy.value)
    assert world.letters.park(died) == [letter]
    outcomes.settle(now=AT + timedelta(seconds=3))
    assert rows("select status, attempt from letter_state") == [(0, 2)]
    world.send(click(letter, token="original").id)
    assert world.sent()[-1].value == dead_record(1).value


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"value": '{"amount": '}, "Not valid JSON at line 1"),
        ({"reason": " "}, "Give a reason."),
        ({"value": '{"amount": 12.5}'}, "Nothing is changed."),
    ],
)
def test_what_cannot_be_sent_is_said_and_nothing_typed_is_lost(
    world: RetryWorld, olga: Client, changes: dict[str, str], problem: str
) -> None:
    (letter,) = world.letters.park(dead_record(1))
    there = f"/dead-letters/{letter}/edit/"
    response = olga.post(there, {**_form(olga.get(there).content.decode(), **changes), "do": "send"})
    page = response.content.decode()
    assert (response.status_code, one("select count(*) from retry_item")) == (409, 0)
    assert problem in page
    field = re.search(r'name="(\w+)"[^>]* autofocus aria-invalid="true" aria-describedby="problem"', page)
    assert field
    assert field[1] == next(iter(changes)), "the focus is where the problem is"
    assert page.count(f'<p class="problem" id="problem"><bdi>{problem}') == 1
    assert "PAY-311" in page or changes.get("reason")


def test_what_is_no_json_cannot_be_edited_and_a_viewer_never(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(replace(dead_record(1), value=b"\xff"))
    assert "Cannot be edited" in olga.get(f"/dead-letters/{letter}/edit/").content.decode()
    assert signed_in(person("vera", "viewer")).get(f"/dead-letters/{letter}/edit/").status_code == 403


def test_each_look_at_the_bytes_is_noted(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    olga.get(f"/dead-letters/{letter}/edit/")
    assert audit_rows("action", "object", actions={"see payload"}) == [("see payload", f"dead letter {letter}")]


def test_masked_parts_are_marked_and_travel_untouched(world: RetryWorld, olga: Client) -> None:
    value = b'{"card": {"number": "4111-2222"}, "amount": 12.50, "note": "paid with 4111-2222"}'
    headers = (("secret", b"hush-hush"), *dead_record(1).headers)
    (letter,) = world.letters.park(replace(dead_record(1), value=value, headers=headers))
    world.broker.topics["orders.created"].records[0][1] = replace(
        world.broker.topics["orders.created"].records[0][1], value=value
    )
    aim = Aim((json_paths.parse("$.card"),), frozenset({"secret"}))
    standing.pin(Rules((Rule(("*",), aim),)), seconds=60)
    there = f"/dead-letters/{letter}/edit/"
    page = olga.get(there).content.decode()
    for hidden in ("4111-2222", "hush-hush"):
        assert hidden not in page
    marked = '{"card": "••• 1", "amount": 12.50, "note": "••• 2"}'
    assert escape(marked) in page
    form = {**_form(page), "value": marked.replace("12.50", "13.00"), "header-1": "order-1"}
    del form["header-0"]
    checked = olga.post(there, {**form, "do": "check"}).content.decode()
    assert "4111-2222" not in checked
    assert "13.0" in checked
    form |= _seen(checked)
    moved = olga.post(there, {**form, "value": marked.replace('"note": "••• 2"', '"note": "••• 1"'), "do": "send"})
    assert moved.status_code == 409
    assert "stands where it did not before" in moved.content.decode()
    assert olga.post(there, {**form, "header-0": "mine", "do": "send"}).status_code == 409, "a masked header is locked"
    assert olga.post(there, {**form, "do": "send"}).status_code == 302
    world.send(one("select max(id) from retry_operation"))
    (copy,) = world.sent()
    assert copy.value == value.replace(b"12.50", b"13.00")
    assert copy.first("secret") == b"hush-hush"
