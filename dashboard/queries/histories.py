"""Samples over at most half a day, thinned to steps: ends of topics, commits of groups, and when anybody looked."""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import groupby
from math import ceil
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from django.db import connection

from collector.domain.ends import Ring
from collector.domain.sample_chunks import KEPT_AS_ROWS, TICK, opened
from dashboard.queries.freshness import LATE
from dashboard.queries.offsets import Offsets
from dashboard.queries.window import Window

POINTS, FEWEST_POINTS = 180, 30
MOST_ENDS = 600_000  # that a chart reads: of very many partitions it has fewer points
MOST_PARTITIONS = 200  # of a topic whose lag is drawn in seconds: each of them is looked up at each step
LEAST_STEP = timedelta(seconds=5)
LEAST_BACK = timedelta(hours=1)  # a lag may be older than the window

_Parameters = dict[str, Any]
_Point = TypeVar("_Point", bound=tuple[datetime, *tuple[object, ...]])


@dataclass(frozen=True, slots=True)
class History:
    """Values at times, in order; a value holds until the next."""

    at: list[datetime]
    offsets: list[Offsets]

    def upto(self, moment: datetime) -> Offsets | None:
        """What held at `moment`."""
        index = bisect_right(self.at, moment)
        return self.offsets[index - 1] if index else None


