"""One consumer group: its topics, partitions, members, and why its verdicts are what they are."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from django.db import connection

from collector.domain import lag as lags
from collector.domain.sample_chunks import KEPT_AS_ROWS
from dashboard.queries.conditions import PAST, Behind
from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Facts, facts
from dashboard.queries.groups import GroupRow, group_rows, row_of
from dashboard.queries.histories import recent_ends
from dashboard.queries.keeping import keeping
from dashboard.queries.offsets import Offsets, by_minutes
from dashboard.queries.offsets_at import held
from dashboard.queries.standings import Reasons, Recent, reasons, recent
from dashboard.queries.unpacking import most_series
from dashboard.queries.window import Window

MOST_PARTITIONS = 1000
MOST_AGES = 200  # partitions of a topic whose lag is told in seconds: the furthest behind
MOST_TOPICS = 100
MOST_MEMBERS = 1000
LEAST_HISTORY_SECONDS, HOUR_SECONDS, USUAL_HISTORY_SECONDS, MOST_HISTORY_SECONDS = 600, 3_600, 21_600, 90_000


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in the group, and which partitions it holds. `member_id`: the broker's name for it."""

    member_id: str
    client_id: str
    host: str
    assignment: tuple[tuple[str, int], ...]
    seen_at: datetime

    @property
    def by_topic(self) -> tuple[tuple[str, str], ...]:
        """Topics, each with its partitions as text: 0–3, 7."""
        found: dict[str, list[int]] = {}
        for topic, partition in sorted(self.assignment):
            found.setdefault(topic, []).append(partition)
        return tuple((topic, spans(numbers)) for topic, numbers in found.items())


def spans(numbers: Sequence[int]) -> str:
    """Ascending numbers as text: 0–3, 7."""
    ends: list[list[int]] = []
    for number in numbers:
        if ends and ends[-1][1] == number - 1:
            ends[-1][1] = number
        else:
            ends.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in ends)


@dataclass(frozen=True, slots=True)
class PartitionStanding:
    """One partition of a topic the group reads. None is unknown, or never committed.

    `note`: "markers" (what is left are transaction markers), "open transaction", or empty. `member`: who holds it.
    """

    topic: str
    partition: int
    low: int | None
    high: int | None
    committed: int | None
    lag: int | None
    lost: int | None
    age: lags.Age | None
    verdict: str
    note: str
    member: str


@dataclass(frozen=True, slots=True)
class Place:
    """A partition, and how far the group is behind there."""

    topic: str
    partition: int
    lag: int | None


@dataclass(frozen=True, slots=True)
class _Ends:
    """One topic that the group reads."""

    topic_id: int
    topic: str
    committed: Offsets
    high: Offsets
    low: Offsets
    behind: Behind

    def committed_at(self, partition: int) -> int | None:
        """Where the group stands."""
        return self.committed[partition] if partition < len(self.committed) else None

    def low_at(self, partition: int) -> int | None:
        """The oldest that is kept."""
        return self.low[partition] if partition < len(self.low) else None

    def places(self) -> list[Place]:
        """Every partition."""
        return [
            Place(self.topic, number, lags.lag(self.committed_at(number), low=self.low_at(number), high=high))
            for number, high in enumerate(self.high)
        ]


@dataclass(frozen=True, slots=True)
class GroupPage:
    """All facts of one group. `partitions` and `members`: at most 1,000 of each, `n_partitions`, `n_members` in all.

    Partitions of at most 100 topics, of days ago of fewer: those on which it is furthest behind. `worst_partition`: the
    one furthest behind, where it has more than half of all that is unread there.
    """

    number: int
    row: GroupRow
    members: tuple[Member, ...]
    n_members: int
    partitions: tuple[PartitionStanding, ...]
    n_partitions: int
    worst_partition: Place | None
    why: Reasons | None
    freshness: Freshness

    @property
    def members_told(self) -> tuple[tuple[Member, tuple[str, ...]], ...]:
        """Members, each with the services that are known to read what it holds as this group."""
        by_topic = {reading.topic_name: reading.services for reading in self.row.readings}
        return tuple(
            (member, tuple(sorted({who for topic, _ in member.assignment for who in by_topic.get(topic, ())})))
            for member in self.members
        )


