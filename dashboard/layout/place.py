"""Where nodes stand on the graph: a whole layout, or newcomers put where they move the others least."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dashboard.layout import layers, order
from dashboard.layout.layers import Arrow, Node

COLUMN_WIDTH = 250.0
ROW_HEIGHT = 72.0
PASSES = 16
_NEWCOMER_WEIGHT = 0.05


@dataclass(frozen=True, slots=True)
class Place:
    """A node's middle, in pixels at zoom 1; columns count from the left."""

    column: int
    x: float
    y: float


def whole(nodes: Sequence[Node], arrows: Iterable[Arrow]) -> tuple[dict[Node, Place], int]:
    """A layout from nothing: places, and the number of crossings. Deterministic."""
    known = set(nodes)
    forward = layers.acyclic(nodes, [arrow for arrow in arrows if known.issuperset(arrow)])
    column = layers.columns(nodes, forward)
    columns, short = order.with_waypoints(column, forward)
    columns = order.ordered(columns, short)
    rows = _heights(columns, short)
    places = {node: Place(column[node], column[node] * COLUMN_WIDTH, round(rows[node], 1)) for node in nodes}
    return places, order.crossings(columns, short)


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
    for node in _outward(places, newcomers, arrows):
        before = [result[a] for a, b in arrows if b == node and a in result]
        after = [result[b] for a, b in arrows if a == node and b in result]
        near = before + after
        if before:
            column = max(place.column for place in before) + 1
        else:
            column = min((place.column for place in after), default=1) - 1
        lowest = max((place.y for place in result.values()), default=-ROW_HEIGHT)
        y = sum(place.y for place in near) / len(near) if near else lowest + ROW_HEIGHT
        result[node] = Place(column, column * COLUMN_WIDTH, y)
        _make_room(result, node)
    return result


def spread(wanted: Sequence[float], weights: Sequence[float], gap: float) -> list[float]:
    """Rows nearest to `wanted` (weighted squares) that keep `gap` between neighbours: isotonic regression."""
    blocks: list[tuple[float, float, int]] = []
    for index, (value, weight) in enumerate(zip(wanted, weights, strict=True)):
        blocks.append((value - index * gap, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2], blocks[-1]
            blocks[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    flat = [value for value, _, n in blocks for _ in range(n)]
    return [value + index * gap for index, value in enumerate(flat)]


def _heights(columns: order.Columns, arrows: Sequence[Arrow]) -> dict[Node, float]:
    near: dict[Node, list[Node]] = defaultdict(list)
    for source, target in arrows:
        near[source].append(target)
        near[target].append(source)
    tallest = max((len(column) for column in columns), default=0)
    rows = {
        node: (index + (tallest - len(column)) / 2) * ROW_HEIGHT
        for column in columns
        for index, node in enumerate(column)
    }
    for number in range(PASSES):
        for column in columns if number % 2 == 0 else reversed(columns):
            wanted = [_mean([rows[other] for other in near[node]], rows[node]) for node in column]
            weights = [float(1 + len(near[node])) for node in column]
            rows.update(zip(column, spread(wanted, weights, ROW_HEIGHT), strict=True))
    top = min(rows.values(), default=0.0)
    return {node: row - top for node, row in rows.items()}


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _outward(places: Mapping[Node, Place], newcomers: Sequence[Node], arrows: Sequence[Arrow]) -> list[Node]:
    """Newcomers in an order in which each, where possible, already has a neighbour that stands."""
    left, standing, row = sorted(set(newcomers) - set(places)), set(places), list[Node]()
    while left:
        touching = [node for node in left if any(node in pair and standing.intersection(pair) for pair in arrows)]
        node = touching[0] if touching else left[0]
        row.append(node)
        standing.add(node)
        left.remove(node)
    return row


def _make_room(places: dict[Node, Place], newcomer: Node) -> None:
    column = places[newcomer].column
    nodes = sorted((node for node in places if places[node].column == column), key=lambda node: (places[node].y, node))
    weights = [_NEWCOMER_WEIGHT if node == newcomer else 1.0 for node in nodes]
    for node, y in zip(nodes, spread([places[node].y for node in nodes], weights, ROW_HEIGHT), strict=True):
        places[node] = Place(column, column * COLUMN_WIDTH, round(y, 1))