@dataclass(frozen=True, slots=True)
class Ends:
    """First and next offsets of a topic at the same times."""

    low: History
    high: History


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a window: their ends, and when somebody last looked at or before each (None: not lately).

    `looked` has one more element than `ends`: the first is for the beginning of the first step.
    """

    ends: list[datetime]
    step: timedelta
    looked: list[datetime | None]
    pace: timedelta  # at which samples that are read here follow each other while something moves

    @property
    def known(self) -> list[bool]:
        """Whether somebody looked, by step."""
        return [at is not None for at in self.looked[1:]]


def steps_of(cluster: str, window: Window, *, n_partitions: int) -> Steps:
    """At most 180 steps of at least 5 s, fewer where each has very many partitions. One statement."""
    n_points = min(POINTS, max(FEWEST_POINTS, MOST_ENDS // max(1, n_partitions)))
    step = max(LEAST_STEP, (window.to_at - window.from_at) / n_points)
    cadence = timedelta(seconds=settings.WEIR_SAMPLE_SECONDS)
    patience = max(2 * step, LATE * cadence)
    seconds = step.total_seconds()
    first = (window.from_at.timestamp() // seconds + 1) * seconds
    count = int((window.to_at.timestamp() - first) // seconds) + 1
    ends = [datetime.fromtimestamp(first + index * seconds, window.from_at.tzinfo) for index in range(max(0, count))]
    with connection.cursor() as cursor:
        cursor.execute(
            "select max(s.sampled_at) from scan s join cluster c on c.id = s.cluster_id and c.name = %s"
            " where s.ok and s.sampled_at > %s and s.sampled_at <= %s"
            " group by ceil(extract(epoch from s.sampled_at) / %s) order by 1",
            [cluster, window.from_at - step - patience, window.to_at, seconds],
        )
        scans = [at for (at,) in cursor.fetchall()]
    moments = [ends[0] - step, *ends] if ends else []
    return Steps(ends, step, [_looked(scans, moment, patience) for moment in moments], max(step, cadence))


def _looked(scans: list[datetime], moment: datetime, patience: timedelta) -> datetime | None:
    index = bisect_right(scans, moment)
    return scans[index - 1] if index and scans[index - 1] > moment - patience else None


def back(window: Window, n_partitions: int | None) -> datetime:
    """From where ends are read, so that a lag older than the window has an age; of many partitions none is told."""
    length = window.to_at - window.from_at
    return window.from_at - (max(LEAST_BACK, length) if (n_partitions or 0) <= MOST_PARTITIONS else length / POINTS)


def ends_of(topic_id: int, *, since: datetime, window: Window, step: timedelta) -> Ends:
    """Ends of a topic from `since` on, the last of each step, with the one before. One statement, two of long ago."""
    with connection.cursor() as cursor:
        cursor.execute(_ENDS, {**_span(since, window, step), "topic": topic_id})
        rows = cursor.fetchall()
    if _reaches_packed(since, window):
        packed = _packed(_Kind.WATERMARKS, _ON, {**_span(since, window, step), "topic": topic_id})
        own = [(at, *values) for of_topic in packed.values() for at, values in of_topic]
        rows = _lasts(_merged([*own, *rows]), since, step)
    at = [row[0] for row in rows]
    return Ends(History(at, [low or [0] * len(high) for _, high, low in rows]), History(at, [row[1] for row in rows]))


def commits_on(topic_id: int, *, group_ids: Collection[int], window: Window, step: timedelta) -> dict[int, History]:
    """Commits of these groups on a topic, by group. One statement."""
    parameters = {**_span(window.from_at - step, window, step), "topic": topic_id, "groups": list(group_ids)}
    return _commits(_BY, parameters, window, step)


def commits_of(group_id: int, *, topic_ids: Collection[int], window: Window, step: timedelta) -> dict[int, History]:
    """Commits of a group on these topics, by topic: samples lie by topic first. One statement."""
    parameters = {**_span(window.from_at - step, window, step), "topics": list(topic_ids), "group": group_id}
    return _commits(_OF, parameters, window, step)


def _commits(which: "_Which", parameters: _Parameters, window: Window, step: timedelta) -> dict[int, History]:
    found: dict[int, History] = {}
    with connection.cursor() as cursor:
        cursor.execute(_COMMITS.format(**which._asdict()), parameters)
        rows = cursor.fetchall()
    is_packed = _reaches_packed(window.from_at, window)
    if is_packed:
        packed = _packed(_Kind.COMMITTED, which, parameters)
        rows = [*((key, at, values[0]) for key, own in packed.items() for at, values in own), *rows]
        rows.sort(key=lambda row: row[:2])
    for key, own in groupby(rows, key=itemgetter(0)):
        points = [row[1:] for row in own]
        if is_packed:
            points = _lasts(_merged(points), window.from_at - step, step)
        found[key] = History([at for at, _ in points], [offsets for _, offsets in points])
    return found


def _merged(points: list[_Point]) -> list[_Point]:
    """By time. The last of each minute is packed, too, its time cut: of the two the row."""
    points = sorted(points, key=_at)
    last = len(points) - 1
    return [each for index, each in enumerate(points) if index == last or points[index + 1][0] - each[0] >= TICK]


def _lasts(points: list[_Point], since: datetime, step: timedelta) -> list[_Point]:
    """The last point of each step, and of what lies before `since`: as rows are read."""
    seconds = step.total_seconds()
    steps = [ceil(at.timestamp() / seconds) if at > since else None for at, *_ in points]
    return [point for index, point in enumerate(points) if index + 1 == len(points) or steps[index] != steps[index + 1]]


def _firsts_and_lasts(points: list[_Point], since: datetime, step: timedelta) -> list[_Point]:
    """The same, with the first of each step."""
    seconds = step.total_seconds()
    first = {ceil(at.timestamp() / seconds): at for at, *_ in reversed(points) if at > since}
    kept = {*first.values(), *(at for at, *_ in _lasts(points, since, step))}
    return [point for point in points if point[0] in kept]


def _reaches_packed(since: datetime, window: Window) -> bool:
    """Whether samples may be asked for that are no rows any more; a window of the past may be of any age."""
    return not window.live or window.to_at - since > KEPT_AS_ROWS


def _packed(
    kind: "_Kind", which: "_Which", parameters: _Parameters, *, partitions: Sequence[int] | None = None
) -> dict[int, list[tuple[datetime, tuple[Offsets, ...]]]]:
    """Packed samples by topic or group (0 for watermarks), the first and the last of each step, with the last one
    before them. `partitions`: only of these, and only their first value.
    """
    since, until, step = parameters["from"], parameters["to"], timedelta(seconds=parameters["step"])
    found: dict[int, list[tuple[datetime, tuple[Offsets, ...]]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CHUNKS.format(**which._asdict()), {**parameters, "kind": int(kind)})
        for key, body in cursor.fetchall():
            hour = opened(bytes(body))
            numbered = [(at, number) for number, at in enumerate(hour.times) if at <= until]
            wanted = [number for _, number in _firsts_and_lasts(numbered, since, step)]
            n_values = None if partitions is None else 1
            found.setdefault(key, []).extend(
                (point.at, tuple(list(each) for each in point.values))
                for point in hour.points(wanted, partitions=partitions, n_values=n_values)
            )
    return {key: own[max(0, bisect_right(own, since, key=_at) - 1) :] for key, own in found.items()}


def _at(point: tuple[datetime, *tuple[object, ...]]) -> datetime:
    return point[0]


class _Kind(IntEnum):
    """sample_chunk.kind"""

    WATERMARKS = 0
    COMMITTED = 1


class _Which(NamedTuple):
    """Whose samples: a condition, and by what they are told apart."""

    own: str
    by: str


_ON = _Which("topic_id = %(topic)s", by="group_id")
_BY = _Which("topic_id = %(topic)s and group_id = any(%(groups)s)", by="group_id")
_OF = _Which("topic_id = any(%(topics)s) and group_id = %(group)s", by="topic_id")
_CHUNKS = """
    select {by}, body from sample_chunk where kind = %(kind)s and {own}
      and from_at > %(from)s - interval '1 hour' and from_at < %(to)s order by {by}, from_at
