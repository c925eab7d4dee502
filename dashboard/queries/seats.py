"""Places for nodes of the past that the layout does not know any more: nobody who stands moves for them."""

from collections.abc import Mapping
from dataclasses import replace

from collector.domain.identities import parts
from dashboard.layout.place import COLUMN_WIDTH, Place, joined
from dashboard.queries.graph import Graph
from dashboard.queries.view import MOST_DRAWN, traffic


def seated(drawn: Graph, places: Mapping[str, tuple[float, float]]) -> Graph:
    """The graph with a place for every node, or the busiest 300 of those without: more are never drawn at once.

    `places`: of everything that is laid out, drawn or not.
    """
    homeless = sorted((node for node in drawn.nodes if node.x is None), key=lambda node: (-traffic(node), node.id))
    guests = [node.id for node in homeless[:MOST_DRAWN]]
    if not guests:
        return drawn
    standing = {name: Place(round(x / COLUMN_WIDTH), x, y) for name, (x, y) in places.items() if parts(name)}
    found = joined(standing, guests, [(edge.source, edge.target) for edge in drawn.edges])
    seats = {name: found[name] for name in guests}
    nodes = (replace(n, x=seats[n.id].x, y=seats[n.id].y) if n.id in seats else n for n in drawn.nodes)
    return replace(drawn, nodes=tuple(nodes))
