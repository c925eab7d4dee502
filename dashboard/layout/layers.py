"""Which column a node stands in: cycles are cut, then everybody stands right of whom it depends on."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

Node = str
Arrow = tuple[Node, Node]


def acyclic(nodes: Sequence[Node], arrows: Iterable[Arrow]) -> list[Arrow]:
    """The arrows with those turned round that close a cycle, self-loops left out.

    Eades, Lin and Smyth's greedy rule: sinks to the end, sources to the front, else the node with the largest
    surplus of outgoing arrows to the front. Arrows that point back in that row are the ones to turn.
    """
    kept = sorted({arrow for arrow in arrows if arrow[0] != arrow[1]})
    place = {node: index for index, node in enumerate(_row(nodes, kept))}
    return sorted({(a, b) if place[a] < place[b] else (b, a) for a, b in kept})


def columns(nodes: Sequence[Node], arrows: Sequence[Arrow]) -> dict[Node, int]:
    """Column of each node, from 0: the longest way to it; a node without a source stands next to its first reader.

    `arrows` must hold no cycle.
    """
    into, out = _neighbours(arrows)
    column: dict[Node, int] = {}
    waiting = {node: len(into[node]) for node in nodes}
    ready = sorted(node for node in nodes if not waiting[node])
    while ready:
        node = ready.pop()
        column[node] = max((column[before] + 1 for before in into[node]), default=0)
        for after in out[node]:
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    for node in nodes:
        if not into[node] and out[node]:
            column[node] = min(column[after] for after in out[node]) - 1
    return column


def _row(nodes: Sequence[Node], arrows: Sequence[Arrow]) -> list[Node]:
    into, out = _neighbours(arrows)
    left, front, back = set(nodes), list[Node](), list[Node]()
    while left:
        sinks = sorted(node for node in left if not out[node] & left)
        sources = sorted(node for node in left if not into[node] & left and out[node] & left)
        if sinks:
            back[:0] = sinks
            left.difference_update(sinks)
        elif sources:
            front.extend(sources)
            left.difference_update(sources)
        else:
            best = min(left, key=lambda node: (len(into[node] & left) - len(out[node] & left), node))
            front.append(best)
            left.discard(best)
    return front + back


def _neighbours(arrows: Iterable[Arrow]) -> tuple[dict[Node, set[Node]], dict[Node, set[Node]]]:
    into: dict[Node, set[Node]] = defaultdict(set)
    out: dict[Node, set[Node]] = defaultdict(set)
    for source, target in arrows:
        out[source].add(target)
        into[target].add(source)
    return into, out
