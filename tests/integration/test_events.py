"""Events, their paths, lists and search, as pages and the API ask for them."""

from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector.domain.frames import framed
from dashboard.api import event_schemas
from dashboard.queries.events import event, newest_events, payload, recent_events, search, trace
from dashboard.queries.paths import Lineage
from tests.integration.path_world import AT, PROCESS, SEND, PathWorld, after
from tests.integration.people import bearer, person, token_of

SAVEPOINT = 2  # a transaction of its own, within the test's
pytestmark = pytest.mark.django_db


def shop() -> PathWorld:
    """An order as Python's clients tell it: billing declines it, a person sends it again, shipping reads on."""
    world = PathWorld()
    world.span((1, 1), SEND, "orders.created", "orders-svc")
    world.record("orders.created", (0, 5), by=(1, 1), key="order-123")
    world.span(
        (2, 1), PROCESS, "orders.created", "billing-svc", at=2, parent=99, place=(0, 5), links=[((1, 1), None)],
        error=("CardDeclined", "no"),
    )  # fmt: skip
    world.span((2, 2), SEND, "orders.created.dlq", "billing-svc", at=3, parent=1)
    world.record("orders.created.dlq", (0, 0), by=(2, 2), at=3, key="order-123")
    letter = world.letter("orders.created.dlq", (0, 0), ("orders.created", 0, 5), "billing")
    world.record("orders.created", (0, 9), by=(1, 1), at=60, key="order-123")
    world.resent(letter, "orders.created", (0, 9), at=60)
    world.span((3, 1), PROCESS, "orders.created", "billing-svc", at=61, place=(0, 9), links=[((1, 1), None)])
    world.span((3, 2), SEND, "payments.captured", "billing-svc", at=61.2, parent=1)
    world.record("payments.captured", (1, 7), by=(3, 2), at=61.2, key="order-123")
    world.span(
        (4, 1), PROCESS, "payments.captured", "shipping-svc", at=63, place=(1, 7), group="shipping",
        links=[((3, 2), None)],
    )  # fmt: skip
    world.hint("billing-svc", "orders.created", "billing")
    for at, offset in ((-5, 3), (1, 5), (5, 6), (70, 10)):
        world.committed("orders.created", "audit", [offset, None], at=at)
        world.committed("orders.created", "billing", [offset, None], at=at)
    return world


def told(path: Lineage) -> list[tuple[object, ...]]:
    return [(hop.kind, hop.service, hop.topic_name, hop.group_name, hop.result, hop.cause) for hop in path.hops]


WHOLE = [
    ("produce", "service:orders-svc", "orders.created", None, "ok", None),
    ("consume", "service:billing-svc", "orders.created", "billing", "failed", 0),
    ("produce", "service:billing-svc", "orders.created.dlq", None, "ok", 1),
    ("consume", None, "orders.created", "audit", "passed", 0),
    ("produce", None, "orders.created", None, "ok", 2),
    ("consume", "service:billing-svc", "orders.created", "billing", "ok", 4),
    ("produce", "service:billing-svc", "payments.captured", None, "ok", 5),
    ("consume", "service:shipping-svc", "payments.captured", "shipping", "ok", 6),
    ("consume", None, "orders.created", "audit", "passed", 4),
]


CHAIN = [step[:5] for step in WHOLE if step[4] != "passed"]


def chain(path: Lineage) -> list[tuple[object, ...]]:
    """The path without what only the broker knows: of an event's causes, other groups are another branch."""
    return [step[:5] for step in told(path) if step[4] != "passed"]


