"""One layout for everybody."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from collector.domain.identities import parts
from dashboard import placements
from dashboard.queries.graph import graph
from dashboard.queries.tidiness import tidiness
from dashboard.queries.window import parse
from tests.integration.graph_world import World

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 14, 0, 7, tzinfo=UTC)


def shop() -> World:
    world = World(AT)
    created = world.topic("orders.created")
    world.scanned(ago=0)
    world.counted(world.edge(1, world.service("orders-svc"), created), 10, ago=20)
    world.counted(world.edge(2, world.service("billing-svc"), created), 10, ago=20)
    return world


def places() -> dict[str, tuple[float, float]]:
    with connection.cursor() as cursor:
        cursor.execute("select node, x, y from layout_node")
        return {node: (x, y) for node, x, y in cursor.fetchall() if parts(node)}


def test_every_node_gets_a_place_once() -> None:
    shop()
    assert placements.keep(now=AT) == 3
    assert placements.keep(now=AT) == 0
    assert all(node.x is not None for node in graph(parse(None, None, now=AT), now=AT).nodes)


def test_a_newcomer_leaves_the_others_where_they_are_once_the_layout_is_known() -> None:
    world = shop()
    placements.keep(now=AT)
    before = places()
    world.counted(world.edge(2, world.service("mailer"), world.topic("mails")), 5, ago=20)
    placements.keep(now=AT + timedelta(minutes=2))
    after = places()
    assert {node: after[node] for node in before} == before
    assert set(after) - set(before) == {"service:mailer", "topic:demo/mails"}


def test_tidying_up_is_a_new_version() -> None:
    shop()
    placements.keep(now=AT)
    assert placements.tidy(now=AT) == 2
    assert set(places()) == {"service:billing-svc", "service:orders-svc", "topic:demo/orders.created"}


def test_a_wish_that_comes_while_another_one_is_done_is_done_after_it() -> None:
    shop()
    placements.keep(now=AT)
    placements.ask("tidy")
    placements.tidy(now=AT)
    assert placements.keep(now=AT) == 3
    assert placements.keep(now=AT) == 0


def crossed() -> World:
    """Two services that grew into a layout where four edges cross."""
    world = shop()
    placements.keep(now=AT)
    for number, (service, topic) in enumerate((("a-svc", "z.events"), ("b-svc", "y.events"), ("c-svc", "x.events"))):
        world.counted(world.edge(1, world.service(service), world.topic(topic)), 5, ago=20)
        placements.keep(now=AT + timedelta(minutes=2 + number))
    with connection.cursor() as cursor:  # each service at the height of another one's topic
        cursor.execute("update layout_node set y = 1000 - y where node like 'service:_-svc'")
        cursor.execute("update layout set n_arrows = -1")
    placements.keep(now=AT + timedelta(minutes=6))
    return world


def test_what_a_new_layout_would_save_is_offered_once_it_is_worth_it() -> None:
    crossed()
    known = tidiness(now=AT)
    assert known.n_crossings is not None
    assert known.n_crossings >= 3
    assert known.n_fewest == 0
    assert known.saving == 1.0
    placements.tidy(now=AT + timedelta(minutes=7))
    assert tidiness(now=AT).saving is None


def test_who_asks_gets_a_new_layout_and_may_have_the_old_one_back() -> None:
    crossed()
    before = places()
    placements.ask("tidy")
    at = AT + timedelta(minutes=7)
    assert placements.keep(now=at) == len(before)
    assert places() != before
    assert tidiness(now=at + timedelta(seconds=4)).undo_seconds == 6
    assert tidiness(now=at + timedelta(seconds=11)).undo_seconds == 0
    placements.ask("undo")
    assert placements.keep(now=at + timedelta(hours=1)) == 0, "who never reloaded the page asks too late"
    placements.ask("undo")
    assert placements.keep(now=at) == len(before)
    assert places() == before
    placements.ask("undo")
    assert placements.keep(now=at) == 0
    assert tidiness(now=at).undo_seconds == 0
