"""Consumer groups: the list, and one group with its topics, partitions and members."""

import json
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from collector.domain import lag as lags
from dashboard.queries import graph
from dashboard.queries.catalogue import GroupName
from dashboard.queries.conditions import Behind, Health, of_verdict, worst
from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Edge, Facts, facts
from dashboard.queries.window import Window

LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Reading:
    """A group on one of its topics."""

    topic: str
    topic_name: str
    rate: float | None
    messages: int | None
    behind: Behind | None
    health: Health
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group with everything it reads, worst first."""

    id: str
    name: str
    cluster: str
    protocol: str
    state: str
    health: Health
    lag: int | None
    lag_seconds: float | None
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """The list, with how old it is and how much was left out."""

    items: tuple[GroupRow, ...]
    n_all: int
    truncated: bool
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in the group, and which partitions it holds."""

    client_id: str
    host: str
    assignment: tuple[tuple[str, int], ...]
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class PartitionStanding:
    """One partition of a topic the group reads. None is unknown, or never committed."""

    topic: str
    partition: int
    low: int | None
    high: int | None
    committed: int | None
    lag: int | None


@dataclass(frozen=True, slots=True)
class GroupPage:
    """All facts of one group."""

    row: GroupRow
    members: tuple[Member, ...]
    partitions: tuple[PartitionStanding, ...]
    freshness: Freshness


def groups(window: Window, *, now: datetime, after: str = "") -> Groups:
    """Every group that ever committed on a living topic, by id, behind `after`; at most 1,000. Ten statements."""
    known = facts(window, now=now)
    rows = sorted(_rows(known), key=lambda row: row.id)
    behind = [row for row in rows if row.id > after]
    return Groups(tuple(behind[:LIMIT]), len(rows), len(behind) > LIMIT, known.fresh)


def group(cluster: str, name: str, window: Window, *, now: datetime) -> GroupPage | None:
    """One group, or None when there is none of that name. Twelve statements."""
    known = facts(window, now=now)
    number = next((key for key, g in known.names.groups.items() if (g.cluster, g.name) == (cluster, name)), None)
    if number is None:
        return None
    row = next((row for row in _rows(known, only=number)), None) or _row(known.names.groups[number], [])
    return GroupPage(row, _members(number), _partitions(number, known), known.fresh)


def _rows(known: Facts, *, only: int | None = None) -> list[GroupRow]:
    readers: dict[tuple[str, str], list[Edge]] = {}
    for edge in graph.drawn(known, idle=True).edges:
        if edge.kind == "consume" and edge.group:
            readers.setdefault((edge.source, edge.group), []).append(edge)
    found: dict[int, list[Reading]] = {}
    for (topic_id, group_id), behind in known.names.standing.items():
        if topic_id in known.names.topics and group_id in known.names.groups and only in {None, group_id}:
            topic, own = known.names.topics[topic_id], known.names.groups[group_id]
            edges = readers.get((topic.id, own.id), [])
            progress = known.groups.get((topic_id, group_id))
            found.setdefault(group_id, []).append(
                Reading(
                    topic.id,
                    topic.name,
                    progress.rate if progress else None,
                    progress.messages if progress else None,
                    behind,
                    worst([of_verdict(behind.verdict), *(Health(edge.health, edge.sentence) for edge in edges)]),
                    tuple(edge.target for edge in edges if edge.target.startswith("service:")),
                )
            )
    return [_row(known.names.groups[number], readings) for number, readings in found.items()]


def _row(name: GroupName, readings: list[Reading]) -> GroupRow:
    lags = [reading.behind.lag for reading in readings if reading.behind and reading.behind.lag is not None]
    seconds = [
        reading.behind.lag_seconds for reading in readings if reading.behind and reading.behind.lag_seconds is not None
    ]
    return GroupRow(
        name.id,
        name.name,
        name.cluster,
        name.protocol,
        name.state,
        worst([reading.health for reading in readings]) if readings else Health("unknown", "has never committed"),
        max(lags, default=None),
        max(seconds, default=None),
        tuple(sorted(readings, key=lambda reading: -(reading.behind.lag or 0) if reading.behind else 0)),
    )


def _members(group_id: int) -> tuple[Member, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select client_id, host, assignment, seen_at from group_member where group_id = %s order by 1, member_id"
            " limit 1000",
            [group_id],
        )
        return tuple(
            Member(client, host, tuple((topic, partition) for topic, partition in json.loads(assignment)), seen_at)
            for client, host, assignment, seen_at in cursor.fetchall()
        )


def _partitions(group_id: int, known: Facts) -> tuple[PartitionStanding, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select g.topic_id, g.committed, t.high, t.low from group_now g join topic_now t using (topic_id)"
            " where g.group_id = %s order by 1",
            [group_id],
        )
        rows = cursor.fetchall()
    found = []
    for topic_id, committed, highs, lows in rows:
        if topic_id not in known.names.topics:
            continue
        for partition, high in enumerate(highs):
            offset = committed[partition] if partition < len(committed) else None
            low = lows[partition] if lows and partition < len(lows) else None
            lag = lags.lag(offset, low=low, high=high)
            found.append(PartitionStanding(known.names.topics[topic_id].name, partition, low, high, offset, lag))
    return tuple(found)