def test_one_events_path_goes_back_to_its_cause_and_on_to_all_that_came_of_it(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shop()
    with django_assert_num_queries(4 + SAVEPOINT):
        page = event("demo", "orders.created", 0, 5)
    assert page is not None
    assert told(page.path) == WHOLE
    assert page.path.start == (0, 1, 3)
    failed, passed, again = page.path.hops[1], page.path.hops[3], page.path.hops[5]
    assert (failed.exception_class, failed.wait_seconds, failed.processing_seconds) == ("CardDeclined", 2.0, 0.5)
    assert failed.evidence == ("traced", "membership", "dead letter")
    assert (failed.version, failed.trace_id, failed.span_id) == ("2.8.0", f"{2:032x}", f"{1:016x}")
    assert (passed.happened_at, passed.margin_seconds, passed.evidence) == (after(5), 4.0, ("offsets",))
    assert (again.topic, again.partition, again.offset) == ("topic:demo/orders.created", 0, 9)
    assert (page.path.n_events, page.path.n_services, page.path.truncated) == (4, 3, False)
    facts = page.event
    assert (facts.address, facts.key, facts.size_bytes, facts.produced_at) == (
        "orders.created/0/5",
        "order-123",
        120,
        AT,
    )
    assert facts.dead_letter is None


@pytest.mark.parametrize(
    ("topic", "partition", "offset"),
    [("orders.created", 0, 9), ("orders.created.dlq", 0, 0), ("payments.captured", 1, 7)],
)
def test_every_event_of_a_chain_shows_the_same_chain(
    topic: str, partition: int, offset: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    shop()
    with django_assert_num_queries(4 + SAVEPOINT):
        page = event("demo", topic, partition, offset)
    assert page is not None
    assert chain(page.path) == CHAIN


def test_a_trace_shows_its_hops_within_their_path(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    shop()
    with django_assert_num_queries(4 + SAVEPOINT):
        page = trace(UUID(int=3))
    assert page is not None
    assert chain(page.path) == CHAIN
    assert [page.path.hops[index].trace_id for index in page.path.start] == [f"{3:032x}"] * 2


def test_what_nobody_saw_is_none() -> None:
    shop()
    assert event("demo", "orders.created", 0, 77) is None
    assert event("demo", "nothing", 0, 5) is None
    assert event("else\x00where", "orders.created", 0, 5) is None
    assert event("demo", "orders.created", 2**31, 5) is None
    assert event("demo", "orders.created", 0, 2**63) is None
    assert trace(UUID(int=77)) is None


def test_an_event_that_only_the_tap_and_the_broker_know_has_a_path_too() -> None:
    world = PathWorld()
    world.record("audit.log", (1, 4), at=10)
    world.committed("audit.log", "audit", [None, 4], at=9)
    world.committed("audit.log", "audit", [None, 5], at=13)
    world.committed("audit.log", "weir-collector", [None, 5], at=13)
    page = event("demo", "audit.log", 1, 4)
    assert page is not None
    assert told(page.path) == [
        ("produce", None, "audit.log", None, "ok", None),
        ("consume", None, "audit.log", "audit", "passed", 0),
    ]
    assert page.path.hops[0].evidence == ("record",)


def test_a_batch_reader_does_not_drag_its_other_flows_along() -> None:
    world = PathWorld()
    links = []
    for number in range(1, 301):
        world.span((number, 1), SEND, "lines", "shop", place=(0, number))
        links.append(((number, 1), None))
    world.span((900, 1), PROCESS, "lines", "ledger", at=1, links=links, n=300)
    world.span((900, 2), SEND, "pages", "ledger", at=2, parent=1, place=(0, 0))
    page = event("demo", "lines", 0, 42)
    assert page is not None
    assert [hop.offset for hop in page.path.hops] == [42, 42, 0]


def test_newest_events_are_one_row_each_and_fit_two_statements(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shop()
    with django_assert_num_queries(2 + SAVEPOINT):
        rows = recent_events("demo", "orders.created", since=AT, until=after(7200))
    assert [(row.address, row.key, row.failed) for row in rows] == [
        ("orders.created/0/9", "order-123", False),
        ("orders.created/0/5", "order-123", True),
    ]
    with django_assert_num_queries(2 + SAVEPOINT):
        newest = newest_events(limit=3)
    assert [row.address for row in newest] == ["payments.captured/1/7", "orders.created/0/9", "orders.created.dlq/0/0"]
    assert recent_events("demo", "orders.created", since=after(3600), until=after(7200)) == ()
    assert len(recent_events("demo", "orders.created", since=AT, until=after(7200), limit=1)) == 1


WITH_KEY = ["payments.captured/1/7", "orders.created/0/9", "orders.created.dlq/0/0", "orders.created/0/5"]


# A search by key has a transaction and a time limit of its own: three statements more.
@pytest.mark.parametrize(
    ("text", "kind", "addresses", "n_statements"),
    [
        (" orders.created/0/5 ", "event", ["orders.created/0/5"], 1),
        ("orders.created/0/77", "nothing", [], 1),
        (f"{3:032x}", "trace", [], 1),
        (f"00-{3:032x}-0000000000000001-03", "trace", [], 1),
        (f"{99:032x}", "nothing", [], 3 + 3),
        ("order-123", "keys", WITH_KEY, 1 + 3),
        ("order-", "keys", WITH_KEY, 2 + 3),
        ("order-124", "nothing", [], 2 + 3),
        ("%", "nothing", [], 2 + 3),
        ("'; drop table span; --\x00\ud800", "nothing", [], 2 + 3),
        ("", "nothing", [], 0),
    ],
)  # fmt: skip
def test_search_takes_addresses_traces_and_keys(
    text: str, kind: str, addresses: list[str], n_statements: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    shop()
    with django_assert_num_queries(n_statements):
        found = search(text)
    assert found.kind == kind
    assert [row.address for row in found.rows] == addresses
    assert found.read
    assert (found.trace_id is not None) == (kind == "trace")


def test_a_payload_is_read_apart(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    world = shop()
    with django_assert_num_queries(1):
        assert payload("demo", "orders.created", 0, 5) is None
    headers = (("order-id", b"123"), ("order-id", None))
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into record_body values (%s, %s, 0, 5, %s, %s)",
            [after(1), world.topic("orders.created"), framed(headers), b"{}"],
        )
    found = payload("demo", "orders.created", 0, 5)
    assert found is not None
    assert (found.key, found.value, found.headers) == (b"order-123", b"{}", headers)
    page = event("demo", "orders.created", 0, 5)
    assert page is not None
    assert page.event.has_payload


def test_the_api_answers_as_its_schema_says() -> None:
    shop()
    reader = bearer(token_of(person("vera"), "read"))
    for address, schema in (
        ("events/demo/orders.created/0/5", event_schemas.EventAnswer),
        (f"traces/{3:032x}", event_schemas.TraceAnswer),
    ):
        answer = Client().get(f"/api/v1/{address}", headers=reader).json()
        assert schema.model_validate(answer).model_dump() == answer


def test_a_long_path_is_answered_in_parts_that_say_where_it_goes_on() -> None:
    world = PathWorld()
    for number in range(60):
        world.span((1, 2 * number + 1), SEND, "steps", "walker", at=number, parent=2 * number or None,
                   place=(0, number))  # fmt: skip
        world.span((1, 2 * number + 2), PROCESS, "steps", "walker", at=number + 0.5, parent=2 * number + 1,
                   place=(0, number))  # fmt: skip
    reader = bearer(token_of(person("vera"), "read"))

    def asked(url: str) -> dict[str, Any]:
        return dict(Client().get(url, headers=reader).json()["path"])

    first = asked("/api/v1/events/demo/steps/0/30?limit=20")
    assert (len(first["hops"]), first["truncated"]) == (20, True)
    assert [(end["side"], end["n"]) for end in first["ends"]] == [("before", 1), ("after", 1)]
    assert [hop["offset"] for hop in first["hops"]] == sorted([25, *range(26, 35), *range(26, 35), 35])
    found = {(hop["kind"], hop["offset"]) for hop in first["hops"]}
    waiting = [end["url"] for end in first["ends"]]
    while waiting:
        more = asked(f"{waiting.pop()}&limit=20")
        found |= {(hop["kind"], hop["offset"]) for hop in more["hops"]}
        waiting += [end["url"] for end in more["ends"]]
    assert len(found) == 120
    for nonsense in ("limit=0", "limit=5001", "flow=sideways"):
        assert Client().get(f"/api/v1/events/demo/steps/0/30?{nonsense}", headers=reader).status_code == 422


def test_a_path_of_which_not_all_was_read_may_go_on_wherever_nothing_follows() -> None:
    world = PathWorld()
    for number in range(30):
        parent = 1 if number else None
        world.span((number + 1, 2), SEND, "steps", "walker", at=number, parent=parent, place=(0, number))
        world.span((number + 2, 1), PROCESS, "steps", "walker", at=number + 0.5, place=(0, number),
                   links=[((number + 1, 2), None)])  # fmt: skip
    page = event("demo", "steps", 0, 0, way="down", most_hops=10)
    assert page is not None
    assert (len(page.path.hops), page.path.truncated) == (10, True)
    assert [(end.side, end.n) for end in page.path.ends] == [("after", 1)]
    whole = event("demo", "steps", 0, 0, way="up")
    assert whole is not None
    assert [(hop.kind, hop.offset) for hop in whole.path.hops] == [("produce", 0), ("consume", 0)]
