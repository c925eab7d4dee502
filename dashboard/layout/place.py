"""Where nodes stand on the graph: a whole layout, or newcomers put where they move the others least."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dashboard.layout import layers, order
from dashboard.layout.layers import Arrow, Node
from dashboard.layout.rows import ROW_HEIGHT, heights, spread

COLUMN_WIDTH = 250.0
_PIN_WEIGHT = 1e6
_LOOKED_ASIDE = 4 * ROW_HEIGHT  # how far from its neighbours a newcomer stands rather than move somebody
_MOST_PUSHED = 0.05  # of all, who make room for one
_SHELF_COLUMNS = 6  # small parts stand side by side at least this far


@dataclass(frozen=True, slots=True)
class Place:
    """A node's middle, in pixels at zoom 1; columns count from the left."""

    column: int
    x: float
    y: float


def whole(
    nodes: Sequence[Node], arrows: Iterable[Arrow], *, enough: Callable[[], bool] = order.never
) -> dict[Node, Place]:
    """A layout from nothing. Parts that hang together stand apart, the largest first.

    Deterministic, unless `enough` ends the search for fewer crossings.
    """
    known = set(nodes)
    kept = [arrow for arrow in arrows if known.issuperset(arrow)]
    parts = [_part(part, kept, enough) for part in layers.components(nodes, kept)]
    return _shelved(parts)


def crossings(places: Mapping[Node, Place], arrows: Iterable[Arrow]) -> int:
    """How many pairs of arrows cross as the nodes stand: long arrows run straight, it does not matter which way."""
    first = min((place.column for place in places.values()), default=0)
    column = {node: place.column - first for node, place in places.items()}
    pairs = {
        tuple(sorted(pair, key=lambda node: (column[node], node))) for pair in arrows if column.keys() >= set(pair)
    }
    ahead = sorted((a, b) for a, b in pairs if column[a] < column[b])
    columns, short = order.with_waypoints(column, ahead)
    height = {node: place.y for node, place in places.items()}
    for waypoint in (node for row in columns for node in row if node not in height):
        _, source, target, between = waypoint.split("\0")
        share = (int(between) - column[source]) / (column[target] - column[source])
        height[waypoint] = height[source] + (height[target] - height[source]) * share
    return order.crossings([sorted(row, key=height.__getitem__) for row in columns], short)


def grown(places: Mapping[Node, Place], newcomers: Sequence[Node], arrows: Sequence[Arrow]) -> dict[Node, Place]:
    """The layout with `newcomers` in it. Old nodes keep their column, and their row unless a newcomer needs room."""
    result = dict(places)
    for node, column, wanted in _seats(result, newcomers, arrows):
        _stand(result, node, column, wanted)
    return result


def joined(places: Mapping[Node, Place], guests: Sequence[Node], arrows: Sequence[Arrow]) -> dict[Node, Place]:
    """The layout with `guests`, who come for one look, in the nearest free rows: nobody moves for them."""
    result = dict(places)
    for node, column, wanted in _seats(result, guests, arrows):
        rows = sorted(place.y for place in result.values() if place.column == column)
        result[node] = Place(column, column * COLUMN_WIDTH, round(_free(rows, wanted), 1))
    return result


def _seats(
    standing: Mapping[Node, Place], newcomers: Sequence[Node], arrows: Sequence[Arrow]
) -> Iterator[tuple[Node, int, float]]:
    """Each newcomer with the column and the height it wants, beside those who stand by then."""
    into, out = defaultdict(list), defaultdict(list)
    for source, target in arrows:
        out[source].append(target)
        into[target].append(source)
    for node in _outward(standing, newcomers, into, out):
        before = [standing[other] for other in into[node] if other in standing]
        after = [standing[other] for other in out[node] if other in standing]
        if before:
            column = max(place.column for place in before) + 1
        else:
            column = min((place.column for place in after), default=1) - 1
        lowest = max((place.y for place in standing.values()), default=-ROW_HEIGHT)
        near = [place.y for place in before + after]
        yield node, column, sum(near) / len(near) if near else lowest + ROW_HEIGHT


def pinned(places: Mapping[Node, Place], pins: Mapping[Node, Place]) -> dict[Node, Place]:
    """The layout with some nodes where somebody put them; the others in their columns make room, in their order."""
    result = {**places, **pins}
    for column in {place.column for place in pins.values()}:
        nodes = sorted(
            (node for node in result if result[node].column == column), key=lambda node: (result[node].y, node)
        )
        weights = [_PIN_WEIGHT if node in pins else 1.0 for node in nodes]
        rows = spread([result[node].y for node in nodes], weights, [ROW_HEIGHT] * (len(nodes) - 1))
        for node, y in zip(nodes, rows, strict=True):
            result[node] = Place(column, column * COLUMN_WIDTH, round(y, 1))
    return {**result, **pins}


