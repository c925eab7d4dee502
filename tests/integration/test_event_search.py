"""Search for events by header, and what narrows what was found."""

import hypothesis
import pytest
from django.db import connection
from django.test import Client
from hypothesis import strategies as st

from collector.config.rules import standing
from collector.domain.masking import Aim, Rule, Rules
from dashboard.queries.events import with_header
from dashboard.queries.flows import flows
from dashboard.queries.search import search
from tests.integration.path_world import PROCESS, SEND, PathWorld
from tests.integration.people import audit_rows, person, signed_in
from tests.integration.test_events import shop

pytestmark = pytest.mark.django_db


def now_() -> float:
    return 0.0


@pytest.fixture
def world() -> PathWorld:
    """Two records with a kept header each, one of them indexed as well."""
    found = PathWorld()
    for number, tenant in ((1, "acme"), (2, "acme-corp")):
        found.record("orders.created", (0, number), at=number)
        found.body("orders.created", (0, number), b"{}", headers=(("tenant", tenant.encode()), ("x", b"1")), at=number)
    found.leaf("record_body")
    return found


@pytest.fixture
def operator() -> Client:
    return signed_in(person("olga", "operator"))


def found_by(text: str) -> list[str]:
    return [row.address for row in with_header(text, elapsed=now_).rows]


def test_a_header_is_found_by_its_exact_value_among_what_was_kept(world: PathWorld) -> None:
    assert found_by("tenant=acme") == ["orders.created/0/1"]
    assert found_by("tenant=acme-corp") == ["orders.created/0/2"]
    assert found_by("tenant=acm") == []
    assert found_by("enant=acme") == []
    assert found_by("x=1") == ["orders.created/0/2", "orders.created/0/1"]
    assert "in all headers that were kept" in with_header("tenant=acme", elapsed=now_).read
    for nonsense in ("tenant", "=acme", "tenant=", "", "a" * 2_000 + "=b", "\x00=\ud800"):
        assert found_by(nonsense) == []


def test_a_search_that_takes_too_long_says_how_far_it_came(world: PathWorld) -> None:
    found = with_header("tenant=acme", elapsed=lambda: 6.0)
    assert (found.rows, found.stopped) == ((), True)
    assert "stopped after 5 s, 0 of 1 parts read" in found.read


def test_an_indexed_header_is_found_by_its_index(world: PathWorld) -> None:
    with connection.cursor() as cursor:
        cursor.execute("insert into key_name (id, name) values (900, 'Tenant')")
        cursor.execute(
            "insert into record_key select stored_at, 900, 'acme', topic_id,"
            " kafka_partition, kafka_offset from record where kafka_offset = 2"
        )
    assert found_by("tenant=acme") == ["orders.created/0/2"]
    assert "by the index of business keys" in with_header("tenant=acme", elapsed=now_).read


def test_nothing_is_found_by_a_masked_header(world: PathWorld) -> None:
    standing.pin(Rules((Rule(["orders.*"], Aim(headers=frozenset({"tenant"}))),)), seconds=60)
    try:
        assert found_by("tenant=acme") == []
        assert found_by("x=1") == ["orders.created/0/2", "orders.created/0/1"]
    finally:
        standing.pin(Rules(), seconds=0)


def test_values_of_headers_are_searched_by_those_who_may_see_them(world: PathWorld, operator: Client) -> None:
    assert (
        operator.get("/search", {"q": "header:tenant=acme"}).headers["Location"] == "/events/?q=header%3Atenant%3Dacme"
    )
    page = operator.get("/events/", {"q": "header:tenant=acme"}).content.decode()
    assert "1 event in 1 flow" in page
    assert ("search header", "tenant", "done") in audit_rows("action", "object", "result")
    viewer = signed_in(person("vera", "viewer"))
    refused = viewer.get("/events/", {"q": "header:tenant=acme"}).content.decode()
    assert "Payloads need the operator role." in refused
    assert "orders.created/0/1" not in refused


def test_what_was_found_is_narrowed_by_topic_service_failure_and_time(operator: Client) -> None:
    world = shop()
    world.record("orders.created", (1, 4), at=100, key="order-123")
    (alone, flow) = flows(search("order-123").rows)
    assert (flow.services, flow.topics) == (
        ("billing-svc", "orders-svc", "shipping-svc"),
        ("orders.created", "orders.created.dlq", "payments.captured"),
    )
    assert (alone.services, alone.topics, flow.longest_work_seconds) == ((), ("orders.created",), 0.5)

    def shown(**query: str) -> bool:
        page = operator.get("/events/", {"q": "order-123", **query}).content.decode()
        return "Flow of 4 events" in page

    assert shown(topic="payments.captured", service="billing-svc", failed="1", slower="1 s")
    assert not shown(topic="nothing")
    assert not shown(service="nobody")
    assert not shown(slower="1 h")
    assert shown(order="work")
    page = operator.get("/events/", {"q": "order-123", "slower": "2"}).content.decode()
    assert "Give a time with its unit" in page
    assert "2 flows without this filter" in operator.get("/events/", {"q": "order-123", "topic": "x"}).content.decode()


def test_where_nothing_is_found_the_indexed_names_are_said(operator: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("insert into key_name (id, name) values (900, 'order-id')")
    assert "(indexed: order-id)" in operator.get("/events/", {"q": "order-999"}).content.decode()


def test_the_longest_work_of_a_flow_orders_it(operator: Client) -> None:
    world = PathWorld()
    for number in (1, 2):
        world.span((number, 1), SEND, "lines", "shop", at=number, place=(0, number))
        world.record("lines", (0, number), by=(number, 1), at=number, key="k")
    world.span((1, 2), PROCESS, "lines", "ledger", at=3, parent=1, place=(0, 1))
    page = operator.get("/events/", {"q": "k", "order": "work"}).content.decode()
    assert page.index("lines/0/1") < page.index("lines/0/2")


_PIECES = st.sampled_from(
    ["orders.created", "/", ":", "0", "-1", "9" * 19, "9" * 10, "%", "_", "\x00", "\ud800", "\U0010ffff", "'", "~",
     "00-", "ab" * 16, "key:", "header:x=", '"', "(", " or ", "*", "a" * 300, "\u202e", "e\u0301"]
)  # fmt: skip


@hypothesis.settings(max_examples=60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(st.lists(st.one_of(_PIECES, st.text(max_size=5)), max_size=6).map("".join))
def test_whatever_is_typed_is_answered(operator: Client, text: str) -> None:
    answer = operator.get("/search", {"q": text.encode("utf-8", "surrogatepass")})
    assert answer.status_code in ({400} if "\x00" in text else {200, 302}), text
