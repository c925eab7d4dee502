"""One person's long questions: four at once, and the next is told so (docs/security.md, S61)."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.test import Client

from dashboard import crowding
from dashboard.crowding import MOST_AT_ONCE, MOST_WAITING, Places
from tests.integration.people import bearer, person, signed_in, token_of

LONG_AGO = "from=2026-03-01T10:00:00Z&to=2026-03-01T11:00:00Z"
PAGES = (
    "/search?q=o-1",
    "/events/?q=o-1",
    "/events/local/orders/0/1/",
    "/events/traces/0af7651916cd43dd8448eb211c80319c/",
    "/dead-letters/",
    "/dead-letters/groups/1/",
    "/audit/",
    "/audit/list.csv",
    "/replay/frames/?n=1",
    "/?vs=now-1h",
    f"/topics/local/orders/?{LONG_AGO}",
    f"/topics/local/orders/partitions.csv?{LONG_AGO}",
    f"/groups/local/billing/?{LONG_AGO}",
    "/?find=event:orders.created/0/1",
    "/?hide=-EVENT:orders.created/0/1",
)
OPERATIONS = (
    "/api/v1/events/local/orders/0/1",
    "/api/v1/traces/0af7651916cd43dd8448eb211c80319c",
    "/api/v1/dead-letters",
    "/api/v1/graph/frames?from=2026-11-28T10:00:00Z&to=2026-11-28T10:05:00Z",
    "/api/v1/graph/comparison?vs=2026-11-27T10:00:00Z",
    f"/api/v1/topics/local/orders?{LONG_AGO}",
    f"/api/v1/topics/local/orders/series?{LONG_AGO}",
    f"/api/v1/groups/local/billing?{LONG_AGO}",
)
LIGHT = (
    "/api/v1/topics/local/orders",
    "/api/v1/groups/local/billing?from=now-30d",
    "/api/v1/groups/local/billing?from=yesterday",
)


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    """Places that nobody waits for."""
    made = Places(wait_seconds=0)
    monkeypatch.setattr(crowding, "places", made)
    yield made
    assert made.n_people == 0


@pytest.mark.django_db
def test_s61_a_fifth_long_question_of_one_person_is_refused_with_a_reason(places: Places, client: Client) -> None:
    vera = person("vera")
    page, script, other = signed_in(vera), bearer(token_of(vera, "read")), signed_in(person("otto"))
    with ExitStack() as four:
        for _ in range(MOST_AT_ONCE):
            assert four.enter_context(places.taken(vera.pk))
        for address in PAGES:
            refused = page.get(address)
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1"), address
            assert "Four of your questions are being answered" in refused.content.decode()
        for address in OPERATIONS:
            problem = client.get(address, headers=script)
            assert (problem.status_code, problem.json()["status"]) == (429, 429), address
        assert page.get("/").status_code == 200
        for address in LIGHT:
            assert client.get(address, headers=script).status_code in {400, 404}, address
        assert other.get("/search?q=o-1").status_code == 200
    assert page.get("/search?q=o-1").status_code == 200
    assert client.get("/api/v1/dead-letters", headers=script).status_code == 200


def test_who_comes_fifth_waits_a_moment_for_a_place() -> None:
    their, was_let_in = Places(most=1, wait_seconds=60), threading.Event()

    def fifth() -> None:
        with their.taken("vera") as is_mine:
            if is_mine:
                was_let_in.set()

    with their.taken("vera"):
        waiting = threading.Thread(target=fifth)
        waiting.start()
        assert not was_let_in.is_set()
    waiting.join(60)
    assert was_let_in.is_set()
    assert their.n_people == 0


def test_a_question_that_fails_gives_its_place_back() -> None:
    their = Places(most=1, wait_seconds=0)
    with pytest.raises(ZeroDivisionError), their.taken("vera"):
        raise ZeroDivisionError
    with their.taken("vera") as is_mine:
        assert is_mine


def test_no_more_wait_than_may_ask() -> None:
    """Who waits holds a connection that others need."""
    made, told = Places(wait_seconds=30), list[bool]()

    def ask() -> None:
        with made.taken("vera") as is_mine:
            told.append(is_mine)

    with ExitStack() as four:
        for _ in range(MOST_AT_ONCE):
            four.enter_context(made.taken("vera"))
        waiting = [threading.Thread(target=ask) for _ in range(MOST_WAITING)]
        for each in waiting:
            each.start()
        while made.n_waiting < MOST_WAITING:
            threading.Event().wait(0.01)
        ask()
        assert told == [False]
    for each in waiting:
        each.join()
    assert told == [False, *[True] * MOST_WAITING]
    assert (made.n_people, made.n_waiting) == (0, 0)
