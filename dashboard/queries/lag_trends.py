"""Since when groups on a topic have been falling behind, or catching up: from the samples of at most a day."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import connection

from collector.domain.ends import moved
from collector.domain.trends import Sample, began, direction
from dashboard.queries.catalogue import n_partitions_of
from dashboard.queries.group import GroupPage
from dashboard.queries.histories import History
from dashboard.queries.offsets import by_minutes, longest_rate
from dashboard.queries.sums import LONGEST_FINE
from dashboard.queries.topic import TopicPage
from dashboard.queries.window import Window

MOST_GROUPS = 8  # of a topic: those whose lag changes fastest
MOST_ENDS = 300_000  # that are read for one answer: of very many partitions it reaches less far back
# Of an hour all samples are kept, of a day the last of each minute: how far back is looked, and in which steps.
_LOOKS = ((timedelta(hours=1), timedelta(seconds=10)), (timedelta(hours=24), timedelta(seconds=60)))
_Parameter = datetime | float | int | str | list[int]


@dataclass(frozen=True, slots=True)
class Since:
    """When the trend of a group's lag began; where `is_known` is False, at the latest: no sample tells how long before.

    `seconds`: how long before the newest sample that was.
    """

    at: datetime
    seconds: float
    is_known: bool


def trends_since(
    cluster: str, topic_id: int, growths: Mapping[int, float | None], window: Window, *, now: datetime
) -> dict[int, Since]:
    """By group, of those whose lag grows or falls. No statement where none does, else four, or seven.

    `growths`: offsets per second by group, as the page tells them for the end of its window.
    """
    moving = {key: growth for key, growth in growths.items() if growth is not None and direction(growth)}
    wanted = dict(sorted(moving.items(), key=lambda each: -abs(each[1]))[:MOST_GROUPS])
    until = window.to_at if window.live else by_minutes(window, now=now).to_at
    n_partitions = (n_partitions_of([topic_id]).get(topic_id) if wanted else None) or 1
    found: dict[int, Since] = {}
    for length, step in _LOOKS:
        unknown = {key: growth for key, growth in wanted.items() if key not in found or not found[key].is_known}
        n_steps = MOST_ENDS // (n_partitions * (1 + len(unknown)))
        since = max(until - min(length, n_steps * step), now - LONGEST_FINE)
        if unknown and since < until:
            for key, told in _look(cluster, topic_id, unknown, _Stretch(since, until, step)).items():
                found[key] = told if told.is_known or key not in found else min(told, found[key], key=lambda s: s.at)
    return found


def trend_since_of(page: GroupPage, window: Window, *, now: datetime) -> Since | None:
    """Of one group, on the topic on which it is furthest behind."""
    worst = page.row.worst
    if worst is None:
        return None
    return trends_since(worst.cluster, worst.topic_number, {page.number: worst.trend}, window, now=now).get(page.number)


def trends_on(page: TopicPage, topic_id: int, window: Window, *, now: datetime) -> dict[int, Since]:
    """Of the groups on one topic."""
    growths = {group.number: group.trend for group in page.groups if group.number}
    return trends_since(page.name.cluster, topic_id, growths, window, now=now)


class _Stretch(NamedTuple):
    since: datetime
    until: datetime
    step: timedelta

    def parameters(self, **more: _Parameter) -> dict[str, _Parameter]:
        return {"from": self.since, "to": self.until, "step": self.step.total_seconds(), **more}


def _look(cluster: str, topic_id: int, growths: Mapping[int, float], seen: _Stretch) -> dict[int, Since]:
    ends, commits, scans = History([], []), dict[int, History](), list[datetime]()
    with connection.cursor() as cursor:
        cursor.execute(_SCANS, seen.parameters(cluster=cluster))
        scans = [at for (at,) in cursor.fetchall()]
        cursor.execute(_ENDS, seen.parameters(topic=topic_id))
        for at, high in cursor.fetchall():
            ends.at.append(at)
            ends.offsets.append(high)
        cursor.execute(_COMMITS, seen.parameters(topic=topic_id, groups=list(growths)))
        for key, at, committed in cursor.fetchall():
            own = commits.setdefault(key, History([], []))
            own.at.append(at)
            own.offsets.append(committed)
    found = {}
    for key, own in commits.items():
        samples = list(_samples(ends, own, scans))
        turn = began(samples, growth=growths[key], longest_seconds=longest_rate())
        if turn is not None:
            found[key] = Since(datetime.fromtimestamp(turn.at, UTC), samples[-1][0] - turn.at, turn.is_known)
    return found


def _samples(ends: History, commits: History, scans: Collection[datetime]) -> Iterator[Sample]:
    """At each scan, by how much more was written than read since the first one."""
    excess, before = 0, None
    for at in scans:
        holds = ends.upto(at), commits.upto(at)
        high, committed = holds
        if high is None or committed is None:
            yield at.timestamp(), None
            continue
        if before is not None and (before[0] is not high or before[1] is not committed):
            excess += moved(before[0], high, missing=0) - moved(before[1], committed, missing=None)
        before = high, committed
        yield at.timestamp(), excess


_SCANS = """
    select max(s.sampled_at) from scan s join cluster c on c.id = s.cluster_id and c.name = %(cluster)s
    where s.ok and s.sampled_at > %(from)s and s.sampled_at <= %(to)s
    group by ceil(extract(epoch from s.sampled_at) / %(step)s) order by 1
"""
# The last sample of each step, and the one before all: what stands still is not stored.
_ENDS = """
    (select sampled_at, high from topic_sample where topic_id = %(topic)s and sampled_at <= %(from)s
      order by sampled_at desc limit 1)
    union all
    (select distinct on (ceil(extract(epoch from sampled_at) / %(step)s)) sampled_at, high from topic_sample
      where topic_id = %(topic)s and sampled_at > %(from)s and sampled_at <= %(to)s
      order by ceil(extract(epoch from sampled_at) / %(step)s), sampled_at desc)
    order by 1
"""
_COMMITS = """
    select g.id, s.sampled_at, s.committed from unnest(%(groups)s::int[]) g (id) cross join lateral (
      (select sampled_at, committed from group_sample where topic_id = %(topic)s and group_id = g.id
        and sampled_at <= %(from)s order by sampled_at desc limit 1)
      union all
      (select distinct on (ceil(extract(epoch from sampled_at) / %(step)s)) sampled_at, committed from group_sample
        where topic_id = %(topic)s and group_id = g.id and sampled_at > %(from)s and sampled_at <= %(to)s
        order by ceil(extract(epoch from sampled_at) / %(step)s), sampled_at desc)
    ) s order by 1, 2
"""
