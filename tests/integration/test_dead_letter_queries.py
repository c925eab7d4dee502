"""What pages and the API are told of dead letters and retries."""

import re
import struct
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from collector.retry import outcomes
from collector.retry.plans import plan
from collector.store import letter_bell
from dashboard.queries.dead_letter import letter
from dashboard.queries.dead_letters import BadStatus, parked_letters, state_counts
from dashboard.queries.failure_groups import failure_groups
from dashboard.queries.letter_bodies import letter_body
from dashboard.queries.letter_filter import condition
from dashboard.queries.letter_selection import n_matching
from dashboard.queries.retries import retries, retry
from tests.integration.letter_world import AT, LetterWorld, dead_record, rows
from tests.integration.people import bearer, person, signed_in, token_of
from tests.integration.retry_world import RetryWorld, click

pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture
def world() -> RetryWorld:
    return RetryWorld()


def test_failure_groups_say_who_failed_on_what_and_how_many_wait(
    world: RetryWorld, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    letters = world.letters.park(*[dead_record(n) for n in range(5)], dead_record(5, group="shipping"))
    world.send(click(letters[0]).id)
    letter_bell.count_keys(now=AT)
    with django_assert_num_queries(1):
        found = failure_groups()
    assert {
        (one.title, one.group, one.topic, one.n_open, one.n_unresolved, one.n_all, one.n_keys) for one in found
    } == {
        ("CardDeclined at Gateway.charge:88", "shipping", "orders.created", 1, 1, 1, 1),
        ("CardDeclined at Gateway.charge:88", "billing", "orders.created", 4, 5, 5, 5),
    }
    with django_assert_num_queries(1):
        assert state_counts() == {
            "open": 5, "retry_requested": 0, "sent": 0, "no_answer": 1, "processed": 0, "passed": 0, "unknown": 0,
            "archived": 0,
        }  # fmt: skip


def test_what_gave_no_answer_is_found_beside_what_is_still_waited_for(world: RetryWorld, olga: Client) -> None:
    silent, sent = world.letters.park(dead_record(1), dead_record(2))
    world.send(click(silent, sent).id)
    rows("update retry_item set sent_at = now() where dead_letter_id = %s returning 1", sent)
    for word, number in (("no_answer", silent), ("sent", sent)):
        found = parked_letters(status=word)
        assert [(row.id, row.status) for row in found.items] == [(number, word)]
        assert n_matching(condition(""), status=word, group=None, most=10) == 1
    for cluster, expected in ((None, (1, 1)), (["demo"], (1, 1)), (["west"], (0, 0))):
        counts = state_counts(cluster)
        assert (counts["sent"], counts["no_answer"]) == expected
    page = olga.get("/dead-letters/?view=list&status=no_answer").content.decode()
    assert f'href="/dead-letters/{silent}/"' in page
    assert f'href="/dead-letters/{sent}/"' not in page
    assert 'No answer <span class="tag">1</span>' in page
    read = bearer(token_of(person("bo"), "read"))
    items = Client().get("/api/v1/dead-letters?status=no_answer", headers=read).json()["items"]
    assert [(item["id"], item["status"]) for item in items] == [(silent, "no_answer")]


def test_the_list_comes_newest_first_in_pages_and_says_that_there_is_more(
    world: RetryWorld, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    letters = world.letters.park(*[dead_record(n) for n in range(5)])
    with django_assert_num_queries(1):
        first = parked_letters(limit=3)
    assert ([row.id for row in first.items], first.truncated) == (letters[:1:-1], True)
    behind = parked_letters(limit=3, after=first.next)
    assert ([row.id for row in behind.items], behind.next, behind.truncated) == (letters[1::-1], None, False)
    assert parked_letters(status="processed").items == ()
    assert len(parked_letters(status="open", failure_group=first.items[0].failure_group).items) == 5
    with pytest.raises(BadStatus):
        parked_letters(status="lost")
    row = first.items[-1]
    assert (row.address, row.origin, row.key, row.group, row.status, row.dialect) == (
        "orders.created.dlq/0/2", "orders.created/0/102", "order-2", "billing", "open", "spring",
    )  # fmt: skip
    assert row.origin_url == "/events/demo/orders.created/0/102/"


def test_a_letter_tells_its_reason_its_own_lines_and_every_attempt(
    world: RetryWorld, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    (number,) = world.letters.park(dead_record(1))
    asked = click(number)
    world.send(asked.id, after_seconds=60)
    copy = world.sent()[0].offset
    world.letters.park(dead_record(2, origin_offset=copy))
    rows("update dead_letter_again set failed_at = %s returning 1", AT + timedelta(minutes=2))
    outcomes.settle(now=AT + timedelta(minutes=3))
    with django_assert_num_queries(4):
        found = letter(number)
    assert found is not None
    assert found.own_frames == ("Gateway.charge:88", "Billing.pay:31")
    assert (found.status, found.attempt, found.latest, found.n_same_key, found.operation) == ("open", 2, None, 0, None)
    assert [(one.what, one.sent, one.outcome) for one in found.attempts.items] == [
        ("Died of CardDeclined", None, ""),
        (f"Retry #{asked.id} by operator1", f"orders.created/0/{copy}", "Failed again: CardDeclined"),
        ("Died of CardDeclined", "orders.created.dlq/0/2", ""),
    ]
    with django_assert_num_queries(1):
        body = letter_body(number)
    assert body is not None
    assert body.headers == dead_record(1).headers
    assert letter(2**70) is None
    assert letter(number + 1) is None


def test_what_is_left_out_of_a_letters_attempts_and_kin_is_said(world: RetryWorld) -> None:
    (number,) = world.letters.park(dead_record(1))
    rows(
        "insert into dead_letter_again (topic_id, kafka_partition, kafka_offset, dead_letter_id, attempt_id, seen_at,"
        " failed_at) select %s, 1, n, %s, gen_random_uuid(), %s::timestamptz + make_interval(secs => n),"
        " %s::timestamptz + make_interval(secs => n) from generate_series(1, 103) n returning 1",
        world.letters.dlq, number, AT, AT,
    )  # fmt: skip
    rows(
        "insert into dead_letter (topic_id, kafka_partition, kafka_offset, dialect, seen_at, failed_at, key_hash,"
        " size_bytes) select d.topic_id, 1, 1000 + n, '', d.seen_at, d.failed_at, d.key_hash, 0"
        " from dead_letter d, generate_series(1, 1002) n returning 1"
    )
    found = letter(number)
    assert found is not None
    assert (len(found.attempts.items), found.attempts.n_more) == (101, 3)
    assert found.attempts.items[1].sent == "orders.created.dlq/1/4", "the oldest are left out"
    olga = signed_in(person("olga", "operator"))
    page = olga.get(f"/dead-letters/{number}/?tab=attempts").content.decode()
    assert "3 older ones, after the first death, are not shown." in page
    assert "1,000+ other dead letters" in page


def test_headers_that_cannot_be_read_are_shown_as_bytes_and_nothing_breaks(world: RetryWorld) -> None:
    (number,) = world.letters.park(dead_record(1))
    rows("update dead_letter_body set headers = %s returning 1", b"\x00\x00\x00\x07broken")
    olga = signed_in(person("olga", "operator"))
    for address in ("", "?tab=attempts", "edit/"):
        assert olga.get(f"/dead-letters/{number}/{address}").status_code == 200
    page = olga.get(f"/dead-letters/{number}/?tab=payload").content.decode()
    assert "The stored headers cannot be read. These are their bytes, 10 B:" in page
    assert "00 00 00 07 62 72 6f 6b 65 6e" in page
    assert (
        "Cannot be edited: its stored headers cannot be read."
        in olga.get(f"/dead-letters/{number}/edit/").content.decode()
    )
    made = plan(number, now=AT)
    assert made is not None
    assert made.refusal == "Its stored headers cannot be read."


def test_a_letter_that_died_twice_says_where_it_died_last(world: RetryWorld) -> None:
    (number,) = world.letters.park(
        dead_record(
            1,
            marks=(
                ("kafka_dlt-original-topic", b"orders.created"),
                ("kafka_dlt-original-partition", struct.pack(">i", 1)),
                ("kafka_dlt-original-offset", struct.pack(">q", 3)),
            ),
        )
    )
    found = letter(number)
    assert found is not None
    assert (found.origin, found.latest) == ("orders.created/1/3", "orders.created/0/101")


def test_an_operation_tells_of_each_item_where_its_copy_is_and_how_its_outcome_is_known(
    world: RetryWorld, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first, second = world.letters.park(dead_record(1), dead_record(2))
    asked = click(first, second)
    world.send(asked.id)
    with django_assert_num_queries(5):
        found = retry(asked.id, now=AT + timedelta(seconds=30))
    assert found is not None
    row = found.row
    assert (row.status, row.person, row.target, row.n_items, row.n_sent, row.n_waiting) == (
        "running", "operator1", "orders.created", 2, 2, 2,
    )  # fmt: skip
    assert [(item.dead_letter, item.status, item.outcome, item.evidence) for item in found.items] == [
        (first, "sent", None, ()), (second, "sent", None, ()),
    ]  # fmt: skip
    late = retry(asked.id, now=AT + timedelta(minutes=5), limit=1)
    assert late is not None
    assert ([item.outcome for item in late.items], late.truncated) == (["no_answer"], True)
    assert [item.dead_letter for item in retry(asked.id, now=AT, after=late.next).items] == [second]  # type: ignore[union-attr]
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, '{9999,0}') returning 1",
        world.letters.orders, world.letters.billing, AT,
    )  # fmt: skip
    outcomes.settle(now=AT)
    outcomes.settle(now=AT + timedelta(seconds=11))
    passed = retry(asked.id, now=AT + timedelta(seconds=12))
    assert passed is not None
    assert {(item.outcome, item.evidence, item.sent_topic) for item in passed.items} == {
        ("passed", ("offsets",), "orders.created")
    }
    with django_assert_num_queries(1):
        assert [(one.id, one.status, one.n_passed) for one in retries(now=AT)] == [(asked.id, "done", 2)]


def test_new_letters_and_those_that_died_again_are_announced_once(world: RetryWorld) -> None:
    letter_bell.ring()
    (letter,) = world.letters.park(dead_record(1))
    assert letter_bell.ring()
    assert not letter_bell.ring()
    for n in range(2):
        rows(
            "insert into dead_letter_again (topic_id, kafka_partition, kafka_offset, dead_letter_id, attempt_id,"
            " seen_at, failed_at) values (%s, 0, %s, %s, gen_random_uuid(), %s, %s) returning 1",
            world.letters.dlq, 50 + n, letter, AT + timedelta(seconds=n), AT,
        )  # fmt: skip
        assert letter_bell.ring()
        assert not letter_bell.ring()


def test_the_bell_is_rung_by_the_ends_of_two_indexes(world: RetryWorld) -> None:
    world.letters.park(dead_record(1))
    with CaptureQueriesContext(connection) as asked:
        letter_bell.ring()
    (statement,) = [query["sql"] for query in asked.captured_queries if "dead_letter_again" in query["sql"]]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute(f"explain {statement}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    for index in ("dead_letter_pkey", "dead_letter_again_seen"):
        assert re.search(rf"Index Only Scan Backward using {index}", plan), plan
    assert "Seq Scan on dead_letter" not in plan


def test_states_are_counted_of_the_chosen_clusters_alone(world: RetryWorld, olga: Client) -> None:
    world.letters.park(dead_record(1), dead_record(2))
    LetterWorld("west").park(dead_record(3))
    assert [state_counts(of)["open"] for of in (None, ["demo"], ["west"], ["demo", "west"], [])] == [3, 2, 1, 3, 0]
    for cluster, n in (("demo", 2), ("west", 1)):
        page = olga.get("/dead-letters/", {"cluster": cluster}).content.decode()
        assert f'Open <span class="tag">{n}</span>' in page
        assert f'All <span class="tag">{n}</span>' in page
    assert 'Open <span class="tag">3</span>' in olga.get("/dead-letters/").content.decode()
