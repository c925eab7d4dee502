"""Nodes and edges of the service graph, and the graph: frozen rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dashboard.queries.edges import EVIDENCE
from dashboard.queries.freshness import Freshness
from dashboard.queries.letter_filter import of_topic
from dashboard.queries.window import Window


@dataclass(frozen=True, slots=True)
class Node:
    """A service, a topic, or a group that no service explains. Rates are per second; None is unknown."""

    id: str
    kind: str  # service | topic | group
    name: str
    cluster: str
    role: str  # business | dead_letter | retry | internal | connector
    health: str  # ok | degraded | failing | idle | unknown
    sentence: str
    rate_in: float | None
    rate_out: float | None
    n_dead_letters: int
    lag: int | None
    lag_seconds: float | None
    guessed: bool
    shown_name: str = ""  # with the cluster where another one has the same name
    x: float | None = None
    y: float | None = None
    estimated: bool = False  # a rate of it is told from sampled spans
    domain: str = ""  # where one is declared
    team: str = ""
    lacks: tuple[str, ...] = ()  # "in", "out": that rate is the sum of some edges alone, those of others are unknown

    @property
    def rate(self) -> float | None:
        """The one number on the node: what comes in, else what goes out."""
        return self.rate_in if self.rate_in is not None else self.rate_out

    @property
    def letter_filter(self) -> str:
        """What the list of dead letters is asked for to show those of this topic."""
        return of_topic(self.cluster, self.name)


@dataclass(frozen=True, slots=True)
class Edge:
    """A service writes to a topic, or a topic is read. Counts are over the window, `rate` over its last minute.

    `sampled_share`: of whose messages spans were kept, None where all were as far as is known. Counts are of what was
    kept; a rate is the broker's where it tells it of this reader alone, else `estimated` from the share.
    """

    id: str
    source: str
    target: str
    kind: str  # produce | consume
    group: str | None
    group_name: str | None
    evidence: tuple[str, ...]
    messages: int | None
    messages_from: str  # spans | offsets
    errors: int | None
    rate: float | None
    lag: int | None
    lag_seconds: float | None
    wait_p95_seconds: float | None
    processing_p95_seconds: float | None
    health: str
    sentence: str
    sampled_share: float | None = None
    estimated: bool = False
    wait_p50_seconds: float | None = None
    processing_p50_seconds: float | None = None
    contradictions: tuple[str, ...] = ()

    @property
    def estimate(self) -> int | None:
        """About how many messages there were, with those whose spans were dropped."""
        if self.messages is None or self.sampled_share is None:
            return self.messages
        return round(self.messages / self.sampled_share)


@dataclass(frozen=True, slots=True)
class Graph:
    """What flowed in the window. `n_idle` topics and groups had no traffic and are left out unless asked for.

    `latencies_from`: waits and processing times are of whole minutes or hours, so since a little earlier.
    """

    as_of: datetime | None
    window: Window
    rate_seconds: int
    latencies_from: datetime
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    n_idle: int
    freshness: Freshness
    box_places: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # of groups of nodes, by their id

    @property
    def sampled_share(self) -> float | None:
        """The smallest share of spans that is kept of any edge; None where nothing says that any are dropped."""
        return min((edge.sampled_share for edge in self.edges if edge.sampled_share is not None), default=None)


def lacking(ways: Mapping[str, Iterable[Edge]]) -> tuple[str, ...]:
    """Which sums of rates lack those of some edges; where none is known there is no sum."""
    unknown = {way: {edge.rate is None for edge in edges} for way, edges in ways.items()}
    return tuple(way for way, found in unknown.items() if len(found) > 1)


def known_by(edges: Iterable[Edge], *more: str) -> tuple[str, ...]:
    """How edges are known, and by `more`: each word once, the strongest first."""
    seen = {word for edge in edges for word in edge.evidence} | set(more)
    return tuple(word for word in EVIDENCE.values() if word in seen)
