"""One topic: who writes, who reads, how far behind, by partition, what it keeps, and what traces explain of it."""

import json
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from django.db import connection

from collector.domain.lag import lag
from dashboard.queries import graph
from dashboard.queries.catalogue import TopicName
from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Edge, Facts, Node, facts
from dashboard.queries.keeping import Keeping, keeping, record_bytes
from dashboard.queries.neighbourhood import Neighbourhood, neighbourhood
from dashboard.queries.offsets import longest_rate
from dashboard.queries.readers import GroupOnTopic, Share, around, readers
from dashboard.queries.window import RATE_SECONDS, Window

HOT = 3.0  # times the median rate of the partitions
MOST_GROUPS = 8  # whose lag is shown by partition
_LOOKED_AT = 60  # newest tapped records of a partition


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """One partition. `share` of the topic's rate; `is_hot`: over three times the median; `lags` as `PartitionTable`."""

    partition: int
    leader: int | None
    low: int | None
    high: int | None
    kept: int | None
    rate: float | None
    share: float | None
    is_hot: bool
    lags: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """All partitions, and the groups whose lag each row has; `n_more_groups` are left out."""

    groups: tuple[str, ...]
    rows: tuple[PartitionRow, ...]
    n_more_groups: int

    @property
    def hot(self) -> tuple[PartitionRow, ...]:
        """The hot ones, hottest first."""
        return tuple(sorted((row for row in self.rows if row.is_hot), key=lambda row: -(row.rate or 0)))


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `is_own`: set on the topic, not the broker's."""

    name: str
    value: str | None
    is_own: bool


@dataclass(frozen=True, slots=True)
class TopicPage:
    """All facts of one topic. `unlike_events`: why offsets and events differ in number, or empty.

    `record_bytes`: the mean size of its newest tapped records.
    """

    name: TopicName
    node: Node
    producers: tuple[Edge, ...]
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
        return max((group.behind.lost for group in self.groups if group.behind), default=0)


def topic(cluster: str, name: str, window: Window, *, now: datetime) -> TopicPage | None:
    """Facts of the living topic with this name, or None. Sixteen statements, one more with a size limit."""
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
        sum(rates) if rates else None,
        Share(sum(counts), progress.messages if progress else None),
        readers(number, known, around(known, drawn), kept),
        progress.messages if progress else None,
        progress.available if progress else None,
        _partitions(number, known),
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


def _partitions(number: int, known: Facts) -> PartitionTable:
    """Two statements."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select n.high, n.low, n.leaders, b.high, extract(epoch from %(at)s::timestamptz - looked.at)::float8"
            " from topic_now n join topic t on t.id = n.topic_id left join lateral (select max(s.sampled_at) at"
            "   from scan s where s.cluster_id = t.cluster_id and s.ok"
            "   and s.sampled_at <= %(at)s::timestamptz - make_interval(secs => %(rate)s)) looked on true"
            " left join lateral (select high from topic_sample s where s.topic_id = n.topic_id"
            "   and s.sampled_at <= looked.at order by s.sampled_at desc limit 1) b on true"
            " where n.topic_id = %(topic)s",
            {"at": known.fresh.scanned_at, "rate": RATE_SECONDS, "topic": number},
        )
        row = cursor.fetchone()
        cursor.execute("select group_id, committed from group_now where topic_id = %s", [number])
        commits = {group: committed for group, committed in cursor.fetchall() if group in known.names.groups}
    if row is None:
        return PartitionTable((), (), 0)
    high, low, leaders, before, seconds = row
    if seconds is None or seconds > longest_rate():
        before = None
    worst = sorted(commits, key=lambda key: -((behind.lag or 0) if (behind := known.names.behind(number, key)) else 0))
    shown = worst[:MOST_GROUPS]
    paces = [_pace(high, before, partition, seconds) for partition in range(len(high))]
    usual = median(known_paces) if (known_paces := [pace for pace in paces if pace is not None]) else 0
    total = sum(known_paces)
    rows = tuple(
        PartitionRow(
            partition,
            leaders[partition] if partition < len(leaders) else None,
            low[partition],
            end,
            None if end is None or low[partition] is None else end - low[partition],
            pace,
            pace / total if pace is not None and total else None,
            pace is not None and len(high) > 2 and pace > HOT * usual and pace > 0,
            tuple(lag(_at(commits[key], partition), low=low[partition], high=end) for key in shown),
        )
        for partition, (end, pace) in enumerate(zip(high, paces, strict=True))
    )
    return PartitionTable(tuple(known.names.groups[key].name for key in shown), rows, len(worst) - len(shown))


def _pace(high: list[int | None], before: list[int | None] | None, partition: int, seconds: float) -> float | None:
    """Offsets per second of a partition over the last minute, or so. One that came meanwhile began at 0."""
    end = high[partition]
    if before is None or end is None:
        return None
    start = before[partition] if partition < len(before) else 0
    return None if start is None else max(0, end - start) / seconds


def _at(values: list[int | None], partition: int) -> int | None:
    return values[partition] if partition < len(values) else None


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
