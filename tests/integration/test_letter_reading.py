"""What the pages of dead letters tell of each letter, and words that are looked for in payloads."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.http import Http404
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from collector.config.rules import standing
from collector.domain import json_paths
from collector.domain.masking import Aim, Rule, Rules
from dashboard.pages.dead_letters import _written
from dashboard.queries import letter_filter
from dashboard.queries.dead_letter import letter
from dashboard.queries.dead_letters import parked_letters
from dashboard.queries.letter_filter import BadFilter, condition
from dashboard.queries.letter_selection import selection
from tests.integration.letter_states import every_state
from tests.integration.letter_world import dead_record, one, rows
from tests.integration.people import audit_rows, bearer, person, signed_in, token_of
from tests.integration.retry_world import RetryWorld

pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture
def world() -> Iterator[RetryWorld]:
    yield RetryWorld()
    standing.pin(Rules(), seconds=86_400)


def _hiding(topics: str, path: str) -> Rules:
    return Rules((Rule([topics], Aim(paths=(json_paths.parse(path),)), "cards"),))


def _three(world: RetryWorld) -> list[int]:
    values = (b'{"sku": "snuffer", "n": 1}', b'{"sku": "weir board"}', None)
    return world.letters.park(*[replace(dead_record(n), value=value) for n, value in enumerate(values, start=1)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("payload:snuffer", [1]),
        ("payload:Snuffer", []),
        ('payload:"weir board"', [2]),
        ("-payload:snuffer", [2, 3]),
        ("payload:sku key:order-2", [2]),
        ("payload:%", []),
    ],
)
def test_words_are_found_in_values_as_they_are_written_there(world: RetryWorld, text: str, expected: list[int]) -> None:
    _three(world)
    found = condition(text, may_read=True)
    assert sorted(row.offset for row in parked_letters(filtered=found).items) == expected
    assert found.reads_values
    chosen = selection({"matching": ["1"], "q": [text], "status": ["open"]}, most=100, may_read=True)
    assert len(chosen.letters) == len(expected)


@pytest.mark.parametrize("text", ["payload:a payload:b", "payload:a or declined", "declined or payload:a"])
def test_no_search_reads_values_twice_or_beside_what_it_cannot_bound(text: str) -> None:
    with pytest.raises(BadFilter, match="payload"):
        condition(text, may_read=True)


def test_only_the_newest_values_and_no_large_ones_are_looked_through(
    world: RetryWorld,
) -> None:
    letters = _three(world)
    large = b'"' + b"x" * letter_filter.MOST_VALUE + b' snuffer"'
    world.letters.park(replace(dead_record(4), value=large))
    found = parked_letters(filtered=condition("payload:snuffer", may_read=True))
    assert [row.id for row in found.items] == letters[:1]
    rows(
        "insert into dead_letter (id, topic_id, kafka_partition, kafka_offset, dialect, seen_at, failed_at, size_bytes)"
        " overriding system value select max(id) + 20000, %s, 1, 1, '', now(), now(), 0 from dead_letter returning 1",
        world.letters.dlq,
    )
    assert parked_letters(filtered=condition("payload:snuffer", may_read=True)).items == ()


def test_s32_letters_of_masked_topics_are_found_by_no_word_of_their_values(world: RetryWorld) -> None:
    _three(world)
    standing.pin(_hiding("orders.*", "$.sku"), seconds=60)
    for text in ("payload:snuffer", "payload:board"):
        found = condition(text, masked=["orders.created.dlq", "orders.created"], may_read=True)
        assert parked_letters(filtered=found).items == ()


def test_payloads_are_searched_by_whom_they_may_be_seen_and_each_search_is_noted(
    world: RetryWorld, olga: Client
) -> None:
    _three(world)
    page = olga.get("/dead-letters/?q=payload:snuffer").content.decode()
    assert "1 open matches" in page
    assert '<live-rows id="letters"' not in page, "what is noted is not asked again by itself"
    vera = person("vera", "viewer")
    refused = signed_in(vera).get("/dead-letters/?q=payload:snuffer").content.decode()
    assert "looks into payloads, which you may not see" in refused
    assert 'name="matching"' not in refused
    with pytest.raises(BadFilter):
        selection({"matching": ["1"], "q": ["payload:snuffer"]}, most=10)
    assert audit_rows("action", "object", "result", actions=["search payloads"]) == [
        ("search payloads", "payload:snuffer", "done")
    ]
    kept = {"matching": "1", "status": "open", "token": "t1"}
    assert olga.post("/retries/", {**kept, "q": "payload:nowhere"}).status_code == 409
    olga.post("/dead-letters/", {**kept, "q": "payload:nowhere", "do": "archive all"})
    searched = audit_rows("action", "object", "result", actions=["search payloads"])
    assert searched[1:] == [("search payloads", "payload:nowhere", "done")] * 2


def test_the_same_by_the_api_needs_the_scope_of_payloads(world: RetryWorld) -> None:
    _three(world)
    owner = person("olga", "operator")
    address = "/api/v1/dead-letters?q=payload:snuffer"
    reads, sees = token_of(owner, "read", "retry"), token_of(owner, "read", "payload")
    assert Client().get(address, headers=bearer(reads)).status_code == 403
    answer = Client().get(address, headers=bearer(sees))
    assert [item["offset"] for item in answer.json()["items"]] == [1]
    headers = {**bearer(reads), "idempotency-key": "k1"}
    body = {"matching": "payload:snuffer", "expect": 1}
    made = Client().post("/api/v1/retries", body, content_type="application/json", headers=headers)
    assert made.status_code == 400
    assert one("select count(*) from retry_operation") == 0
    assert ("see payloads", "refused") in audit_rows("action", "result")


def test_siblings_by_key_are_all_shown_whatever_became_of_them(world: RetryWorld, olga: Client) -> None:
    found = every_state(world)
    page = olga.get(f"/dead-letters/{found['open']}/").content.decode()
    link = re.search(r'href="([^"]+)">2 other dead letters', page)
    assert link, page
    listed = olga.get(link[1].replace("&amp;", "&")).content.decode()
    for name in ("open", "archived", "another dialect"):
        assert f'href="/dead-letters/{found[name]}/"' in listed
    assert "2 open match" in listed, "what is acted on are the open ones"


SAID = (
    ("open", "", "Archive…"),
    ("failed again", "", "attempt 2"),
    ("being retried", "", "Retry requested"),
    ("no answer", "", "No answer"),
    ("unknown", "", "Unknown: may have been sent"),
    ("archived", "", ">Restore<"),
    ("binary", "", "no short text, 3 B"),
    ("binary", "?tab=payload", "No text: invalid start byte at byte 128"),
    ("binary", "?tab=payload", "ff 00 01"),
    ("large", "?tab=payload", "the first 64 kB"),
    ("many headers", "?tab=payload", "59 more headers are not shown."),
    ("two dialects", "", "spring</bdi> headers"),
    ("no dialect", "", "no header that Weir knows"),
    ("tombstone", "?tab=payload", "No value (tombstone)"),
    ("masked", "?tab=payload", "Masked by <bdi>cards</bdi>"),
)


def test_each_state_of_a_letter_is_said_on_its_page(world: RetryWorld, olga: Client) -> None:
    found = every_state(world)
    standing.pin(_hiding("cards.*", "$.card.number"), seconds=60)
    for state, query, said in SAID:
        assert said in olga.get(f"/dead-letters/{found[state]}/{query}").content.decode(), (state, query)


def test_a_letter_names_who_else_died_of_its_event_and_newer_events_of_its_key(
    world: RetryWorld, olga: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    records = [dead_record(1), replace(dead_record(1, group="shipping"), offset=50)]
    first, second = world.letters.park(*records)
    rows(
        "insert into record_key (stored_at, name_id, value, topic_id, kafka_partition, kafka_offset)"
        " values (now(), 1, 'order-1', %s, 0, 300) returning 1",
        world.letters.orders,
    )
    with django_assert_num_queries(4):
        found = letter(first)
    assert found is not None
    assert (found.same_event, found.n_key_bytes) == (((second, "shipping"),), 7)
    page = olga.get(f"/dead-letters/{first}/").content.decode()
    assert "1 newer event with this key was processed since. Retrying may overwrite newer state." in page
    assert re.search(rf'Died of it, too</dt><dd><a href="/dead-letters/{second}/">', page)


def test_all_that_match_are_archived_and_restored(world: RetryWorld, olga: Client) -> None:
    world.letters.park(*[dead_record(n) for n in range(1, 4)])
    page = olga.get("/dead-letters/?q=declined&view=list").content.decode()
    assert "Archive all 3 matching" in page
    kept = {"q": '"order 1" or "order 2"', "status": "open", "reason": "known"}
    olga.post("/dead-letters/", {**kept, "do": "archive all", "letters": "3"})
    assert rows("select status, count(*)::int from letter_state group by 1 order by 1") == [(0, 1), (6, 2)]
    olga.post("/dead-letters/", {**kept, "do": "archive all"})  # twice, or what somebody else archived meanwhile
    assert [row for row in audit_rows("action", "result") if row[0] == "archive"] == [("archive", "done")]
    page = olga.get("/dead-letters/?view=list&status=archived").content.decode()
    assert "Restore all 2 matching" in page
    olga.post("/dead-letters/", {"q": "", "status": "archived", "do": "restore all"})
    assert rows("select status, count(*)::int from letter_state group by 1") == [(0, 3)]


@pytest.mark.parametrize("what", ["assign", "note"])
def test_a_group_that_went_between_the_question_and_the_deed_is_not_found(what: str) -> None:
    request = RequestFactory().post("/", {"do": what, "note": "n", "assignee": "a"})
    request.user = person("olga", "operator")
    with pytest.raises(Http404, match="There is no such failure group"):
        _written(request, 4711)
    assert audit_rows("action", "result") == [(what, "refused")]


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("group", ["billing", "shipping"]),
        ("topic", ["orders.created"]),
        ("class", ["shop.billing.CardDeclined"]),
        ("colour", []),
    ],
)
def test_failures_stand_below_what_they_have_in_common(
    world: RetryWorld, olga: Client, by: str, said: list[str]
) -> None:
    world.letters.park(dead_record(1), dead_record(2), dead_record(3, group="shipping"))
    page = olga.get("/dead-letters/", {"by": by}).content.decode()
    titles = re.findall(r'<h2 id="shelf-\d+"><bdi[^>]*>([^<]*)', page)
    assert titles == said
    assert page.count('<article class="failure') == 2
    if by == "group":
        assert "2 open in 1 failure<" in page
        assert "1 open in 1 failure<" in page


def test_an_empty_page_says_whether_there_is_a_topic_of_dead_letters_and_when_the_last_one_died(
    world: RetryWorld, olga: Client
) -> None:
    page = olga.get("/dead-letters/").content.decode()
    assert "No dead letters waiting." in page
    assert "1 of 2 topics matches or is named." in page, page[page.index("Weir recognises") :][:400]
    (letter,) = world.letters.park(dead_record(1))
    olga.post("/dead-letters/", {"letter": str(letter), "do": "archive"})
    assert "Last one <time" in olga.get("/dead-letters/?view=list").content.decode()
    rows("update topic set role = 0 returning 1")
    assert "No dead-letter topic known." in olga.get("/dead-letters/?view=list").content.decode()
