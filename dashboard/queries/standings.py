"""The samples that led to a verdict: a group on a topic over the last minutes, as the sampler judged it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from collector.domain.lag import lags
from collector.domain.verdicts import RULES, Standing, Verdict, of_partition
from dashboard.queries.conditions import MARKERS, Behind
from dashboard.queries.histories import History

LOOKED_BACK = timedelta(seconds=150)
APART_SECONDS = 5
MOST = 13


@dataclass(frozen=True, slots=True)
class Sample:
    """What one scan saw; sums over the partitions asked about. None is unknown."""

    at: datetime
    high: int | None
    committed: int | None
    lag: int | None


@dataclass(frozen=True, slots=True)
class Reasons:
    """A verdict, the rule behind it, and the samples it was made from, newest first. `partition` None: the topic."""

    topic: str
    partition: int | None
    verdict: str
    number: int
    rule: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Recent:
    """The scans of the last minutes as standings, with the ends beside them."""

    times: Sequence[datetime]
    highs: Sequence[Sequence[int | None]]
    standings: Sequence[Standing]

    def verdict(self, partition: int) -> str:
        """The verdict on one partition; empty where it cannot be told."""
        found = of_partition(self.standings, partition)
        return found.value if found else ""


def recent(
    topic_id: int, group_id: int, behind: Behind, *, until: datetime | None, state: str, n_members: int
) -> Recent:
    """What a group on a topic did over the last minutes, from its stored samples. Three statements.

    State and members of the group are those of now.
    """
    if until is None:
        return Recent((), (), ())
    times = _spaced(_scans(topic_id, until))
    with connection.cursor() as cursor:
        parameters: dict[str, int | datetime] = {"topic": topic_id, "group": group_id, "to": until,
                                                 "from": until - LOOKED_BACK}  # fmt: skip
        cursor.execute(_ENDS, parameters)
        rows = cursor.fetchall()
        cursor.execute(_COMMITS, parameters)
        committed_rows = cursor.fetchall()
    commits = History([at for at, _ in committed_rows], [offsets for _, offsets in committed_rows])
    at = [row[0] for row in rows]
    high, low = History(at, [row[1] for row in rows]), History(at, [row[2] for row in rows])
    marked = {int(partition) for partition, note in behind.notes.items() if note == MARKERS}
    kept_times, highs, standings = [], [], []
    for moment in times:
        top, bottom, committed = high.upto(moment), low.upto(moment), commits.upto(moment)
        if top is None or committed is None:
            continue
        unread = list(lags(committed, low=bottom or [0] * len(top), high=top))
        if moment == times[-1]:
            unread = [0 if partition in marked else lag for partition, lag in enumerate(unread)]
        kept_times.append(moment)
        highs.append(top)
        standings.append(Standing(moment.timestamp(), state, n_members, tuple(committed), tuple(unread)))
    return Recent(kept_times, highs, standings)


def reasons(topic: str, partition: int | None, verdict: str, seen: Recent) -> Reasons | None:
    """Why a topic, or a partition of it, has its verdict; None for no verdict."""
    word = next((each for each in Verdict if each.value == verdict), None)
    if word is None:
        return None
    number, rule = RULES[word]
    samples = [
        Sample(
            at,
            _total(high, partition, standing.committed),
            _total(standing.committed, partition, standing.committed),
            _total(standing.lags, partition, standing.committed),
        )
        for at, high, standing in zip(seen.times, seen.highs, seen.standings, strict=True)
    ]
    return Reasons(topic, partition, verdict, number, rule, tuple(reversed(samples)))


def _total(values: Sequence[int | None], partition: int | None, committed: Sequence[int | None]) -> int | None:
    """One partition's value, or the sum over those with a commit: None as soon as one of them is unknown."""
    if partition is not None:
        return values[partition] if partition < len(values) else None
    own = [value for value, offset in zip(values, committed, strict=False) if offset is not None]
    known = [value for value in own if value is not None]
    return sum(known) if own and len(known) == len(own) else None


def _scans(topic_id: int, until: datetime) -> list[datetime]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select s.sampled_at from scan s join topic t on t.cluster_id = s.cluster_id and t.id = %s"
            " where s.ok and s.sampled_at > %s and s.sampled_at <= %s order by 1 desc limit 200",
            [topic_id, until - LOOKED_BACK, until],
        )
        return [at for (at,) in cursor.fetchall()]


def _spaced(newest_first: Sequence[datetime]) -> list[datetime]:
    """The newest, and before it one every few seconds, oldest first."""
    kept: list[datetime] = []
    for at in newest_first:
        if not kept or (kept[-1] - at).total_seconds() >= APART_SECONDS:
            kept.append(at)
        if len(kept) == MOST:
            break
    return kept[::-1]


_ENDS = """
    (select sampled_at, high, low from topic_sample where topic_id = %(topic)s and sampled_at <= %(from)s
      order by sampled_at desc limit 1)
    union all
    (select sampled_at, high, low from topic_sample where topic_id = %(topic)s and sampled_at > %(from)s
      and sampled_at <= %(to)s order by sampled_at)
"""
_COMMITS = """
    (select sampled_at, committed from group_sample where topic_id = %(topic)s and group_id = %(group)s
      and sampled_at <= %(from)s order by sampled_at desc limit 1)
    union all
    (select sampled_at, committed from group_sample where topic_id = %(topic)s and group_id = %(group)s
      and sampled_at > %(from)s and sampled_at <= %(to)s order by sampled_at)
"""
