"""Keeps one layout of the graph for everybody: newcomers get a place, nobody else is moved under a reader's eyes.

Groups of nodes (domains, teams, clusters) stand in the same table under ids of their own, laid out among themselves.
What takes long is worked out before anything is locked: who pins a node, or asks for another layout, does not wait.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.changes import announce
from collector.domain.identities import parts
from dashboard.layout import place
from dashboard.layout.layers import Arrow
from dashboard.layout.rows import ROW_HEIGHT
from dashboard.queries.graph import Graph, graph
from dashboard.queries.grouping import GROUPINGS, arrows, boxes, owned
from dashboard.queries.tidiness import UNDO_SECONDS
from dashboard.queries.window import parse

YOUNG = timedelta(minutes=2)  # until then nobody has learned where things stand: newcomers may re-order everything
UNDONE_WITHIN = timedelta(seconds=UNDO_SECONDS + 20)  # what was asked for in time may have waited for the worker
ENOUGH_SECONDS = 20.0  # of looking for a layout with fewer crossings: the best that was found by then is taken
MOST_NEWCOMERS = 300  # of one look: the others get their places by the next, two seconds later
FORGOTTEN_AFTER = timedelta(days=30)  # out of sight; who comes back later is a newcomer
_SEEN_EVERY = timedelta(days=1)
_KEEPER, _PLACES = 0x57454952_0101, 0x57454952_0102  # one keeper at a time; one writer at a time, for a moment
Places = dict[str, place.Place]


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is laid out among itself: the nodes of the graph, or its groups of one kind."""

    names: tuple[str, ...]
    arrows: tuple[Arrow, ...]


def ask(wanted: str) -> None:
    """Note that a person wants the layout tidied up ("tidy"), or as it was before ("undo"): `keep` does it."""
    with connection.cursor() as cursor:
        cursor.execute("update layout set wanted = %s", [wanted])


def pin(node: str, *, rows: int, who: str, now: datetime) -> bool:
    """Keep a node where it stands, or so many rows further down, whatever is laid out anew. False: it has no place."""
    with _writing() as cursor:
        standing = _standing()
        spot = standing.get(node)
        if spot is None:
            return False
        pins = _of_kinds(_pins(), [node])
        pins[node] = place.Place(spot.column, spot.x, spot.y + rows * ROW_HEIGHT)
        _add(place.pinned(_of_kinds(standing, [node]), pins))
        cursor.execute(
            "update layout_node set y = %s, pinned_by = %s, pinned_at = %s where node = %s",
            [pins[node].y, who, now, node],
        )
        announce("layout", _current()[0])
        return True


def unpin(node: str) -> bool:
    """Let a node be moved again. False: it was not pinned."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("update layout_node set pinned_by = null, pinned_at = null where node = %s", [node])
        announce("layout", _current()[0])
        return bool(cursor.rowcount)


def keep(*, now: datetime) -> int | None:
    """Do what was asked for, and place the nodes of the last hour that have no place yet.

    Returns how many were placed or moved; None while somebody else does. Safe to run twice.
    """
    with _keeping() as is_keeper:
        if not is_keeper:
            return None
        drawn = _newest_graph(now)
        drawings = _drawings(drawn)
        n_changed = _obey(drawings, now=now) or _house(drawn, drawings, now=now)
        if n_changed:
            announce("layout", _current()[0])  # at once: undo is offered for seconds, and measuring takes its time
        _forget(drawings, now=now)
        if _measure(drawn):
            announce("layout", _current()[0])
        return n_changed


@contextmanager
def _keeping() -> Iterator[bool]:
    """Whether nobody else keeps the layout now. No transaction: what is worked out in between locks nothing."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [_KEEPER])
        is_keeper = bool(cursor.fetchone()[0])
        try:
            yield is_keeper
        finally:
            if is_keeper:
                cursor.execute("select pg_advisory_unlock(%s)", [_KEEPER])


