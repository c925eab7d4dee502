"""One layout for everybody."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections

from collector.domain.identities import parts
from dashboard import placements
from dashboard.queries.graph import graph
from dashboard.queries.tidiness import UNDO_SECONDS, pinned_by, tidiness
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


def version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select version from layout")
        return int(cursor.fetchone()[0])


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
    before = version()
    placements.ask("tidy")
    assert placements.keep(now=AT) == 3
    assert version() == before + 1
    assert set(places()) == {"service:billing-svc", "service:orders-svc", "topic:demo/orders.created"}


def test_a_wish_that_comes_while_another_one_is_done_is_done_after_it() -> None:
    shop()
    placements.keep(now=AT)
    before = version()
    placements.ask("tidy")
    drawings = Meanwhile([placements.Drawing(tuple(places()), ())])
    assert placements._obey(drawings, now=AT) == 3
    assert version() == before + 1
    assert placements.keep(now=AT) == 3, "the undo that was asked for while it was laid out"
    assert version() == before + 2
    assert placements.keep(now=AT) == 0


class Meanwhile(list[placements.Drawing]):
    """Somebody asks for the old layout as soon as a new one is being worked out."""

    def __iter__(self) -> Iterator[placements.Drawing]:
        placements.ask("undo")
        return super().__iter__()


def test_who_pins_a_node_does_not_wait_for_the_keeper_of_the_layout() -> None:
    shop()
    placements.keep(now=AT)
    node = next(iter(places()))
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(%s)", [placements._KEEPER])
        with connection.cursor() as cursor:
            cursor.execute("set local lock_timeout = '10s'")
        assert placements.pin(node, rows=1, who="olga", now=AT)
        placements.ask("tidy")
        assert placements.keep(now=AT) is None, "another one keeps it"
        with other.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(%s)", [placements._KEEPER])
    finally:
        other.close()
    assert placements.keep(now=AT) == 3
    assert pinned_by(node) == "olga"


def test_who_fails_to_keep_the_layout_leaves_it_to_others() -> None:
    with pytest.raises(ZeroDivisionError), placements._keeping() as is_keeper:
        assert 1 // (1 - is_keeper)
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()")
        assert cursor.fetchone() == (0,)


def test_places_of_those_that_are_long_gone_are_given_up_save_what_is_pinned() -> None:
    shop()
    placements.keep(now=AT)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into layout_node (node, layer, x, y, pinned_by, seen_at) values"
            " ('service:gone', 0, 0, 900, null, %(gone)s), ('service:pinned', 0, 0, 972, 'olga', %(gone)s),"
            " ('service:late', 0, 0, 1044, null, %(late)s)",
            {"gone": AT - timedelta(days=31), "late": AT - timedelta(days=29)},
        )
        cursor.execute(
            "update layout_node set seen_at = %s where node = 'service:orders-svc'", [AT - timedelta(days=31)]
        )
    placements.keep(now=AT)
    assert set(places()) == {
        "service:billing-svc",
        "service:orders-svc",
        "topic:demo/orders.created",
        "service:pinned",
        "service:late",
    }


def test_more_newcomers_than_one_look_takes_get_their_places_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    world = shop()
    placements.keep(now=AT)
    monkeypatch.setattr(placements, "MOST_NEWCOMERS", 2)
    for name in ("a", "b", "c"):
        world.counted(world.edge(1, world.service(name), world.topic(f"{name}.events")), 5, ago=20)
    at = AT + timedelta(minutes=3)
    rounds = list(itertools.takewhile(bool, (placements.keep(now=at) for _ in range(20))))
    assert rounds[:3] == [2, 2, 2], "nodes first, then their groups"
    assert len(rounds) < 20
    assert len(places()) == 9


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
    placements.ask("tidy")
    placements.keep(now=AT + timedelta(minutes=7))
    assert tidiness(now=AT).saving is None


def test_who_asks_gets_a_new_layout_and_may_have_the_old_one_back() -> None:
    crossed()
    before = places()
    placements.ask("tidy")
    at = AT + timedelta(minutes=7)
    assert placements.keep(now=at) == len(before)
    assert places() != before
    left = tidiness(now=at + timedelta(seconds=4)).undo_seconds
    assert 6 <= left < UNDO_SECONDS, "what was worked out for is not taken off the time to undo it"
    assert tidiness(now=at + timedelta(minutes=2)).undo_seconds == 0
    placements.ask("undo")
    assert placements.keep(now=at + timedelta(hours=1)) == 0, "who never reloaded the page asks too late"
    placements.ask("undo")
    assert placements.keep(now=at) == len(before)
    assert places() == before
    placements.ask("undo")
    assert placements.keep(now=at) == 0
    assert tidiness(now=at).undo_seconds == 0
