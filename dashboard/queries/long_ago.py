"""What was written and committed in windows that begin before the samples that are rows: differences of counters."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from dashboard.queries.conditions import PAST, Behind
from dashboard.queries.edges import floor
from dashboard.queries.offsets import GroupProgress, TopicProgress, by_minutes, tell_when_first
from dashboard.queries.sums import HOUR, LONGEST_FINE, TEN_MINUTES
from dashboard.queries.window import Window

Pair = tuple[int, int]


def reaches_back(window: Window, *, now: datetime) -> bool:
    """Whether the window begins before the samples that are rows."""
    return window.from_at < now - LONGEST_FINE


def extent(window: Window, *, now: datetime) -> Window:
    """The stretch that counters of offsets tell of: of long ago whole minutes, tens of them, or hours."""
    if not reaches_back(window, now=now):
        return by_minutes(window, now=now)
    to_at = window.to_at if window.live else floor(window.to_at, _step(window.to_at, now))
    return replace(window, from_at=floor(window.from_at, _step(window.from_at, now)), to_at=to_at)


def extent_seconds(window: Window, *, now: datetime) -> float:
    """How long that is."""
    return extent(window, now=now).seconds


def _step(at: datetime, now: datetime) -> timedelta:
    return TEN_MINUTES if at >= now - settings.WEIR_KEEP_1M else HOUR


def topics(found: Mapping[int, TopicProgress], window: Window, *, now: datetime) -> dict[int, TopicProgress]:
    """The same with what was written in the window, to ten minutes. Two statements.

    What samples tell stays: of a topic that nobody wrote to since, or that is new in the window.
    """
    then, ends = _begun(_TOPICS, window, now=now), _now(_TOPICS_NOW, _TOPICS, window)
    return {
        number: each if each.messages is not None else replace(each, messages=_between(then, ends, (number,)))
        for number, each in found.items()
    }


def groups(found: Mapping[Pair, GroupProgress], window: Window, *, now: datetime) -> dict[Pair, GroupProgress]:
    """The same with what was committed in the window, to ten minutes, and in the past with the lag at its end where no
    sample tells of it any more. Two statements, in the past three.
    """
    then, ends = _begun(_GROUPS, window, now=now), _now(_GROUPS_NOW, _GROUPS, window)
    behind = {} if window.live else _behind(window.to_at)
    return {
        pair: GroupProgress(*pair, _between(then, ends, pair), each.rate, each.as_of, each.behind or behind.get(pair))
        for pair, each in found.items()
    }


def _behind(moment: datetime) -> Mapping[Pair, Behind]:
    """How far groups were behind by the last sum before; of who had none nothing is known."""
    with connection.cursor() as cursor:
        cursor.execute(_LAGS, {"at": moment})
        return {
            (topic_id, group_id): Behind(lag, None, None, None, 0, PAST)
            for topic_id, group_id, lag in cursor.fetchall()
        }


_Totals = Mapping[tuple[int, ...], int]


def _between(then: _Totals, ends: _Totals, key: tuple[int, ...]) -> int | None:
    """None is unknown, also where the counter fell: a clock was set back."""
    if key not in then or key not in ends or ends[key] < then[key]:
        return None
    return ends[key] - then[key]


def _now(statement: str, past: str, window: Window) -> _Totals:
    if not window.live:
        return _at(past, window.to_at, begins=False, scans_tell=False)
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return {row[:-1]: row[-1] for row in cursor.fetchall()}


def _begun(statement: str, window: Window, *, now: datetime) -> _Totals:
    """Counters as a window began, 0 where Weir did not look yet: what it counted since is the window's.

    Of a window that lies between two sums nothing is counted.
    """
    if not extent(window, now=now).seconds:
        return {}
    return _at(statement, window.from_at, begins=True, scans_tell=tell_when_first(window.from_at, now=now))


def _at(statement: str, moment: datetime, *, begins: bool, scans_tell: bool) -> _Totals:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"at": moment, "begins": begins, "scans_tell": scans_tell})
        return {row[:-1]: row[-1] for row in cursor.fetchall()}


_TOPICS_NOW = "select topic_id, n_total from topic_now"
_GROUPS_NOW = "select topic_id, group_id, n_total from group_now"

# A scan within 26 h before: its day began with a row of everything, at most 50 h before. Who has none was gone, and has
# an older one, or came later: 0. A topic that came later had counted nothing whoever looked.
_KNOWN = """
    with known as (
      select c.id from cluster c where exists (select from scan_10m s where s.cluster_id = c.id
          and s.bucket_at > %(at)s - interval '26 h' and s.bucket_at <= %(at)s)
        or %(scans_tell)s and (select min(sampled_at) from scan s where s.cluster_id = c.id and s.ok) > %(at)s
    )
"""
_IS_KNOWN = "(t.cluster_id in (select id from known) or %(begins)s and t.first_at > %(at)s)"
# The last sum of an hour, and of ten minutes where that is newer: a probe of one leaf each, mostly.
_SAID = """
    coalesce(greatest(
      (select s.n_total from {kind}_1h s where {same} and s.bucket_at <= %(at)s - interval '1 h'
        order by s.bucket_at desc limit 1),
      (select s.n_total from {kind}_10m s where {same} and s.bucket_at > %(at)s - interval '70 min'
        and s.bucket_at <= %(at)s - interval '10 min' order by s.bucket_at desc limit 1)), 0)
"""
_READERS = """
    (select topic_id, group_id from group_now union all
      select topic_id, group_id from group_gone where gone_at > %(at)s)
"""
_TOPICS = f"""{_KNOWN}
    select t.id, {_SAID.format(kind="topic", same="s.topic_id = t.id")} from topic t
    where (t.deleted_at is null or t.deleted_at > %(at)s) and {_IS_KNOWN}
"""  # noqa: S608
_GROUPS = f"""{_KNOWN}
    select n.topic_id, n.group_id,
      {_SAID.format(kind="group", same="s.topic_id = n.topic_id and s.group_id = n.group_id")}
    from {_READERS} n join topic t on t.id = n.topic_id where {_IS_KNOWN}
"""  # noqa: S608
_LAST = """
    (select s.bucket_at + interval '{length}' as ended_at, s.lag from {table} s where s.topic_id = n.topic_id
      and s.group_id = n.group_id and s.bucket_at > %(at)s - interval '50 h'
      and s.bucket_at <= %(at)s - interval '{length}' order by s.bucket_at desc limit 1)
"""
_LAGS = f"""
    select n.topic_id, n.group_id, last.lag from {_READERS} n cross join lateral (select lag from (
      {_LAST.format(table="group_1h", length="1 h")} union all {_LAST.format(table="group_10m", length="10 min")}
    ) u order by ended_at desc limit 1) last
"""  # noqa: S608
