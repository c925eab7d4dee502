"""The order of nodes in their columns: sweeps from several starts, then neighbours change places while that helps."""

import random
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from dashboard.layout.layers import Arrow, Node

Columns = list[list[Node]]
SWEEPS = 16
_PATIENCE = 4  # sweeps without a better order
_SWITCHES = 8
MOST_WAYPOINTS = 100_000  # of a drawing: the longest arrows run where they happen to
_EFFORT = ((400, 14), (1500, 8), (5000, 4), (15_000, 2))  # arrows up to: starts


def with_waypoints(column: Mapping[Node, int], arrows: Sequence[Arrow]) -> tuple[Columns, list[Arrow]]:
    """Columns and arrows where every arrow crosses one gap only: longer ones pass through invisible waypoints.

    The longest are left out where that would be too many.
    """
    rows: dict[int, list[Node]] = defaultdict(list)
    for node in sorted(column):
        rows[column[node]].append(node)
    short: list[Arrow] = []
    for source, target in _within(column, arrows):
        before = source
        for between in range(column[source] + 1, column[target]):
            waypoint = f"\0{source}\0{target}\0{between}"
            rows[between].append(waypoint)
            short.append((before, waypoint))
            before = waypoint
        short.append((before, target))
    return [rows[index] for index in range(max(rows, default=-1) + 1)], short


def _within(column: Mapping[Node, int], arrows: Sequence[Arrow]) -> Sequence[Arrow]:
    if sum(column[target] - column[source] - 1 for source, target in arrows) <= MOST_WAYPOINTS:
        return arrows
    room, kept = MOST_WAYPOINTS, set[Arrow]()
    for source, target in sorted(arrows, key=lambda arrow: column[arrow[1]] - column[arrow[0]]):
        room -= column[target] - column[source] - 1
        if room < 0:
            break
        kept.add((source, target))
    return [arrow for arrow in arrows if arrow in kept]


def never() -> bool:
    """No time is too long."""
    return False


def is_waypoint(node: Node) -> bool:
    """Whether a name was made by `with_waypoints`."""
    return node.startswith("\0")


def ordered(columns: Columns, arrows: Sequence[Arrow], *, enough: Callable[[], bool] = never) -> Columns:
    """The columns with few crossings. Same input, same output, unless `enough` ends the search for fewer."""
    drawing = _Drawing(columns, arrows)
    starts = next((n for most, n in _EFFORT if len(arrows) <= most), 1)
    best, fewest = drawing.order(), drawing.crossings()
    for start in range(starts):
        if start and enough():
            break
        drawing.begin(start)
        found, n_crossings = drawing.swept(enough)
        if n_crossings < fewest or start == 0:
            best, fewest = found, n_crossings
        if not fewest:
            break
    drawing.put(best)
    drawing.switch(enough)
    return drawing.named()


def crossings(columns: Columns, arrows: Sequence[Arrow]) -> int:
    """How many pairs of arrows cross between neighbouring columns."""
    return _Drawing(columns, arrows).crossings()


class _Drawing:
    """Columns of numbered nodes, and where each node stands in its own."""

    def __init__(self, columns: Columns, arrows: Sequence[Arrow]) -> None:
        self._names = [node for column in columns for node in column]
        number = {node: index for index, node in enumerate(self._names)}
        self._columns = [[number[node] for node in column] for column in columns]
        self._first = [list(column) for column in self._columns]
        self._row = [0] * len(self._names)
        self._into: list[list[int]] = [[] for _ in self._names]
        self._out: list[list[int]] = [[] for _ in self._names]
        for source, target in arrows:
            self._out[number[source]].append(number[target])
            self._into[number[target]].append(number[source])
        self._count()

    def order(self) -> list[list[int]]:
        return [list(column) for column in self._columns]

    def named(self) -> Columns:
        return [[self._names[node] for node in column] for column in self._columns]

    def put(self, order: list[list[int]]) -> None:
        self._columns = [list(column) for column in order]
        self._count()

    def begin(self, start: int) -> None:
        """A start of its own: as a walk along the arrows meets the nodes, from the top or from below, or shuffled."""
        if start < 2:
            met = {node: index for index, node in enumerate(self._walk())}
            self._columns = [sorted(column, key=met.__getitem__, reverse=start == 1) for column in self._first]
        else:
            draw = random.Random(start)  # noqa: S311 - the same order each time
            self._columns = [draw.sample(column, len(column)) for column in self._first]
        self._count()

    def swept(self, enough: Callable[[], bool]) -> tuple[list[list[int]], int]:
        """The best order that sweeps from here come by, and its crossings."""
        best, fewest, idle = self.order(), self.crossings(), 0
        for sweep in range(SWEEPS):
            self._sweep(forward=sweep % 2 == 0, turned=sweep % 4 >= 2)
            now = self.crossings()
            if now < fewest:
                best, fewest, idle = self.order(), now, 0
            else:
                idle += 1
            if not fewest or idle >= _PATIENCE or enough():
                break
        return best, fewest

    def crossings(self) -> int:
        total, row, out = 0, self._row, self._out
        for column in self._columns:
            seen: list[int] = []
            for node in column:
                targets = sorted([row[other] for other in out[node]])
                n = len(seen)
                for target in targets:
                    total += n - bisect_right(seen, target, 0, n)
                for target in targets:
                    insort(seen, target)
        return total

    def switch(self, enough: Callable[[], bool]) -> None:
        """Let neighbours in a column change places as long as fewer arrows cross."""
        for _ in range(_SWITCHES):
            if not any([self._switch(column, enough) for column in self._columns]):
                return

    def _switch(self, column: list[int], enough: Callable[[], bool]) -> bool:
        changed, row = False, self._row
        for index in range(len(column) - 1):
            if enough():
                return False
            upper, lower = column[index], column[index + 1]
            if self._gain(upper, lower) > 0:
                column[index], column[index + 1] = lower, upper
                row[lower], row[upper] = index, index + 1
                changed = True
        return changed

    def _gain(self, upper: int, lower: int) -> int:
        """Crossings that are saved when these two change places."""
        row, gain = self._row, 0
        for sides in (self._into, self._out):
            above, below = sides[upper], sides[lower]
            if above and below:
                for one in above:
                    at = row[one]
                    for two in below:
                        gain += (at > row[two]) - (at < row[two])
        return gain

    def _sweep(self, *, forward: bool, turned: bool) -> None:
        """Sort each column by the middle of its neighbours before it; equal ones change places when `turned`."""
        near, row = self._into if forward else self._out, self._row
        n = len(self._columns)
        for index in range(1, n) if forward else range(n - 2, -1, -1):
            column = self._columns[index]
            size = len(column)
            keyed = []
            for at, node in enumerate(column):
                others = near[node]
                middle = sum([row[other] for other in others]) / len(others) if others else float(at)
                keyed.append((middle, size - at if turned else at, node))
            keyed.sort()
            self._columns[index] = [node for _, _, node in keyed]
            for at, (_, _, node) in enumerate(keyed):
                row[node] = at

    def _walk(self) -> list[int]:
        met, seen = [], set()
        for start in (node for column in self._first for node in column):
            waiting = [start]
            while waiting:
                node = waiting.pop()
                if node in seen:
                    continue
                seen.add(node)
                met.append(node)
                waiting.extend(other for other in (*self._out[node], *self._into[node]) if other not in seen)
        return met

    def _count(self) -> None:
        for column in self._columns:
            for index, node in enumerate(column):
                self._row[node] = index
