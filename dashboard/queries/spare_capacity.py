"""What groups that will get copies could read beyond what they get now: from what they showed over the last day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from collector.domain.ends import moved
from dashboard.queries import sums
from dashboard.queries.offsets import longest_rate
from dashboard.queries.window import RATE_SECONDS, Window

SHOWN_HOURS = 24
MOST_READERS = 20


@dataclass(frozen=True, slots=True)
class Spare:
    """A group on a topic; rates are events per second, None is unknown.

    `shown`: the fastest it committed over `shown_seconds` on end within the last 24 h. `written`: what came to the
    topic over the last minute. It may be faster than it ever had to be, so what is to spare is at least that.
    """

    topic: str
    group: str
    shown: float | None
    shown_seconds: float
    written: float | None

    @property
    def rate(self) -> float | None:
        """What it showed beyond what it gets: `shown` less `written`, not below 0. A bound from below."""
        return None if self.shown is None or self.written is None else max(0.0, self.shown - self.written)

    @property
    def why_unknown(self) -> str:
        """What is missing; "" where it is known."""
        if self.shown is None:
            return f"it committed nothing there that was watched for ten minutes in the last {SHOWN_HOURS} h"
        return "" if self.written is not None else "nobody looked at the topic in the last minute"


def spare(cluster: str, readers: Sequence[tuple[str, str]], *, now: datetime) -> tuple[Spare, ...]:
    """Of the first 20 of these (topic, group), in their order. Four statements.

    A group's pace is that of its commits (docs/decisions.md, 21), taken from the sums of ten minutes: a shorter burst
    says more of how often it commits than of what it can keep up. The ten minutes that are not over do not count, nor
    do those in which nobody looked.
    """
    wanted = tuple(readers[:MOST_READERS])
    ids = _ids(cluster, wanted)
    window = Window(now - timedelta(hours=SHOWN_HOURS), now, live=True)
    read = sums.plan(cluster, window, now=now)
    counted = sums.of_pairs(list(ids.values()), window, read)
    written = _written(sorted({topic for topic, _ in ids.values()}), now)
    return tuple(_spare(pair, ids.get(pair), read, counted.get(ids.get(pair, (0, 0))), written) for pair in wanted)


def _spare(
    names: tuple[str, str],
    pair: tuple[int, int] | None,
    read: sums.Plan,
    counted: sums.Counted | None,
    written: dict[int, float],
) -> Spare:
    seconds = read.step.total_seconds()
    if pair is None:
        return Spare(*names, None, seconds, None)
    paces = [] if counted is None else [rate for rate in counted.rates(read)[:-1] if rate is not None]
    return Spare(*names, max(paces, default=None) or None, seconds, written.get(pair[0]))


def _ids(cluster: str, readers: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select t.name, g.name, t.id, g.id from unnest(%s::text[], %s::text[]) n (topic_name, group_name)"
            " join cluster c on c.name = %s"
            " join topic t on t.cluster_id = c.id and t.name = n.topic_name and t.deleted_at is null"
            " join consumer_group g on g.cluster_id = c.id and g.name = n.group_name",
            [[topic for topic, _ in readers], [group for _, group in readers], cluster],
        )
        return {(topic, group): (topic_id, group_id) for topic, group, topic_id, group_id in cursor.fetchall()}


def _written(topics: list[int], now: datetime) -> dict[int, float]:
    """Events per second over the last minute that was looked at; topics of which nobody knows are missing."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITTEN, {"topics": topics, "now": now, "longest": longest_rate(), "rate": RATE_SECONDS})
        return {topic: moved(before, after, missing=0) / seconds for topic, before, after, seconds in cursor.fetchall()}


# As the lists of topics tell it: between the last scan, and the last one a minute before that.
_WRITTEN = """
    select t.id, b.high, n.high, extract(epoch from e.at - m.at)::float8
    from topic t join topic_now n on n.topic_id = t.id
    cross join lateral (select max(s.sampled_at) at from scan s
      where s.cluster_id = t.cluster_id and s.ok and s.sampled_at <= %(now)s) e
    cross join lateral (select max(s.sampled_at) at from scan s where s.cluster_id = t.cluster_id and s.ok
      and s.sampled_at <= e.at - make_interval(secs => %(rate)s)) m
    cross join lateral (select s.high from topic_sample s where s.topic_id = t.id and s.sampled_at <= m.at
      order by s.sampled_at desc limit 1) b
    where t.id = any(%(topics)s) and e.at > %(now)s - make_interval(secs => %(longest)s)
      and e.at - m.at <= make_interval(secs => %(longest)s)
"""
