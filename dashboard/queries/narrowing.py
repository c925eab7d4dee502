"""The graph narrowed by a person: what is found, what is hidden, and what stands around one node."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dashboard.queries.filters import Filter, Subject
from dashboard.queries.graph import Edge, Graph, Node

FLOWS = ("both", "up", "down")
HOPS = (1, 2, 3, 4, 5)
USUAL_FLOW, USUAL_HOPS = "both", 2
Events = Mapping[str, Collection[str]]
_NONE: Events = {}


@dataclass(frozen=True, slots=True)
class Focus:
    """A node, and how far around it: against the flow (up), with it (down), or both."""

    id: str
    hops: int = USUAL_HOPS
    flow: str = USUAL_FLOW


@dataclass(frozen=True, slots=True)
class Shown:
    """What is drawn beside what flows. `traffic` only animates."""

    idle: bool = False
    internal: bool = False
    traffic: bool = False
    dead_letters: bool = True
    retry: bool = True

    def hides(self, node: Node) -> bool:
        """Whether a node is of a role that is not shown."""
        return (node.role == "dead_letter" and not self.dead_letters) or (node.role == "retry" and not self.retry)


USUALLY_SHOWN = Shown()


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Ids of the nodes that were looked for (among those that are left), and of those that are left out."""

    found: tuple[str, ...]
    left_out: frozenset[str]


def narrowed(
    drawn: Graph,
    *,
    find: Filter,
    hide: Filter,
    focus: Focus | None,
    shown: Shown = USUALLY_SHOWN,
    events: Events = _NONE,
    changed: Collection[str] = (),
) -> Narrowed:
    """Apply all four to a graph. Without `find`, nothing is found. A focus that is not on the graph is ignored.

    `events`: ids of nodes on the paths of events that the filters name; `changed`: of those that changed lately.
    """
    touching = _touching(drawn.edges)
    subjects = {node.id: subject(node, touching[node.id], events, changed) for node in drawn.nodes}
    gone = {node for node, facts in subjects.items() if hide and hide.matches(facts)}
    gone |= {node.id for node in drawn.nodes if shown.hides(node)}
    if focus and focus.id in subjects:
        near = surroundings(focus, drawn.edges)
        gone = (gone | (set(subjects) - near)) - {focus.id}
    found = [node for node, facts in subjects.items() if find and node not in gone and find.matches(facts)]
    return Narrowed(tuple(found), frozenset(gone))


def subject(node: Node, edges: Sequence[Edge], events: Events = _NONE, changed: Collection[str] = ()) -> Subject:
    """A node with the edges that touch it, as a filter sees it: its worst numbers."""
    shares = [edge.errors / edge.messages for edge in edges if edge.errors is not None and edge.messages]
    return Subject(
        node.kind,
        node.name,
        node.health,
        frozenset(word for edge in edges for word in edge.evidence),
        node.lag,
        node.lag_seconds,
        node.rate,
        max(shares, default=None),
        node.n_dead_letters,
        node.guessed,
        changed=node.id in changed,
        events=frozenset(text.lower() for text, nodes in events.items() if node.id in nodes),
    )


def surroundings(focus: Focus, edges: Iterable[Edge]) -> set[str]:
    """Ids of the nodes within so many hops of the focus, itself included."""
    down, up = defaultdict(set), defaultdict(set)
    for edge in edges:
        down[edge.source].add(edge.target)
        up[edge.target].add(edge.source)
    reached = {focus.id}
    for ways in [ways for flow, ways in (("down", down), ("up", up)) if focus.flow in {flow, "both"}]:
        reached |= _within(focus.id, focus.hops, ways)
    return reached


def _within(start: str, hops: int, ways: Mapping[str, set[str]]) -> set[str]:
    reached, rim = {start}, {start}
    for _ in range(hops):
        rim = {after for node in rim for after in ways.get(node, ())} - reached
        reached |= rim
    return reached


def _touching(edges: Iterable[Edge]) -> Mapping[str, list[Edge]]:
    touching: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        touching[edge.source].append(edge)
        touching[edge.target].append(edge)
    return touching
