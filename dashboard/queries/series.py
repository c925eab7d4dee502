"""Series over time of one topic: rates in and out, and lag in offsets and seconds, from the broker's own numbers."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from collector.domain.ends import Ring, fell, moved
from collector.domain.lag import age, lag
from dashboard.queries import histories, sums
from dashboard.queries.catalogue import n_partitions_of, names_of_groups
from dashboard.queries.histories import MOST_PARTITIONS, Ends, History, Steps
from dashboard.queries.lines import MOST_LINES, Line, Series
from dashboard.queries.offsets import Offsets
from dashboard.queries.readings import groups_on
from dashboard.queries.unpacking import is_too_much
from dashboard.queries.window import Window


class _Reader(NamedTuple):
    number: int
    name: str
    gone_at: datetime | None

    def line(self, unit: str, values: tuple[float | None, ...], steps: Steps) -> Line:
        return Line(self.name, unit, values).over(self.gone_at, steps.ends)


def series(cluster: str, topic_id: int, window: Window, *, now: datetime) -> Series:
    """Rates and lag of a topic over the window in at most 180 steps. Eight statements at most.

    A value is carried forward only over scans that were made: a step without one is None.
    """
    readers, is_long = _readers(topic_id, window), sums.is_long(window)
    n_partitions = None if is_long else n_partitions_of([topic_id]).get(topic_id)
    shown, since = readers[:MOST_LINES], histories.back(window, n_partitions)
    too_many = is_too_much(window, since=since, n_series=(2 + len(shown)) * (n_partitions or 0), now=now)
    if is_long or too_many:
        found = _by_sums(topic_id, shown, window, sums.plan(cluster, window, now=now))
        return replace(found, n_more_groups=len(readers) - len(shown), too_many=too_many)
    steps = histories.steps_of(cluster, window, n_partitions=n_partitions or 0)
    ends = histories.ends_of(topic_id, since=since, window=window, step=steps.step)
    numbers = [reader.number for reader in shown]
    commits = histories.commits_on(topic_id, group_ids=numbers, window=window, step=steps.step)
    own = [(reader, commits[reader.number]) for reader in shown if reader.number in commits]  # others came later
    return Series(
        tuple(steps.ends),
        steps.step.total_seconds(),
        Line("in", "/s", rates(ends.high, steps, missing=0)),
        tuple(reader.line("/s", rates(history, steps, missing=None), steps) for reader, history in own),
        tuple(reader.line("offsets", lags(ends, history, steps), steps) for reader, history in own),
        tuple(reader.line("s", ages(ends, history, steps), steps) for reader, history in own),
        len(readers) - len(shown),
        by_sums=False,
        too_wide=is_wide(ends),
        fell_at=falls(ends.high, steps),
    )


def _readers(topic_id: int, window: Window) -> list[_Reader]:
    """Those that still read before the others, the furthest behind first. Two statements."""
    reads = groups_on(topic_id, window)
    names = names_of_groups(reads)
    known = sorted((key for key in reads if key in names), key=lambda key: (reads[key].order, names[key]))
    return [_Reader(key, names[key], reads[key].gone_at) for key in known]


def _by_sums(topic_id: int, shown: Sequence[_Reader], window: Window, read: sums.Plan) -> Series:
    """The same of more than half a day, or of more than is unpacked."""
    counted = sums.of_topics([topic_id], window, read).get(topic_id, sums.Counted())
    found = sums.of_pairs([(topic_id, reader.number) for reader in shown], window, read)
    own = [
        (reader.name, read.last_of(reader.gone_at), found.get((topic_id, reader.number), sums.Counted()))
        for reader in shown
    ]
    return Series(
        read.ends,
        read.step.total_seconds(),
        Line("in", "/s", counted.rates(read)),
        tuple(Line(name, "/s", each.rates(read)).over(end, read.ends) for name, end, each in own),
        tuple(Line(name, "offsets", each.highest_lags(read)).over(end, read.ends) for name, end, each in own),
        tuple(Line(name, "s", each.highest_ages(read)).over(end, read.ends) for name, end, each in own),
        0,
        by_sums=True,
    )


def rates(history: History, steps: Steps, *, missing: int | None) -> tuple[float | None, ...]:
    """Offsets per second in each step, between the scans that were really made.

    A step shorter than the sampler's pace has no scan of its own: there the rate between the scans around it holds.
    None where an offset fell, of a log that was cut or a group that went back: how much came meanwhile nobody knows.
    """
    values: list[float | None] = []
    for start, end in pairwise(steps.looked):
        if start is None or end is None:
            values.append(None)
        elif start == end:
            values.append(values[-1] if values else None)
        else:
            before, after = history.upto(start), history.upto(end)
            if before is None or after is None or fell(before, after):
                values.append(None)
            else:
                values.append(moved(before, after, missing=missing) / (end - start).total_seconds())
    return tuple(values)


def falls(history: History, steps: Steps) -> tuple[datetime, ...]:
    """The ends of the steps in which an offset fell."""
    held = [None if at is None else history.upto(at) for at in steps.looked]
    return tuple(
        end
        for end, (before, after) in zip(steps.ends, pairwise(held), strict=True)
        if before is not None and after is not None and before is not after and fell(before, after)
    )


def lags(topic: Ends, group: History, steps: Steps) -> tuple[float | None, ...]:
    """Offsets that a group could still read at the end of each step."""
    values: list[float | None] = []
    held: tuple[Offsets | None, ...] = ()
    last: float | None = None
    for end, known in zip(steps.ends, steps.known, strict=True):
        holds = topic.low.upto(end), topic.high.upto(end), group.upto(end)
        if not held or any(before is not now for before, now in zip(held, holds, strict=True)):
            held, last = holds, _lag(topic, group, end)
        values.append(last if known else None)
    return tuple(values)


def ages(topic: Ends, group: History, steps: Steps) -> tuple[float | None, ...]:
    """Age in seconds of the oldest unread record when somebody last looked in each step, by interpolation between ends.

    At the end of a step the topic may have grown by what nobody has looked at: there the lag would seem to rise.
    None, too, where the ends that were read do not reach back to it, and for topics of very many partitions.
    """
    high = topic.high
    if is_wide(topic):
        return (None,) * len(steps.ends)
    ring, values, taken = Ring(), list[float | None](), 0
    for before, looked in pairwise(steps.looked):
        if looked is None:
            values.append(None)
            continue
        if looked == before and values:
            values.append(values[-1])
            continue
        upto = bisect_right(high.at, looked)
        for index in range(taken, upto):
            _carry(ring, high, index, steps.pace)
        taken = max(taken, upto)
        low, top, committed = topic.low.upto(looked), high.upto(looked), group.upto(looked)
        if low and top and committed:
            _put(ring, looked, top)
            values.append(_oldest(committed, low, top, ring, looked))
        else:
            values.append(None)
    return tuple(values)


def is_wide(topic: Ends) -> bool:
    """Whether a topic has too many partitions for lags in seconds."""
    return any(len(offsets) > MOST_PARTITIONS for offsets in topic.high.offsets[-1:])


def _carry(ring: Ring, high: History, index: int, pace: timedelta) -> None:
    """A sample, and before it the end of the silence that it ended: what stands still is not stored."""
    points = [(high.at[index], high.offsets[index])]
    if index and high.at[index] - high.at[index - 1] > 1.5 * pace:
        points.insert(0, (high.at[index] - pace, high.offsets[index - 1]))
    for at, offsets in points:
        _put(ring, at, offsets)


def _put(ring: Ring, at: datetime, offsets: Offsets) -> None:
    if not ring.points or at.timestamp() > ring.points[-1][0]:
        ring.add(at.timestamp(), offsets)


def _oldest(committed: Offsets, low: Offsets, top: Offsets, ring: Ring, at: datetime) -> float | None:
    oldest = 0.0
    for partition, (offset, first, end) in enumerate(zip(committed, low, top, strict=False)):
        if not lag(offset, low=first, high=end):
            continue
        position = max(offset or 0, first or 0)
        found = age(position, partition=partition, history=ring.points, now=at.timestamp())
        if found is None:
            return None
        oldest = max(oldest, found.seconds)
    return oldest


def _lag(topic: Ends, group: History, moment: datetime) -> float | None:
    """Summed over the partitions with a commit; None where one of them is unknown, or none has any."""
    low, high, committed = topic.low.upto(moment), topic.high.upto(moment), group.upto(moment)
    if low is None or high is None or committed is None:
        return None
    unread = [
        lag(offset, low=first, high=end)
        for offset, first, end in zip(committed, low, high, strict=False)
        if offset is not None
    ]
    known = [each for each in unread if each is not None]
    return float(sum(known)) if unread and len(known) == len(unread) else None