@contextmanager
def _writing() -> Iterator[CursorWrapper]:
    """A short transaction that alone changes places."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [_PLACES])
        yield cursor


def _newest_graph(now: datetime) -> Graph:
    return owned(graph(parse("now-1h", "now", now=now), now=now))


def _drawings(drawn: Graph) -> list[Drawing]:
    """The nodes, and for each way to group them the groups, where there is more than one."""
    found = [Drawing(tuple(node.id for node in drawn.nodes), tuple(_arrows(drawn)))]
    for by in GROUPINGS:
        groups = boxes(drawn, by)
        if len(groups) > 1:
            of = {member: box.id for box in groups for member in box.members}
            found.append(Drawing(tuple(box.id for box in groups), tuple(arrows(drawn.edges, of))))
    return found


def _house(drawn: Graph, drawings: list[Drawing], *, now: datetime) -> int:
    built_at = _current()[1]
    young = built_at is None or now - built_at < YOUNG
    rewired = young and bool(drawn.nodes) and not _is_measured(drawn)
    standing = _standing()
    homeless = [name for drawing in drawings for name in drawing.names if name not in standing]
    if not homeless and not rewired:
        return 0
    if young:
        found = _wholes(drawings)
        with _writing():
            _replace(_around_pins(found), _current()[0] + 1, built_at or now)
    else:
        homeless = homeless[:MOST_NEWCOMERS]
        with _writing():
            _welcome(drawings, set(homeless))
    return len([name for name in homeless if parts(name)]) or len(homeless)


def _welcome(drawings: Iterable[Drawing], newcomers: set[str]) -> None:
    standing = _standing()
    for drawing in drawings:
        own = _of_kinds(standing, drawing.names)
        _add(place.grown(own, [name for name in drawing.names if name in newcomers], drawing.arrows))


def _wholes(drawings: Iterable[Drawing]) -> list[Places]:
    """Each laid out from nothing."""
    until = time.monotonic() + ENOUGH_SECONDS
    return [place.whole(each.names, each.arrows, enough=lambda: time.monotonic() > until) for each in drawings]


def _around_pins(layouts: Iterable[Places]) -> Places:
    """All of them, around what people pinned."""
    places: Places = {}
    pins = _pins()
    for layout in layouts:
        places |= place.pinned(layout, {name: spot for name, spot in pins.items() if name in layout})
    return places


def _of_kinds(standing: Mapping[str, place.Place], names: Iterable[str]) -> Places:
    """Who stands on the same drawing as these."""
    kinds = {_kind(name) for name in names}
    return {name: spot for name, spot in standing.items() if _kind(name) in kinds}


def _kind(name: str) -> str:
    """Of nodes "", of groups how they group."""
    return "" if parts(name) else name.partition(":")[0]


def _obey(drawings: list[Drawing], *, now: datetime) -> int:
    """Do what was asked for. Another wish that comes meanwhile is the next."""
    with connection.cursor() as cursor:
        cursor.execute("select wanted from layout where wanted is not null")
        row = cursor.fetchone()
    if row is None:
        return 0
    began = time.monotonic()
    found = _wholes(drawings) if row[0] == "tidy" else []
    done_at = now + timedelta(seconds=time.monotonic() - began)
    with _writing() as cursor:
        cursor.execute("update layout set wanted = null where wanted = %s", [row[0]])
        return _tidy(found, now=done_at) if row[0] == "tidy" else _undo(now=now)


def _tidy(layouts: list[Places], *, now: datetime) -> int:
    before = {node: [spot.column, spot.x, spot.y] for node, spot in _standing().items()}
    version, built_at = _current()
    _replace(_around_pins(layouts), version + 1, built_at or now)
    with connection.cursor() as cursor:
        cursor.execute("update layout set before = %s, tidied_at = %s", [json.dumps(before), now])
    return len([node for layout in layouts for node in layout if parts(node)])


def _undo(*, now: datetime) -> int:
    """Back to where things stood; who came meanwhile stays where he is. Not long after: a page may be an hour old."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select before::text from layout where before is not null and tidied_at > %s", [now - UNDONE_WITHIN]
        )
        row = cursor.fetchone()
        if row is None:
            return 0
        cursor.execute("update layout set before = null, version = version + 1, n_arrows = -1")
    before = {node: place.Place(*spot) for node, spot in json.loads(row[0]).items()}
    _add(before)
    return len([node for node in before if parts(node)])


def _forget(drawings: Iterable[Drawing], *, now: datetime) -> None:
    """Give up places of those that were not seen for long; what people pinned stays."""
    names = [name for drawing in drawings for name in drawing.names]
    with _writing() as cursor:
        cursor.execute(
            "update layout_node set seen_at = %s where node = any(%s) and seen_at < %s", [now, names, now - _SEEN_EVERY]
        )
        cursor.execute("delete from layout_node where pinned_by is null and seen_at < %s", [now - FORGOTTEN_AFTER])


def _is_measured(drawn: Graph) -> bool:
    """Whether no edge came or went since the layout was measured."""
    with connection.cursor() as cursor:
        cursor.execute("select 1 from layout where n_arrows = %s", [len(drawn.edges)])
        return cursor.fetchone() is not None


def _measure(drawn: Graph) -> bool:
    """Count what crosses now and what would at least, when edges came or went. True when it had to."""
    found = _arrows(drawn)
    standing = _standing()
    places = {node.id: standing[node.id] for node in drawn.nodes if node.id in standing}
    if _is_measured(drawn):
        return False
    with connection.cursor() as cursor:
        n_crossings = place.crossings(places, found)
        (newest,) = _wholes([Drawing(tuple(places), tuple(found))])
        fewest = place.crossings(newest, found)
        cursor.execute(
            "update layout set n_arrows = %s, n_crossings = %s, n_fewest = %s",
            [len(found), n_crossings, min(fewest, n_crossings)],
        )
        return bool(cursor.rowcount)


def _arrows(drawn: Graph) -> list[Arrow]:
    return [(edge.source, edge.target) for edge in drawn.edges]


def _current() -> tuple[int, datetime | None]:
    with connection.cursor() as cursor:
        cursor.execute("select version, built_at from layout order by version desc limit 1")
        return cursor.fetchone() or (0, None)


def _standing() -> Places:
    return _read("select node, layer, x, y from layout_node")


def _pins() -> Places:
    return _read("select node, layer, x, y from layout_node where pinned_by is not null")


def _read(statement: str) -> Places:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return {node: place.Place(layer, x, y) for node, layer, x, y in cursor.fetchall()}


def _replace(places: Places, version: int, built_at: datetime) -> None:
    """A new version; what people pinned stays, and so does a wish that came meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("delete from layout_node where pinned_by is null")
        cursor.execute(
            "update layout set version = %s, built_at = %s, n_crossings = 0, n_arrows = default, n_fewest = default,"
            " before = default, tidied_at = default",
            [version, built_at],
        )
        if not cursor.rowcount:
            cursor.execute("insert into layout values (%s, %s, 0)", [version, built_at])
    _add(places)


def _add(places: Mapping[str, place.Place]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into layout_node (node, layer, x, y) values (%s, %s, %s, %s)"
            " on conflict (node) do update set layer = excluded.layer, x = excluded.x, y = excluded.y"
            " where layout_node.pinned_by is null",
            [(node, spot.column, spot.x, spot.y) for node, spot in sorted(places.items())],
        )
