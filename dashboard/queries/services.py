"""Services: the list. Those that send traces, and those that are only guessed from a consumer group."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection

from collector.domain import identities
from dashboard.queries import graph
from dashboard.queries.conditions import Health
from dashboard.queries.coverage import coverage, untraced
from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Edge, Graph, Node, facts
from dashboard.queries.graph_rows import known_by
from dashboard.queries.readers import Share
from dashboard.queries.service_versions import Version, running
from dashboard.queries.window import Window

LIMIT = 1000
IDLE = Health("idle", "read and wrote nothing in this window")
_MOST_VERSIONS = 4


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One line of the list. Rates are per second, from spans; None is unknown.

    `guessed`: known only as a consumer group, named by `name` on `cluster`. `failed`: share of what it read and wrote.
    `n_dead_letters`: open ones of the groups that it reads as. `n_versions`: that run at the same time.
    `coverage`: how much of what its groups committed has spans; None where no group of it is known.
    """

    id: str
    name: str
    namespace: str
    cluster: str
    guessed: bool
    health: str
    sentence: str
    version: str
    version_since: datetime | None
    n_versions: int
    rate_in: float | None
    rate_out: float | None
    failed: float | None
    lag: int | None
    lag_seconds: float | None
    n_dead_letters: int
    coverage: Share | None
    last_at: datetime | None
    evidence: tuple[str, ...]
    estimated: bool  # a rate of it is told from sampled spans


@dataclass(frozen=True, slots=True)
class Services:
    """The list, with how old it is and how much was left out. `n_traced`: those that send traces."""

    items: tuple[ServiceRow, ...]
    n_all: int
    n_traced: int
    truncated: bool
    freshness: Freshness

    @property
    def n_guessed(self) -> int:
        """Those that are known only as a group."""
        return self.n_all - self.n_traced


@dataclass(frozen=True, slots=True)
class _Named:
    namespace: str
    name: str
    versions: tuple[Version, ...]


def services(window: Window, *, now: datetime, after: str = "", clusters: Collection[str] | None = None) -> Services:
    """Every service, and every group that no service explains, by id, behind the id `after`; at most 1,000.

    Of those alone that ever touched `clusters`, where that is not None. Eleven statements, one more with `clusters`.
    """
    known = facts(window, now=now, clusters=clusters, timed=False)
    drawn = graph.drawn(known, idle=True)
    nodes = {node.id: node for node in drawn.nodes if node.kind != "topic"}
    touching = _touching(drawn)
    named, letters, covered = _named(), open_letters(clusters), coverage(known)
    if clusters is not None:
        there = _touching_topics(known.names.topics)
        named = {number: each for number, each in named.items() if number in there}
    rows = [
        replace(
            _traced(identities.service_id(each.namespace, each.name), each, nodes, touching, window),
            n_dead_letters=letters.get(number, 0),
            coverage=covered.get(number),
        )
        for number, each in named.items()
    ]
    n_traced = len(rows)
    uncovered = untraced(known)
    rows += [
        replace(_guessed(node, touching[node.id]), coverage=uncovered.get(node.id))
        for node in nodes.values()
        if node.kind == "group"
    ]
    rows.sort(key=lambda row: row.id)
    behind = [row for row in rows if row.id > after]
    return Services(tuple(behind[:LIMIT]), len(rows), n_traced, len(behind) > LIMIT, drawn.freshness)


def failed_share(edges: Sequence[Edge]) -> float | None:
    """Share of what was read and written that failed; None where spans tell of nothing."""
    told = [(edge.errors, edge.messages) for edge in edges if edge.errors is not None and edge.messages]
    return sum(errors for errors, _ in told) / sum(n for _, n in told) if told else None


def _touching(drawn: Graph) -> Mapping[str, list[Edge]]:
    found: Mapping[str, list[Edge]] = defaultdict(list)
    for edge in drawn.edges:
        for end in (edge.source, edge.target):
            found[end].append(edge)
    return found


def _traced(
    identity: str,
    named: _Named,
    nodes: Mapping[str, Node],
    touching: Mapping[str, list[Edge]],
    window: Window,
) -> ServiceRow:
    node, edges = nodes.get(identity), touching[identity]
    alive = running(named.versions, at=window.to_at)
    newest = alive[0] if alive else None
    return ServiceRow(
        identity,
        named.name,
        named.namespace,
        "",
        guessed=False,
        health=node.health if node else IDLE.level,
        sentence=node.sentence if node else IDLE.sentence,
        version=newest.name if newest else "",
        version_since=newest.first_at if newest else None,
        n_versions=len(alive),
        rate_in=node.rate_in if node else None,
        rate_out=node.rate_out if node else None,
        failed=failed_share(edges),
        lag=node.lag if node else None,
        lag_seconds=node.lag_seconds if node else None,
        n_dead_letters=0,
        coverage=None,
        last_at=max((each.last_at for each in named.versions), default=None),
        evidence=known_by(edges),
        estimated=any(edge.estimated for edge in edges),
    )


def _guessed(node: Node, edges: Sequence[Edge]) -> ServiceRow:
    return ServiceRow(
        node.id,
        node.name,
        "",
        node.cluster,
        guessed=True,
        health=node.health,
        sentence=node.sentence,
        version="",
        version_since=None,
        n_versions=0,
        rate_in=node.rate_in,
        rate_out=None,
        failed=None,
        lag=node.lag,
        lag_seconds=node.lag_seconds,
        n_dead_letters=0,
        coverage=None,
        last_at=None,
        evidence=known_by(edges),
        estimated=any(edge.estimated for edge in edges),
    )


def _named() -> dict[int, _Named]:
    """By number: every service with the versions that were seen last. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select s.id, s.namespace, s.name, v.id, v.version, v.first_at, v.last_at from service s"
            " left join lateral (select * from service_version where service_id = s.id"
            "   order by last_at desc, first_at desc limit %s) v on true where s.id > 0",
            [_MOST_VERSIONS],
        )
        found: dict[int, _Named] = {}
        for number, namespace, name, *version in cursor.fetchall():
            before = found.get(number, _Named(namespace, name, ()))
            its = () if version[0] is None else (Version(*version),)
            found[number] = _Named(namespace, name, (*before.versions, *its))
    return found


def _touching_topics(topics: Iterable[int]) -> set[int]:
    """Services that ever wrote to or read one of these. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("select distinct service_id from edge where topic_id = any(%s)", [list(topics)])
        return {number for (number,) in cursor.fetchall()}


def open_letters(clusters: Collection[str] | None, *, only: int | None = None) -> dict[int, int]:
    """Open dead letters by the service whose groups they failed in, or of one service. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select x.service_id, sum(c.n)::bigint from ("
            "   select service_id, group_id from edge where kind = 2 and service_id is not null"
            "   union select service_id, group_id from group_hint) x"
            " join failure_group g on g.group_id = x.group_id and g.merged_into is null"
            "  and (%s::text[] is null or g.cluster_id in (select id from cluster where name = any(%s)))"
            " join failure_count c on c.failure_group_id = g.id and c.status in (0, 5) and c.n > 0"
            " where %s::int is null or x.service_id = %s group by 1",
            [None if clusters is None else list(clusters), list(clusters or ()), only, only],
        )
        return dict(cursor.fetchall())