def group(
    cluster: str,
    name: str,
    window: Window,
    *,
    now: datetime,
    why: tuple[str, int | None] | None = None,
    most: int = MOST_PARTITIONS,
) -> GroupPage | None:
    """One group, or None when there is none of that name. Fourteen statements, and four for each topic it shows.

    `why`: the topic, and the partition of it, whose verdict is to be explained. `most`: how many partitions are wanted;
    of a topic without one, only what is to be explained is read.
    """
    known = facts(window, now=now, clusters=[cluster])
    number = next((key for key, g in known.names.groups.items() if (g.cluster, g.name) == (cluster, name)), None)
    if number is None:
        return None
    members, n_members = _members(number)
    row = next((row for row in group_rows(known, only=number)), None)
    if row is None:
        row = row_of(known.names.groups[number], [], n_members)
    holders = {place: member.client_id for member in members for place in member.assignment}
    told = by_minutes(window, now=now)
    until = known.fresh.scanned_at if window.live else told.to_at
    ends, n_left_out = _read(number, told, known, why[0] if why else "", now)
    places = [place for each in ends for place in each.places()]
    places.sort(key=lambda place: (-(place.lag or 0), place.topic, place.partition))
    shown, partitions, reason = places[:most], list[PartitionStanding](), None
    for each in ends:
        own = [place for place in shown if place.topic == each.topic]
        is_asked = why is not None and why[0] == each.topic
        if not own and not is_asked:
            continue
        seen = recent(each.topic_id, number, each.behind, until=until, state=row.state, n_members=n_members)
        if why is not None and is_asked:
            word = each.behind.verdict if why[1] is None or not window.live else seen.verdict(why[1])
            reason = reasons(each.topic, why[1], word, seen)
        partitions += _standings(own, each, seen, until, holders)
    partitions.sort(key=lambda each: (-(each.lag or 0), each.topic, each.partition))
    n_all = len(places) + n_left_out
    return GroupPage(
        number, row, members, n_members, tuple(partitions), n_all, _outstanding(places), reason, known.fresh
    )


def _outstanding(places: Sequence[Place]) -> Place | None:
    """The first of these, furthest behind first, where it stands out."""
    total = sum(place.lag or 0 for place in places)
    return places[0] if len(places) > 1 and total and 2 * (places[0].lag or 0) > total else None


def _read(number: int, told: Window, known: Facts, asked: str, now: datetime) -> tuple[list[_Ends], int]:
    """Ends and commits by topic, the furthest behind first; of topics that are too many only how many partitions."""
    read = [key for key, group_id in known.names.standing if group_id == number and key in known.names.topics]
    read.sort(key=lambda key: (-_unread(key, number, known), key))
    n_wanted = MOST_TOPICS if now - told.to_at <= KEPT_AS_ROWS else _n_unpacked(read, known)
    wanted = [key for place, key in enumerate(read) if place < n_wanted or known.names.topics[key].name == asked]
    stands = _now(number, wanted) if told.live else _then(number, wanted, told.to_at, now)
    found = [
        _Ends(key, known.names.topics[key].name, *stands[key], known.names.standing[key, number])
        for key in wanted
        if key in stands
    ]
    return found, sum(known.names.topics[key].n_partitions or 0 for key in read if key not in wanted)


def _n_unpacked(read: Sequence[int], known: Facts) -> int:
    """Of how many of these topics commits and both ends may be unpacked: at least one."""
    n_series = accumulate(3 * (known.names.topics[key].n_partitions or 0) for key in read)
    return max(1, min(MOST_TOPICS, sum(1 for each in n_series if each <= most_series())))


def _unread(topic_id: int, group_id: int, known: Facts) -> int:
    behind = known.names.behind(topic_id, group_id)
    return (behind.lag or 0) if behind else 0


def number_of(cluster: str, name: str) -> int | None:
    """The number in the database of the group with this name, or None. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select g.id from consumer_group g join cluster c on c.id = g.cluster_id where c.name = %s and g.name = %s"
            " and g.id > 0 and g.name not like 'weir-%%'",
            [cluster, name],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def kept_by(number: int) -> dict[str, float | None]:
    """How long the topics of a group keep their events, in seconds; None is unknown, or for ever. Two statements."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select t.id, t.name from group_now n join topic t on t.id = n.topic_id and t.deleted_at is null"
            " where n.group_id = %s",
            [number],
        )
        names = dict(cursor.fetchall())
    kept = keeping(names)
    return {name: kept[topic].keeps.seconds if topic in kept else None for topic, name in names.items()}


