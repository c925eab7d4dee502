"""Which column a node stands in: cycles are cut, then everybody stands right of whom it depends on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from math import ceil, sqrt

Node = str
Arrow = tuple[Node, Node]
_SHORTENING_PASSES = 12
_SEEN_AT_ONCE = 150  # more nodes are drawn by groups: then fewer crossings count for more than the shape of the whole
_TALL, _LEAST_TALL = 1.25, 8  # times the square root of the number of nodes: rows that a column may have


def acyclic(nodes: Sequence[Node], arrows: Iterable[Arrow]) -> list[Arrow]:
    """The arrows with those turned round that close a cycle, self-loops left out.

    Eades, Lin and Smyth's greedy rule: sinks to the end, sources to the front, else the node with the largest
    surplus of outgoing arrows to the front. Arrows that point back in that row are the ones to turn.
    """
    kept = sorted({arrow for arrow in arrows if arrow[0] != arrow[1]})
    place = {node: index for index, node in enumerate(_row(nodes, kept))}
    return sorted({(a, b) if place[a] < place[b] else (b, a) for a, b in kept})


def columns(nodes: Sequence[Node], arrows: Sequence[Arrow]) -> dict[Node, int]:
    """Column of each node, from 0: the longest way to it, then pulled to where its arrows are shortest.

    `arrows` must hold no cycle.
    """
    into, out = _neighbours(arrows)
    column: dict[Node, int] = {}
    waiting = {node: len(into[node]) for node in nodes}
    ready = sorted(node for node in nodes if not waiting[node])
    row = []
    while ready:
        node = ready.pop()
        row.append(node)
        column[node] = max((column[before] + 1 for before in into[node]), default=0)
        for after in out[node]:
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    _shorten(row, column, into, out)
    if len(row) <= _SEEN_AT_ONCE:
        _level(row, column, out)
    first = min(column.values(), default=0)
    return {node: number - first for node, number in column.items()}


def _level(row: Sequence[Node], column: dict[Node, int], out: Mapping[Node, set[Node]]) -> None:
    """Move nodes that may stand further right out of columns that are too tall to be seen at once."""
    most = max(_LEAST_TALL, ceil(_TALL * sqrt(len(row))))
    standing: dict[int, list[Node]] = defaultdict(list)
    for node in row:
        standing[column[node]].append(node)
    number = min(standing, default=0)
    while number <= max(standing, default=-1):
        nodes = standing[number]
        free = [node for node in nodes if all(column[after] > number + 1 for after in out[node])]
        free.sort(key=lambda node: (len(out[node]), node))
        for node in free[: max(0, len(nodes) - most)]:
            nodes.remove(node)
            column[node] = number + 1
            standing[number + 1].append(node)
        number += 1


def components(nodes: Sequence[Node], arrows: Iterable[Arrow]) -> list[list[Node]]:
    """Nodes that hang together, the largest part first; each part in the order of `nodes`."""
    chief = {node: node for node in nodes}

    def leader(node: Node) -> Node:
        while chief[node] != node:
            chief[node] = chief[chief[node]]
            node = chief[node]
        return node

    for source, target in arrows:
        first, second = sorted((leader(source), leader(target)))
        chief[second] = first
    parts: dict[Node, list[Node]] = defaultdict(list)
    for node in nodes:
        parts[leader(node)].append(node)
    return sorted(parts.values(), key=lambda part: (-len(part), min(part)))


def _shorten(
    row: Sequence[Node], column: dict[Node, int], into: Mapping[Node, set[Node]], out: Mapping[Node, set[Node]]
) -> None:
    """Move each node within its freedom towards the side where it has more arrows."""
    for number in range(_SHORTENING_PASSES):
        moved = False
        for node in row if number % 2 else reversed(row):
            surplus = len(out[node]) - len(into[node])
            if surplus > 0:
                wanted = min(column[after] for after in out[node]) - 1
            elif surplus < 0:
                wanted = max(column[before] for before in into[node]) + 1
            else:
                continue
            moved = moved or wanted != column[node]
            column[node] = wanted
        if not moved:
            return


def _row(nodes: Sequence[Node], arrows: Sequence[Arrow]) -> list[Node]:
    """Sinks at the end, sources in front, and so on with what is left."""
    left = _Left(nodes, arrows)
    front, back = list[Node](), list[Node]()
    while left.nodes:
        node = left.next_end()
        if node is not None:
            (front if left.n_out[node] else back).append(node)
        else:
            node = left.next_best()
            front.append(node)
        left.take(node)
    return front + back[::-1]


class _Left:
    """The nodes that are not in the row yet, with the arrows among them."""

    def __init__(self, nodes: Sequence[Node], arrows: Sequence[Arrow]) -> None:
        self._into, self._out = _neighbours(arrows)
        self.nodes = set(nodes)
        self.n_in = {node: len(self._into[node]) for node in nodes}
        self.n_out = {node: len(self._out[node]) for node in nodes}
        self._ends = [(self.n_out[node] > 0, node) for node in nodes if not self.n_out[node] or not self.n_in[node]]
        self._surplus = [(self.n_in[node] - self.n_out[node], node) for node in nodes]
        heapify(self._ends)
        heapify(self._surplus)

    def next_end(self) -> Node | None:
        """A node without arrows out of it, else one without arrows into it."""
        while self._ends:
            _, node = heappop(self._ends)
            if node in self.nodes:
                return node
        return None

    def next_best(self) -> Node:
        """The node with the largest surplus of arrows out of it."""
        while True:
            weight, node = heappop(self._surplus)
            if node in self.nodes and weight == self.n_in[node] - self.n_out[node]:
                return node

    def take(self, node: Node) -> None:
        """It is in the row, and its arrows are gone."""
        self.nodes.discard(node)
        for neighbours, counts in ((self._out[node], self.n_in), (self._into[node], self.n_out)):
            for other in neighbours & self.nodes:
                counts[other] -= 1
                heappush(self._surplus, (self.n_in[other] - self.n_out[other], other))
                if not counts[other]:
                    heappush(self._ends, (self.n_out[other] > 0, other))


def _neighbours(arrows: Iterable[Arrow]) -> tuple[dict[Node, set[Node]], dict[Node, set[Node]]]:
    into: dict[Node, set[Node]] = defaultdict(set)
    out: dict[Node, set[Node]] = defaultdict(set)
    for source, target in arrows:
        out[source].add(target)
        into[target].add(source)
    return into, out
