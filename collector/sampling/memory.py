"""What the sampler knows from scan to scan; all of it but `begun` and `falls` can be had from the tables again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from django.db import connection

from collector.domain.ends import Ring, answered
from collector.domain.lag import Behind, FirstUnread
from collector.domain.verdicts import Standing, Verdict
from collector.sampling.scan import Fall
from collector.store import broker_names, samples
from collector.store.broker_names import MemberRow, TopicRow
from collector.store.sample_sums import GroupSum, bucket
from collector.store.samples import GroupNow, Kept, Offsets

REMEMBERED = timedelta(hours=6)  # by then rows are the last ones of minutes, and the ends of silences
MOST_POINTS, FEWEST_POINTS = 720, 240  # of each topic: changes, ever fewer of what is older
MOST_ENDS = 2_400_000  # in all, where not even the fewest are too many: 10 MB
TOPICS_AT_ONCE = 20  # whose rows are read together at the start: some hundred each
MOST_ASKED = 3  # times for the id of a topic, scan by scan; from then on with the slow scan
INTERNAL = 3  # topic.role


@dataclass(slots=True)
class Ends:
    """The newest ends of a topic, and who leads. `written_at` None: unknown, written by an earlier run.

    `last`: the newest end of each partition that was answered; None where none was, ever, that is known.
    `n_total`: offsets written since Weir first looked; `summed` is what its last row of sums holds.
    """

    low: Offsets
    high: Offsets
    leaders: Offsets
    written_at: datetime | None
    last: Offsets
    n_total: int = 0
    summed: tuple[date, int] | None = None


@dataclass(slots=True)
class Sums:
    """A pair over the ten minutes that are open. `n_total`: offsets committed since Weir first looked.

    `written` is what its last row of sums holds, and of which day.
    """

    n_total: int = 0
    lag: int | None = None
    worst_lag: int | None = None
    worst_seconds: float | None = None
    written: tuple[date, GroupSum] | None = None

    def take_in(self, behind: Behind) -> None:
        """One more scan. An unknown age of a known lag is no highest one."""
        self.lag = behind.lag
        self.worst_lag = _highest(self.worst_lag, behind.lag)
        self.worst_seconds = _highest(self.worst_seconds, behind.age.seconds if behind.age else None)


Number = TypeVar("Number", int, float)


def _highest(one: Number | None, other: Number | None) -> Number | None:
    return one if other is None else other if one is None else max(one, other)


@dataclass(slots=True)
class Pair:
    """A group on a topic. `shown` is what group_now holds, so that only what changed is written."""

    committed: Offsets
    written_at: datetime | None
    moved_at: datetime | None
    still_since: float  # when `committed` last changed or was first seen, seconds
    verdict: Verdict | None
    verdict_at: datetime | None
    lost: int | None  # None: not seen yet
    n_judged: int = 0  # partitions that the verdict was found on
    standings: list[Standing] = field(default_factory=list)
    judged_alike: bool | None = None  # last judged on standings that were all alike: whether they were long enough
    told: "Told | None" = None
    shown: GroupNow | None = None
    sums: Sums = field(default_factory=Sums)


@dataclass(frozen=True, slots=True)
class Told:
    """What was made of a pair at `at`; it holds, a little older, while nothing that it was made from changes."""

    at: float
    committed: Offsets
    ends: Ends
    records: Mapping[int, FirstUnread]
    behind: Behind
    lags: Offsets

    def holds(self, committed: Offsets, ends: Ends, records: Mapping[int, FirstUnread]) -> bool:
        """Whether it was made from the same."""
        return self.ends is ends and self.committed is committed and self.records == records

    def behind_at(self, now: float) -> Behind:
        """The unread record is older now; where nothing is unread, nothing is."""
        age = self.behind.age
        if age is None or not self.behind.lag or not (age.seconds or age.from_record):
            return self.behind
        return replace(self.behind, age=replace(age, seconds=age.seconds + now - self.at))


@dataclass(slots=True)
class Group:
    """A consumer group's row, and what its members were given. `members` None: nobody has told yet."""

    id: int
    state: str
    protocol: int
    members: frozenset[MemberRow] | None = None
    topics: frozenset[str] = frozenset()

    @property
    def n_members(self) -> int:
        """As last told."""
        return len(self.members or ())


FirstKey = tuple[int, int, int]  # topic id, partition, position


@dataclass(frozen=True, slots=True)
class Looked:
    """What lay at a position when it was looked at, and where the partition ended then."""

    at: float
    high: int
    found: FirstUnread

    @classmethod
    def unanswered(cls, at: float) -> "Looked":
        """Nobody answered: it says nothing, and is asked again after the others."""
        return cls(at, -1, FirstUnread(None, None, -1))

    def holds(self, high: int) -> bool:
        """A record stays where it is; that there is none is true as long as nothing was written behind it."""
        return self.found.offset is not None or self.found.end < self.high or high == self.high


