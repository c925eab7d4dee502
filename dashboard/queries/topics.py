"""Topics: the list, one topic's page, and its series over time."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from dashboard.queries import graph, offsets
from dashboard.queries.catalogue import Catalogue, TopicName
from dashboard.queries.conditions import Behind, Health
from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Edge, Graph, Node, facts
from dashboard.queries.window import Window

LIMIT = 1000


@dataclass(frozen=True, slots=True)
class TopicRow:
    """One line of the list. Rates are per second, from watermarks and commits; None is unknown."""

    id: str
    name: str
    cluster: str
    role: str
    health: str
    sentence: str
    rate_in: float | None
    messages: int | None
    slowest_rate: float | None
    n_groups: int
    lag: int | None
    lag_seconds: float | None
    retention_ms: int | None
    n_dead_letters: int
    n_partitions: int | None
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topics:
    """The list, with how old it is and how much was left out."""

    items: tuple[TopicRow, ...]
    n_all: int
    truncated: bool
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class GroupOnTopic:
    """A consumer group on one topic: its pace, how far behind, and which services read as it."""

    id: str
    name: str
    services: tuple[str, ...]
    rate: float | None
    messages: int | None
    messages_from: str
    behind: Behind | None
    health: Health
    evidence: tuple[str, ...]
    state: str
    produced_rate: float | None

    @property
    def trend(self) -> float | None:
        """Events per second by which the lag grows (above 0) or falls."""
        return None if self.rate is None or self.produced_rate is None else self.produced_rate - self.rate

    @property
    def done_in_seconds(self) -> float | None:
        """Lag divided by the pace at which it falls; infinity when it does not fall.

        None when unknown, without lag, and for a group that keeps up: its lag is only what is under way.
        """
        if self.trend is None or self.behind is None or not self.behind.lag or self.behind.verdict == "OK":
            return None
        return self.behind.lag / -self.trend if self.trend < 0 else float("inf")


@dataclass(frozen=True, slots=True)
class TopicPage:
    """All facts of one topic."""

    name: TopicName
    node: Node
    producers: tuple[Edge, ...]
    traced_in: float | None
    groups: tuple[GroupOnTopic, ...]
    messages: int | None
    available: int | None
    configs: dict[str, Any]
    configs_at: datetime | None
    first_at: datetime
    freshness: Freshness


def topics(window: Window, *, now: datetime) -> Topics:
    """Every living topic that is not internal, by name, at most 1,000. Eleven statements."""
    known = facts(window, now=now)
    names, drawn, keeps = known.names, graph.drawn(known, idle=True), _retention()
    by_id = {names.topics[number].id: number for number in names.topics}
    rows = [
        _row(node, drawn, by_id[node.id], known.topics.get(by_id[node.id]), names, keeps)
        for node in drawn.nodes
        if node.kind == "topic" and node.id in by_id
    ]
    return Topics(tuple(rows[:LIMIT]), len(rows), len(rows) > LIMIT, drawn.freshness)


def topic(cluster: str, name: str, window: Window, *, now: datetime) -> TopicPage | None:
    """Facts of the living topic with this name, or None."""
    known = facts(window, now=now)
    names, drawn = known.names, graph.drawn(known, idle=True)
    number = next((key for key, t in names.topics.items() if (t.cluster, t.name) == (cluster, name)), None)
    if number is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute("select configs::text, configs_at, first_at from topic where id = %s", [number])
        configs, configs_at, first_at = cursor.fetchone()
    own = names.topics[number]
    node = next(node for node in drawn.nodes if node.id == own.id)
    producers = tuple(edge for edge in drawn.edges if edge.target == own.id)
    rates = [edge.rate for edge in producers if edge.rate is not None]
    progress = known.topics.get(number)
    return TopicPage(
        own,
        node,
        producers,
        sum(rates) if rates else None,
        _groups(number, own, drawn, names, node.rate_in),
        progress.messages if progress else None,
        progress.available if progress else None,
        json.loads(configs) if configs else {},
        configs_at,
        first_at,
        drawn.freshness,
    )


def number_of(cluster: str, name: str) -> int | None:
    """The number of the living topic with this name in the database, or None. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select t.id from topic t join cluster c on c.id = t.cluster_id"
            " where c.name = %s and t.name = %s and t.deleted_at is null and t.role <> 3",
            [cluster, name],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _row(
    node: Node,
    drawn: Graph,
    number: int,
    progress: offsets.TopicProgress | None,
    names: Catalogue,
    keeps: dict[int, int],
) -> TopicRow:
    readers = [edge for edge in drawn.edges if edge.source == node.id]
    around = [edge for edge in drawn.edges if node.id in {edge.source, edge.target}]
    paces = [edge.rate for edge in readers if edge.rate is not None]
    seen = {word for edge in around for word in edge.evidence} | ({"offsets"} if progress else set())
    return TopicRow(
        node.id,
        node.name,
        node.cluster,
        node.role,
        node.health,
        node.sentence,
        node.rate_in,
        progress.messages if progress else None,
        min(paces, default=None),
        sum(1 for topic_id, _ in names.standing if topic_id == number),
        node.lag,
        node.lag_seconds,
        keeps.get(number),
        node.n_dead_letters,
        names.topics[number].n_partitions,
        tuple(word for word in ("traced", "offsets", "membership", "declared") if word in seen),
    )


def _groups(
    number: int, own: TopicName, drawn: Graph, names: Catalogue, rate_in: float | None
) -> tuple[GroupOnTopic, ...]:
    readers: dict[str | None, list[Edge]] = {}
    for edge in drawn.edges:
        if edge.source == own.id:
            readers.setdefault(edge.group, []).append(edge)
    idle = {names.groups[group].id for topic, group in names.standing if topic == number and group in names.groups}
    by_id = {group.id: (key, group) for key, group in names.groups.items()}
    found = []
    for identity in sorted(set(readers) | idle, key=lambda text: text or ""):
        edges = readers.get(identity, [])
        key, group = by_id.get(identity or "", (0, None))
        rates = [edge.rate for edge in edges if edge.rate is not None]
        counts = [edge.messages for edge in edges if edge.messages is not None]
        found.append(
            GroupOnTopic(
                identity or "",
                group.name if group else "?",
                tuple(edge.target for edge in edges if edge.target.startswith("service:")),
                sum(rates) if rates else None,
                sum(counts) if counts else None,
                edges[0].messages_from if edges else "offsets",
                names.behind(number, key),
                Health(edges[0].health, edges[0].sentence) if edges else Health("idle", "nothing read in this window"),
                edges[0].evidence if edges else ("offsets",),
                group.state if group else "",
                rate_in,
            )
        )
    return tuple(found)


def _retention() -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("select id, configs ->> 'retention.ms' from topic where configs ? 'retention.ms'")
        return {number: int(text) for number, text in cursor.fetchall()}