def _part(nodes: Sequence[Node], arrows: Sequence[Arrow], enough: Callable[[], bool]) -> dict[Node, Place]:
    """One part that hangs together, from column 0 and y 0 on."""
    known = set(nodes)
    forward = layers.acyclic(nodes, [arrow for arrow in arrows if arrow[0] in known])
    column = layers.columns(nodes, forward)
    columns, short = order.with_waypoints(column, forward)
    columns = order.ordered(columns, short, enough=enough)
    rows = heights(columns, short)
    top = min(rows[node] for node in nodes)
    return {node: Place(column[node], column[node] * COLUMN_WIDTH, round(rows[node] - top, 1)) for node in nodes}


def _shelved(parts: Sequence[Mapping[Node, Place]]) -> dict[Node, Place]:
    """Parts beside and below each other, no wider than the largest."""
    result: dict[Node, Place] = {}
    widest = max((_width(part) for part in parts), default=0)
    limit, x, y, depth = max(widest, _SHELF_COLUMNS), 0, 0.0, 0.0
    for part in parts:
        width, height = _width(part), max(place.y for place in part.values()) + ROW_HEIGHT
        if x and x + width > limit:
            x, y, depth = 0, y + depth, 0.0
        for node, place in part.items():
            column = x + place.column
            result[node] = Place(column, column * COLUMN_WIDTH, round(y + place.y, 1))
        x, depth = x + width, max(depth, height)
    return result


def _width(part: Mapping[Node, Place]) -> int:
    return 1 + max(place.column for place in part.values())


def _outward(
    places: Mapping[Node, Place],
    newcomers: Sequence[Node],
    into: Mapping[Node, Sequence[Node]],
    out: Mapping[Node, Sequence[Node]],
) -> list[Node]:
    """Newcomers in an order in which each, where possible, already has a neighbour that stands."""
    left, standing, row = sorted(set(newcomers) - set(places)), set(places), list[Node]()
    while left:
        touching = (node for node in left if not standing.isdisjoint([*into.get(node, ()), *out.get(node, ())]))
        node = next(touching, left[0])
        row.append(node)
        standing.add(node)
        left.remove(node)
    return row


def _stand(places: dict[Node, Place], newcomer: Node, column: int, wanted: float) -> None:
    """The nearest free row; or, where that is far, between its neighbours if few must make room, in their order."""
    x = column * COLUMN_WIDTH
    rows = sorted((place.y, node) for node, place in places.items() if place.column == column)
    free = _free([y for y, _ in rows], wanted)
    if abs(free - wanted) > _LOOKED_ASIDE:
        pushed, at = min((_pushed(rows, wanted, 1), _pushed(rows, wanted, -1)), key=lambda each: len(each[0]))
        if len(pushed) <= max(1.0, _MOST_PUSHED * len(places)):
            places.update({node: Place(column, x, round(y, 1)) for node, y in pushed.items()})
            free = at
    places[newcomer] = Place(column, x, round(free, 1))


def _pushed(rows: Sequence[tuple[float, Node]], wanted: float, way: int) -> tuple[dict[Node, float], float]:
    """Who moves down (1) or up (-1) for somebody at `wanted`, clear of those on the other side; and where he stands."""
    ahead = sorted(((y, node) for y, node in rows if (y - wanted) * way > 0), reverse=way < 0)
    behind = [y for y, _ in rows if (y - wanted) * way <= 0]
    nearest = (max(behind) if way > 0 else min(behind)) + way * ROW_HEIGHT if behind else wanted
    at = edge = max(wanted, nearest) if way > 0 else min(wanted, nearest)
    moved: dict[Node, float] = {}
    for y, node in ahead:
        edge += way * ROW_HEIGHT
        if (y - edge) * way >= -0.05:
            break
        moved[node] = edge
    return moved, at


def _free(rows: Sequence[float], wanted: float) -> float:
    """The y nearest to `wanted` that is a row's height from all of `rows`, which are in order."""
    edges = [float("-inf"), *rows, float("inf")]
    best = float("inf")
    for upper, lower in itertools.pairwise(edges):
        low, high = upper + ROW_HEIGHT, lower - ROW_HEIGHT
        if low > high + 0.1:
            continue
        at = min(max(wanted, low), high)
        if abs(at - wanted) < abs(best - wanted):
            best = at
    return best