@dataclass(slots=True)
class Memory:
    """Topics and groups by name; ends by topic id; pairs by (topic id, group id)."""

    cluster_id: int
    topics: dict[str, TopicRow]
    groups: dict[str, Group]
    ends: dict[int, Ends]
    pairs: dict[tuple[int, int], Pair]
    rings: dict[int, Ring]
    scanned_at: datetime | None  # the last scan that saw the cluster
    slow_at: datetime | None = None
    begun: frozenset[int] = frozenset()  # topics whose ends are of their first scan, wholly or in part
    falls: list[Fall] = field(default_factory=list)  # of which no later scan has said that the topic is still the same
    undescribed: dict[str, int] = field(default_factory=dict)  # topics without an id, and for how many scans
    firsts: dict[FirstKey, Looked] = field(default_factory=dict)
    wanted: dict[FirstKey, str] = field(default_factory=dict)  # positions to look at, with the topic's name

    @property
    def untold(self) -> frozenset[str]:
        """Topics whose id the broker does not tell us: it was asked more than once."""
        return frozenset(name for name, n in self.undescribed.items() if n >= MOST_ASKED)

    def is_internal(self, topic: str) -> bool:
        """Kafka's own topics and Weir's."""
        row = self.topics.get(topic)
        return row is not None and row.role == INTERNAL

    def forget_topic(self, name: str) -> int:
        """A topic is gone, or is another one now. Returns the id it had."""
        topic_id = self.topics.pop(name).id
        self.ends.pop(topic_id, None)
        self.rings.pop(topic_id, None)
        for pair in [pair for pair in self.pairs if pair[0] == topic_id]:
            del self.pairs[pair]
        return topic_id

    def shift(self, seconds: float) -> None:
        """The wall clock was set by so much: what is remembered moves with it, so that no age jumps."""
        step = timedelta(seconds=seconds)
        self.scanned_at = _moved(self.scanned_at, step)
        for ring in self.rings.values():
            ring.shift(seconds)
        for ends in self.ends.values():
            ends.written_at = _moved(ends.written_at, step)
        self.firsts = {key: replace(looked, at=looked.at + seconds) for key, looked in self.firsts.items()}
        for pair in self.pairs.values():
            pair.written_at = _moved(pair.written_at, step)
            pair.still_since += seconds
            pair.told = None
            pair.standings[:] = [replace(each, at=each.at + seconds) for each in pair.standings]


def _moved(at: datetime | None, step: timedelta) -> datetime | None:
    return None if at is None else at + step


def room(n_partitions: int) -> int:
    """How many points are remembered of each topic of a cluster with so many partitions."""
    return min(MOST_POINTS, max(FEWEST_POINTS, MOST_ENDS // max(1, n_partitions)))


def loaded(cluster_id: int, *, now: datetime) -> Memory:
    """Memory as the tables have it: what an earlier sampler wrote."""
    with connection.cursor() as cursor:
        topics = broker_names.living_topics(cursor, cluster_id)
        topic_ids = [row.id for row in topics.values()]
        ends = samples.topics_now(cursor, topic_ids)
        pairs = samples.groups_now(cursor, topic_ids)
        scanned_at = samples.last_scan_at(cursor, cluster_id)
        most = room(sum(len(high) for _, high, _, _ in ends.values()))
        rings = {topic_id: Ring(most) for topic_id in ends}
        for start in range(0, len(topic_ids), TOPICS_AT_ONCE):
            some = topic_ids[start : start + TOPICS_AT_ONCE]
            for topic_id, at, high in samples.recent_ends(cursor, some, since=now - REMEMBERED):
                rings.setdefault(topic_id, Ring(most)).add(at.timestamp(), high)
        groups = broker_names.known_groups(cursor, cluster_id)
        members = broker_names.known_members(cursor, cluster_id)
    if scanned_at is not None:
        for topic_id, (_, high, _, _) in ends.items():  # unchanged until the last scan, or it would have been written
            rings[topic_id].add(scanned_at.timestamp(), high)
    return Memory(
        cluster_id=cluster_id,
        topics=topics,
        groups={name: Group(*row, members=members.get(row[0], frozenset())) for name, row in groups.items()},
        ends={topic_id: _ends(*found, rings[topic_id].lasts()) for topic_id, found in ends.items()},
        pairs={pair: _pair(kept, scanned_at, now) for pair, kept in pairs.items()},
        rings=rings,
        scanned_at=scanned_at,
    )


def _ends(low: Offsets, high: Offsets, leaders: Offsets, n_total: int, lasts: Sequence[int]) -> Ends:
    """Ends as an earlier sampler left them. A ring says 0 of a partition that was never answered, too: that is none."""
    return Ends(low, high, leaders, None, answered(high, before=[end or None for end in lasts]), n_total)


def _pair(kept: Kept, scanned_at: datetime | None, now: datetime) -> Pair:
    """A pair as an earlier sampler left it. What it did not write again in the open ten minutes stayed the same."""
    sums = Sums(kept.n_total, kept.lag, kept.lag, kept.lag_seconds)
    if scanned_at is not None and bucket(kept.sampled_at) == bucket(scanned_at):
        sums.worst_lag, sums.worst_seconds = kept.worst_lag, kept.worst_seconds
    return Pair(
        kept.committed,
        None,
        kept.moved_at,
        (kept.moved_at or now).timestamp(),
        kept.verdict,
        kept.verdict_at,
        kept.lost,
        kept.n_judged,
        sums=sums,
    )
