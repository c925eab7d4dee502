"""What the broker's own numbers say of topics and groups over a window: watermarks and committed offsets."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.db import connection

from collector.domain import lag as lags
from collector.domain.ends import moved
from collector.domain.sample_chunks import KEPT_AS_ROWS, KEPT_SCANS
from dashboard.queries.conditions import PAST, Behind
from dashboard.queries.edges import MINUTE, floor
from dashboard.queries.window import RATE_SECONDS, Window

Offsets = list[int | None]
SCANS_TOLD = KEPT_SCANS - timedelta(hours=23)  # before the first of them can have gone
_LATE = 2.5  # a rate over a stretch this much longer than wanted (the sampler stood still) is none of the last minute


@dataclass(frozen=True, slots=True)
class TopicProgress:
    """How far a topic's end moved. None is unknown: no samples there. Counts are offsets.

    A live window that began after the last sample keeps the last known rate, of `as_of`; one of the past has none.
    """

    topic_id: int
    messages: int | None
    rate: float | None  # per second
    high: int | None
    available: int | None  # high - low
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class GroupProgress:
    """How far a group's commits on a topic moved, and how far behind it was at the window's end."""

    topic_id: int
    group_id: int
    messages: int | None
    rate: float | None
    as_of: datetime
    behind: Behind | None


def by_minutes(window: Window, *, now: datetime) -> Window:
    """The window as samples tell of it: where they are but the last of each minute, ends are full minutes."""
    rows_from = now - KEPT_AS_ROWS
    from_at, to_at = window.from_at, window.to_at
    if from_at < rows_from:
        from_at = floor(from_at, MINUTE)
    if not window.live and to_at < rows_from:
        to_at = floor(to_at, MINUTE)
    return replace(window, from_at=from_at, to_at=to_at)


def longest_rate() -> float:
    """Seconds that a rate of the last minute may be taken over."""
    return _LATE * max(RATE_SECONDS, settings.WEIR_SAMPLE_SECONDS)


def tell_when_first(moment: datetime, *, now: datetime) -> bool:
    """Whether a first scan after this moment was the first one: older ones may be gone."""
    return moment >= now - SCANS_TOLD


def topic_progress(window: Window, *, now: datetime) -> dict[int, TopicProgress]:
    """By topic id, every topic that lives, or lived in a window of the past, and is not internal. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_TOPICS, _parameters(window, now))
        return {row[0]: _topic(*row) for row in cursor.fetchall()}


def group_progress(window: Window, *, now: datetime, counted: bool = True) -> dict[tuple[int, int], GroupProgress]:
    """By (topic id, group id), every pair with a commit. One statement. Without `counted` messages are not looked up:
    somebody else knows them.

    A partition without a commit at the window's start counts from its beginning when nothing was in it then (or the
    topic came later); else from its first commit in the window, so that old records are never counted as read.
    """
    with connection.cursor() as cursor:
        cursor.execute(_GROUPS, {**_parameters(window, now), "counted": counted})
        return {(row[0], row[1]): _group(*row) for row in cursor.fetchall()}


def _parameters(window: Window, now: datetime) -> dict[str, datetime | str | bool | float | None]:
    told = by_minutes(window, now=now)
    is_old = not window.live and window.to_at < now - KEPT_AS_ROWS
    return {
        "from": told.from_at,
        "to": told.to_at,
        "rate_from": told.to_at - timedelta(seconds=RATE_SECONDS) if is_old else None,
        "live": window.live,
        "scans_tell": tell_when_first(told.from_at, now=now),
        "rate": f"{RATE_SECONDS} s",
        "longest": longest_rate(),
    }


