"""Sums of samples over windows of more than half a day: counters and highest lags, by ten minutes or by the hour."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from django.conf import settings
from django.db import connection

from dashboard.queries.edges import floor
from dashboard.queries.window import Window

# The last of each minute is a row for an hour more. A page asks a little later than its window of a day ends.
LONGEST_FINE = timedelta(hours=24, minutes=1)
LONGEST_DRAWN = timedelta(hours=12)  # a longer chart would unpack hundreds of hours
TEN_MINUTES, HOUR = timedelta(minutes=10), timedelta(hours=1)
HOLDS = timedelta(hours=26)  # every day begins with a row of everything
MOST_STEPS = 180
_STEPS = tuple(timedelta(minutes=n) for n in (10, 20, 30, 60, 120, 240, 480, 720, 1440, 2880, 5760))


def is_long(window: Window) -> bool:
    """Whether a window is longer than charts read samples one by one for."""
    return window.to_at - window.from_at > LONGEST_DRAWN


@dataclass(frozen=True, slots=True)
class Plan:
    """Which sums a window is read from ("10m" or "1h"), and its steps. `looked`: in which of them somebody did.

    `edges` has one more element than `looked`: the beginning of the first step, and the end of each. The last step of
    a live window ends now; that of another one with the last whole sums. `counted`: at which edges the counters are
    known (see `counted_at`).
    """

    table: str
    width: timedelta
    step: timedelta
    edges: tuple[datetime, ...]
    looked: tuple[bool, ...]
    counted: tuple[bool, ...]

    @property
    def ends(self) -> tuple[datetime, ...]:
        """The ends of the steps."""
        return self.edges[1:]

    def last_of(self, gone_at: datetime | None) -> datetime | None:
        """The end of the step in which somebody went, who is summed up in it; None: nobody did."""
        return gone_at and next((end for end in self.ends if end >= gone_at), gone_at)


@dataclass(slots=True)
class Counted:
    """One topic, or a group on one, in order of time. Of topics all but `at` and `totals` is empty."""

    at: list[datetime] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    lags: list[int | None] = field(default_factory=list)
    worst_lags: list[int | None] = field(default_factory=list)
    worst_seconds: list[float | None] = field(default_factory=list)

    def rates(self, read: Plan) -> tuple[float | None, ...]:
        """Offsets per second by step; None where the counter is not known at both ends, or fell: a clock was set."""
        totals = [self._total(edge) if known else None for edge, known in zip(read.edges, read.counted, strict=True)]
        return tuple(
            None
            if before is None or after is None or after < before
            else (after - before) / (end - start).total_seconds()
            for (start, end), (before, after) in zip(pairwise(read.edges), pairwise(totals), strict=True)
        )

    def highest_lags(self, read: Plan) -> tuple[float | None, ...]:
        """The highest lag in offsets by step; None where nobody looked, or where it is not known."""
        return self._highest(read, self.worst_lags, held=self.lags)

    def highest_ages(self, read: Plan) -> tuple[float | None, ...]:
        """The highest lag in seconds by step; None as above."""
        return self._highest(read, self.worst_seconds, held=[0.0 if lag == 0 else None for lag in self.lags])

    def _highest(
        self, read: Plan, worst: Sequence[float | None], *, held: Sequence[float | None]
    ) -> tuple[float | None, ...]:
        """By step; `held` where nothing changed in it."""
        values: list[float | None] = []
        for (start, end), looked in zip(pairwise(read.edges), read.looked, strict=True):
            first, last = bisect_right(self.at, start), bisect_right(self.at, end)
            if not looked or not last:
                values.append(None)
            elif last > first:
                values.append(max((value for value in worst[first:last] if value is not None), default=None))
            else:
                values.append(held[last - 1])
        return tuple(values)

    def _total(self, moment: datetime) -> int | None:
        index = bisect_right(self.at, moment)
        return self.totals[index - 1] if index else None


def plan(cluster: str, window: Window, *, now: datetime) -> Plan:
    """Steps of whole sums, at most 180. One statement."""
    length, fine = window.to_at - window.from_at, window.from_at >= now - settings.WEIR_KEEP_1M
    step = next((each for each in _STEPS if length / each <= MOST_STEPS and (fine or each >= HOUR)), _STEPS[-1])
    table, width = ("10m", TEN_MINUTES) if step < HOUR else ("1h", HOUR)
    starts, to = floor(window.from_at, step), window.to_at if window.live else floor(window.to_at, width)
    n_steps = max(0, -((starts - to) // step))
    edges = (*(starts + number * step for number in range(n_steps)), to)
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, {"cluster": cluster, "from": starts - TEN_MINUTES, "to": to})
        seen = [moment for (moment,) in cursor.fetchall()]
    return Plan(
        table,
        width,
        step,
        edges,
        tuple(_any(seen, start, end) for start, end in pairwise(edges)),
        counted_at(edges, seen, live=window.live),
    )


def counted_at(edges: Sequence[datetime], seen: Sequence[datetime], *, live: bool) -> tuple[bool, ...]:
    """At which edges counters are known: somebody looked in the ten minutes before, and what was counted then is summed
    up, which the next look does. The last edge of a live window is now: nothing needs to be summed up there.
    """
    newest = max(seen, default=datetime.min.replace(tzinfo=UTC))
    return tuple(
        _any(seen, edge - TEN_MINUTES, edge) and (edge <= newest or (live and number == len(edges)))
        for number, edge in enumerate(edges, 1)
    )


def _any(moments: Sequence[datetime], start: datetime, end: datetime) -> bool:
    index = bisect_left(moments, start)
    return index < len(moments) and moments[index] < end


_SEEN = """
    with own as (select id from cluster where name = %(cluster)s)
    select moment from (
      select s.bucket_at as moment from scan_10m s join own on own.id = s.cluster_id where s.n_scans > 0
        and s.bucket_at >= %(from)s and s.bucket_at < %(to)s
      union all select last.sampled_at from own cross join lateral (select s.sampled_at from scan s
        where s.cluster_id = own.id and s.ok order by s.sampled_at desc limit 1) last
    ) seen order by 1
