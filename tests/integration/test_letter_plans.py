"""After very many letters were sent, lists and counts still read no more than they show."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from collector.clock import now
from collector.store import letter_bell
from dashboard.queries.dead_letters import parked_letters
from dashboard.queries.failure_facts import MOST_NEW, failure_facts
from tests.integration.letter_world import dead_record, one, rows
from tests.integration.many_letters import MANY, n_read, read_of, scans, world
from tests.integration.retry_world import RetryWorld

__all__ = ["world"]
pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.mark.parametrize(("status", "n"), [("no_answer", 100), ("sent", 50)])
def test_the_lists_of_what_was_sent_read_what_they_show(world: RetryWorld, status: str, n: int) -> None:
    with CaptureQueriesContext(connection) as asked:
        found = parked_letters(status=status)
    assert len(found.items) == n
    assert {each.status for each in found.items} == {status}
    most = read_of(asked, "limit 101", "letter_state", "retry_item", "dead_letter")
    assert max(most.values()) <= 160, most


def test_what_is_new_in_a_failure_is_looked_for_among_its_newest(world: RetryWorld) -> None:
    rows("update dead_letter set seen_at = now() where kafka_partition = 1 and kafka_offset > %s returning 1", MANY - 7)
    number = one("select id from failure_group")
    with CaptureQueriesContext(connection) as asked:
        assert failure_facts([number], now=now())[number].n_new == 7
    newest = [node for node in scans(asked, "n_without") if node.get("Index Name", "").startswith("letter_state_")]
    assert newest
    assert max(map(n_read, newest)) <= MOST_NEW + 1 < MANY, "of what is sent, and the one that is open"


def test_keys_are_counted_anew_for_new_letters_alone_and_that_is_told_by_the_newest(world: RetryWorld) -> None:
    assert letter_bell.count_keys(now=now()) == 1
    rows("update failure_group set keys_as_of = now() - interval '1 minute' returning 1")
    rows("update letter_state set status = 3, changed_at = now() returning 1")
    with CaptureQueriesContext(connection) as asked:
        assert letter_bell.count_keys(now=now()) == 0, "what became of them changes no key"
    most = read_of(asked, "keys_as_of", "letter_state", "dead_letter")
    assert max(most.values()) <= 10, most
    (letter,) = world.letters.park(dead_record(2))[-1:]
    rows("update dead_letter set seen_at = now() where id = %s returning 1", letter)
    assert letter_bell.count_keys(now=now()) == 1
