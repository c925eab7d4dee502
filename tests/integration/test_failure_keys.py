"""Failures below the values of an indexed header."""

from dataclasses import replace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from collector.config.rules import standing
from collector.domain.masking import Aim, Rule, Rules
from collector.domain.records import Record
from dashboard.queries import failure_keys
from dashboard.queries.failure_groups import failure_groups
from dashboard.queries.failure_keys import key_shelves
from tests.integration.letter_world import dead_record, rows
from tests.integration.many_letters import MANY, read_of
from tests.integration.many_letters import world as many_sent
from tests.integration.people import audit_rows, person, signed_in
from tests.integration.retry_world import RetryWorld

__all__ = ["many_sent"]
pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture
def world() -> RetryWorld:
    rows("insert into key_name (id, name) values (101, 'tenant'), (102, 'region'), (103, '$.order.id') returning 1")
    return RetryWorld()


def of_tenant(n: int, tenant: bytes | None, *, group: str = "billing") -> Record:
    return dead_record(n, group=group, marks=(("tenant", tenant), ("tenant", b"the second")))


def told(name: str = "tenant") -> list[tuple[str | None, int, list[tuple[str, int]]]]:
    found = key_shelves(failure_groups(), name)
    return [
        (one.value, one.n, [(failure.group or "?", n) for failure, n in one.failures])
        for one in (*found.items, found.without)
    ]


def test_failures_stand_below_the_first_value_that_their_letters_carry(
    world: RetryWorld, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    world.letters.park(of_tenant(1, b"acme"), of_tenant(2, b"acme"), of_tenant(3, b"zeta"), dead_record(4))
    world.letters.park(of_tenant(5, b"acme", group="shipping"), of_tenant(6, None), of_tenant(7, b"\xff\xfe"))
    world.letters.park(of_tenant(8, b"x" * 5_000))
    assert told() == [
        ("acme", 3, [("billing", 2), ("shipping", 1)]),
        ("zeta", 1, [("billing", 1)]),
        (None, 4, [("billing", 4)]),
    ]
    found = failure_groups()
    with django_assert_num_queries(1):
        assert key_shelves(found, "tenant").is_whole
    rows("update letter_state set status = 6 returning 1")
    assert told() == [(None, 0, [])]


def test_of_each_failure_the_newest_open_letters_are_read_and_no_more(
    world: RetryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure_keys, "MOST_READ", 8)
    world.letters.park(*[of_tenant(n, b"old") for n in range(5)], *[of_tenant(n, b"new") for n in range(5, 8)])
    world.letters.park(of_tenant(8, b"rare", group="shipping"))
    found = key_shelves(failure_groups(), "tenant")
    assert [(one.value, one.n) for one in found.items] == [("new", 3), ("old", 1), ("rare", 1)]
    assert (found.n_read, found.each, found.is_whole) == (5, 4, False)


def test_nothing_is_told_of_what_is_masked(world: RetryWorld) -> None:
    world.letters.park(of_tenant(1, b"acme"))
    standing.pin(Rules((Rule(("orders.created",), Aim(key=True)),)), seconds=60)
    found = key_shelves(failure_groups(), "tenant")
    standing.pin(Rules(), seconds=0)
    assert (found.items, found.without.n, found.n_masked) == ((), 0, 1)


def test_letters_are_read_by_the_index_of_their_failure(many_sent: RetryWorld) -> None:
    rows("update letter_state set status = 0 returning 1")
    rows("update failure_count set n = %s returning 1", MANY)
    with CaptureQueriesContext(connection) as asked:
        found = key_shelves(failure_groups(), "tenant")
    assert (found.n_read, found.is_whole) == (failure_keys.MOST_READ, False)
    most = read_of(asked, "octet_length", "letter_state", "dead_letter", "dead_letter_body")
    assert max(most.values()) == failure_keys.MOST_READ < MANY, most


def test_the_page_offers_indexed_headers_and_leads_to_the_failures(world: RetryWorld, olga: Client) -> None:
    world.letters.park(of_tenant(1, b"<b>acme"), replace(dead_record(2), headers=dead_record(2).headers[1:]))
    page = olga.get("/dead-letters/").content.decode()
    assert '?by=header">Header</a>' in page
    assert "$.order.id" not in page
    assert audit_rows("action", actions=["group by header"]) == []
    shown = olga.get("/dead-letters/?by=header&header=tenant").content.decode()
    assert len(audit_rows("action", actions=["group by header"])) == 1
    assert "All 2 open letters" in shown
    assert "&lt;b&gt;acme" in shown
    assert "without it, or not readable as a short text" in shown
    assert "<live-rows" not in shown, "each look is written down, and so none is taken by itself"
    (group,) = {number for (number,) in rows("select id from failure_group")}
    assert f'href="/dead-letters/groups/{group}/"' in shown
    vera = signed_in(person("vera", "viewer"))
    hidden = vera.get("/dead-letters/?by=header&header=tenant").content.decode()
    assert "CardDeclined" in hidden
    assert "acme" not in hidden
    assert "by=header" not in vera.get("/dead-letters/").content.decode()
    assert len(audit_rows("action", actions=["group by header"])) == 1
    for odd in ("", "nothing", "$.order.id", "'"):
        assert olga.get("/dead-letters/", {"by": "header", "header": odd}).status_code == 200
