"""The service graph: who writes to which topic, who reads it, how fast, how healthy, and how we know."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from collector.domain.identities import parts
from dashboard.queries import edges as traced
from dashboard.queries import long_ago, offsets
from dashboard.queries.catalogue import Catalogue, catalogue
from dashboard.queries.conditions import Health, of_edge, worst
from dashboard.queries.contradictions import of_offsets, of_traced
from dashboard.queries.freshness import Freshness, freshness
from dashboard.queries.graph_rows import Edge, Graph, Node, lacking
from dashboard.queries.latencies import EdgeKey, Latency, latencies, told_from
from dashboard.queries.timeline import was_seen
from dashboard.queries.window import RATE_SECONDS, Window

__all__ = ["Edge", "Facts", "Graph", "Node", "drawn", "edge_id", "edges", "facts", "facts_of", "graph"]
OWN = "weir."  # Weir never draws itself


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the graph of a window is drawn from, read once."""

    window: Window
    fresh: Freshness
    names: Catalogue
    topics: Mapping[int, offsets.TopicProgress]
    groups: Mapping[tuple[int, int], offsets.GroupProgress]
    spans: Sequence[traced.TracedEdge]
    rate_seconds: float  # that the spans' rates are taken over; 0 where none is known
    spent: Mapping[EdgeKey, Latency]
    clusters: Collection[str] | None = None  # those that were asked for; None is all

    def scanned_at(self, topic_id: int) -> datetime | None:
        """When the broker that has the topic was last seen."""
        return self.fresh.scanned.get(self.names.topics[topic_id].cluster)


def facts(window: Window, *, now: datetime, clusters: Collection[str] | None = None, timed: bool = True) -> Facts:
    """Ten statements, however large the graph is, four more where samples are no rows any more (in the past five), and
    in the past one more where no span was counted at the end.

    Of the past, lags are those of then, and no state is judged. `clusters`: the names of those whose topics and groups
    are wanted; None is all. `timed`: with waits and processing times.
    """
    fresh = freshness(now=now).only(clusters)
    names = catalogue(since=None if window.live else window.from_at).only(clusters)
    return replace(facts_of(window, fresh, names, now=now, timed=timed), clusters=clusters)


def facts_of(window: Window, fresh: Freshness, names: Catalogue, *, now: datetime, timed: bool) -> Facts:
    """The same with what was read already. Four statements, and those of the past."""
    is_long = long_ago.reaches_back(window, now=now)
    topics, groups = (
        offsets.topic_progress(window, now=now),
        offsets.group_progress(window, now=now, counted=not is_long),
    )
    if is_long:
        topics, groups = long_ago.topics(topics, window, now=now), long_ago.groups(groups, window, now=now)
    if not window.live:
        then = {
            pair: progress.behind
            for pair, progress in groups.items()
            if progress.behind is not None and pair[0] in names.topics
        }
        names = replace(names, standing=then)
    step = traced.steps(window, now=now).last
    rate_from, rate_to = traced.rate_span(window, as_of=fresh.folded_at, step=step)
    spans = traced.traced_edges(window, as_of=fresh.folded_at, now=now)
    is_seen = window.live or any(edge.n_rate for edge in spans) or was_seen(rate_from, rate_to)
    return Facts(
        window,
        fresh,
        names,
        topics,
        groups,
        spans,
        max(0.0, (rate_to - rate_from).total_seconds()) if is_seen else 0.0,
        latencies(window) if timed else {},
    )


def graph(window: Window, *, now: datetime, idle: bool = False, clusters: Collection[str] | None = None) -> Graph:
    """The graph of `window`. With `idle`, topics without traffic are in it, too; of `clusters` alone where not None."""
    return drawn(facts(window, now=now, clusters=clusters), idle=idle)


def drawn(known: Facts, *, idle: bool, internal: bool = False) -> Graph:
    """The graph that `known` makes; with `internal`, the brokers' own topics are in it, too."""
    known = _shown(known, internal=internal)
    found = _edges(known)
    busy = {end for edge in found for end in (edge.source, edge.target)}
    nodes = _nodes(found, known, busy)
    carried = busy | {
        known.names.topics[number].id for number in known.names.topics if _moved(known.topics.get(number))
    }
    kept = [node for node in nodes if idle or node.id in carried or node.rate_in]
    return Graph(
        known.fresh.as_of,
        known.window,
        RATE_SECONDS,
        told_from(known.window),
        tuple(sorted(kept, key=lambda node: node.id)),
        tuple(sorted(found, key=lambda edge: edge.id)),
        len(nodes) - len(kept),
        known.fresh,
        {name: spot for name, spot in known.names.places.items() if parts(name) is None},
    )


