"""One topic: who writes, who reads, how far behind, by partition, what it keeps, and what traces explain of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from dashboard.queries import graph
from dashboard.queries.catalogue import TopicName
from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Edge, Node, facts
from dashboard.queries.keeping import Keeping, keeping, record_bytes
from dashboard.queries.last_written import last_written
from dashboard.queries.neighbourhood import Neighbourhood, neighbourhood
from dashboard.queries.readers import GroupOnTopic, Share, around, readers
from dashboard.queries.topic_partitions import EVERY_TAB, Asked, PartitionTable, partition_table
from dashboard.queries.window import Window

_LOOKED_AT = 60  # newest tapped records of a partition


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `is_own`: set on the topic, not the broker's."""

    name: str
    value: str | None
    is_own: bool


@dataclass(frozen=True, slots=True)
class TopicPage:
    """All facts of one topic. `unlike_events`: why offsets and events differ in number, or empty.

    `record_bytes`: the mean size of its newest tapped records. `written_at`: when each producer last wrote, by its id.
    """

    name: TopicName
    node: Node
    producers: tuple[Edge, ...]
    written_at: Mapping[str, datetime]
    traced_in: float | None
    share: Share
    groups: tuple[GroupOnTopic, ...]
    messages: int | None
    available: int | None
    partitions: PartitionTable
    keeping: Keeping | None
    record_bytes: float | None
    unlike_events: str
    configs: dict[str, Any]
    settings: tuple[Setting, ...]
    configs_at: datetime | None
    first_at: datetime
    around: Neighbourhood
    freshness: Freshness

    @property
    def producers_told(self) -> tuple[tuple[Edge, datetime | None], ...]:
        """The producers, each with when it last wrote."""
        return tuple((edge, self.written_at.get(edge.source)) for edge in self.producers)

    @property
    def bytes_in(self) -> float | None:
        """About how many bytes come in each second: the rate, times the mean size of its newest tapped records."""
        rate = self.node.rate_in
        return None if rate is None or self.record_bytes is None else rate * self.record_bytes

    @property
    def unknown_rate(self) -> float | None:
        """What comes in beyond the traced producers, per second; None where that is nothing, or within the noise."""
        if self.node.rate_in is None or self.traced_in is None:
            return None
        rest = self.node.rate_in - self.traced_in
        return rest if rest > max(0.1, 0.05 * self.node.rate_in) else None

    @property
    def sampled_share(self) -> float | None:
        """The smallest share of spans that is kept of any producer; None where nothing says that any are dropped."""
        shares = (edge.sampled_share for edge in self.producers)
        return min((share for share in shares if share is not None), default=None)

    @property
    def lost(self) -> int:
        """Offsets that were deleted before some group read them: the most of any group."""
        return max((group.behind.lost or 0 for group in self.groups if group.behind), default=0)


def topic(cluster: str, name: str, window: Window, *, now: datetime, asked: Asked = EVERY_TAB) -> TopicPage | None:
    """Facts of the living topic with this name, or None. Seventeen statements, one more with a size limit.

    `asked`: which of its partitions are wanted.
    """
    known = facts(window, now=now, clusters=[cluster])
    drawn = graph.drawn(known, idle=True)
    number = next((key for key, t in known.names.topics.items() if (t.cluster, t.name) == (cluster, name)), None)
    if number is None:
        return None
    own = known.names.topics[number]
    node = next(node for node in drawn.nodes if node.id == own.id)
    with connection.cursor() as cursor:
        cursor.execute("select configs::text, configs_own, configs_at, first_at from topic where id = %s", [number])
        text, own_names, configs_at, first_at = cursor.fetchone()
    configs: dict[str, Any] = json.loads(text) if text else {}
    producers = tuple(edge for edge in drawn.edges if edge.target == own.id)
    rates = [edge.rate for edge in producers if edge.rate is not None]
    counts = [edge.messages for edge in producers if edge.messages is not None]
    progress, kept = known.topics.get(number), keeping([number]).get(number)
    return TopicPage(
        own,
        node,
        producers,
        last_written(number, until=window.to_at),
        sum(rates) if rates else None,
        Share(sum(counts), progress.messages if progress else None),
        readers(number, known, around(known, drawn), kept),
        progress.messages if progress else None,
        progress.available if progress else None,
        partition_table(number, known, asked, now=now),
        kept,
        record_bytes([number]).get(number),
        _unlike_events(number, configs),
        configs,
        _settings(configs, frozenset(own_names)),
        configs_at,
        first_at,
        neighbourhood(drawn, own.id),
        drawn.freshness,
    )


def _unlike_events(number: int, configs: dict[str, Any]) -> str:
    """Compaction by the topic's setting, markers by gaps between the offsets of tapped records. One statement."""
    if "compact" in str(configs.get("cleanup.policy", "")):
        return "compacted"
    with connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(bool_or(last - first + 1 > n), false) from generate_series(0, least(coalesce("
            "   (select n_partitions from topic where id = %(topic)s), 1), 4) - 1) p (number) cross join lateral"
            " (select max(kafka_offset) last, min(kafka_offset) first, count(distinct kafka_offset) n from ("
            "   select kafka_offset from record where topic_id = %(topic)s and kafka_partition = p.number"
            "   order by kafka_offset desc limit %(most)s) newest) seen",
            {"topic": number, "most": _LOOKED_AT},
        )
        return "transactional" if cursor.fetchone()[0] else ""


def _settings(configs: dict[str, Any], own: frozenset[str]) -> tuple[Setting, ...]:
    """Those set on the topic first."""
    found = [Setting(name, value, name in own) for name, value in configs.items()]
    return tuple(sorted(found, key=lambda each: (not each.is_own, each.name)))
