"""Two stretches of kept history on one graph, and what differs between them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from django.db import connection

from collector.domain import identities
from collector.domain.significance import levels
from dashboard.queries import long_ago
from dashboard.queries.differences import P95, Difference, Differences, Flow, Line, Stretch, differences
from dashboard.queries.edges import extent
from dashboard.queries.graph import Edge, Facts, Graph, Node, drawn, edge_id, facts
from dashboard.queries.latencies import Durations, EdgeKey, durations, minutes
from dashboard.queries.service_versions import Version, running
from dashboard.queries.timeline import Timeline, timeline
from dashboard.queries.window import BadWindow, Window

T = TypeVar("T")
MOST_SHARED = 0.1  # of a window: where it begins within the step in which the other one ends


class Overlapping(BadWindow):
    """The two windows overlap: `vs` must be at or before `from`, or later than `to` by the window's length."""


class SameSteps(BadWindow):
    """Of this age counts are kept in steps so long that the two windows share them: take windows further apart."""


@dataclass(frozen=True, slots=True)
class Compared:
    """`union` is the later graph with what was in the earlier one alone, which carries nothing there.

    `before` and `after` are in the order of the address: `vs` is the first, whatever the clock says.
    """

    before: Graph
    after: Graph
    union: Graph
    found: Differences
    seen: tuple[Timeline, Timeline]


def versus(moment: datetime, window: Window, *, now: datetime) -> Window:
    """The equally long window that ends at `moment`. Raises Overlapping and SameSteps."""
    start = moment - (window.to_at - window.from_at)
    if moment > window.from_at and start < window.to_at:
        raise Overlapping(Overlapping.__doc__)
    found = Window(start, moment, live=False)
    one, two = extent(found, now=now), extent(window, now=now)
    shared = (min(one.to_at, two.to_at) - max(one.from_at, two.from_at)).total_seconds()
    if shared > MOST_SHARED * min(one.seconds, two.seconds):
        raise SameSteps(SameSteps.__doc__)
    return found


def compared(
    known: Facts,
    then: Window,
    *,
    now: datetime,
    clusters: Collection[str] | None = None,
    idle: bool = False,
    internal: bool = False,
) -> Compared:
    """What `known` tells of its window beside that of `then`. Twice the statements of a graph, and nine."""
    old = facts(then, now=now, clusters=clusters)
    before, after = (drawn(each, idle=idle, internal=internal) for each in (old, known))
    seen = (timeline(extent(then, now=now), now=now), timeline(extent(known.window, now=now), now=now))
    lines = _lines(before, after)
    parties = None if clusters is None else {line.party for line in lines.values()}
    stretches = (
        _stretch(
            known=told,
            drawn=graph,
            seen=looked,
            lines=lines,
            versions=_running_at(told.window.to_at, among=parties),
            is_blind=_is_blind(told, other),
            counter_seconds=long_ago.extent_seconds(told.window, now=now),
            now=now,
        )
        for told, graph, looked, other in ((old, before, seen[0], after), (known, after, seen[1], before))
    )
    found = differences(lines, *stretches)
    return Compared(before, after, _union(before, after, {each.about for each in found.found}), found, seen)


def _lines(before: Graph, after: Graph) -> dict[str, Line]:
    edges = [*before.edges, *after.edges]
    found = {edge.id: Line(edge.id, edge.source, edge.target, edge.kind, edge.group) for edge in edges}
    written = {edge.target for edge in edges if edge.kind == "produce"}
    topics = {node.id for node in (*before.nodes, *after.nodes) if node.kind == "topic"}
    return found | {topic: Line(topic, topic, topic, "topic") for topic in sorted(topics - written)}


def _stretch(
    *,
    known: Facts,
    drawn: Graph,
    seen: Timeline,
    lines: Mapping[str, Line],
    versions: Mapping[str, tuple[str, ...]],
    is_blind: bool,
    counter_seconds: float,
    now: datetime,
) -> Stretch:
    """`counter_seconds`: how long the brokers' counters are of, which go on counting while nobody looks."""
    spent, seconds = _by_edge(known, durations(known.window)), seen.seen_seconds
    by_minute = _by_edge(known, minutes(known.window, now=now))
    counted = counter_seconds / seconds if seconds else 0.0
    flows, unknown = {}, set[str]()
    for edge in drawn.edges:
        if edge.messages is None or (edge.messages_from == "offsets" and not counted):
            unknown.add(edge.id)
        elif edge.messages_from == "offsets":
            flows[edge.id] = Flow(edge.messages, share=counted)
        else:
            flows[edge.id] = _flow(edge, spent.get(edge.id), by_minute.get(edge.id, ()))
    if is_blind:
        unknown |= {line.id for line in lines.values() if line.party.startswith("service:")}
    for number, topic in known.names.topics.items():
        if topic.id not in lines:
            continue
        progress = known.topics.get(number)
        if progress is None or progress.messages is None or not counted:
            unknown.add(topic.id)
        else:
            flows[topic.id] = Flow(progress.messages, share=counted)
    return Stretch(seconds, bool(seen.gaps), flows, versions, frozenset(unknown))


