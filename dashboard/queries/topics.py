"""Topics: the list."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from collector.domain.retention import sooner
from dashboard.queries import graph
from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Facts, Node, facts
from dashboard.queries.graph_rows import known_by
from dashboard.queries.keeping import Keeping, keeping
from dashboard.queries.letter_filter import of_topic
from dashboard.queries.readers import Around, Share, around, paces
from dashboard.queries.window import Window

LIMIT = 1000


@dataclass(frozen=True, slots=True)
class TopicRow:
    """One line of the list. Rates are per second, from watermarks and commits; None is unknown.

    `loses_in_seconds`: until some group may lose unread data at this pace; infinity for never. `lag` and `lag_seconds`:
    the highest of each, be it of two groups. `retention_ms`: how long a record is kept; -1 is for ever.
    `share`: how many of the records written in the window have spans.
    """

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
    loses_in_seconds: float | None
    n_dead_letters: int
    n_partitions: int | None
    share: Share
    evidence: tuple[str, ...]

    @property
    def letter_filter(self) -> str:
        """What the list of dead letters is asked for to show those of this topic."""
        return of_topic(self.cluster, self.name)


@dataclass(frozen=True, slots=True)
class Topics:
    """The list, with how old it is and how much was left out."""

    items: tuple[TopicRow, ...]
    n_all: int
    truncated: bool
    freshness: Freshness


def topics(window: Window, *, now: datetime, after: str = "", clusters: Collection[str] | None = None) -> Topics:
    """Every living topic that is not internal, by id, behind the id `after`; at most 1,000.

    Of `clusters` alone where that is not None. Eleven statements, one more where topics have size limits.
    """
    known = facts(window, now=now, clusters=clusters, timed=False)
    drawn, keeps, kept = graph.drawn(known, idle=True), _retention(), keeping()
    near = around(known, drawn)
    numbers = {name.id: number for number, name in known.names.topics.items()}
    rows = [
        _row(node, numbers[node.id], known, near, keeps.get(numbers[node.id]), kept.get(numbers[node.id]))
        for node in drawn.nodes
        if node.kind == "topic" and node.id in numbers
    ]
    behind = [row for row in rows if row.id > after]
    return Topics(tuple(behind[:LIMIT]), len(rows), len(behind) > LIMIT, drawn.freshness)


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


def deleted(cluster: str, name: str) -> tuple[int, datetime] | None:
    """The number of the newest topic of this name that is gone, and when it went; None where there was none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select t.id, t.deleted_at from topic t join cluster c on c.id = t.cluster_id and c.name = %s"
            " where t.name = %s and t.role <> 3 and t.deleted_at is not null order by t.deleted_at desc limit 1",
            [cluster, name],
        )
        found: tuple[int, datetime] | None = cursor.fetchone()
    return found


def _row(
    node: Node, number: int, known: Facts, near: Around, retention_ms: int | None, kept: Keeping | None
) -> TopicRow:
    progress = known.topics.get(number)
    groups = list(paces(number, known, near, kept))
    losses = [risk.seconds if risk else None for identity, _, risk in groups if identity]
    spans = [edge.messages for edge in near.into[node.id] if edge.messages is not None]
    return TopicRow(
        node.id,
        node.name,
        node.cluster,
        node.role,
        node.health,
        node.sentence,
        node.rate_in,
        progress.messages if progress else None,
        min((rate for _, rate, _ in groups if rate is not None), default=None),
        len(losses),
        node.lag,
        node.lag_seconds,
        retention_ms,
        sooner(*losses),
        node.n_dead_letters,
        known.names.topics[number].n_partitions,
        Share(sum(spans), progress.messages if progress else None),
        known_by((*near.into[node.id], *near.out[node.id]), *(["offsets"] if progress else [])),
    )


def _retention() -> dict[int, int]:
    """How long topics keep a record, in ms; -1 is for ever: what is only compacted, whatever `retention.ms` says."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, case when configs ->> 'cleanup.policy' not like '%delete%' then '-1'"
            " else configs ->> 'retention.ms' end from topic where configs ->> 'retention.ms' is not null"
        )
        return {number: int(text) for number, text in cursor.fetchall()}
