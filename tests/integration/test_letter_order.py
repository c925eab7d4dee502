"""The list of dead letters in other orders than the newest first: page by page, by an index."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from collector.clock import now
from dashboard.queries import letters_leaving
from dashboard.queries.dead_letters import BadStatus, parked_letters
from dashboard.queries.letter_filter import condition
from dashboard.queries.letters_leaving import Leaving, leaving_letters
from tests.integration.letter_world import dead_record, one, rows
from tests.integration.many_letters import MANY, read_of
from tests.integration.many_letters import world as many_sent
from tests.integration.retry_world import RetryWorld

__all__ = ["many_sent"]
pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Six: the first has left Kafka, the second never will, the others go in an order of their own, two at once."""
    monkeypatch.setattr(letters_leaving, "PAGE", 2)
    found = RetryWorld().letters.park(*[dead_record(n) for n in range(6)])
    for letter, hours in zip(found, (-1, None, 5, 2, 2, 9), strict=True):
        rows(
            "update dead_letter set expires_at = %s where id = %s returning 1",
            None if hours is None else now() + timedelta(hours=hours), letter,
        )  # fmt: skip
    rows("update dead_letter set expires_at = (select expires_at from dead_letter where id = %s) where id = %s"
         " returning 1", found[3], found[4])  # fmt: skip
    return found


def pages(**asked: Any) -> list[list[int]]:
    """Every page, by its cursor."""
    found: list[Leaving] = []
    while not found or found[-1].next:
        found.append(leaving_letters(**asked, after=found[-1].next or "" if found else "", now=now()))
        assert len(found) < 9
    return [[row.id for row in page.items] for page in found]


def test_letters_come_as_they_leave_kafka_page_by_page(letters: list[int]) -> None:
    _, _, third, fourth, fifth, sixth = letters
    assert pages() == [[fourth, fifth], [third, sixth]]
    assert pages(last_first=True) == [[sixth, third], [fifth, fourth]]
    rows("update letter_state set status = 6 where dead_letter_id = %s returning 1", fifth)
    assert pages(status="open") == [[fourth, third], [sixth]]
    assert pages(status="archived") == [[fifth]]
    assert pages(filtered=condition("key:order-5")) == [[sixth]]
    assert pages(failure_group=one("select id from failure_group"), status="open") == [[fourth, third], [sixth]]
    with pytest.raises(BadStatus):
        leaving_letters(status="lost", now=now())


@pytest.mark.parametrize("after", ["", "x", "1-", "9" * 40, "-1-2", "1-2; drop"])
def test_what_is_no_cursor_begins_at_the_beginning(letters: list[int], after: str) -> None:
    assert [row.id for row in leaving_letters(after=after, now=now()).items] == letters[3:5]


def test_a_page_ends_where_too_many_were_looked_through_and_goes_on_from_there(
    letters: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters_leaving, "MOST_LOOKED", 2)
    found = leaving_letters(filtered=condition("key:order-2"), now=now())
    assert (found.items, found.is_part) == ((), True)
    further = leaving_letters(filtered=condition("key:order-2"), after=found.next or "", now=now())
    assert [row.id for row in further.items] == [letters[2]]
    last = leaving_letters(filtered=condition("key:order-2"), after=further.next or "", now=now())
    assert (last.items, last.next) == ((), None)


def test_the_oldest_come_first_where_that_is_asked_for(
    letters: list[int], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        found = parked_letters(limit=4, oldest_first=True)
    assert [row.id for row in found.items] == letters[:4]
    behind = parked_letters(limit=4, oldest_first=True, after=found.next)
    assert ([row.id for row in behind.items], behind.next) == (letters[4:], None)


@pytest.mark.parametrize("status", ["no_answer", None])
@pytest.mark.parametrize("order", ["oldest", "expires", "-expires"])
def test_each_order_reads_by_its_index_what_it_shows(many_sent: RetryWorld, order: str, status: str | None) -> None:
    rows("update dead_letter set expires_at = now() + make_interval(secs => 60 + mod(id * 7919, 10007)) returning 1")
    with connection.cursor() as cursor:
        cursor.execute("analyze dead_letter")
    with CaptureQueriesContext(connection) as asked:
        if order == "oldest":
            found = len(parked_letters(status=status, oldest_first=True).items)
        else:
            found = len(leaving_letters(status=status, last_first=order[0] == "-", now=now()).items)
    assert found == 100
    most = read_of(asked, "limit 101", "letter_state", "dead_letter", "retry_item")
    assert max(most.values()) <= 200 < MANY, most


def test_the_page_sorts_by_its_headers_and_says_what_has_no_place(letters: list[int], olga: Client) -> None:
    page = olga.get("/dead-letters/?view=list").content.decode()
    assert 'aria-sort="descending"><a href="/dead-letters/?view=list&amp;sort=came">Dead letter' in page
    assert '<a href="/dead-letters/?view=list&amp;sort=expires">Leaves Kafka' in page
    assert re.search(r">in (9 h|8 h 59 min)<", page)
    assert "has left" in page
    oldest = olga.get("/dead-letters/?view=list&sort=came").content.decode()
    assert oldest.index(f'data-key="{letters[0]}"') < oldest.index(f'data-key="{letters[5]}"')
    first = olga.get("/dead-letters/?view=list&sort=expires").content.decode()
    assert f'data-key="{letters[3]}"' in first
    assert f'data-key="{letters[5]}"' not in first
    assert "have no place in this order" in first
    after = first.split("after=")[1].split('"')[0]
    behind = olga.get(f"/dead-letters/?view=list&sort=expires&after={after}").content.decode()
    assert f'data-key="{letters[5]}"' in behind
