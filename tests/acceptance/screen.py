"""What Weir says and what the shop knows, each brought into one shape, so that they can be compared."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from demo.records import Position
from demo.truth import Truth

CLUSTER = "demo"


@dataclass(frozen=True, slots=True, order=True)
class EdgeKey:
    """Direction, service ("" for a group that nothing explains), topic, group ("" for a producer)."""

    kind: str
    service: str
    topic: str
    group: str


def shown_edges(graph: dict[str, Any]) -> Counter[EdgeKey]:
    """Messages by edge, as `GET graph` answers."""
    counts: Counter[EdgeKey] = Counter()
    for edge in graph["edges"]:
        counts[edge_key(edge)] += edge["messages"]
    return counts


def edge_key(edge: dict[str, Any]) -> EdgeKey:
    """Of an edge as `GET graph` answers it."""
    produce = edge["kind"] == "produce"
    party = edge["source"] if produce else edge["target"]
    topic = edge["target"] if produce else edge["source"]
    service = _name(party) if party.startswith("service:") else ""
    return EdgeKey(edge["kind"], service, _name(topic), _name(edge["group"]) if edge["group"] else "")


def true_edges(truth: Truth) -> Counter[EdgeKey]:
    """Messages by edge, as the shop did them. What no trace tells is known by the group's commits: positions."""
    counts: Counter[EdgeKey] = Counter()
    for edge in truth.edges():
        if edge.kind == "produce":
            if edge.traced:
                counts[EdgeKey("produce", edge.service, edge.topic, "")] += edge.messages
        else:
            traced = edge.traced
            counts[EdgeKey("consume", edge.service if traced else "", edge.topic, edge.group or "")] += (
                edge.messages if traced else edge.positions
            )
    return counts


def shown_evidence(graph: dict[str, Any]) -> dict[EdgeKey, bool]:
    """By edge, whether it says that spans tell it. Every edge says at least one way how it is known."""
    assert all(edge["evidence"] for edge in graph["edges"])
    return {edge_key(edge): "traced" in edge["evidence"] for edge in graph["edges"]}


def true_evidence(truth: Truth) -> dict[EdgeKey, bool]:
    """By edge, whether its service makes spans: what it only read is told by its group."""
    found = {}
    for edge in truth.edges():
        if edge.kind == "consume":
            found[EdgeKey("consume", edge.service if edge.traced else "", edge.topic, edge.group or "")] = edge.traced
        elif edge.traced:
            found[EdgeKey("produce", edge.service, edge.topic, "")] = True
    return found


def shown_nodes(graph: dict[str, Any]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Nodes as (kind, name): those with edges, and those without."""
    ends = {end for edge in graph["edges"] for end in (edge["source"], edge["target"])}
    joined = {(node["kind"], node["name"]) for node in graph["nodes"] if node["id"] in ends}
    return joined, {(node["kind"], node["name"]) for node in graph["nodes"]} - joined


def true_nodes(edges: Iterable[EdgeKey]) -> set[tuple[str, str]]:
    """The ends of these edges: a group stands for the service that makes no spans."""
    topics = {("topic", edge.topic) for edge in edges}
    return topics | {("service", edge.service) if edge.service else ("group", edge.group) for edge in edges}


def shown_letters(items: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    """Dead letters as (position, origin, group, exception class)."""
    return {
        (_place(item), _place(item["original"]), _name(item["group"]), item["exception"]["class"].rsplit(".", 1)[-1])
        for item in items
    }


def true_letters(truth: Truth) -> set[tuple[str, str, str, str]]:
    """Dead letters as the shop wrote them."""
    return {
        (_at(letter.position), _at(letter.origin), letter.group, letter.exception.rsplit(".", 1)[-1])
        for letter in truth.dead_letters()
    }


Step = tuple[str, str, str, str]  # produce|consume, position, service, group


def shown_path(event: dict[str, Any]) -> set[Step]:
    """The hops of `GET events/…`."""
    return {
        (hop["kind"], _place(hop), hop["service_name"] or "", hop["group_name"] or "") for hop in event["path"]["hops"]
    }


def true_path(truth: Truth, topic: str, partition: int, offset: int) -> set[Step]:
    """What led to an event, what happened to it, and what came of it: not the other branches of its flow.

    A service without spans writes as nobody; that it was the one among several groups which made the next event, on
    the way up, nothing tells.
    """
    traced = {(edge.service, edge.group): edge.traced for edge in truth.edges()}
    writes = {edge.service: edge.traced for edge in truth.edges()}
    steps: set[Step] = set()
    for hop in truth.path(topic, partition, offset):
        if hop.relation == "beside":
            continue
        if hop.producer:
            steps.add(("produce", _at(hop.position), hop.producer if writes.get(hop.producer, True) else "", ""))
        if hop.group:
            service = hop.consumer if hop.consumer and traced.get((hop.consumer, hop.group), True) else ""
            if not service and hop.relation == "up":
                continue
            steps.add(("consume", _at(hop.position), service, hop.group))
    return steps


def _name(identity: str | None) -> str:
    return "" if identity is None else unquote(identity.partition(":")[2].rpartition("/")[2])


def _at(position: Position) -> str:
    return f"{position.topic}/{position.partition}/{position.offset}"


def _place(item: dict[str, Any]) -> str:
    return f"{_name(item['topic'])}/{item['partition']}/{item['offset']}"
