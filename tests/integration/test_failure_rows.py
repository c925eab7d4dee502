"""Rows of failure groups: their trend, several ticked at once, and the filter above them."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector.store import failure_versions, letter_bell
from dashboard.queries.failure_facts import failure_facts
from dashboard.queries.failure_groups import failure_groups
from dashboard.queries.letter_selection import selection
from dashboard.queries.letter_words import vocabulary
from tests.integration.letter_world import AT, dead_record, one, rows
from tests.integration.people import audit_rows, person, signed_in
from tests.integration.retry_world import RetryWorld

pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture
def world() -> RetryWorld:
    return RetryWorld()


def three_groups(world: RetryWorld) -> list[int]:
    """Of billing two letters, of shipping and audit one each; the groups' ids in this order."""
    world.letters.park(dead_record(1), dead_record(2))
    for n, group in ((3, "shipping"), (4, "audit")):
        world.letters.park(dead_record(n, group=group))
    return [number for (number,) in rows("select id from failure_group order by id")]  # type: ignore[misc]


def test_deaths_are_counted_by_hour_with_the_keys(
    world: RetryWorld, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    group, *_ = three_groups(world)
    world.letters.park(*[dead_record(n) for n in range(5, 10)])
    hour = AT.replace(minute=0, second=0)
    ago = {5: timedelta(hours=1), 6: timedelta(hours=23), 7: timedelta(hours=24), 8: timedelta(days=9)}
    for n, before in ago.items():
        rows("update dead_letter set failed_at = %s where kafka_offset = %s returning 1", hour - before, n)
    assert failure_facts([group], now=AT)[group].trend is None
    with django_assert_num_queries(1):
        assert letter_bell.count_keys(now=AT) == 3
    found = failure_facts([group], now=AT)[group].trend
    assert found is not None
    assert (found.by_hour, found.until) == ((1, *[0] * 21, 1, 3), hour + timedelta(hours=1))
    again = "a letter that was seen just before may have been saved after the count"
    assert letter_bell.count_keys(now=AT + timedelta(minutes=2)) == 3, again
    assert letter_bell.count_keys(now=AT + timedelta(hours=2)) == 0
    later = failure_facts([group], now=AT + timedelta(hours=2))[group].trend
    assert later is not None
    assert later.by_hour == (*[0] * 20, 1, 3, 0, 0)
    world.letters.park(dead_record(0))
    rows("update dead_letter set seen_at = %s returning 1", AT + timedelta(hours=2))
    assert letter_bell.count_keys(now=AT + timedelta(hours=3)) == 3


def test_groups_of_many_letters_are_counted_in_turns(world: RetryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    group, *_ = three_groups(world)
    counted = "select id from failure_group where keys_as_of = %s order by id"
    monkeypatch.setattr(letter_bell, "MOST_COUNTED", 2)
    assert letter_bell.count_keys(now=AT) == 1, "the two letters of the first are as many as are read at a time"
    assert letter_bell.count_keys(now=AT + timedelta(seconds=1)) == 2
    world.letters.park(dead_record(7))
    rows("update dead_letter set seen_at = %s returning 1", AT + timedelta(seconds=2))
    later = AT + timedelta(minutes=1)
    assert letter_bell.count_keys(now=later) == 1, "alone, for it has more than are read at a time"
    assert rows(counted, later) == [(group,)]
    assert letter_bell.count_keys(now=later + timedelta(seconds=1)) == 2
    assert letter_bell.count_keys(now=later + timedelta(seconds=2)) == 0
    assert one("select n_keys from failure_group where id = %s", group) == 3


def test_a_group_without_letters_is_counted_once(world: RetryWorld) -> None:
    group, other, _ = three_groups(world)
    assert letter_bell.count_keys(now=AT) == 3
    rows("update letter_state set failure_group_id = %s where failure_group_id = %s returning 1", other, group)
    rows("update failure_group set keys_as_of = null where id = %s returning 1", group)
    assert letter_bell.count_keys(now=AT) == 1
    found = rows("select n_keys, trend from failure_group where id = %s", group)
    assert found == [(0, [0] * letter_bell.TREND_HOURS)]
    assert letter_bell.count_keys(now=AT) == 0


def test_a_trend_is_drawn_with_its_numbers_and_is_unknown_before_it_is_counted(world: RetryWorld, olga: Client) -> None:
    three_groups(world)
    page = olga.get("/dead-letters/").content.decode()
    assert page.count("trend ?") == 3
    rows(
        "update failure_group set trend = array_fill(0, array[22]) || array[1, 4],"
        " trend_until = now() + interval '30 minutes' returning 1"
    )
    page = olga.get("/dead-letters/").content.decode()
    assert re.findall(r'<path class="bars" d="([^"]*)"', page) == ["M88 16v-4h3v4zM92 16v-16h3v16z"] * 3
    assert "Deaths by hour in the last 24 h: at most 4, " in page


def test_several_failures_are_frozen_and_archived_together(world: RetryWorld, olga: Client) -> None:
    billing, shipping, _ = three_groups(world)
    page = olga.get("/dead-letters/").content.decode()
    assert len(re.findall(r'<input type="checkbox" form="picking" name="group" value="\d+"', page)) == 3
    answer = olga.post("/retries/", {"group": [billing, shipping], "token": "t1"})
    assert answer.status_code == 302
    (plan,) = rows("select selection, array_length(letters, 1) from retry_operation")
    assert plan == (f"2 failure groups: #{billing}, #{shipping}", 3)
    olga.post("/dead-letters/", {"group": [billing, shipping], "do": "archive", "reason": "known"})
    assert rows("select status, count(*)::int from letter_state group by 1 order by 1") == [(0, 1), (6, 3)]
    assert [row for row in audit_rows("action", "result") if row[0] == "archive"] == [("archive", "done")]
    vera = signed_in(person("vera", "viewer"))
    assert 'name="group"' not in vera.get("/dead-letters/").content.decode()
    assert vera.post("/dead-letters/", {"group": [billing], "do": "archive"}).status_code == 403
    assert one("select count(*) from letter_state where status = 6") == 3


def test_a_failure_is_assigned_noted_and_archived_on_its_row(world: RetryWorld, olga: Client) -> None:
    billing, *_ = three_groups(world)
    back = f"/dead-letters/?by=group#failure-{billing}"
    page = olga.get("/dead-letters/?by=group").content.decode()
    assert page.count("Assign, note, archive…") == 3
    assert f'<input type="hidden" name="next" value="{back}">' in page
    there = f"/dead-letters/groups/{billing}/"
    assert olga.post(there, {"do": "assign", "assignee": "team-pay", "next": back})["Location"] == back
    assert olga.post(there, {"do": "note", "note": "PAY-311", "next": back})["Location"] == back
    assert olga.post(there, {"do": "note", "note": "PAY-311", "next": "//evil.example/"})["Location"] == there
    assert (
        olga.post("/dead-letters/", {"group": billing, "do": "archive", "reason": "x", "next": back})["Location"]
        == back
    )
    page = olga.get("/dead-letters/?by=group").content.decode()
    for said in ("assigned to <bdi>team-pay</bdi>", "“<bdi>PAY-311</bdi>”", f'id="note-{billing}"'):
        assert said in page, said
    assert f'id="why-{billing}"' not in page, "nothing of it is open any more"
    seen = signed_in(person("vera", "viewer")).get("/dead-letters/").content.decode()
    assert "Assign, note, archive…" not in seen
    assert "team-pay" in seen


def test_failures_stand_below_the_versions_that_they_failed_in(world: RetryWorld, olga: Client) -> None:
    billing, shipping, audit = three_groups(world)
    letter_bell.count_keys(now=AT)
    assert failure_versions.find_versions(counted_at=AT) == 0
    failed_in(world, "2.8.0", [101, 102])
    failed_in(world, "2.8.1", [102])
    failed_in(world, "2.9.0", [102], status=1)
    failed_in(world, "1.0.0", [103])
    assert failure_versions.find_versions(counted_at=AT + timedelta(seconds=30)) == 1, "spans come later than letters"
    assert failure_versions.find_versions(counted_at=AT + timedelta(seconds=60)) == 0
    found = {one_.id: one_.versions for one_ in failure_groups()}
    assert found == {billing: ("billing-svc 2.8.0", "billing-svc 2.8.1"), shipping: (), audit: ()}
    page = olga.get("/dead-letters/?by=version").content.decode()
    shelves = re.findall(r'<h2 id="shelf-\d+">(.*?)</h2>', page)
    assert sorted(re.sub("<[^>]*>", "", each) for each in shelves) == ["?", "billing-svc 2.8.0, billing-svc 2.8.1"]
    assert "failed in <bdi>billing-svc 2.8.0, billing-svc 2.8.1</bdi>" in page
    rows("delete from span returning 1")
    world.letters.park(dead_record(7))
    later = AT + timedelta(hours=1)
    rows("update dead_letter set seen_at = %s returning 1", later)
    letter_bell.count_keys(now=later)
    failure_versions.find_versions(counted_at=later)
    assert {one_.id: one_.versions for one_ in failure_groups()} == found, "what was found once stays"


def failed_in(world: RetryWorld, version: str, offsets: list[int], *, status: int = 2) -> None:
    """Spans of billing's deliveries of orders.created at these offsets, by this version of billing-svc."""
    rows("insert into service (name) values ('billing-svc') on conflict do nothing returning 1")
    service = one("select id from service where name = 'billing-svc'")
    number = one(
        "insert into service_version (service_id, version, first_at, last_at) values (%s, %s, %s, %s) returning id",
        service, version, AT, AT,
    )  # fmt: skip
    source = one("insert into source (service_version_id, instance) values (%s, 'a') returning id", number)
    rows(
        "insert into edge (kind, service_id, topic_id, group_id) values (2, %s, %s, %s) on conflict do nothing"
        " returning 1",
        service, world.letters.orders, world.letters.billing,
    )  # fmt: skip
    edge = one("select id from edge where group_id = %s and kind = 2", world.letters.billing)
    rows(
        "insert into span (trace_id, span_id, started_at, stored_at, kafka_offset, duration_ms, source_id, name_id,"
        " edge_id, topic_id, kafka_partition, attrs_id, n_messages, kind, status, op)"
        " select gen_random_uuid(), n, %s, %s, n, 1, %s, 0, %s, %s, 0, 0, 1, 5, %s, 3 from unnest(%s::bigint[]) n"
        " returning 1",
        AT, AT, source, edge, world.letters.orders, status, offsets,
    )  # fmt: skip


def test_more_failures_than_one_can_read_are_named_by_number(world: RetryWorld) -> None:
    three_groups(world)
    chosen = selection({"group": [str(number) for number in range(1, 13)]}, most=100)
    assert chosen.words == "12 failure groups: #1, #2, #3, #4, #5, #6, #7, #8, #9, #10 and 2 more"


def test_nothing_ticked_within_a_failure_is_nothing(world: RetryWorld, olga: Client) -> None:
    billing, *_ = three_groups(world)
    page = olga.get(f"/dead-letters/groups/{billing}/").content.decode()
    picking = page[page.index('id="picking"') :]
    assert f'name="within" value="{billing}"' in picking[: picking.index("</form>")]
    olga.post("/dead-letters/", {"within": billing, "do": "archive", "reason": "none"})
    assert one("select count(*) from letter_state where status = 6") == 0
    olga.post("/dead-letters/", {"within": billing, "do": "archive all", "reason": "all", "status": "open"})
    assert one("select count(*) from letter_state where status = 6") == 2


def test_each_term_is_a_chip_that_takes_it_out_and_names_complete_terms(
    world: RetryWorld, olga: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    three_groups(world)
    page = unescape(olga.get("/dead-letters/", {"q": 'declined "order 1" or group:shipping'}).content.decode())
    chips = re.findall(r'<li class="chip-term"><code>.*?</code><a href="([^"]*)" title="Take ([^>]*?) out"', page)
    assert [term for _, term in chips] == ["declined", '"order 1"', "group:shipping"]
    kept = olga.get(chips[1][0]).content.decode()
    assert unescape(re.findall(r'id="filter" name="q" value="([^"]*)"', kept)[0]) == "declined or group:shipping"
    assert '<ul class="chips"' not in olga.get("/dead-letters/", {"q": "age>30"}).content.decode()
    with django_assert_num_queries(1):
        words = vocabulary()
    assert {"topic:", "attempt>", "topic:orders.created.dlq", "origin:orders.created", "group:shipping"} < {*words}
    assert {"class:CardDeclined", "cluster:demo"} < {*words}
    assert 'data-words="topic: ' in page
