"""Paths without end: cycles, ten thousand readers, ten thousand steps; and never sideways into other flows."""

from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from dashboard.queries.event_statements import MOST_SPANS, MOST_TRACES
from dashboard.queries.events import EventPage, event
from tests.integration.path_world import PROCESS, SEND, PathWorld
from tests.integration.people import bearer, person, signed_in, token_of

pytestmark = pytest.mark.django_db
SAVEPOINT = 2
READ, SENT = 1, 2
"""Numbers of spans within each trace of the worlds below."""


def at(topic: str, partition: int, offset: int) -> EventPage:
    found = event("demo", topic, partition, offset)
    assert found is not None
    return found


def reads(world: PathWorld, number: int, offset: int, link: int) -> None:
    """The trace `number` reads steps/0/offset, which the trace `link` sent."""
    world.span((number, READ), PROCESS, "steps", "walker", at=number, place=(0, offset), group="walkers",
               links=[((link, SENT), None)])  # fmt: skip


def test_a_circle_of_traces_ends_where_it_began(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    world = PathWorld()
    for number in range(1, 4):  # 1 -> 2 -> 3 -> 1: no clock allows it, a forger does
        world.span((number, SENT), SEND, "steps", "walker", at=number, parent=READ, place=(0, number))
        reads(world, number % 3 + 1, number, link=number)
    with django_assert_num_queries(4 + SAVEPOINT):
        page = at("steps", 0, 1)
    assert sorted((hop.kind, hop.offset) for hop in page.path.hops) == [
        ("consume", 1), ("consume", 2), ("consume", 3), ("produce", 1), ("produce", 2), ("produce", 3),
    ]  # fmt: skip
    assert not page.path.truncated
    client = signed_in(person("vera", "viewer"))
    assert client.get("/events/demo/steps/0/1/").status_code == 200
    assert client.get("/events/demo/steps/0/1/?view=timeline").status_code == 200


def test_a_span_that_is_its_own_parent_and_links_to_itself_is_one_hop() -> None:
    world = PathWorld()
    world.span((1, READ), PROCESS, "steps", "walker", parent=READ, place=(0, 1), links=[((1, READ), None)])
    world.span((1, SENT), SEND, "steps", "walker", parent=SENT, place=(0, 1), links=[((1, SENT), None)])
    assert [(hop.kind, hop.causes) for hop in at("steps", 0, 1).path.hops] == [("produce", ()), ("consume", (0,))]


def multiplied(table: str, n: int) -> None:
    """Rows of the trace 2 again, in traces from 3 on."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into {table} select (jsonb_populate_record(x, jsonb_build_object('trace_id',"
            f" lpad(to_hex(n), 32, '0')))).* from {table} x, generate_series(3, %s) n where x.trace_id = %s",
            [n + 1, UUID(int=2)],
        )


def test_of_ten_thousand_readers_so_many_are_read_as_are_allowed_and_it_is_said(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    world = PathWorld()
    world.span((1, SENT), SEND, "steps", "walker", place=(0, 1))
    reads(world, 2, 1, link=1)
    for table in ("span", "span_link"):
        multiplied(table, 10_000)
    with django_assert_num_queries(4 + SAVEPOINT):
        page = at("steps", 0, 1)
    assert page.path.truncated
    assert page.path.n_traces <= MOST_TRACES + 1
    assert len(page.path.hops) == 2, "all in one group: the tries of one reading"
    assert page.path.hops[1].n_attempts >= MOST_TRACES - 1
    html = signed_in(person("vera", "viewer")).get("/events/demo/steps/0/1/").content.decode()
    assert "Weir reads 2,000 traces and 10,000 spans at once, and this path is longer." in html


def test_what_ten_thousand_readers_sent_on_is_answered_in_parts(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    world = PathWorld()
    world.span((1, SENT), SEND, "steps", "walker", place=(0, 1))
    reads(world, 2, 1, link=1)
    world.span((2, SENT), SEND, "copies", "walker", parent=READ, at=3)
    for table in ("span", "span_link"):
        multiplied(table, 10_000)
    token = bearer(token_of(person("vera"), "read"))
    answer = Client().get("/api/v1/events/demo/steps/0/1", headers=token).json()["path"]
    assert len(answer["hops"]) == 200
    assert answer["truncated"]
    assert [end for end in answer["ends"] if end["side"] == "after"]


def test_a_chain_of_more_spans_than_are_read_at_once_says_so_and_goes_on() -> None:
    world = PathWorld()
    world.span((2, 1), SEND, "steps", "walker", place=(0, 0))
    n = MOST_SPANS + 100
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into span select (jsonb_populate_record(x, jsonb_build_object('span_id', n + 1, 'parent_id', n,"
            " 'op', case when n %% 2 = 1 then 3 else 1 end, 'kafka_offset', n / 2))).*"
            " from span x, generate_series(1, %s) n",
            [n],
        )
    page = at("steps", 0, 0)
    assert page.path.truncated
    assert 1_000 < len(page.path.hops) <= MOST_SPANS
    html = signed_in(person("vera", "viewer")).get("/events/demo/steps/0/0/").content.decode()
    assert "It goes on from its last events" in html


def test_what_others_made_of_the_same_batch_or_the_same_event_is_no_part_of_a_path() -> None:
    world = PathWorld()
    for number in (1, 2):
        world.span((number, SENT), SEND, "orders", "shop", at=number, place=(0, number))
    links = [((number, SENT), (world.topic("orders"), 0, number)) for number in (1, 2)]
    world.span((9, READ), PROCESS, "orders", "batcher", at=5, group="batchers", links=links)
    world.span((9, SENT), SEND, "sums", "batcher", at=6, parent=READ, place=(0, 5))
    world.span((8, READ), PROCESS, "orders", "mailer", at=5, place=(0, 1), group="mailers",
               links=[((1, SENT), None)])  # fmt: skip
    world.span((8, SENT), SEND, "mails", "mailer", at=6, parent=READ, place=(0, 7))

    def events_of(topic: str, offset: int) -> set[tuple[object, object]]:
        return {(hop.topic_name, hop.offset) for hop in at(topic, 0, offset).path.hops}

    assert events_of("orders", 1) == {("orders", 1), ("sums", 5), ("mails", 7)}
    assert events_of("mails", 7) == {("orders", 1), ("mails", 7)}, "not what the batcher made of the order"
    assert events_of("sums", 5) == {("orders", 1), ("orders", 2), ("sums", 5)}, "not the mail"
    assert events_of("orders", 2) == {("orders", 2), ("sums", 5)}, "not the other order of the batch"