def _is_blind(known: Facts, other: Graph) -> bool:
    """Whether no span of anybody came in, while events flowed that services sent in the other window."""
    if any(edge.messages for edge in known.spans):
        return False
    moved = {
        topic.id
        for number, topic in known.names.topics.items()
        if (progress := known.topics.get(number)) and progress.messages
    }
    return any(edge.kind == "produce" and edge.target in moved for edge in other.edges)


def _flow(edge: Edge, spent: Durations | None, steps: Collection[Durations]) -> Flow:
    return Flow(
        edge.messages or 0,
        edge.errors or 0,
        edge.sampled_share or 1.0,
        spent.wait if spent else {},
        spent.processing if spent else {},
        levels((step.wait for step in steps), P95),
        levels((step.processing for step in steps), P95),
    )


def _by_edge(known: Facts, found: Mapping[EdgeKey, T]) -> dict[str, T]:
    return {
        edge_id(edge, known.names): found[key]
        for edge in known.spans
        if edge.topic_id in known.names.topics
        and (key := (edge.kind, edge.service_id, edge.group_id, edge.topic_id)) in found
    }


def _running_at(moment: datetime, *, among: Collection[str] | None) -> dict[str, tuple[str, ...]]:
    """The named versions of every service that ran at a moment, or of these. One statement."""
    of: dict[str, list[Version]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select s.namespace, s.name, v.id, v.version, v.first_at, v.last_at from service_version v"
            " join service s on s.id = v.service_id where v.id > 0 and v.version <> '' and v.first_at < %s",
            [moment],
        )
        for namespace, name, *version in cursor.fetchall():
            service = identities.service_id(namespace, name)
            if among is None or service in among:
                of.setdefault(service, []).append(Version(*version))
    return {service: tuple(sorted(each.name for each in running(own, at=moment))) for service, own in of.items()}


def _union(before: Graph, after: Graph, told: Collection[str]) -> Graph:
    """The later graph, and of the earlier one what carried something there alone; whatever is `told` of is drawn."""
    edges = (*after.edges, *_traces([edge for edge in before.edges if edge.messages != 0], {e.id for e in after.edges}))
    busy = {end for edge in edges for end in (edge.source, edge.target)}
    known = {node.id for node in after.nodes}
    old = [node for node in before.nodes if node.id in busy or node.rate_in or node.id in told]
    return replace(
        after,
        nodes=tuple(sorted((*after.nodes, *_ghosts(old, known)), key=lambda node: node.id)),
        edges=tuple(sorted(edges, key=lambda edge: edge.id)),
    )


def _ghosts(nodes: Iterable[Node], known: Collection[str]) -> Iterable[Node]:
    for node in nodes:
        if node.id not in known:
            yield replace(
                node,
                health="idle",
                sentence="nothing in or out in the later window",
                rate_in=0.0,
                rate_out=0.0,
                lag=None,
                lag_seconds=None,
            )


def _traces(edges: Iterable[Edge], known: Collection[str]) -> Iterable[Edge]:
    for edge in edges:
        if edge.id not in known:
            yield replace(
                edge,
                messages=0,
                errors=None,
                rate=0.0,
                lag=None,
                lag_seconds=None,
                wait_p50_seconds=None,
                wait_p95_seconds=None,
                processing_p50_seconds=None,
                processing_p95_seconds=None,
                health="idle",
                sentence="nothing in the later window",
                contradictions=(),
            )


def marks(found: Differences, union: Graph) -> dict[str, tuple[str, tuple[Difference, ...]]]:
    """By the id of a node or an edge: new, gone or changed, and the differences that say so.

    A topic is new, or gone, where all its edges are.
    """
    of: dict[str, list[Difference]] = {}
    for each in found.found:
        for identity in {each.about, *(line.id for line in each.carries)}:
            of.setdefault(identity, []).append(each)
    told = {identity: (_what(own), tuple(own)) for identity, own in of.items()}
    for node in union.nodes:
        own = [told.get(edge.id) for edge in union.edges if node.id in (edge.source, edge.target)]
        kinds = {each[0] if each else "" for each in own}
        if node.kind == "topic" and node.id not in told and kinds in ({"new"}, {"gone"}):
            told[node.id] = (kinds.pop(), ())
    return told


def _what(own: Iterable[Difference]) -> str:
    kinds = {each.what for each in own}
    return kinds.pop() if len(kinds) == 1 else "changed"
