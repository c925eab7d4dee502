"""Places for nodes of the past that the layout does not know any more: nobody who stands moves for them."""

from collections.abc import Mapping
from dataclasses import replace

from collector.domain.identities import parts
from dashboard.layout.place import COLUMN_WIDTH, Place, joined
from dashboard.queries.graph import Graph


def seated(drawn: Graph, places: Mapping[str, tuple[float, float]]) -> Graph:
    """The graph with a place for every node. `places`: of everything that is laid out, drawn or not."""
    guests = [node.id for node in drawn.nodes if node.x is None]
    if not guests:
        return drawn
    standing = {name: Place(round(x / COLUMN_WIDTH), x, y) for name, (x, y) in places.items() if parts(name)}
    found = joined(standing, guests, [(edge.source, edge.target) for edge in drawn.edges])
    nodes = (replace(node, x=found[node.id].x, y=found[node.id].y) if node.x is None else node for node in drawn.nodes)
    return replace(drawn, nodes=tuple(nodes))