# Once a cluster, not again for each topic and group: therefore materialized.
# `is_covered`: a scan was made in the window. `rate_seconds`: the stretch that rates are taken over, if there is one.
_MARKS = """
    with ended as (
      select c.id cluster_id, (select max(s.sampled_at) from scan s
        where s.cluster_id = c.id and s.ok and s.sampled_at <= %(to)s) end_at from cluster c
    ), found as (
      select cluster_id, end_at,
        (select max(s.sampled_at) from scan s
          where s.cluster_id = ended.cluster_id and s.ok
            and s.sampled_at <= coalesce(%(rate_from)s::timestamptz, end_at - %(rate)s::interval)) rate_at,
        (select min(s.sampled_at) from scan s
          where s.cluster_id = ended.cluster_id and s.ok and s.sampled_at > end_at - %(rate)s::interval) first_rate_at,
        case when %(scans_tell)s then
          (select min(s.sampled_at) from scan s where s.cluster_id = ended.cluster_id and s.ok) end since_at
      from ended where end_at is not null
    ), stretched as (
      select *, coalesce(rate_at, first_rate_at) from_at, end_at > %(from)s is_covered,
        extract(epoch from end_at - coalesce(rate_at, first_rate_at))::float8 seconds from found
    ), marks as materialized (
      select *, case when (is_covered or %(live)s) and seconds <= %(longest)s then seconds end rate_seconds
      from stretched
    )
"""
_TOPICS = f"""{_MARKS}
    select t.id, e.high, e.low, case when m.is_covered then b.high end, r.high, m.rate_seconds,
      m.is_covered and t.first_at > %(from)s and m.since_at < t.first_at and not t.is_older,
      extract(epoch from m.end_at)::float8
    from topic t join marks m using (cluster_id)
    left join lateral (select high, low from topic_sample s where s.topic_id = t.id and s.sampled_at <= m.end_at
      order by s.sampled_at desc limit 1) e on true
    left join lateral (select high from topic_sample s where s.topic_id = t.id
      and s.sampled_at <= greatest(%(from)s, m.since_at) order by s.sampled_at desc limit 1) b on true
    left join lateral (select high from topic_sample s where s.topic_id = t.id
      and s.sampled_at <= m.from_at order by s.sampled_at desc limit 1) r on true
    where t.role <> 3 and (t.deleted_at is null or not %(live)s and t.deleted_at > %(from)s)
"""  # noqa: S608
# Of who stood still nothing is looked up or sent; and of who committed everywhere at the start no first commit is.
_GROUPS = f"""{_MARKS}
    select n.topic_id, n.group_id,
      case when not %(live)s or e.at > %(from)s or e.at > m.from_at is not false then e.committed end,
      e.at is not null, b.committed, e.at <= %(from)s, f.committed, r.committed, e.at <= m.from_at,
      w.high, w.low, h.high, h.low, m.rate_seconds, m.is_covered,
      t.first_at > %(from)s and m.since_at < t.first_at and not t.is_older,
      extract(epoch from m.end_at)::float8
    from (select topic_id, group_id from group_now
        union all select topic_id, group_id from group_gone where gone_at > %(to)s and not %(live)s) n
    join topic t on t.id = n.topic_id join marks m using (cluster_id)
    left join lateral (select sampled_at at, committed from group_sample s where s.topic_id = n.topic_id
      and s.group_id = n.group_id and s.sampled_at <= m.end_at order by s.sampled_at desc limit 1) e on true
    left join lateral (select committed from group_sample s where s.topic_id = n.topic_id and s.group_id = n.group_id
      and s.sampled_at <= m.from_at and e.at > m.from_at order by s.sampled_at desc limit 1) r on true
    cross join lateral (select e.at > %(from)s and (%(counted)s or r.committed is null) wanted) start
    left join lateral (select committed from group_sample s where s.topic_id = n.topic_id and s.group_id = n.group_id
      and s.sampled_at <= %(from)s and start.wanted order by s.sampled_at desc limit 1) b on true
    left join lateral (select committed from group_sample s where s.topic_id = n.topic_id and s.group_id = n.group_id
      and s.sampled_at > %(from)s and array_remove(s.committed, null) <> '{{}}'
      and start.wanted and (b.committed is null or array_position(b.committed, null) is not null)
      order by s.sampled_at limit 1) f on true
    left join lateral (select high, low from topic_sample s where s.topic_id = n.topic_id
      and s.sampled_at <= greatest(%(from)s, m.since_at)
      and start.wanted and (b.committed is null or array_position(b.committed, null) is not null)
      order by s.sampled_at desc limit 1) w on true
    left join lateral (select high, low from topic_sample s where not %(live)s and s.topic_id = n.topic_id
      and s.sampled_at <= m.end_at order by s.sampled_at desc limit 1) h on true
    where t.role <> 3 and (t.deleted_at is null or not %(live)s and t.deleted_at > %(from)s)
"""  # noqa: S608