"""


def of_topics(topic_ids: Collection[int], window: Window, read: Plan) -> Mapping[int, Counted]:
    """Counters of topics, with those that held before. One statement."""
    found: dict[int, Counted] = {}
    with connection.cursor() as cursor:
        cursor.execute(_TOPICS.format(table=read.table), {**_parameters(window, read), "topics": list(topic_ids)})
        for topic_id, at, n_total in cursor.fetchall():
            own = found.setdefault(topic_id, Counted())
            own.at.append(at)
            own.totals.append(n_total)
    return found


def of_pairs(pairs: Sequence[tuple[int, int]], window: Window, read: Plan) -> Mapping[tuple[int, int], Counted]:
    """Counters and lags by (topic id, group id), with those that held before. One statement."""
    found: dict[tuple[int, int], Counted] = {}
    topics, groups = [topic for topic, _ in pairs], [group for _, group in pairs]
    with connection.cursor() as cursor:
        cursor.execute(
            _GROUPS.format(table=read.table), {**_parameters(window, read), "topics": topics, "groups": groups}
        )
        for topic_id, group_id, at, n_total, lag, worst_lag, worst_seconds in cursor.fetchall():
            own = found.setdefault((topic_id, group_id), Counted())
            own.at.append(at)
            own.totals.append(n_total)
            own.lags.append(lag)
            own.worst_lags.append(worst_lag)
            own.worst_seconds.append(worst_seconds)
    return found


def _parameters(window: Window, read: Plan) -> dict[str, datetime | str | bool | list[int]]:
    return {
        "from": read.edges[0] - HOLDS,
        "to": read.edges[-1],
        "width": f"{read.width.total_seconds()} s",
        "live": window.live,
    }


_TOPICS = """
    select topic_id, bucket_at + %(width)s::interval, n_total from topic_{table}
      where topic_id = any(%(topics)s) and bucket_at >= %(from)s and bucket_at <= %(to)s - %(width)s::interval
    union all select topic_id, %(to)s, n_total from topic_now where topic_id = any(%(topics)s) and %(live)s
    order by 1, 2
"""
_GROUPS = """
    with own as (select * from unnest(%(topics)s::int[], %(groups)s::int[]) n (topic_id, group_id))
    select topic_id, group_id, bucket_at + %(width)s::interval, n_total, lag, worst_lag, worst_seconds::float8
      from own join group_{table} using (topic_id, group_id)
      where bucket_at >= %(from)s and bucket_at <= %(to)s - %(width)s::interval
    union all select topic_id, group_id, %(to)s, n_total, lag, worst_lag, worst_seconds::float8
      from own join group_now using (topic_id, group_id) where %(live)s
    order by 1, 2, 3
"""
