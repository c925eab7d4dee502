"""How high nodes stand: as near to their neighbours as their order and the gaps between them allow."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence

from dashboard.layout.layers import Arrow, Node
from dashboard.layout.order import Columns, is_waypoint

ROW_HEIGHT = 72.0
LANE = 16.0  # between two long arrows that pass side by side
PASSES = 24
_STRAIGHT, _TO_NODE, _USUAL = 8.0, 2.0, 1.0  # how much an arrow wants to be level: between waypoints, at one, at none


def gap(upper: Node, lower: Node) -> float:
    """Least distance of the middles of two nodes in a column; a waypoint is as high as a line."""
    slim = is_waypoint(upper) + is_waypoint(lower)
    return ROW_HEIGHT if not slim else LANE if slim == 2 else (ROW_HEIGHT + LANE) / 2


def heights(columns: Columns, arrows: Sequence[Arrow], first: Mapping[Node, float] | None = None) -> dict[Node, float]:
    """The y of each node, from 0 on. `first`: where to begin from, in the order of the columns."""
    near: dict[Node, list[tuple[Node, float]]] = defaultdict(list)
    for source, target in arrows:
        pull = (_USUAL, _TO_NODE, _STRAIGHT)[is_waypoint(source) + is_waypoint(target)]
        near[source].append((target, pull))
        near[target].append((source, pull))
    gaps = [[gap(a, b) for a, b in itertools.pairwise(column)] for column in columns]
    rows = dict(first) if first else _stacked(columns, gaps)
    weights = {node: sum(pull for _, pull in near[node]) + 0.01 for column in columns for node in column}
    for number in range(PASSES):
        for index in range(len(columns)) if number % 2 == 0 else range(len(columns) - 1, -1, -1):
            column = columns[index]
            wanted = [_pulled(rows, near[node], rows[node]) for node in column]
            rows.update(zip(column, spread(wanted, [weights[node] for node in column], gaps[index]), strict=True))
    top = min(rows.values(), default=0.0)
    return {node: row - top for node, row in rows.items()}


def spread(wanted: Sequence[float], weights: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """Rows nearest to `wanted` (weighted squares) that keep `gaps` between neighbours: isotonic regression."""
    offsets = [0.0]
    for each in gaps:
        offsets.append(offsets[-1] + each)
    blocks: list[tuple[float, float, int]] = []
    for value, weight, offset in zip(wanted, weights, offsets, strict=False):
        blocks.append((value - offset, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2], blocks[-1]
            blocks[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    flat = [value for value, _, n in blocks for _ in range(n)]
    return [value + offset for value, offset in zip(flat, offsets, strict=False)]


def _stacked(columns: Columns, gaps: Sequence[Sequence[float]]) -> dict[Node, float]:
    """One below the other, every column around the same middle."""
    rows = {}
    for column, between in zip(columns, gaps, strict=True):
        y = -sum(between) / 2
        for node, step in zip(column, [*between, 0.0], strict=False):
            rows[node] = y
            y += step
    return rows


def _pulled(rows: Mapping[Node, float], neighbours: Sequence[tuple[Node, float]], default: float) -> float:
    total = weight = 0.0
    for other, pull in neighbours:
        total += rows[other] * pull
        weight += pull
    return total / weight if weight else default
