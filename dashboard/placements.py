"""Keeps one layout of the graph for everybody: newcomers get a place, nobody else is moved under a reader's eyes."""

import json
from datetime import datetime, timedelta

from django.db import connection, transaction

from collector.changes import announce
from dashboard.layout import place
from dashboard.queries.graph import Graph, graph
from dashboard.queries.window import parse

YOUNG = timedelta(minutes=2)  # until then nobody has learned where things stand: newcomers may re-order everything
_LOCK = 0x57454952_0001  # one keeper at a time


def ask(wanted: str) -> None:
    """Note that a person wants the layout tidied up ("tidy"), or as it was before ("undo"): `keep` does it."""
    with connection.cursor() as cursor:
        cursor.execute("update layout set wanted = %s", [wanted])


def keep(*, now: datetime) -> int:
    """Do what was asked for, and place the nodes of the last hour that have no place yet.

    Returns how many were placed or moved. Safe to run twice.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        drawn = _newest_graph(now)
        n_changed = _obey(drawn, now=now) or _house(drawn, now=now)
        n_measured = _measure(drawn)
        if n_changed or n_measured:
            announce("layout", _current()[0])
        return n_changed


def tidy(*, now: datetime) -> int:
    """Lay everything out again, and keep what was for an undo. Returns the new version."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        drawn = _newest_graph(now)
        _tidy(drawn, now=now)
        _measure(drawn)
        version = _current()[0]
        announce("layout", version)
        return version


def _newest_graph(now: datetime) -> Graph:
    return graph(parse("now-1h", "now", now=now), now=now)


def _house(drawn: Graph, *, now: datetime) -> int:
    homeless = [node.id for node in drawn.nodes if node.x is None]
    version, built_at = _current()
    young = built_at is None or now - built_at < YOUNG
    rewired = young and bool(drawn.nodes) and not _is_measured(drawn)
    if not homeless and not rewired:
        return 0
    if young:
        places, n_crossings = place.whole([node.id for node in drawn.nodes], _arrows(drawn))
        _replace(places, version + 1, built_at or now, n_crossings)
    else:
        _add(place.grown(_standing(), homeless, _arrows(drawn)))
    return len(homeless)


def _obey(drawn: Graph, *, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select wanted from layout where wanted is not null for update")
        row = cursor.fetchone()
        if row is None:
            return 0
        cursor.execute("update layout set wanted = null")
    return _tidy(drawn, now=now) if row[0] == "tidy" else _undo()


def _tidy(drawn: Graph, *, now: datetime) -> int:
    before = {node: [spot.column, spot.x, spot.y] for node, spot in _standing().items()}
    version, built_at = _current()
    places, n_crossings = place.whole([node.id for node in drawn.nodes], _arrows(drawn))
    _replace(places, version + 1, built_at or now, n_crossings)
    with connection.cursor() as cursor:
        cursor.execute("update layout set before = %s, tidied_at = %s", [json.dumps(before), now])
    return len(places)


def _undo() -> int:
    """Back to where things stood; who came meanwhile stays where he is."""
    with connection.cursor() as cursor:
        cursor.execute("select before::text from layout where before is not null")
        row = cursor.fetchone()
        if row is None:
            return 0
        cursor.execute("update layout set before = null, version = version + 1, n_arrows = -1")
    before = {node: place.Place(*spot) for node, spot in json.loads(row[0]).items()}
    _add(before)
    return len(before)


def _is_measured(drawn: Graph) -> bool:
    """Whether no edge came or went since the layout was measured."""
    with connection.cursor() as cursor:
        cursor.execute("select 1 from layout where n_arrows = %s", [len(drawn.edges)])
        return cursor.fetchone() is not None


def _measure(drawn: Graph) -> bool:
    """Count what crosses now and what would at least, when edges came or went. True when it had to."""
    arrows = _arrows(drawn)
    standing = _standing()
    places = {node.id: standing[node.id] for node in drawn.nodes if node.id in standing}
    if _is_measured(drawn):
        return False
    with connection.cursor() as cursor:
        n_crossings = place.crossings(places, arrows)
        fewest = place.crossings(place.whole(list(places), arrows)[0], arrows)
        cursor.execute(
            "update layout set n_arrows = %s, n_crossings = %s, n_fewest = %s",
            [len(arrows), n_crossings, min(fewest, n_crossings)],
        )
        return bool(cursor.rowcount)


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
