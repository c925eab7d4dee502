"""A letter whose key has newer events that were processed is not sent behind them, unless somebody says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.test import Client
from django.test.utils import CaptureQueriesContext

from collector.retry import decisions, drafts, requests
from collector.retry.plans import order_of
from collector.retry.records import Asker
from collector.retry.refusals import Changed, NothingToSend
from collector.store import key_order
from tests.integration.letter_world import AT, dead_record, one, rows
from tests.integration.people import audit_rows, bearer, person, signed_in, token_of
from tests.integration.retry_world import RetryWorld, click, counts_fit

pytestmark = pytest.mark.usefixtures("clean_tables")

OLGA = Asker(7, "olga", "::1")
NEWER = "1 newer event with this key was processed since."


@pytest.fixture
def world() -> Iterator[RetryWorld]:
    yield RetryWorld()
    assert counts_fit()


@pytest.fixture
def overtaken(world: RetryWorld) -> int:
    """A letter of order-1, behind whose origin billing has processed another event of order-1."""
    world.saw("order-1", 101)
    world.saw("order-1", 150)
    world.reads_up_to(151)
    (letter,) = world.letters.park(dead_record(1))
    return letter


@pytest.fixture
def known(world: RetryWorld) -> list[int]:
    """Two letters whose origins were seen, and nothing after them."""
    world.saw("order-1", 101)
    world.saw("order-2", 102)
    world.reads_up_to(103)
    return world.letters.park(dead_record(1), dead_record(2))


@contextmanager
def nothing_is_found_in_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another session holds a table that is looked into."""
    monkeypatch.setattr(key_order, "LOOKING_SECONDS", 0.3)
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        other.execute("lock table raw_partition in access exclusive mode")
        yield