def edges(known: Facts) -> list[Edge]:
    """Those of the graph that `known` makes, in no order: nodes take as long again."""
    return _edges(_shown(known, internal=False))


def _edges(known: Facts) -> list[Edge]:
    parties = {(each.topic_id, each.group_id, each.service_id) for each in known.spans}
    alone = {pair for pair, n in Counter((topic, group) for topic, group, _ in parties).items() if n == 1}
    found = [_traced(edge, known, alone) for edge in known.spans if edge.topic_id in known.names.topics]
    explained = {(edge.topic_id, edge.group_id) for edge in known.spans if edge.kind == traced.CONSUME}
    found += [
        _from_offsets(progress, known)
        for pair, progress in known.groups.items()
        if pair not in explained
        and pair[0] in known.names.topics
        and pair[1] in known.names.groups
        and _has_life(progress, known.names)
    ]
    return found


def _shown(known: Facts, *, internal: bool) -> Facts:
    """The same without Weir's own topics, and without those that are the brokers' or a framework's own."""
    topics = {
        number: topic
        for number, topic in known.names.topics.items()
        if topic.role != "internal" or (internal and not topic.name.startswith(OWN))
    }
    return replace(known, names=replace(known.names, topics=topics))


def _traced(edge: traced.TracedEdge, known: Facts, alone: Collection[tuple[int, int | None]]) -> Edge:
    names = known.names
    service, topic = names.service_id(edge.namespace, edge.service), names.topics[edge.topic_id].id
    produce = edge.kind == traced.PRODUCE
    group = names.groups.get(edge.group_id) if edge.group_id else None
    behind = names.behind(edge.topic_id, edge.group_id)
    health = of_edge(edge.messages, edge.errors, behind, as_of=known.scanned_at(edge.topic_id))
    latency = known.spent.get((edge.kind, edge.service_id, edge.group_id, edge.topic_id))
    progress = known.groups.get((edge.topic_id, edge.group_id)) if edge.group_id else None
    rate, is_estimate = _rate(edge, progress, known, is_alone=(edge.topic_id, edge.group_id) in alone)
    return Edge(
        id=edge_id(edge, names),
        source=service if produce else topic,
        target=topic if produce else service,
        kind="produce" if produce else "consume",
        group=group.id if group else None,
        group_name=group.name if group else None,
        evidence=traced.evidence_names(edge.evidence | (traced.OFFSETS if progress else 0)),
        messages=edge.messages,
        messages_from="spans",
        errors=edge.errors,
        rate=rate,
        lag=behind.lag if behind else None,
        lag_seconds=behind.lag_seconds if behind else None,
        wait_p95_seconds=latency.wait_p95 if latency else None,
        processing_p95_seconds=latency.processing_p95 if latency else None,
        health=health.level,
        sentence=health.sentence,
        sampled_share=edge.sampled_share,
        estimated=is_estimate,
        wait_p50_seconds=latency.wait_p50 if latency else None,
        processing_p50_seconds=latency.processing_p50 if latency else None,
        contradictions=of_traced(
            group.name if group else None,
            committed=behind is not None,
            scanned=known.scanned_at(edge.topic_id) is not None and known.window.live,
        ),
    )


def edge_id(edge: traced.TracedEdge, names: Catalogue) -> str:
    """The id on the graph of an edge that spans tell of; its topic must be among the names."""
    service, topic = names.service_id(edge.namespace, edge.service), names.topics[edge.topic_id].id
    group = names.groups.get(edge.group_id) if edge.group_id else None
    if edge.kind == traced.PRODUCE:
        return f"{service}>{topic}"
    return f"{topic}>{service}" + (f"@{group.id}" if group else "")


def _rate(
    edge: traced.TracedEdge, progress: offsets.GroupProgress | None, known: Facts, *, is_alone: bool
) -> tuple[float | None, bool]:
    """Messages per second, and whether that is an estimate from sampled spans.

    A group's own commits are no estimate, where this service alone reads as that group.
    """
    if not edge.more:
        return (edge.n_rate / known.rate_seconds if known.rate_seconds else None), False
    if edge.kind == traced.CONSUME and progress and progress.rate is not None and is_alone:
        return progress.rate, False
    return ((edge.n_rate + edge.n_rate_more) / known.rate_seconds if known.rate_seconds else None), True


