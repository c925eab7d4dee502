"""The graph as it is drawn: groups folded or opened, at most 300 nodes, everybody's place, and how long edges run."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dashboard.layout import pack
from dashboard.layout.place import COLUMN_WIDTH, Place
from dashboard.layout.routes import Point, routes
from dashboard.queries.graph import Graph, Node
from dashboard.queries.grouping import FOLDED_FROM, Box, arrows, boxes

MOST_DRAWN = 300
_SPARSE = 0.6  # of what stands in the layout: with less drawn, the gaps are closed


@dataclass(frozen=True, slots=True)
class Asked:
    """How a person wants it grouped: `by` None is as many nodes need it; ids of the groups that are open."""

    by: str | None = None
    open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """What is drawn. `of` names the closed group that stands for a node; places and routes are by id.

    A node that is drawn and has no place has only just come: the page stands it beside its neighbours. `cut`: ids that
    are left out because more than 300 would be drawn.
    """

    by: str
    of: Mapping[str, str]
    closed: tuple[Box, ...]
    open: tuple[Box, ...]
    places: Mapping[str, tuple[float, float]]
    frames: Mapping[str, pack.Frame]
    routes: Mapping[tuple[str, str], tuple[Point, ...]]
    cut: frozenset[str]
    n_matching: int


def view(drawn: Graph, *, left_out: Collection[str], asked: Asked, is_part: bool) -> View:
    """The view of a graph without `left_out`. `is_part`: somebody asked for a part, so that gaps are closed."""
    nodes = [node for node in drawn.nodes if node.id not in left_out]
    by = asked.by or ("domain" if len(nodes) > FOLDED_FROM else "none")
    kept = {node.id for node in nodes}
    found = (
        () if by == "none" else tuple(_kept(box, kept) for box in boxes(drawn, by) if kept.intersection(box.members))
    )
    opened = tuple(box for box in found if box.id in asked.open)
    closed, quiet = _busiest([box for box in found if box.id not in asked.open], nodes)
    found = tuple(box for box in found if box.id not in quiet)
    of = {member: box.id for box in closed for member in box.members}
    gone = frozenset[str]().union(*quiet.values())
    plain = [node for node in nodes if node.id not in of and node.id not in gone]
    cut = gone.union(_least(plain, len(plain) + len(closed) - MOST_DRAWN))
    edges = [edge for edge in drawn.edges if {edge.source, edge.target} <= kept - cut]
    lines = arrows(edges, of)
    standing = {node.id: _place(node.x, node.y) for node in plain if node.id not in cut and node.x is not None}
    if found:
        places, frames = _grouped(drawn, found, opened, standing, lines)
    else:
        sparse = is_part or bool(cut) or len(standing) < _SPARSE * len(drawn.nodes)
        places, frames = (pack.packed(standing, lines) if sparse else standing), {}
    points = {node: (place.x, place.y) for node, place in places.items()}
    return View(by, of, closed, opened, points, frames, routes(places, lines), cut, len(nodes))


def _grouped(
    drawn: Graph,
    found: Iterable[Box],
    opened: Iterable[Box],
    standing: Mapping[str, Place],
    lines: list[tuple[str, str]],
) -> tuple[dict[str, Place], dict[str, pack.Frame]]:
    """Boxes where they are stored; one that has no place yet stands below the others."""
    outer: dict[str, Place] = {}
    lowest = max((y for _, y in drawn.box_places.values()), default=0.0)
    for index, box in enumerate(found):
        spot = drawn.box_places.get(box.id)
        outer[box.id] = (
            _place(*spot) if spot else Place(index % 6, index % 6 * COLUMN_WIDTH, lowest + 96 + index // 6 * 96)
        )
    inside = {}
    for box in opened:
        members = {member: standing[member] for member in box.members if member in standing}
        if members:
            inside[box.id] = pack.packed(members, lines)
    return pack.composed(outer, inside)


def _kept(box: Box, kept: Collection[str]) -> Box:
    return Box(box.id, box.by, box.name, tuple(member for member in box.members if member in kept))


def _busiest(closed: Sequence[Box], nodes: Iterable[Node]) -> tuple[tuple[Box, ...], dict[str, tuple[str, ...]]]:
    """The closed groups that are drawn, in their order, and the members of those that would be too many, by group."""
    flows = {node.id: traffic(node) for node in nodes}
    row = sorted(closed, key=lambda box: (-sum(flows[member] for member in box.members), box.id))
    quiet = {box.id: box.members for box in row[MOST_DRAWN:]}
    return tuple(box for box in closed if box.id not in quiet), quiet


def _least(nodes: Iterable[Node], n: int) -> list[str]:
    """The `n` nodes with the least traffic."""
    if n <= 0:
        return []
    return [node.id for node in sorted(nodes, key=lambda node: (traffic(node), node.id))[:n]]


def traffic(node: Node) -> float:
    """In and out, per second; what is unknown counts as none."""
    return (node.rate_in or 0) + (node.rate_out or 0)


def _place(x: float | None, y: float | None) -> Place:
    return Place(round((x or 0.0) / COLUMN_WIDTH), x or 0.0, y or 0.0)
