"""Keeps one layout of the graph for everybody: newcomers get a place, nobody else is moved under a reader's eyes."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from collector.changes import announce
from dashboard.layout import place
from dashboard.queries.graph import Graph, graph
from dashboard.queries.window import parse

YOUNG = timedelta(minutes=1)  # until then nobody has learned where things stand: newcomers may re-order everything
_LOCK = 0x57454952_0001  # one keeper at a time


def keep(*, now: datetime) -> int:
    """Place the nodes of the last hour that have no place yet. Returns how many were placed. Safe to run twice."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        drawn = graph(parse("now-1h", "now", now=now), now=now)
        homeless = [node.id for node in drawn.nodes if node.x is None]
        if not homeless:
            return 0
        version, built_at = _current()
        if built_at is None or now - built_at < YOUNG:
            places, n_crossings = place.whole([node.id for node in drawn.nodes], _arrows(drawn))
            _replace(places, version + 1, built_at or now, n_crossings)
        else:
            _add(place.grown(_standing(), homeless, _arrows(drawn)))
        announce("layout", version + 1)
        return len(homeless)


def tidy(*, now: datetime) -> int:
    """Lay everything out again: what a person asked for. Returns the new version."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        drawn = graph(parse("now-1h", "now", now=now), now=now)
        version, _ = _current()
        places, n_crossings = place.whole([node.id for node in drawn.nodes], _arrows(drawn))
        _replace(places, version + 1, now, n_crossings)
        announce("layout", version + 1)
        return version + 1


def _arrows(drawn: Graph) -> list[tuple[str, str]]:
    return [(edge.source, edge.target) for edge in drawn.edges]


def _current() -> tuple[int, datetime | None]:
    with connection.cursor() as cursor:
        cursor.execute("select version, built_at from layout order by version desc limit 1")
        return cursor.fetchone() or (0, None)


def _standing() -> dict[str, place.Place]:
    with connection.cursor() as cursor:
        cursor.execute("select node, layer, x, y from layout_node")
        return {node: place.Place(layer, x, y) for node, layer, x, y in cursor.fetchall()}


def _replace(places: dict[str, place.Place], version: int, built_at: datetime, n_crossings: int) -> None:
    """A new version; what people pinned stays."""
    with connection.cursor() as cursor:
        cursor.execute("delete from layout_node where pinned_by is null")
        cursor.execute("delete from layout")
        cursor.execute("insert into layout values (%s, %s, %s)", [version, built_at, n_crossings])
    _add(places)


def _add(places: dict[str, place.Place]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into layout_node (node, layer, x, y) values (%s, %s, %s, %s)"
            " on conflict (node) do update set layer = excluded.layer, x = excluded.x, y = excluded.y"
            " where layout_node.pinned_by is null",
            [(node, spot.column, spot.x, spot.y) for node, spot in sorted(places.items())],
        )