def _from_offsets(progress: offsets.GroupProgress, known: Facts) -> Edge:
    names = known.names
    topic, group = names.topics[progress.topic_id].id, names.groups[progress.group_id]
    behind = names.behind(progress.topic_id, progress.group_id)
    health = of_edge(progress.messages, None, behind, as_of=known.scanned_at(progress.topic_id))
    return Edge(
        id=f"{topic}>{group.id}",
        source=topic,
        target=group.id,
        kind="consume",
        group=group.id,
        group_name=group.name,
        evidence=("offsets",),
        messages=progress.messages,
        messages_from="offsets",
        errors=None,
        rate=progress.rate,
        lag=behind.lag if behind else None,
        lag_seconds=behind.lag_seconds if behind else None,
        wait_p95_seconds=None,
        processing_p95_seconds=None,
        health=health.level,
        sentence=health.sentence,
        contradictions=of_offsets(names.groups[progress.group_id].state, moved=bool(progress.rate)),
    )


def _has_life(progress: offsets.GroupProgress, names: Catalogue) -> bool:
    """Whether a group is worth drawing on a topic: it moved in the window, or records wait for it."""
    behind = names.behind(progress.topic_id, progress.group_id)
    return bool(progress.messages) or progress.messages is None or bool(behind and behind.lag)


def _nodes(found: Iterable[Edge], known: Facts, busy: set[str]) -> list[Node]:
    names, into, out = known.names, defaultdict(list), defaultdict(list)
    for edge in found:
        out[edge.source].append(edge)
        into[edge.target].append(edge)
    nodes = [_topic_node(topic_id, known, out[names.topics[topic_id].id]) for topic_id in names.topics]
    connectors = {group.id for group in names.groups.values() if group.protocol == "connect"}
    for identity in sorted(busy):
        if not identity.startswith("topic:"):
            node = _party_node(identity, names, into[identity], out[identity])
            as_connector = identity in connectors or any(edge.group in connectors for edge in into[identity])
            nodes.append(replace(node, role="connector") if as_connector else node)
    of_name = Counter((node.kind, node.name) for node in nodes if node.cluster)
    return [_placed(node, names, is_shared=of_name[node.kind, node.name] > 1) for node in nodes]


def _placed(node: Node, names: Catalogue, *, is_shared: bool) -> Node:
    x, y = names.places.get(node.id, (None, None))
    return replace(node, x=x, y=y, shown_name=f"{node.name} · {node.cluster}" if is_shared else node.name)


def _moved(progress: offsets.TopicProgress | None) -> bool | None:
    """Whether anything was written in the window, or in its last minute where no more is known; None: unknown."""
    found = (progress.rate if progress.messages is None else progress.messages) if progress else None
    return None if found is None else found > 0


def _topic_node(topic_id: int, known: Facts, readers: list[Edge]) -> Node:
    names, progress = known.names, known.topics.get(topic_id)
    topic = names.topics[topic_id]
    n_letters = names.open_letters.get(topic_id, 0)
    rate = progress.rate if progress else None
    still = _moved(progress) is False and not any(edge.messages for edge in readers)
    health = worst([Health(edge.health, edge.sentence) for edge in readers])
    if n_letters and health.level != "failing":
        health = Health("degraded", f"{n_letters:,} open dead letters{'' if known.window.live else ' now'}")
    elif still and health.level in {"ok", "unknown"}:
        health = Health("idle", "nothing in or out in this window")
    elif not readers:
        health = Health("unknown" if progress is None else "ok", "nobody is known to read it")
    return Node(
        id=topic.id,
        kind="topic",
        name=topic.name,
        cluster=topic.cluster,
        role=topic.role,
        health=health.level,
        sentence=health.sentence,
        rate_in=rate,
        rate_out=_sum(edge.rate for edge in readers),
        n_dead_letters=n_letters,
        lag=max((edge.lag for edge in readers if edge.lag is not None), default=None),
        lag_seconds=max((edge.lag_seconds for edge in readers if edge.lag_seconds is not None), default=None),
        guessed=False,
        estimated=any(edge.estimated for edge in readers),
        lacks=lacking({"out": readers}),
    )


def _party_node(identity: str, names: Catalogue, into: list[Edge], out: list[Edge]) -> Node:
    kind, cluster, name = names.party(identity)
    health = worst([Health(edge.health, edge.sentence) for edge in into] or [Health("ok", "writes only")])
    return Node(
        id=identity,
        kind=kind,
        name=name,
        cluster=cluster,
        role="business",
        health=health.level,
        sentence=health.sentence,
        rate_in=_sum(edge.rate for edge in into),
        rate_out=_sum(edge.rate for edge in out),
        n_dead_letters=0,
        lag=max((edge.lag for edge in into if edge.lag is not None), default=None),
        lag_seconds=max((edge.lag_seconds for edge in into if edge.lag_seconds is not None), default=None),
        guessed=kind == "group",
        estimated=any(edge.estimated for edge in (*into, *out)),
        lacks=lacking({"in": into, "out": out}),
    )


def _sum(rates: Iterable[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None
