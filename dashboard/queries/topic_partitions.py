"""The partitions of one topic: what each holds, how fast it grows, and how far behind its groups are on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from django.db import connection

from collector.domain.lag import lag
from collector.domain.sample_chunks import KEPT_AS_ROWS
from dashboard.queries.graph import Facts
from dashboard.queries.offsets import Offsets, by_minutes, longest_rate
from dashboard.queries.offsets_at import held
from dashboard.queries.unpacking import most_series
from dashboard.queries.window import RATE_SECONDS

HOT = 3.0  # times the median rate of the partitions
MOST_GROUPS = 8  # whose lag is shown by partition
_OWN = 3  # series of the topic itself: where its partitions ended and began, and where they ended a minute before
MOST_HOT = 3  # that are named
MOST_ROWS = 1000


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
class Asked:
    """Which rows are wanted: at most so many, in the order of a column ("-rate": the fastest first; "lag:billing")."""

    most: int
    sort: str = "partition"


EVERY_TAB = Asked(0)


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """Partitions, and the groups whose lag each row has; `n_more_groups` are left out.

    `rows` are those that were asked for of `n_all`; `hot` the hottest of `n_hot`.
    """

    groups: tuple[str, ...]
    rows: tuple[PartitionRow, ...]
    n_all: int
    hot: tuple[PartitionRow, ...]
    n_hot: int
    n_more_groups: int


@dataclass(frozen=True, slots=True)
class _Ends:
    high: Offsets
    low: Offsets
    leaders: list[int]
    before: Offsets | None
    seconds: float | None

    def pace(self, partition: int) -> float | None:
        """Offsets per second over the last minute, or so. A partition that came meanwhile began at 0."""
        end = self.high[partition]
        if self.before is None or end is None or not self.seconds:
            return None
        start = self.before[partition] if partition < len(self.before) else 0
        return None if start is None else max(0, end - start) / self.seconds

    def kept(self, partition: int) -> int | None:
        """Offsets that are in it."""
        low, high = self.low[partition], self.high[partition]
        return None if low is None or high is None else high - low


def partition_table(number: int, known: Facts, asked: Asked, *, now: datetime) -> PartitionTable:
    """Of the topic with this number, as of the window's end. Two statements, in the past up to four; what is not asked
    for is not made, however many there are.
    """
    if known.window.live:
        ends, commits, n_left_out = _ends(number, known.fresh.scanned_at), _commits(number, known), 0
    else:
        ends, commits, n_left_out = _then(number, known, now, MOST_GROUPS if asked.most else 0)
    if ends is None:
        return PartitionTable((), (), 0, (), 0, 0)
    worst = sorted(commits, key=lambda key: _order(number, key, known))
    shown = {known.names.groups[key].name: commits[key] for key in worst[:MOST_GROUPS]}
    paces = [ends.pace(partition) for partition in range(len(ends.high))]
    told = [pace for pace in paces if pace is not None]
    total = sum(told)
    usual = median(told) if told else 0.0
    least = HOT * (usual or total / max(1, len(told)))  # of the mean where most stand still

    def is_hot(partition: int) -> bool:
        pace = paces[partition]
        return pace is not None and len(paces) > 2 and pace > 0 and (pace > least or (not usual and pace == least))

    def row(partition: int) -> PartitionRow:
        pace = paces[partition]
        return PartitionRow(
            partition,
            ends.leaders[partition] if partition < len(ends.leaders) else None,
            ends.low[partition],
            ends.high[partition],
            ends.kept(partition),
            pace,
            pace / total if pace is not None and total else None,
            is_hot(partition),
            tuple(_unread(committed, partition, ends) for committed in shown.values()),
        )

    hot = sorted((each for each in range(len(paces)) if is_hot(each)), key=lambda each: -(paces[each] or 0))
    wanted = _ordered(asked, ends, paces, shown)[: asked.most] if asked.most else ()
    return PartitionTable(
        tuple(shown),
        tuple(row(partition) for partition in wanted),
        len(paces),
        tuple(row(partition) for partition in hot[:MOST_HOT]),
        len(hot),
        len(worst) - len(shown) + n_left_out,
    )


def _ordered(asked: Asked, ends: _Ends, paces: Sequence[float | None], shown: Mapping[str, Offsets]) -> list[int]:
    """Partitions in the order that is asked for, unknown ones last in both directions; else by their number."""
    name, everyone = asked.sort.removeprefix("-"), range(len(paces))
    values: list[float | None]
    if name == "rate":
        values = list(paces)
    elif name == "kept":
        values = [ends.kept(partition) for partition in everyone]
    elif name.startswith("lag:") and (committed := shown.get(name.removeprefix("lag:"))) is not None:
        values = [_unread(committed, partition, ends) for partition in everyone]
    else:
        return sorted(everyone, reverse=asked.sort == "-partition")
    known = [each for each in everyone if values[each] is not None]
    missing = [each for each in everyone if values[each] is None]
    return sorted(known, key=lambda each: values[each] or 0, reverse=asked.sort.startswith("-")) + missing


def _unread(committed: Offsets, partition: int, ends: _Ends) -> int | None:
    own = committed[partition] if partition < len(committed) else None
    return lag(own, low=ends.low[partition], high=ends.high[partition])


def _order(number: int, group: int, known: Facts) -> tuple[int, bool, str]:
    """The furthest behind first, then those of which nothing is known, then those that are not behind; by name."""
    behind = known.names.behind(number, group)
    lag = behind.lag if behind else None
    return -(lag or 0), lag == 0, known.names.groups[group].name


def _ends(number: int, at: datetime | None) -> _Ends | None:
    with connection.cursor() as cursor:
        cursor.execute(_ENDS, {"at": at, "rate": RATE_SECONDS, "topic": number})
        row = cursor.fetchone()
    if row is None:
        return None
    high, low, leaders, before, seconds = row
    is_known = seconds is not None and seconds <= longest_rate()
    return _Ends(high, low, leaders, before if is_known else None, seconds)


def _then(number: int, known: Facts, now: datetime, most: int) -> tuple[_Ends | None, dict[int, Offsets], int]:
    """As they stood when a window ended that is over, of at most so many groups, those most behind, fewer where there
    are very many partitions; and how many more there are. Who led is not kept.
    """
    at = by_minutes(known.window, now=now).to_at
    everyone = [group for topic, group in known.names.standing if topic == number and group in known.names.groups]
    if now - at > KEPT_AS_ROWS:
        most = min(most, max(1, most_series() // max(1, known.names.topics[number].n_partitions or 1) - _OWN))
    groups = sorted(everyone, key=lambda group: _order(number, group, known))[:most]
    found = held([(number, group) for group in (0, *groups)], at, now=now)
    if (number, 0) not in found:
        return None, {}, 0
    high, low = found[number, 0]
    progress, before = known.topics.get(number), None
    if progress is not None and progress.rate is not None:
        before = held([(number, 0)], at - timedelta(seconds=RATE_SECONDS), now=now).get((number, 0))
    ends = _Ends(high, [*low, *[None] * (len(high) - len(low))], [], before[0] if before else None, RATE_SECONDS)
    commits = {group: found[number, group][0] for group in groups if (number, group) in found}
    return ends, commits, len(everyone) - len(groups)


def _commits(number: int, known: Facts) -> dict[int, Offsets]:
    with connection.cursor() as cursor:
        cursor.execute("select group_id, committed from group_now where topic_id = %s", [number])
        return {group: committed for group, committed in cursor.fetchall() if group in known.names.groups}


_ENDS = """
    select n.high, n.low, n.leaders, b.high, extract(epoch from %(at)s::timestamptz - looked.at)::float8
    from topic_now n join topic t on t.id = n.topic_id
    left join lateral (select max(s.sampled_at) at from scan s where s.cluster_id = t.cluster_id and s.ok
      and s.sampled_at <= %(at)s::timestamptz - make_interval(secs => %(rate)s)) looked on true
    left join lateral (select high from topic_sample s where s.topic_id = n.topic_id and s.sampled_at <= looked.at
      order by s.sampled_at desc limit 1) b on true
    where n.topic_id = %(topic)s
"""
