"""Consumer groups: each with everything it reads, how far behind it is, where that goes, and what it may lose."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf

from django.db import connection

from collector.domain.lag import Pace
from dashboard.queries import graph
from dashboard.queries.catalogue import GroupName
from dashboard.queries.conditions import ORDER, PAST, Behind, Health, of_behind, of_verdict, worst
from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Edge, Facts, facts
from dashboard.queries.keeping import Keeping, Risk, keeping, risk
from dashboard.queries.window import Window

LIMIT = 1000
UNREADABLE = "Hidden"  # the state of a group whose offsets no client can read
DEAD = "Dead"  # that of one that its coordinator knows no more
NOT_READABLE = "lag not readable: share, Connect or Streams group"


@dataclass(frozen=True, slots=True)
class Reading:
    """A group on one of its topics. `keeps_seconds`: how old its events become; None is unknown, or for ever.

    `health`: the worst of its `own` and of those that read as it. `topic_number`: that of the database.
    """

    topic: str
    topic_name: str
    cluster: str
    n_partitions: int | None
    rate: float | None
    messages: int | None
    behind: Behind
    own: Health
    health: Health
    services: tuple[str, ...]
    pace: Pace
    risk: Risk | None
    keeps_seconds: float | None
    topic_number: int

    @property
    def trend(self) -> float | None:
        """Offsets per second by which the lag grows (above 0) or falls."""
        return self.pace.growth

    @property
    def done_in_seconds(self) -> float | None:
        """Until nothing is left; infinity for never. None when unknown, without lag, and for a group that keeps up:
        its lag is only what is under way."""
        if not self.behind.lag or self.behind.verdict == "OK":
            return None
        return self.pace.done_in(self.behind.lag)


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group with everything it reads, worst first. `n_members` as of now; None where no client can tell."""

    id: str
    name: str
    cluster: str
    protocol: str
    state: str
    n_members: int | None
    health: Health
    readings: tuple[Reading, ...]

    @property
    def worst(self) -> Reading | None:
        """Where it is furthest behind."""
        return self.readings[0] if self.readings else None

    @property
    def judged(self) -> Reading | None:
        """Where its verdict is worst; None where it has none, or in the past."""
        told = [each for each in self.readings if each.behind.verdict not in {"", PAST}]
        return min(told, key=lambda each: ORDER.index(of_verdict(each.behind.verdict).level), default=None)

    @property
    def lag(self) -> int | None:
        """Its largest lag in offsets; None where nothing is known."""
        return max((each.behind.lag for each in self.readings if each.behind.lag is not None), default=None)

    @property
    def lag_seconds(self) -> float | None:
        """Its largest lag in seconds; None where nothing is known."""
        known = [each.behind.lag_seconds for each in self.readings if each.behind.lag_seconds is not None]
        return max(known, default=None)

    @property
    def moved_at(self) -> datetime | None:
        """When it was last seen to commit something new."""
        return max((each.behind.moved_at for each in self.readings if each.behind.moved_at), default=None)

    @property
    def n_uncommitted(self) -> int:
        """Partitions on which it has not committed."""
        return sum(each.behind.n_uncommitted for each in self.readings)

    @property
    def lost(self) -> int:
        """Offsets that were deleted before it read them."""
        return sum(each.behind.lost or 0 for each in self.readings)

    @property
    def loses_in_seconds(self) -> float | None:
        """Until the first unread event may be deleted, on any of its topics; infinity for never."""
        known = [each.risk.seconds if each.risk else None for each in self.readings]
        sooner = min((each for each in known if each is not None), default=None)
        return sooner if sooner is not None and (sooner < inf or None not in known) else None


@dataclass(frozen=True, slots=True)
class Groups:
    """The list, with how old it is and how much was left out."""

    items: tuple[GroupRow, ...]
    n_all: int
    truncated: bool
    freshness: Freshness


def groups(window: Window, *, now: datetime, after: str = "", clusters: Collection[str] | None = None) -> Groups:
    """Every group that reads a living topic, and those that cannot be read, by id, behind `after`; at most 1,000.

    Eleven statements, one more where topics have size limits.
    """
    known = facts(window, now=now, clusters=clusters, timed=False)
    rows = sorted(group_rows(known), key=lambda row: row.id)
    behind = [row for row in rows if row.id > after]
    return Groups(tuple(behind[:LIMIT]), len(rows), len(behind) > LIMIT, known.fresh)


def group_rows(known: Facts, *, only: int | None = None) -> list[GroupRow]:
    """Rows of all groups, or of one. Two statements."""
    readers: dict[tuple[str, str], list[Edge]] = {}
    for edge in sorted(graph.edges(known), key=lambda each: each.id):
        if edge.kind == "consume" and edge.group:
            readers.setdefault((edge.source, edge.group), []).append(edge)
    kept, members = keeping(), _n_members()
    found: dict[int, list[Reading]] = {}
    for (topic_id, group_id), behind in known.names.standing.items():
        if topic_id in known.names.topics and group_id in known.names.groups and only in {None, group_id}:
            ends = known.names.topics[topic_id].id, known.names.groups[group_id].id
            reading = _reading(topic_id, group_id, behind, known, readers.get(ends, []), kept)
            found.setdefault(group_id, []).append(reading)
    for number, name in known.names.groups.items():
        if name.state == UNREADABLE and only in {None, number}:
            found.setdefault(number, [])
    return [row_of(known.names.groups[number], rows, members.get(number, 0)) for number, rows in found.items()]


def row_of(name: GroupName, readings: list[Reading], n_members: int) -> GroupRow:
    """A group with what it reads."""
    if name.state == UNREADABLE:
        health = Health("unknown", NOT_READABLE)
    elif readings:
        health = worst([reading.health for reading in readings])
    elif name.state == DEAD:
        health = Health("idle", "is gone: Kafka knows no such group any more")
    else:
        health = Health("unknown", "has never committed")
    return GroupRow(
        name.id,
        name.name,
        name.cluster,
        name.protocol,
        name.state,
        None if not n_members and name.state in {"", UNREADABLE} else n_members,
        health,
        tuple(sorted(readings, key=lambda each: (-(each.behind.lag_seconds or 0), -(each.behind.lag or 0)))),
    )


def _reading(
    topic_id: int, group_id: int, behind: Behind, known: Facts, edges: list[Edge], kept: Mapping[int, Keeping]
) -> Reading:
    topic, progress = known.names.topics[topic_id], known.groups.get((topic_id, group_id))
    written = known.topics.get(topic_id)
    pace = Pace(written.rate if written else None, progress.rate if progress else None)
    own = of_behind(behind, as_of=known.scanned_at(topic_id))
    return Reading(
        topic.id,
        topic.name,
        topic.cluster,
        topic.n_partitions,
        progress.rate if progress else None,
        progress.messages if progress else None,
        behind,
        own,
        worst([own, *(Health(edge.health, edge.sentence) for edge in edges)]),
        tuple(edge.target for edge in edges if edge.target.startswith("service:")),
        pace,
        risk(behind, pace, kept.get(topic_id)),
        own_keeping.keeps.seconds if (own_keeping := kept.get(topic_id)) else None,
        topic_id,
    )


def _n_members() -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("select group_id, count(*) from group_member group by 1")
        return dict(cursor.fetchall())
