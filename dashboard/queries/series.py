"""Series over time of one topic: rates in and out, and lag, from the broker's own numbers."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from dashboard.queries.catalogue import catalogue
from dashboard.queries.offsets import Offsets, moved
from dashboard.queries.window import Window

POINTS = 180
LEAST_STEP = timedelta(seconds=5)
MOST_GROUPS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a value per step, None where there was no sample (the chart breaks there)."""

    name: str
    unit: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Lines on one time axis. `at` are the ends of the steps; `n_more_groups` were left out, smallest lag first."""

    at: tuple[datetime, ...]
    step_seconds: float
    rate_in: Line
    rates_out: tuple[Line, ...]
    lags: tuple[Line, ...]
    n_more_groups: int


@dataclass(frozen=True, slots=True)
class _History:
    at: list[datetime]
    offsets: list[Offsets]

    def upto(self, moment: datetime) -> Offsets | None:
        index = bisect_right(self.at, moment)
        return self.offsets[index - 1] if index else None


def series(topic_id: int, window: Window) -> Series:
    """Rates and lag of a topic over the window in at most 180 steps. Five statements.

    A value is carried forward only over scans that were made: a step without one is None.
    """
    step = max(LEAST_STEP, (window.to_at - window.from_at) / POINTS)
    ends = _ends(window, step)
    high, groups = _histories(topic_id, window, step)
    scans = _scans(topic_id, window, step)
    known = [_scanned(scans, end, step) for end in ends]
    names = catalogue().groups
    busiest = sorted(groups, key=lambda key: -_lag(high, groups[key], ends[-1] if ends else window.to_at))
    shown = [key for key in busiest if key in names]
    return Series(
        tuple(ends),
        step.total_seconds(),
        Line("in", "/s", _rates(high, ends, step, known, missing=0)),
        tuple(
            Line(names[key].name, "/s", _rates(groups[key], ends, step, known, missing=None))
            for key in shown[:MOST_GROUPS]
        ),
        tuple(Line(names[key].name, "events", _lags(high, groups[key], ends, known)) for key in shown[:MOST_GROUPS]),
        max(0, len(shown) - MOST_GROUPS),
    )


def _ends(window: Window, step: timedelta) -> list[datetime]:
    seconds = step.total_seconds()
    first = (window.from_at.timestamp() // seconds + 1) * seconds
    count = int((window.to_at.timestamp() - first) // seconds) + 1
    return [datetime.fromtimestamp(first + index * seconds, window.from_at.tzinfo) for index in range(max(0, count))]


def _histories(topic_id: int, window: Window, step: timedelta) -> tuple[_History, dict[int, _History]]:
    """Watermarks and commits in the window, thinned to the last of each step, with the one before the window."""
    parameters: dict[str, int | float | datetime] = {
        "topic": topic_id,
        "from": window.from_at - step,
        "to": window.to_at,
        "step": step.total_seconds(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_HIGHS, parameters)
        rows = cursor.fetchall()
        high = _History([at for at, _ in rows], [offsets for _, offsets in rows])
        cursor.execute(_COMMITS, parameters)
        groups: dict[int, _History] = {}
        for group_id, at, offsets in cursor.fetchall():
            history = groups.setdefault(group_id, _History([], []))
            history.at.append(at)
            history.offsets.append(offsets)
    return high, groups


_HIGHS = """
    (select sampled_at, high from topic_sample where topic_id = %(topic)s and sampled_at <= %(from)s
      order by sampled_at desc limit 1)
    union all
    (select distinct on (floor(extract(epoch from sampled_at) / %(step)s)) sampled_at, high from topic_sample
      where topic_id = %(topic)s and sampled_at > %(from)s and sampled_at <= %(to)s
      order by floor(extract(epoch from sampled_at) / %(step)s), sampled_at desc)
"""
_COMMITS = """
    (select n.group_id, b.sampled_at, b.committed from group_now n cross join lateral
      (select sampled_at, committed from group_sample s where s.topic_id = n.topic_id and s.group_id = n.group_id
        and s.sampled_at <= %(from)s order by s.sampled_at desc limit 1) b where n.topic_id = %(topic)s)
    union all
    (select distinct on (group_id, floor(extract(epoch from sampled_at) / %(step)s)) group_id, sampled_at, committed
      from group_sample where topic_id = %(topic)s and sampled_at > %(from)s and sampled_at <= %(to)s
      order by group_id, floor(extract(epoch from sampled_at) / %(step)s), sampled_at desc)
    order by 1, 2
"""


def _scans(topic_id: int, window: Window, step: timedelta) -> list[datetime]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select max(s.sampled_at) from scan s join topic t on t.cluster_id = s.cluster_id and t.id = %s"
            " where s.ok and s.sampled_at > %s and s.sampled_at <= %s"
            " group by floor(extract(epoch from s.sampled_at) / %s) order by 1",
            [topic_id, window.from_at - step, window.to_at, step.total_seconds()],
        )
        return [at for (at,) in cursor.fetchall()]


def _scanned(scans: list[datetime], end: datetime, step: timedelta) -> bool:
    index = bisect_right(scans, end)
    return index > 0 and scans[index - 1] > end - 2 * step


def _rates(
    history: _History, ends: list[datetime], step: timedelta, known: list[bool], *, missing: int | None
) -> tuple[float | None, ...]:
    values: list[float | None] = []
    for end, is_known in zip(ends, known, strict=True):
        before, after = history.upto(end - step), history.upto(end)
        fits = is_known and before is not None and after is not None
        values.append(
            moved(before, after, missing=missing) / step.total_seconds() if fits and before and after else None
        )
    return tuple(values)


def _lags(high: _History, group: _History, ends: list[datetime], known: list[bool]) -> tuple[float | None, ...]:
    values: list[float | None] = []
    for end, is_known in zip(ends, known, strict=True):
        top, committed = high.upto(end), group.upto(end)
        values.append(float(moved(committed, top, missing=None)) if is_known and top and committed else None)
    return tuple(values)


def _lag(high: _History, group: _History, moment: datetime) -> int:
    top, committed = high.upto(moment), group.upto(moment)
    return moved(committed, top, missing=None) if top and committed else 0