"""


def _span(since: datetime, window: Window, step: timedelta) -> _Parameters:
    return {"from": since, "to": window.to_at, "step": step.total_seconds()}


_ENDS = """
    (select sampled_at, high, low from topic_sample where topic_id = %(topic)s and sampled_at <= %(from)s
      order by sampled_at desc limit 1)
    union all
    (select distinct on (ceil(extract(epoch from sampled_at) / %(step)s)) sampled_at, high, low from topic_sample
      where topic_id = %(topic)s and sampled_at > %(from)s and sampled_at <= %(to)s
      order by ceil(extract(epoch from sampled_at) / %(step)s), sampled_at desc)
"""
_COMMITS = """
    (select n.{by}, b.sampled_at, b.committed from (select topic_id, group_id from group_now
        union all select topic_id, group_id from group_gone where gone_at > %(from)s) n cross join lateral
      (select sampled_at, committed from group_sample s where s.topic_id = n.topic_id and s.group_id = n.group_id
        and s.sampled_at <= %(from)s order by s.sampled_at desc limit 1) b where {own})
    union all
    (select distinct on ({by}, ceil(extract(epoch from sampled_at) / %(step)s)) {by}, sampled_at, committed
      from group_sample where {own} and sampled_at > %(from)s and sampled_at <= %(to)s
      order by {by}, ceil(extract(epoch from sampled_at) / %(step)s), sampled_at desc)
    order by 1, 2
"""


def recent_ends(
    topic_id: int, *, until: datetime, seconds: float, is_past: bool, partitions: Sequence[int] | None = None
) -> Ring:
    """The ends of a topic over the last `seconds`, as the sampler would remember them. One statement, two of long ago.

    Of each of 180 steps the first and the last sample: the end of a silence is never lost. `partitions`: those that are
    wanted, which are then the ring's 0, 1, 2 …; one that was not there yet ended at 0.
    """
    since = until - timedelta(seconds=seconds)
    with connection.cursor() as cursor:
        parameters: dict[str, int | float | datetime | list[int]] = {"topic": topic_id, "from": since, "to": until,
                                                                     "step": seconds / POINTS}  # fmt: skip
        if partitions is not None:
            parameters["partitions"] = list(partitions)
        cursor.execute(_RECENT.format(high="high" if partitions is None else _OF_PARTITIONS), parameters)
        rows = cursor.fetchall()
    if is_past or until - since > KEPT_AS_ROWS:
        window, step = Window(since, until, live=False), timedelta(seconds=seconds / POINTS)
        span = {**_span(since, window, step), "topic": topic_id}
        packed = _packed(_Kind.WATERMARKS, _ON, span, partitions=partitions).get(0, [])
        own = [(at, values[0]) for at, values in packed]
        rows = _firsts_and_lasts(_merged([*rows, *own]), since, step)
    ring = Ring()
    for at, high in rows:
        ring.add(at.timestamp(), high)
    if rows and rows[-1][0] < until:
        ring.add(until.timestamp(), rows[-1][1])
    return ring


_OF_PARTITIONS = (
    "array(select case when p < cardinality(s.high) then s.high[p + 1] else 0 end"
    " from unnest(%(partitions)s::int[]) with ordinality w (p, number) order by w.number)"
)
_RECENT = """
    with own as (
      select sampled_at, high, ceil(extract(epoch from sampled_at) / %(step)s) step from topic_sample
        where topic_id = %(topic)s and sampled_at > %(from)s and sampled_at <= %(to)s
    )
    select sampled_at, {high} from (
      (select sampled_at, high from topic_sample where topic_id = %(topic)s and sampled_at <= %(from)s
        order by sampled_at desc limit 1)
      union all
      (select sampled_at, high from (select distinct on (step) * from own order by step, sampled_at) f)
      union
      (select sampled_at, high from (select distinct on (step) * from own order by step, sampled_at desc) l)
    ) s order by sampled_at
"""
