"""How long arrows and arrows that point back run, so that they pass beside the nodes that stand in their way."""

import itertools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from dashboard.layout.layers import Arrow, Node
from dashboard.layout.place import COLUMN_WIDTH, Place
from dashboard.layout.rows import spread

CLEAR = 36.0  # from the middle of a node: half its height, and a little air
LANE = 8.0  # between arrows that pass through the same gap
Point = tuple[float, float]
Gap = tuple[float, float]


def routes(places: Mapping[Node, Place], arrows: Iterable[Arrow]) -> dict[Arrow, tuple[Point, ...]]:
    """Points through which arrows run that would else cross nodes; neighbours in adjoining columns need none.

    An arrow forward has a point in each column between its ends; one that points back runs level between two points,
    beside the columns of its ends.
    """
    columns = _gaps(places)
    known = sorted({arrow for arrow in arrows if arrow[0] != arrow[1] and places.keys() >= set(arrow)})
    long = [arrow for arrow in known if places[arrow[1]].column > places[arrow[0]].column + 1]
    back = [arrow for arrow in known if places[arrow[1]].column <= places[arrow[0]].column]
    result = _forward(places, long, columns)
    for arrow in back:
        result[arrow] = _around(places[arrow[0]], places[arrow[1]], columns)
    return result


def _gaps(places: Mapping[Node, Place]) -> dict[int, list[Gap]]:
    """Per column the stretches of y where no node stands."""
    rows: dict[int, list[float]] = defaultdict(list)
    for place in places.values():
        rows[place.column].append(place.y)
    result = {}
    for column, found in rows.items():
        edges = [float("-inf"), *sorted(found), float("inf")]
        pairs = itertools.pairwise(edges)
        result[column] = [(upper + CLEAR, lower - CLEAR) for upper, lower in pairs if lower - upper >= 2 * CLEAR]
    return result


def _forward(
    places: Mapping[Node, Place], arrows: Sequence[Arrow], columns: Mapping[int, Sequence[Gap]]
) -> dict[Arrow, tuple[Point, ...]]:
    wanted: dict[Arrow, list[float]] = {}
    through: dict[tuple[int, Gap], list[Arrow]] = defaultdict(list)
    for arrow in arrows:
        source, target = places[arrow[0]], places[arrow[1]]
        y, path = source.y, []
        for column in range(source.column + 1, target.column):
            aim = y + (target.y - y) / (target.column - column + 1)
            gap = _nearest(columns.get(column, ()), aim)
            y = min(max(aim, gap[0]), gap[1])
            path.append(y)
            through[column, gap].append(arrow)
        wanted[arrow] = path
    spaced = {arrow: list(path) for arrow, path in wanted.items()}
    for (column, gap), members in through.items():
        _side_by_side(column, gap, members, wanted, spaced, places)
    return {
        arrow: tuple((column * COLUMN_WIDTH, round(y, 1)) for column, y in enumerate(path, places[arrow[0]].column + 1))
        for arrow, path in spaced.items()
    }


def _side_by_side(
    column: int,
    gap: Gap,
    members: Sequence[Arrow],
    wanted: Mapping[Arrow, Sequence[float]],
    spaced: Mapping[Arrow, list[float]],
    places: Mapping[Node, Place],
) -> None:
    """Arrows through one gap, in the order of where they come from and go to, with a little room between them."""

    def slope(arrow: Arrow) -> tuple[float, Arrow]:
        source, target = places[arrow[0]], places[arrow[1]]
        path = [source.y, *wanted[arrow], target.y]
        at = column - source.column
        return path[at - 1] + path[at + 1], arrow

    row = sorted(members, key=slope)
    lane = min(LANE, (gap[1] - gap[0]) / max(1, len(row) - 1))
    index = {arrow: column - places[arrow[0]].column - 1 for arrow in row}
    ys = spread([wanted[arrow][index[arrow]] for arrow in row], [1.0] * len(row), [lane] * (len(row) - 1))
    shift = max(0.0, gap[0] - ys[0]) - max(0.0, ys[-1] - gap[1])
    for arrow, y in zip(row, ys, strict=True):
        spaced[arrow][index[arrow]] = min(max(y + shift, gap[0]), gap[1])


def _around(source: Place, target: Place, columns: Mapping[int, Sequence[Gap]]) -> tuple[Point, ...]:
    """Level beside all nodes between the two ends, as near to them as there is room."""
    blocked = [columns.get(column, ()) for column in range(target.column, source.column + 1)]
    y = max(source.y, target.y) + CLEAR
    for _ in range(64):
        moved = [gap[0] for gaps in blocked if (gap := _at_or_below(gaps, y)) and gap[0] > y]
        if not moved:
            break
        y = max(moved)
    half = COLUMN_WIDTH / 2
    return (source.x + half, round(y, 1)), (target.x - half, round(y, 1))


def _at_or_below(gaps: Sequence[Gap], y: float) -> Gap | None:
    return next((gap for gap in gaps if gap[1] >= y), None)


def _nearest(gaps: Sequence[Gap], y: float) -> Gap:
    """The gap that y is in, or the nearest; everything where the column is empty."""
    if not gaps:
        return float("-inf"), float("inf")
    at = bisect_left(gaps, (y, float("inf")))
    near = gaps[max(0, at - 1) : at + 1]
    return min(near, key=lambda gap: max(gap[0] - y, y - gap[1], 0.0))