def _standings(
    own: Sequence[Place],
    ends: _Ends,
    seen: Recent,
    until: datetime | None,
    holders: dict[tuple[str, int], str],
) -> list[PartitionStanding]:
    """Of these places of one topic, furthest behind first."""
    behind = ends.behind
    is_past = behind.verdict == PAST
    aged = [place.partition for place in own[:MOST_AGES] if place.lag]
    ages: dict[int, lags.Age | None] = {}
    if until and (behind.lag or is_past):  # of then it is told to the hour
        for seconds in _looked_back(behind):
            if older := [partition for partition in aged if ages.get(partition) is None]:
                ages |= _ages(older, ends, until, seconds)
    found = []
    for place in own:
        partition = place.partition
        offset, low = ends.committed_at(partition), ends.low_at(partition)
        age = lags.Age(0.0, 0.0) if place.lag == 0 else ages.get(partition)
        found.append(
            PartitionStanding(
                ends.topic,
                partition,
                low,
                ends.high[partition],
                offset,
                place.lag,
                None if low is None else lags.lost(offset, low=low),
                age,
                "" if is_past else seen.verdict(partition),
                behind.notes.get(str(partition), ""),
                holders.get((ends.topic, partition), ""),
            )
        )
    return found


def _looked_back(behind: Behind) -> Sequence[float]:
    """Over how many seconds ends are read to find how old a lag is: the shorter, the narrower is its margin."""
    if behind.verdict == PAST:
        return LEAST_HISTORY_SECONDS, HOUR_SECONDS, USUAL_HISTORY_SECONDS  # few are older than the hour unpacked anyway
    oldest = USUAL_HISTORY_SECONDS if behind.lag_seconds is None else 1.2 * behind.lag_seconds
    return (min(MOST_HISTORY_SECONDS, max(LEAST_HISTORY_SECONDS, oldest)),)


def _ages(partitions: Sequence[int], ends: _Ends, until: datetime, seconds: float) -> dict[int, lags.Age | None]:
    """How old the first unread event of each of these partitions is; None where ends of so long do not tell."""
    is_past = ends.behind.verdict == PAST
    ring = recent_ends(ends.topic_id, until=until, seconds=seconds, is_past=is_past, partitions=partitions)
    found = {}
    for index, partition in enumerate(partitions):
        position = max(ends.committed_at(partition) or 0, ends.low_at(partition) or 0)
        found[partition] = lags.age(position, partition=index, history=ring.points, now=until.timestamp())
    return found


def _members(group_id: int) -> tuple[tuple[Member, ...], int]:
    """The first by client id, and how many there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select member_id, client_id, host, assignment::text, seen_at, count(*) over () from group_member"
            " where group_id = %s order by client_id, member_id limit %s",
            [group_id, MOST_MEMBERS],
        )
        rows = cursor.fetchall()
    members = tuple(
        Member(member, client, host, tuple((topic, partition) for topic, partition in json.loads(assignment)), seen_at)
        for member, client, host, assignment, seen_at, _ in rows
    )
    return members, rows[0][5] if rows else 0


_Stood = tuple[Offsets, Offsets, Offsets]  # committed, high and low


def _now(group_id: int, topic_ids: Collection[int]) -> dict[int, _Stood]:
    with connection.cursor() as cursor:
        cursor.execute(_NOW, {"group": group_id, "topics": list(topic_ids)})
        return {topic_id: (committed, high, low) for topic_id, committed, high, low in cursor.fetchall()}


def _then(group_id: int, topic_ids: Collection[int], moment: datetime, now: datetime) -> dict[int, _Stood]:
    found = held([(key, number) for key in topic_ids for number in (0, group_id)], moment, now=now)
    stood = {}
    for key in topic_ids:
        committed, ends = found.get((key, group_id)), found.get((key, 0))
        if committed and ends:
            stood[key] = committed[0], ends[0], ends[1]
    return stood


_NOW = """
    select g.topic_id, g.committed, t.high, t.low from group_now g join topic_now t using (topic_id)
    where g.group_id = %(group)s and g.topic_id = any(%(topics)s)
"""
