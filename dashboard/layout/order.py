"""The order of nodes in their columns: barycentre sweeps that keep the order with the fewest crossings."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence

from dashboard.layout.layers import Arrow, Node

Columns = list[list[Node]]
SWEEPS = 12


def with_waypoints(column: Mapping[Node, int], arrows: Sequence[Arrow]) -> tuple[Columns, list[Arrow]]:
    """Columns and arrows where every arrow crosses one gap only: longer ones pass through invisible waypoints."""
    rows: dict[int, list[Node]] = defaultdict(list)
    for node in sorted(column):
        rows[column[node]].append(node)
    short: list[Arrow] = []
    for source, target in arrows:
        before = source
        for between in range(column[source] + 1, column[target]):
            waypoint = f"\0{source}\0{target}\0{between}"
            rows[between].append(waypoint)
            short.append((before, waypoint))
            before = waypoint
        short.append((before, target))
    return [rows[index] for index in range(max(rows, default=-1) + 1)], short


def ordered(columns: Columns, arrows: Sequence[Arrow]) -> Columns:
    """The columns with few crossings. Same input, same output."""
    into, out = defaultdict(list), defaultdict(list)
    for source, target in arrows:
        out[source].append(target)
        into[target].append(source)
    best, fewest = columns, crossings(columns, arrows)
    current = [list(column) for column in columns]
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        span = range(1, len(current)) if forward else range(len(current) - 2, -1, -1)
        for index in span:
            _sort(current[index], current[index - 1 if forward else index + 1], into if forward else out)
        now = crossings(current, arrows)
        if now < fewest:
            best, fewest = [list(column) for column in current], now
        if not fewest:
            break
    return best


def crossings(columns: Columns, arrows: Sequence[Arrow]) -> int:
    """How many pairs of arrows cross between neighbouring columns."""
    place = {node: (index, row) for index, column in enumerate(columns) for row, node in enumerate(column)}
    gaps: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for source, target in arrows:
        gaps[place[source][0]].append((place[source][1], place[target][1]))
    total = 0
    for pairs in gaps.values():
        seen: list[int] = []
        for _, target_row in sorted(pairs):
            total += len(seen) - _up_to(seen, target_row)
            insort(seen, target_row)
    return total


def _up_to(rows: list[int], row: int) -> int:
    return bisect_left(rows, row + 1)


def _sort(column: list[Node], fixed: list[Node], neighbours: Mapping[Node, list[Node]]) -> None:
    row = {node: index for index, node in enumerate(fixed)}
    own = {node: index for index, node in enumerate(column)}

    def middle(node: Node) -> tuple[float, int]:
        rows = [row[other] for other in neighbours.get(node, ()) if other in row]
        return (sum(rows) / len(rows) if rows else own[node], own[node])

    column.sort(key=middle)