def _topic(
    topic_id: int,
    high: Offsets | None,
    low: Offsets | None,
    base: Offsets | None,
    rate_base: Offsets | None,
    rate_seconds: float | None,
    is_new: bool,  # noqa: FBT001
    as_of: float,
) -> TopicProgress:
    if high is None:
        return TopicProgress(topic_id, None, None, None, None, None)
    zeros: Offsets = [0] * len(high)
    start = base if base is not None else (zeros if is_new else None)
    since = rate_base if rate_base is not None else start
    return TopicProgress(
        topic_id,
        None if start is None else moved(start, high, missing=0),
        None if since is None or not rate_seconds else moved(since, high, missing=0) / rate_seconds,
        sum(end for end in high if end is not None),
        None if low is None else moved(low, high, missing=0),
        _moment(as_of),
    )


def _group(
    topic_id: int,
    group_id: int,
    committed: Offsets | None,
    is_known: bool,  # noqa: FBT001
    base: Offsets | None,
    stood: bool | None,  # noqa: FBT001
    first: Offsets | None,
    rate_base: Offsets | None,
    stood_lately: bool | None,  # noqa: FBT001
    high: Offsets | None,
    low: Offsets | None,
    last_high: Offsets | None,
    last_low: Offsets | None,
    rate_seconds: float | None,
    is_covered: bool,  # noqa: FBT001
    is_new: bool,  # noqa: FBT001
    as_of: float,
) -> GroupProgress:
    at = _moment(as_of)
    if not is_known:
        return GroupProgress(topic_id, group_id, None, None, at, None)
    if committed is None:  # not sent: nothing moved
        return GroupProgress(topic_id, group_id, 0 if is_covered else None, 0.0 if rate_seconds else None, at, None)
    zeros: Offsets | None = [0] * len(committed) if is_new else None
    base = committed if stood else base
    start = _first_known(_first_known(_first_known(base, zeros), _empty_at(high, low)), first)
    since = _first_known(committed if stood_lately else rate_base, start)
    return GroupProgress(
        topic_id,
        group_id,
        None if start is None or not is_covered else moved(start, committed, missing=None),
        None if since is None or not rate_seconds else moved(since, committed, missing=None) / rate_seconds,
        at,
        _behind(committed, last_high, last_low) if is_covered else None,
    )


@lru_cache(maxsize=64)
def _moment(seconds: float) -> datetime:
    """One for each cluster; to read it as text for each row took a tenth of a page."""
    return datetime.fromtimestamp(seconds, UTC)


def _behind(committed: Offsets, high: Offsets | None, low: Offsets | None) -> Behind | None:
    """The lag at the end of a window that is over; in seconds it is not known any more."""
    if high is None:
        return None
    lows = low if low is not None else [None] * len(high)
    known = lags.behind(committed, low=lows, high=high, history=(), now=0, records={})
    return Behind(known.lag, None, None, known.lost, known.n_uncommitted, PAST)


def _empty_at(high: Offsets | None, low: Offsets | None) -> Offsets | None:
    """The one offset of each partition that held nothing; None for the others."""
    if high is None or low is None:
        return None
    return [end if end == start else None for end, start in zip(high, low, strict=False)]


def _first_known(offsets: Offsets | None, otherwise: Offsets | None) -> Offsets | None:
    """Partition by partition: the first list's offset, else the second's."""
    if offsets is None or otherwise is None:
        return offsets if offsets is not None else otherwise
    padded = [*offsets, *([None] * (len(otherwise) - len(offsets)))]
    return [
        own if own is not None else (otherwise[index] if index < len(otherwise) else None)
        for index, own in enumerate(padded)
    ]
