"""Which group a node belongs to: domain, team or cluster; and the arrows between groups."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from collector.domain.identities import parts
from dashboard.queries.graph import Edge, Graph, Node
from dashboard.queries.owners import grouped

BYS = ("domain", "team", "cluster", "none")
GROUPINGS = ("domain", "team", "cluster")
FOLDED_FROM = 150
"""More nodes than this are drawn by domain, unless somebody asks for something else."""
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Box:
    """A group of nodes; its id is `domain:payments`. `members` are ids of nodes, in order."""

    id: str
    by: str
    name: str
    members: tuple[str, ...]


def owned(drawn: Graph) -> Graph:
    """The graph with the domain and the team of each node, as they are declared or told. Two statements."""
    facts = grouped([node.id for node in drawn.nodes])
    nodes = tuple(
        replace(node, domain=facts[node.id].get("domain", ""), team=facts[node.id].get("team", ""))
        for node in drawn.nodes
    )
    return replace(drawn, nodes=nodes)


def boxes(drawn: Graph, by: str) -> tuple[Box, ...]:
    """The groups of a graph, by name. Every node is in one."""
    names = groups(drawn, by)
    members: dict[str, list[str]] = defaultdict(list)
    for node in drawn.nodes:
        members[names[node.id]].append(node.id)
    return tuple(Box(f"{by}:{name}", by, name, tuple(sorted(ids))) for name, ids in sorted(members.items()))


def groups(drawn: Graph, by: str) -> Mapping[str, str]:
    """The group of each node, by the node's id: what it says itself, else that of its busiest neighbour."""
    said = {node.id: _said(node, by) for node in drawn.nodes}
    busiest = _busiest(drawn.edges)
    for order in (("topic",), ("service", "group"), ("topic",)):
        for node in drawn.nodes:
            if node.kind in order and not said[node.id]:
                said[node.id] = _told(busiest.get(node.id, ()), said)
    if by == "domain":
        for node in drawn.nodes:
            if node.kind == "topic" and not said[node.id]:
                said[node.id] = node.name.partition(".")[0]
        for node in drawn.nodes:
            said[node.id] = said[node.id] or _told(busiest.get(node.id, ()), said)
    return {identity: name or OTHER for identity, name in said.items()}


def arrows(edges: Iterable[Edge], of: Mapping[str, str]) -> list[tuple[str, str]]:
    """Arrows between what is drawn, each once; those inside one group are none."""
    pairs = {(of.get(edge.source, edge.source), of.get(edge.target, edge.target)) for edge in edges}
    return sorted((source, target) for source, target in pairs if source != target)


def _said(node: Node, by: str) -> str:
    """The group that a node names itself; "" where it names none."""
    if by == "cluster":
        return node.cluster
    if by == "team":
        return node.team
    if node.domain:
        return node.domain
    if node.kind == "service":
        known = parts(node.id)
        return known[1][0] if known and len(known[1]) == 2 else ""
    return node.name.partition(".")[0] if node.kind == "topic" and "." in node.name else ""


def _busiest(edges: Iterable[Edge]) -> Mapping[str, Sequence[str]]:
    """The neighbours of each node: those it writes to, or that write to it, before readers; the busiest first."""
    found: dict[str, list[tuple[bool, int, str]]] = defaultdict(list)
    for edge in edges:
        weight = -(edge.messages or 0)
        found[edge.source].append((edge.kind != "produce", weight, edge.target))
        found[edge.target].append((edge.kind != "produce", weight, edge.source))
    return {node: [other for _, _, other in sorted(near)] for node, near in found.items()}


def _told(neighbours: Sequence[str], said: Mapping[str, str]) -> str:
    """What most of the neighbours say; of equals, the one first met."""
    counted = Counter(said[other] for other in neighbours if said.get(other))
    return counted.most_common(1)[0][0] if counted else ""
