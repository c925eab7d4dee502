"""Topics: the list, one topic's page, and its series over time."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from dashboard.queries import graph, offsets
from dashboard.queries.catalogue import TopicName
from dashboard.queries.conditions import Behind, Health, worst
from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Edge, Facts, Graph, Node, facts
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


def topics(window: Window, *, now: datetime, after: str = "") -> Topics:
    """Every living topic that is not internal, by id, behind the id `after`; at most 1,000. Eleven statements."""
    known = facts(window, now=now)
    drawn, keeps = graph.drawn(known, idle=True), _retention()
    around = _around(known, drawn)
    numbers = {name.id: number for number, name in known.names.topics.items()}
    rows = [
        _row(node, numbers[node.id], known, around, keeps)
        for node in drawn.nodes
        if node.kind == "topic" and node.id in numbers
    ]
    behind = [row for row in rows if row.id > after]
    return Topics(tuple(behind[:LIMIT]), len(rows), len(behind) > LIMIT, drawn.freshness)


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
        _groups(number, known, _around(known, drawn), node.rate_in),
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


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands around topics, each looked up once: edges by their ends, groups by topic and by id."""

    into: Mapping[str, list[Edge]]
    out: Mapping[str, list[Edge]]
    committed: Mapping[int, list[int]]
    groups: Mapping[str, int]


def _around(known: Facts, drawn: Graph) -> _Around:
    into, out, committed = defaultdict(list), defaultdict(list), defaultdict(list)
    for edge in drawn.edges:
        into[edge.target].append(edge)
        out[edge.source].append(edge)
    for topic_id, group_id in known.names.standing:
        if group_id in known.names.groups:
            committed[topic_id].append(group_id)
    return _Around(into, out, committed, {group.id: number for number, group in known.names.groups.items()})


def _row(node: Node, number: int, known: Facts, around: _Around, keeps: dict[int, int]) -> TopicRow:
    progress = known.topics.get(number)
    groups = _groups(number, known, around, node.rate_in)
    paces = [group.rate for group in groups if group.rate is not None]
    seen = {word for edge in (*around.into[node.id], *around.out[node.id]) for word in edge.evidence}
    seen |= {"offsets"} if progress else set()
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
        sum(1 for group in groups if group.id),
        node.lag,
        node.lag_seconds,
        keeps.get(number),
        node.n_dead_letters,
        known.names.topics[number].n_partitions,
        tuple(word for word in ("traced", "offsets", "membership", "declared") if word in seen),
    )


def _groups(number: int, known: Facts, around: _Around, rate_in: float | None) -> tuple[GroupOnTopic, ...]:
    """Who reads the topic. A group's pace is that of its commits; what spans say stands in where there are none."""
    names = known.names
    readers: dict[str, list[Edge]] = {names.groups[group].id: [] for group in around.committed[number]}
    for edge in around.out[names.topics[number].id]:
        readers.setdefault(edge.group or "", []).append(edge)
    found = []
    for identity, edges in sorted(readers.items()):
        key = around.groups.get(identity, 0)
        group = names.groups.get(key)
        rate, messages, told_by = _pace(known.groups.get((number, key)), edges)
        healths = [Health(edge.health, edge.sentence) for edge in edges]
        found.append(
            GroupOnTopic(
                identity,
                group.name if group else "?",
                tuple(edge.target for edge in edges if edge.target.startswith("service:")),
                rate,
                messages,
                told_by,
                names.behind(number, key),
                worst(healths) if healths else Health("idle", "nothing read in this window"),
                tuple(dict.fromkeys(word for edge in edges for word in edge.evidence)) or ("offsets",),
                group.state if group else "",
                rate_in,
            )
        )
    return tuple(found)


def _pace(progress: offsets.GroupProgress | None, edges: Sequence[Edge]) -> tuple[float | None, int | None, str]:
    """Rate, messages, and what tells them: commits, else the spans of all who read as this group."""
    if progress is not None and progress.messages is not None:
        return progress.rate, progress.messages, "offsets"
    rates = [edge.rate for edge in edges if edge.rate is not None]
    counts = [edge.messages for edge in edges if edge.messages is not None]
    return sum(rates) if rates else None, sum(counts) if counts else None, "spans" if counts else "offsets"


def _retention() -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("select id, configs ->> 'retention.ms' from topic where configs ? 'retention.ms'")
        return {number: int(text) for number, text in cursor.fetchall()}
