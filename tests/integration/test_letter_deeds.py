"""What people do with dead letters beside sending them: filter, archive, assign, note, and decide about the unknown."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector.config.rules import standing
from collector.domain.masking import Aim, Rule, Rules
from collector.retry import decisions, notes
from collector.retry.records import Asker
from collector.retry.refusals import NotAllowed, NotNow
from collector.retry.requests import Edit, retry
from collector.store.dead_letters import park
from dashboard.queries.dead_letters import parked_letters
from dashboard.queries.failure_facts import backfills, expiring, failure_facts
from dashboard.queries.hiding import masked_topics
from dashboard.queries.letter_filter import condition, of_topic
from dashboard.queries.letter_selection import n_matching, selection
from tests.integration.letter_world import AT, dead_record, letter_of, one, rows
from tests.integration.people import audit_rows, person, signed_in
from tests.integration.retry_world import RetryWorld, click, counts_fit

pytestmark = pytest.mark.usefixtures("clean_tables")

OLGA = Asker(7, "olga", "::1")


@pytest.fixture
def world() -> Iterator[RetryWorld]:
    yield RetryWorld()
    assert counts_fit()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"order 3"', [3]),
        ("declined", [1, 2, 3]),
        ('-"order 3"', [1, 2]),
        ('"order 1" or "order 2"', [1, 2]),
        ("key:order-2", [2]),
        ("group:billing topic:*.dlq class:*CardDeclined origin:orders.created dialect:spring", [1, 2, 3]),
        ("attempt>=2", []),
        ("group:shipping", []),
    ],
)
def test_letters_are_found_by_text_and_fields(world: RetryWorld, text: str, expected: list[int]) -> None:
    world.letters.park(*[dead_record(n) for n in (1, 2, 3)])
    found = condition(text)
    assert sorted(row.offset for row in parked_letters(filtered=found).items) == expected
    assert n_matching(found, status="open", group=None, most=100) == len(expected)
    chosen = selection({"matching": ["1"], "q": [text], "status": ["open"]}, most=100)
    assert len(chosen.letters) == len(expected)


def test_the_open_letters_of_a_topic_lead_to_exactly_those(world: RetryWorld, olga: Client) -> None:
    world.letters.park(*[dead_record(n) for n in (1, 2, 3)])
    other = world.letters.topic("orders.created.dlq.2", role=1)
    with connection.cursor() as cursor:
        park(cursor, [(dead_record(4), other, letter_of(dead_record(4)))], now=AT)
    assert one("select count(*) from failure_group") == 1, "one failure in two topics"
    assert rows("select topic_id, n from failure_count order by 1") == [(world.letters.dlq, 3), (other, 1)]
    page = olga.get("/topics/demo/orders.created.dlq/").content.decode()
    links = re.findall(r'href="(/dead-letters/[^"]+)">\d+ open', page)
    assert len(links) == 1, page
    assert ">3 open<" in page
    past = olga.get(
        "/topics/demo/orders.created.dlq/?from=2026-11-23T13:00:00Z&to=2026-11-23T13:15:00Z"
    ).content.decode()
    assert ">3 open now<" in past
    letters = olga.get(unescape(links[0])).content.decode()
    assert "orders.created.dlq/0/2" in letters
    assert "orders.created.dlq/0/3" in letters
    assert "orders.created.dlq.2/0/4" not in letters
    letters_of_other = parked_letters(filtered=condition(of_topic("demo", "orders.created.dlq.2"))).items
    assert [letter.offset for letter in letters_of_other] == [4]
    decisions.archive([letter.id for letter in letters_of_other], OLGA, reason="known", now=AT)
    assert rows("select topic_id, status, n from failure_count where n > 0 order by 1") == [
        (world.letters.dlq, 0, 3),
        (other, 6, 1),
    ]


def test_s32_letters_of_masked_topics_are_found_by_no_word_and_no_key(world: RetryWorld) -> None:
    world.letters.park(*[dead_record(n) for n in (1, 2)])
    for text in ("declined", "key:order-1", "title:Card*", "nowhere"):
        assert parked_letters(filtered=condition(text, masked=["orders.created"])).items == (), text
    assert len(parked_letters(filtered=condition("group:billing", masked=["orders.created"])).items) == 2


def test_s32_a_masked_topic_that_was_deleted_still_hides_its_letters_from_words(world: RetryWorld) -> None:
    world.letters.park(dead_record(1))
    rows("update topic set deleted_at = %s returning 1", AT)
    standing.pin(Rules((Rule(("orders.created",), Aim(key=True)),)), seconds=60)
    assert masked_topics() == ("orders.created",)
    assert selection({"matching": ["1"], "q": ["key:order-1"]}, most=3).letters == ()


def test_all_that_match_is_the_oldest_and_never_more_than_asked(world: RetryWorld) -> None:
    letters = world.letters.park(*[dead_record(n) for n in range(5)])
    assert selection({"matching": ["1"], "q": ["declined"]}, most=3).letters == tuple(letters[:3])
    assert n_matching(condition("declined"), status="open", group=None, most=3) == 4, (
        "one more says that there are more"
    )


def test_archived_letters_are_hidden_cannot_be_sent_and_come_back(world: RetryWorld, olga: Client) -> None:
    first, second = world.letters.park(dead_record(1), dead_record(2))
    olga.post("/dead-letters/", {"letters": f"{first}", "do": "archive", "reason": "known <bug>"})
    assert rows("select status, n from failure_count where n <> 0 order by 1") == [(0, 1), (6, 1)]
    page = olga.get("/dead-letters/?view=list&status=archived").content.decode()
    assert f"/dead-letters/{first}/" in page
    assert f"/dead-letters/{second}/" not in page
    olga.post("/dead-letters/", {"letters": f"{first},{second}", "do": "restore"})
    assert rows("select status, n from failure_count where n <> 0 order by 1") == [(0, 2)]
    assert audit_rows("action", "person_name", "result", "reason", actions={"archive", "restore"}) == [
        ("archive", "olga", "done", "known <bug>"), ("restore", "olga", "done", ""),
    ]  # fmt: skip


def test_a_failure_group_is_assigned_and_noted(world: RetryWorld, olga: Client) -> None:
    world.letters.park(dead_record(1))
    group = one("select id from failure_group")
    olga.post(f"/dead-letters/groups/{group}/", {"do": "assign", "assignee": "otto"})
    olga.post(f"/dead-letters/groups/{group}/", {"do": "note", "note": "PAY-311 <fix> in 2.8.1"})
    page = olga.get("/dead-letters/").content.decode()
    assert "assigned to <bdi>otto</bdi>" in page
    assert "PAY-311 &lt;fix&gt; in 2.8.1" in page
    with pytest.raises(NotNow):
        notes.assign(group + 1, OLGA, to="otto", now=AT)
    assert signed_in(person("vera", "viewer")).post(f"/dead-letters/groups/{group}/", {"do": "note"}).status_code == 403


def test_a_version_that_was_seen_just_after_the_first_death_is_named_too(world: RetryWorld, olga: Client) -> None:
    world.letters.park(dead_record(1))
    rows("insert into service (id, name) values (77, 'billing-svc') returning 1")
    rows(
        "insert into edge (kind, topic_id, service_id, group_id) values (2, %s, 77, %s) returning 1",
        world.letters.orders, world.letters.billing,
    )  # fmt: skip
    group = one("select id from failure_group")
    for kind, late, named in ((1, 11, None), (4, 1, None), (1, 5, ("billing-svc 2.8.0", -5))):
        rows(
            "insert into change_mark (at, kind, service_id, before, after)"
            " values (%s, %s, 77, '{}', '2.8.0') returning 1",
            AT + timedelta(seconds=late), kind,
        )  # fmt: skip
        change = failure_facts([group], now=AT + timedelta(minutes=1))[group].change
        assert (change and (change.what, change.seconds_before)) == named
    page = olga.get(f"/dead-letters/groups/{group}/").content.decode()
    assert ", 5.0 s before <bdi>billing-svc 2.8.0</bdi> was seen first" in page


def test_a_group_tells_what_changed_before_its_first_death_and_how_its_last_retry_went(
    world: RetryWorld, olga: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    (letter,) = world.letters.park(dead_record(1))
    rows("insert into service (id, name) values (77, 'billing-svc'), (78, 'other-svc') returning 1")
    rows(
        "insert into edge (kind, topic_id, service_id, group_id) values (2, %s, 77, %s) returning 1",
        world.letters.orders, world.letters.billing,
    )  # fmt: skip
    rows(
        "insert into change_mark (at, kind, service_id, after) values (%s, 1, 77, '2.8.0'), (%s, 1, 78, '9'),"
        " (%s, 1, 77, '2.7.0') returning 1",
        AT - timedelta(seconds=60), AT - timedelta(seconds=10), AT - timedelta(hours=2),
    )  # fmt: skip
    rows(
        "insert into change_mark (at, kind, group_id, after) values (%s, 6, %s, '2') returning 1",
        AT - timedelta(seconds=5), world.letters.billing,
    )  # fmt: skip
    number = click(letter).id
    group = one("select id from failure_group")
    with django_assert_num_queries(1):
        found = failure_facts([group], now=AT + timedelta(minutes=1))[group]
    assert found.change is not None
    assert (found.change.what, found.change.seconds_before) == ("billing-svc 2.8.0", 60)
    assert found.n_lately == 1
    assert found.last_retry is not None
    assert (found.last_retry.id, found.last_retry.at, found.last_retry.words) == (number, AT, "requested")
    assert found.n_new == 0
    with connection.cursor() as cursor:
        later = dead_record(2)
        park(cursor, [(later, world.letters.dlq, letter_of(later))], now=AT + timedelta(seconds=5))
    assert failure_facts([group], now=AT)[group].n_new == 1
    assert f"1 new since retry #{number}" in olga.get("/dead-letters/").content.decode()
    rows("update retry_item set status = 6 returning 1")
    failed = failure_facts([group], now=AT)[group].last_retry
    assert failed is not None
    assert failed.words == "1 of 1 failed again"
    rows("update retry_operation set status = 2 returning 1")
    assert failure_facts([group], now=AT)[group].n_new == 0, "the retry is over"
    assert failure_facts([group], now=AT + timedelta(hours=1))[group].n_lately == 0


def test_letters_that_leave_kafka_soon_are_counted(
    world: RetryWorld, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    world.letters.park(*[dead_record(n) for n in (1, 2)])
    with django_assert_num_queries(1):
        assert expiring(now=AT).n == 0
    assert expiring(now=AT + timedelta(days=7, hours=-2)).n == 2
    assert expiring(now=AT + timedelta(days=7, hours=1)).n == 0


def test_what_kafka_has_dropped_is_sent_from_weirs_own_copy(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    world.broker.topics.pop("orders.created.dlq", None)
    world.send(click(letter).id)
    assert [copy.value for copy in world.sent()] == [dead_record(1).value]


def test_a_dead_letter_topic_that_is_still_read_says_how_far(
    world: RetryWorld, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rows(
        "insert into topic_now (topic_id, sampled_at, high, low) values (%s, %s, '{5000,100}', '{1000,0}') returning 1",
        world.letters.dlq, AT,
    )  # fmt: skip
    number = one(
        "insert into input (kind, cluster_id, topic_name) values (3, %s, '*') returning id", world.letters.cluster
    )
    rows(
        "insert into intake_position (input_id, topic_uuid, partition, next_offset, stored_at) select %s, kafka_id, p,"
        " n, %s from topic, (values (0, 2000), (1, 100)) v(p, n) where id = %s returning 1",
        number, AT, world.letters.dlq,
    )  # fmt: skip
    with django_assert_num_queries(1):
        ((found),) = backfills()
    assert (found.topic, found.n_read, found.n_all) == ("orders.created.dlq", 1100, 4100)
    rows("update intake_position set next_offset = 4500 where partition = 0 returning 1")
    assert backfills() == ()


def _unknown(world: RetryWorld) -> int:
    (letter,) = world.letters.park(dead_record(1))
    click(letter)
    rows("update retry_item set status = 3, outcome = 'unreadable' returning 1")
    rows("update letter_state set status = 5 returning 1")
    rows("update failure_count set status = 5 where status = 1 returning 1")
    return letter


@pytest.mark.parametrize(("what", "item", "state"), [("processed", 4, 3), ("open", 8, 0)])
def test_a_letter_that_may_have_been_sent_is_settled_by_a_person_with_a_reason(
    world: RetryWorld, olga: Client, what: str, item: int, state: int
) -> None:
    letter = _unknown(world)
    assert "It may have been sent" in olga.get(f"/dead-letters/{letter}/").content.decode()
    assert olga.post(f"/dead-letters/{letter}/", {"do": what, "reason": " "}).status_code == 409
    assert olga.post(f"/dead-letters/{letter}/", {"do": what, "reason": "seen in the target"}).status_code == 302
    assert rows("select i.status, s.status from retry_item i join letter_state s using (dead_letter_id)") == [
        (item, state)
    ]
    assert rows("select status, n from failure_count where n <> 0") == [(state, 1)]


def test_sending_again_anyway_needs_the_words_and_happens_once(world: RetryWorld) -> None:
    letter = _unknown(world)
    with pytest.raises(NotNow, match="send again"):
        decisions.decide(letter, OLGA, what="again", reason="lost", typed="yes", token="t9", now=AT)
    made = decisions.decide(letter, OLGA, what="again", reason="lost", typed="Send again", token="t9", now=AT)
    assert made is not None
    world.send(made.id)
    assert len(world.sent()) == 1
    with pytest.raises(NotNow, match="not one that may have been sent"):
        decisions.decide(letter, OLGA, what="again", reason="lost", typed="send again", token="t9", now=AT)
    assert [action for (action, result) in audit_rows("action", "result") if result == "done"] == [
        "retry", "send again anyway", "retry",
    ]  # fmt: skip


def test_sending_again_anyway_sends_the_edited_copy_to_the_chosen_target_and_never_the_original(
    world: RetryWorld,
) -> None:
    world.letters.topic("payments")
    world.broker.create("payments")
    world.letters.allow("payments")
    (letter,) = world.letters.park(dead_record(1))
    edit = Edit(b'{"amount": 13}', (("order-id", b"edited"),), "PAY-311")
    first = retry([letter], person_id=7, person_name="olga", token="t1", target="payments", expect=1, now=AT, edit=edit)
    world.send(first.id)
    later = AT + timedelta(seconds=121)
    made = decisions.decide(letter, OLGA, what="again", reason="lost", typed="send again", token="t9", now=later)
    assert made is not None
    world.send(made.id)
    copies = [(copy.value, copy.first("order-id")) for copy in world.sent("payments")]
    assert copies == [(b'{"amount": 13}', b"edited")] * 2
    assert world.sent() == []
    assert rows("select status, outcome from retry_item order by operation_id") == [
        (8, "Sent again by olga: lost"), (2, ""),
    ]  # fmt: skip
    assert ("edit and retry", "done", "PAY-311") in audit_rows("action", "result", "reason")


@pytest.mark.parametrize("status", [2, 3], ids=["gave no answer", "may have been sent"])
def test_an_original_is_not_opened_again_once_its_edited_copy_may_be_there(world: RetryWorld, status: int) -> None:
    (letter,) = world.letters.park(dead_record(1))
    edit = Edit(b'{"amount": 13}', (("order-id", b"edited"),), "PAY-311")
    world.send(
        retry([letter], person_id=7, person_name="olga", token="t1", target=None, expect=1, now=AT, edit=edit).id
    )
    if status == 3:  # nobody knows where it lies
        rows("update retry_item set status = 3, sent_offset = null, sent_partition = null returning 1")
        rows("update letter_state set status = 5 returning 1")
    later = AT + timedelta(seconds=121)
    with pytest.raises(NotNow, match="Its edited copy was sent or may have been"):
        decisions.decide(letter, OLGA, what="open", reason="lost", now=later)
    assert rows("select i.status, s.status from retry_item i join letter_state s using (dead_letter_id)") == [
        (2, 2) if status == 2 else (3, 5)
    ]
    assert ("put back to open", "refused") in audit_rows("action", "result")
    decisions.decide(letter, OLGA, what="processed", reason="seen", now=later)
    assert rows("select status from letter_state") == [(3,)]


def test_what_cannot_be_sent_again_stays_undecided(world: RetryWorld) -> None:
    letter = _unknown(world)
    rows("update topic set deleted_at = %s where name = 'orders.created' returning 1", AT)
    with pytest.raises(NotAllowed, match="does not exist"):
        decisions.decide(letter, OLGA, what="again", reason="lost", typed="send again", token="t9", now=AT)
    assert rows("select i.status, s.status from retry_item i join letter_state s using (dead_letter_id)") == [(3, 5)]
    assert [each for each in audit_rows("action", "result") if each[0] != "retry"] == [("send again anyway", "refused")]


def test_no_answer_is_settled_by_a_person_only_after_its_wait(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    world.send(click(letter).id)
    with pytest.raises(NotNow):
        decisions.decide(letter, OLGA, what="open", reason="r", now=AT + timedelta(seconds=60))
    decisions.decide(letter, OLGA, what="open", reason="r", now=AT + timedelta(seconds=121))
    assert rows("select status from letter_state") == [(0,)]


def test_a_filter_that_finds_none_says_how_many_there_are_and_a_wrong_one_offers_nothing_to_act_on(
    world: RetryWorld, olga: Client
) -> None:
    world.letters.park(dead_record(1), dead_record(2))
    page = olga.get("/dead-letters/?q=nowhere").content.decode()
    assert "No dead letters match" in page
    assert "2 without this filter." in page
    assert "No dead letters waiting" not in page
    page = olga.get("/dead-letters/?q=age%3E30").content.decode()
    assert "needs a unit" in page
    assert "The list without a filter" in page
    assert 'name="matching"' not in page
    assert "newest 100,000 dead letters only" in olga.get("/dead-letters/?q=zq").content.decode()
