"""One node and what it touches: who writes on its left, who reads on its right, the busiest in the middle's height."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dashboard.queries.graph import Edge, Graph, Node

MOST_BESIDE = 12  # on each side; the tables have all
COLUMN, ROW = 250.0, 72.0


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Nodes where they stand, and the edges between them; `n_left_out` neighbours with less traffic are not drawn."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    n_left_out: int


def neighbourhood(drawn: Graph, middle: str) -> Neighbourhood:
    """Of the node with the id `middle`. Who is on both sides stands on the left."""
    known = {node.id: node for node in drawn.nodes}
    into = _busiest(edge.source for edge in _by_traffic(drawn.edges) if edge.target == middle)
    out = [each for each in _busiest(edge.target for edge in _by_traffic(drawn.edges) if edge.source == middle)
           if each not in into]  # fmt: skip
    placed = {middle: (COLUMN, 0.0)}
    for x, beside in ((0.0, into[:MOST_BESIDE]), (2 * COLUMN, out[:MOST_BESIDE])):
        for number, identity in enumerate(beside):
            placed[identity] = (x, (number - (len(beside) - 1) / 2) * ROW)
    return Neighbourhood(
        tuple(replace(known[identity], x=x, y=y) for identity, (x, y) in placed.items() if identity in known),
        tuple(
            edge
            for edge in drawn.edges
            if middle in {edge.source, edge.target} and {edge.source, edge.target} <= set(placed)
        ),
        max(0, len(into) - MOST_BESIDE) + max(0, len(out) - MOST_BESIDE),
    )


def _by_traffic(edges: Sequence[Edge]) -> list[Edge]:
    return sorted(edges, key=lambda edge: (-(edge.rate or 0), edge.id))


def _busiest(identities: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(identities))