def test_the_statements_of_a_look_share_its_time(known: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    at = iter((0.0, 0.0, 1.0, 2.5))
    monkeypatch.setattr(key_order, "time", SimpleNamespace(monotonic=lambda: next(at)))
    with CaptureQueriesContext(connection) as asked, connection.cursor() as cursor:
        assert key_order.order_of(cursor, known) == key_order.Order((), (), None)
    said = [query["sql"] for query in asked.captured_queries if "statement_timeout =" in query["sql"]]
    assert [int(each.rsplit("=", 1)[1]) for each in said] == [3000, 2000, 500]


def test_a_plan_stays_as_it_is_where_nothing_was_found_in_time(
    known: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = drafts.freeze(known, OLGA, token="t", selection="some", now=AT).id
    made = drafts.draft(number, OLGA, now=AT, looks_at_blast=True)
    assert (made.n, made.must_type) == (2, False)
    with nothing_is_found_in_time(monkeypatch):
        drafts.confirm(number, OLGA, now=AT + timedelta(minutes=2), digest=made.digest, typed="", name="")
    assert rows("select n_order_unknown, status from retry_operation") == [(0, 0)]
    assert one("select count(*) from retry_item") == 2


def test_nobody_waits_for_a_plan_whose_keys_are_looked_at(known: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    number = drafts.freeze(known, OLGA, token="t", selection="some", now=AT).id
    made = drafts.draft(number, OLGA, now=AT, looks_at_blast=True)
    looked = []

    def look(_cursor: object, letters: Any) -> key_order.Order:
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
            other.execute("select id from retry_operation where id = %s for update nowait", [number])
        looked.append(list(letters))
        return key_order.Order((), (), None)

    monkeypatch.setattr(key_order, "order_of", look)
    drafts.confirm(number, OLGA, now=AT + timedelta(minutes=2), digest=made.digest, typed="", name="")
    assert looked == [known]


def test_a_number_that_was_typed_for_another_reason_does_not_agree_to_an_unknown_order(
    known: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = drafts.freeze(known, OLGA, token="t", selection="some", now=AT).id
    made = drafts.draft(number, OLGA, now=AT, looks_at_blast=True)
    later = AT + timedelta(minutes=2)
    monkeypatch.setattr(key_order, "order_of", lambda _cursor, _letters: key_order.Order((), (known[0],), None))
    with pytest.raises(Changed, match="The plan changed"):
        drafts.confirm(number, OLGA, now=later, digest=made.digest, typed="2", name="")
    made = drafts.draft(number, OLGA, now=later)
    assert (made.operation.n_order_unknown, made.must_type) == (1, True)
    drafts.confirm(number, OLGA, now=later, digest=made.digest, typed="2", name="")


@pytest.fixture
def bare(world: RetryWorld) -> list[int]:
    """Two letters that name no origin, and a topic that an admin lets them go to."""
    world.letters.topic("orders.fixed")
    world.letters.allow("orders.fixed")
    records = [dead_record(1), dead_record(2)]
    return world.letters.park(
        *[replace(each, headers=tuple(head for head in each.headers if "original" not in head[0])) for each in records]
    )


def test_the_order_of_letters_that_name_no_origin_stays_unknown_however_old_their_plan_is(bare: list[int]) -> None:
    number = drafts.freeze(bare, OLGA, token="t", selection="some", target="orders.fixed", now=AT).id
    made = drafts.draft(number, OLGA, now=AT, looks_at_blast=True)
    assert (made.n, made.operation.n_order_unknown, made.must_type) == (2, 2, True)
    later = AT + timedelta(minutes=2)
    with pytest.raises(Changed, match="Type 2"):
        drafts.confirm(number, OLGA, now=later, digest=made.digest, typed="", name="")
    assert drafts.draft(number, OLGA, now=later).operation.n_order_unknown == 2
    drafts.confirm(number, OLGA, now=later, digest=made.digest, typed="2", name="")


def test_another_target_brings_the_order_of_letters_that_can_go_nowhere_else(bare: list[int]) -> None:
    number = drafts.freeze(bare, OLGA, token="t", selection="some", now=AT).id
    assert (drafts.draft(number, OLGA, now=AT).n, one("select n_order_unknown from retry_operation")) == (0, 0)
    assert drafts.choose(number, OLGA, now=AT, target="orders.fixed", leaves_newer_out=True)
    made = drafts.draft(number, OLGA, now=AT)
    assert (made.n, made.operation.n_order_unknown, made.must_type) == (2, 2, True)


def test_of_two_who_choose_at_once_the_second_looks_again(
    known: list[int], world: RetryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.letters.topic("orders.fixed")
    world.letters.allow("orders.fixed")
    number = drafts.freeze(known, OLGA, token="t", selection="some", now=AT).id

    def look(_cursor: object, _letters: object) -> key_order.Order:
        rows("update retry_operation set target_name = '*origin' returning 1")  # as another page of hers does
        return key_order.Order((), (), None)

    monkeypatch.setattr(key_order, "order_of", look)
    with pytest.raises(Changed, match="chosen meanwhile"):
        drafts.choose(number, OLGA, now=AT, target="orders.fixed", leaves_newer_out=True)
    assert rows("select target_name from retry_operation") == [("*origin",)]


def test_no_number_is_typed_for_who_gets_nothing_because_all_of_it_stays(world: RetryWorld, overtaken: int) -> None:
    other = world.letters.topic("orders.other")
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, '{200,0}') returning 1",
        other, world.letters.billing, AT,
    )  # fmt: skip
    rows(
        "insert into record_key (stored_at, name_id, value, topic_id, kafka_partition, kafka_offset)"
        " values (%s, 1, 'order-2', %s, 0, 102) returning 1",
        AT, other,
    )  # fmt: skip
    record = dead_record(2)
    headers = [(name, b"orders.other" if name.endswith("original-topic") else value) for name, value in record.headers]
    (letter,) = set(world.letters.park(replace(record, headers=tuple(headers)))) - {overtaken}
    number = drafts.freeze([overtaken, letter], OLGA, token="t", selection="some", now=AT).id
    made = drafts.draft(number, OLGA, now=AT)
    assert (made.operation.newer, made.n, made.operation.n_order_unknown) == ((overtaken,), 1, 0)
    assert [(each.name, each.n_failed) for each in made.blast.readers] == [("billing", 1)]
    assert not made.must_type


def test_a_freeze_that_found_nothing_in_time_says_that_the_order_is_unknown(
    known: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with nothing_is_found_in_time(monkeypatch):
        number = drafts.freeze(known, OLGA, token="t", selection="some", now=AT).id
    made = drafts.draft(number, OLGA, now=AT, looks_at_blast=True)
    assert (made.operation.newer, made.operation.n_order_unknown, made.must_type) == ((), 2, True)
    with pytest.raises(Changed, match="Type 2"):
        drafts.confirm(number, OLGA, now=AT, digest=made.digest, typed="", name="")
    drafts.confirm(number, OLGA, now=AT, digest=made.digest, typed="2", name="")


def test_nothing_is_sent_where_newer_events_are_left_out_and_could_not_be_found_in_time(
    known: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(token: str, *, sends_newer: bool) -> None:
        requests.retry(known, person_id=OLGA.person_id, person_name=OLGA.person_name, token=token, target=None,
                       expect=2, now=AT, sends_newer=sends_newer)  # fmt: skip

    with nothing_is_found_in_time(monkeypatch):
        with pytest.raises(Changed, match="could not be found out in time"):
            asked("t", sends_newer=False)
        assert one("select count(*) from retry_item") == 0
        asked("u", sends_newer=True)
    assert one("select count(*) from retry_item") == 2


def test_the_order_is_unknown_where_the_topic_got_partitions_since(world: RetryWorld, known: list[int]) -> None:
    mark = "insert into change_mark (at, kind, topic_id, before, after) values (%s, 3, %s, '2', '4') returning 1"
    rows(mark, AT - timedelta(seconds=301), world.letters.orders)
    assert not order_of(known[0]).is_unknown, "before its event was written"
    written = "update record set produced_at = %s where topic_id = %s returning 1"
    rows(written, AT - timedelta(seconds=2), world.letters.orders)
    assert order_of(known[0]).is_unknown, "before it was stored, but after it was written"
    rows(written, AT, world.letters.orders)
    rows(mark, AT + timedelta(minutes=1), world.letters.orders)
    assert order_of(known[0]).is_unknown


def two_of_a_key(world: RetryWorld) -> list[int]:
    """Letters of two events of order-1, one after the other."""
    kept = world.broker.topics["orders.created"].records[0]
    kept[2] = replace(kept[2], key=b"order-1")
    world.saw("order-1", 101)
    world.saw("order-1", 102)
    world.reads_up_to(103)
    return world.letters.park(dead_record(1), replace(dead_record(2), key=b"order-1"))


def test_a_copy_of_an_earlier_event_is_no_newer_one(world: RetryWorld) -> None:
    first, second = two_of_a_key(world)
    assert (order_of(first).newer, order_of(second).newer) == ("", "")
    world.send(click(first).id)
    (copy,) = world.sent()
    world.saw("order-1", copy.offset)
    world.reads_up_to(copy.offset + 1)
    rows("update letter_state set status = 3 where dead_letter_id = %s returning 1", first)
    assert order_of(second).newer == ""
    world.send(click(second, token="t2").id)
    assert len(world.sent()) == 2


def test_an_event_that_died_and_was_processed_since_is_a_newer_one_wherever_it_was_sent(world: RetryWorld) -> None:
    first, second = two_of_a_key(world)
    rows("update letter_state set status = 2 where dead_letter_id = %s returning 1", second)
    assert order_of(first).newer == ""
    rows("update letter_state set status = 4 where dead_letter_id = %s returning 1", second)
    assert order_of(first).newer.startswith(NEWER)


def test_by_no_door_does_a_letter_go_behind_newer_events_unseen(world: RetryWorld, overtaken: int) -> None:
    with pytest.raises(NothingToSend, match="Newer events with its key have been processed"):
        click(overtaken)
    assert one("select count(*) from retry_item") == 0
    others = world.letters.park(dead_record(2))
    asked = click(*others, expect=1, token="t2")
    assert rows("select dead_letter_id from retry_item where operation_id = %s", asked.id) == [
        (letter,) for letter in others if letter != overtaken
    ]
    insisted = click(overtaken, token="t3", sends_newer=True)
    assert click(overtaken, token="t3", sends_newer=True).repeated
    world.send(insisted.id)
    assert [copy.key for copy in world.sent()] == [b"order-1"]
    assert rows("select what from retry_log where operation_id = %s", insisted.id)[0] == (
        "confirmed: 1 to send, 1 of them although newer events of their keys were processed",
    )
    assert rows("select facts->>'sent_after_newer' from audit_entry order by id desc limit 1") == [("1",)]


def test_the_page_of_one_letter_asks_as_the_plan_of_many(overtaken: int, olga: Client) -> None:
    there = f"/dead-letters/{overtaken}/retry/"
    assert NEWER in olga.get(f"/dead-letters/{overtaken}/").content.decode()
    page = olga.get(there).content.decode()
    assert NEWER in page
    assert '<input type="checkbox" name="newer" value="send" required>' in page
    forced = olga.post(there, {"token": "t1"})
    assert forced.status_code == 409
    assert "Newer events with its key have been processed." in forced.content.decode()
    assert one("select count(*) from retry_item") == 0
    assert olga.post(there, {"token": "t1", "newer": "send"}).status_code == 302
    assert one("select count(*) from retry_item") == 1
    assert audit_rows("action", "result", actions={"retry"}) == [("retry", "refused"), ("retry", "done")]


def test_the_number_is_typed_for_one_letter_too_where_its_order_is_unknown(world: RetryWorld, olga: Client) -> None:
    (letter,) = world.letters.park(dead_record(1))
    there = f"/dead-letters/{letter}/retry/"
    page = olga.get(there).content.decode()
    assert "Order unknown" in page
    assert '<label for="typed">Type 1 to confirm</label>' in page
    for typed in ("", "2", "yes"):
        forced = olga.post(there, {"token": "t1", "typed": typed})
        assert forced.status_code == 409, typed
        assert "Type 1 to confirm." in forced.content.decode()
    assert one("select count(*) from retry_item") == 0
    assert audit_rows("action", "reason", actions={"retry"}) == [("retry", "Type 1 to confirm.")] * 3
    assert olga.post(there, {"token": "t1", "typed": "1"}).status_code == 302


def test_nothing_is_typed_for_a_letter_that_only_its_group_gets(known: list[int], olga: Client) -> None:
    there = f"/dead-letters/{known[0]}/retry/"
    page = olga.get(there).content.decode()
    assert "no newer events of this key were processed" in page
    assert 'name="typed"' not in page
    assert olga.post(there, {"token": "t1"}).status_code == 302


def test_an_order_that_became_unknown_behind_the_plan_is_not_agreed_to(
    known: list[int], olga: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = key_order.order_of

    def late(cursor: CursorWrapper, letters: list[int], *, seconds: float | None = None) -> key_order.Order:
        found = looked(cursor, letters, seconds=seconds)
        return found if seconds else replace(found, unknown=tuple(letters))

    monkeypatch.setattr(key_order, "order_of", late)
    asked = olga.post(f"/dead-letters/{known[0]}/retry/", {"token": "t1"})
    assert asked.status_code == 409
    assert "Nobody saw whether newer events of the key were processed" in asked.content.decode()
    assert one("select count(*) from retry_item") == 0


def test_the_api_asks_as_the_pages_do(world: RetryWorld, overtaken: int) -> None:
    headers = bearer(token_of(person("otto", "operator"), "read", "retry"))
    keys = (f"k{n}" for n in count())

    def ask(**body: object) -> tuple[int, str]:
        made = Client().post(
            "/api/v1/retries", body, content_type="application/json", headers={**headers, "idempotency-key": next(keys)}
        )
        return made.status_code, made.json().get("detail", "")

    status, why = ask(dead_letters=[overtaken])
    assert (status, "Newer events with its key have been processed." in why) == (409, True)
    unknown = max(world.letters.park(dead_record(5)))
    status, why = ask(dead_letters=[unknown])
    assert (status, why) == (
        409,
        "Nobody saw whether newer events of the key were processed, for 1 of these."
        " That needs the expected number: 1 can be sent.",
    )
    assert ask(dead_letters=[overtaken, unknown], expect=2) == (
        409, "1 can be sent, not 2. 1 left out: Newer events with its key have been processed.",
    )  # fmt: skip
    assert one("select count(*) from retry_item") == 0
    assert ask(dead_letters=[unknown], expect=1)[0] == 202
    assert ask(dead_letters=[overtaken], newer="send")[0] == 202
    assert ask(dead_letters=[overtaken], newer="maybe")[0] == 422
    assert one("select count(*) from retry_item") == 2


def test_an_edited_copy_stays_behind_too(overtaken: int, olga: Client) -> None:
    there = f"/dead-letters/{overtaken}/edit/"
    form = {"token": "t1", "value": '{"amount": 13}', "header-0": "order-1", "reason": "PAY-311"}
    page = olga.post(there, {**form, "do": "check"}).content.decode()
    assert NEWER in page
    form["checked"] = page.split('name="checked" value="')[1].split('"')[0]
    assert olga.post(there, {**form, "do": "send"}).status_code == 409
    assert one("select count(*) from retry_item") == 0
    assert olga.post(there, {**form, "do": "send", "newer": "send"}).status_code == 302


def test_what_may_have_been_sent_is_sent_again_by_its_typed_words_alone(world: RetryWorld, overtaken: int) -> None:
    world.send(click(overtaken, sends_newer=True).id)
    later = AT + timedelta(seconds=121)
    made = decisions.decide(overtaken, OLGA, what="again", reason="lost", typed="send again", token="t9", now=later)
    assert made is not None
    world.send(made.id)
    assert len(world.sent()) == 2


def test_a_viewer_sees_that_newer_events_were_processed(overtaken: int) -> None:
    vera = signed_in(person("vera", "viewer"))
    assert NEWER in vera.get(f"/dead-letters/{overtaken}/").content.decode()
    assert vera.post(f"/dead-letters/{overtaken}/retry/", {"token": "t", "newer": "send"}).status_code == 403
