"""Series over time of one topic: rates in and out, and lag in offsets and seconds, from the broker's own numbers."""

from bisect import bisect_right
from datetime import datetime, timedelta
from itertools import pairwise

from collector.domain.ends import Ring, moved
from collector.domain.lag import age, lag
from dashboard.queries import histories, sums
from dashboard.queries.catalogue import n_partitions_of, names_of_groups
from dashboard.queries.histories import MOST_PARTITIONS, Ends, History, Steps
from dashboard.queries.lines import MOST_LINES, Line, Series
from dashboard.queries.offsets import Offsets
from dashboard.queries.readings import groups_on
from dashboard.queries.window import Window


def series(cluster: str, topic_id: int, window: Window, *, now: datetime) -> Series:
    """Rates and lag of a topic over the window in at most 180 steps. Eight statements at most.

    A value is carried forward only over scans that were made: a step without one is None.
    """
    if sums.is_long(window):
        return _by_sums(cluster, topic_id, window, now)
    n_partitions = n_partitions_of([topic_id]).get(topic_id)
    steps = histories.steps_of(cluster, window, n_partitions=n_partitions or 0)
    ends = histories.ends_of(topic_id, since=histories.back(window, n_partitions), window=window, step=steps.step)
    groups, reads = histories.commits_on(topic_id, window=window, step=steps.step), groups_on(topic_id, window)
    names, last = names_of_groups(groups), steps.ends[-1] if steps.ends else window.to_at
    over = {key: seen.gone_at for key, seen in reads.items()}
    behind = {key: 0 if over.get(key) else _lag(ends, groups[key], last) or 0 for key in groups if key in names}
    busiest = sorted(behind, key=lambda key: (over.get(key) is not None, -behind[key], names[key]))
    shown = busiest[:MOST_LINES]

    def line(key: int, unit: str, values: tuple[float | None, ...]) -> Line:
        return Line(names[key], unit, values).over(over.get(key), steps.ends)

    return Series(
        tuple(steps.ends),
        steps.step.total_seconds(),
        Line("in", "/s", rates(ends.high, steps, missing=0)),
        tuple(line(key, "/s", rates(groups[key], steps, missing=None)) for key in shown),
        tuple(line(key, "offsets", lags(ends, groups[key], steps)) for key in shown),
        tuple(line(key, "s", ages(ends, groups[key], steps)) for key in shown),
        len(busiest) - len(shown),
        by_sums=False,
        too_wide=is_wide(ends),
    )


def _by_sums(cluster: str, topic_id: int, window: Window, now: datetime) -> Series:
    """The same of more than a day."""
    read, reads = sums.plan(cluster, window, now=now), groups_on(topic_id, window)
    names = names_of_groups(reads)
    known = sorted((key for key in reads if key in names), key=lambda key: (reads[key].order, names[key]))
    shown = known[:MOST_LINES]
    counted = sums.of_topics([topic_id], window, read).get(topic_id, sums.Counted())
    found = sums.of_pairs([(topic_id, key) for key in shown], window, read)
    own = [(names[key], read.last_of(reads[key].gone_at), found.get((topic_id, key), sums.Counted())) for key in shown]
    return Series(
        read.ends,
        read.step.total_seconds(),
        Line("in", "/s", counted.rates(read)),
        tuple(Line(name, "/s", each.rates(read)).over(end, read.ends) for name, end, each in own),
        tuple(Line(name, "offsets", each.highest_lags(read)).over(end, read.ends) for name, end, each in own),
        tuple(Line(name, "s", each.highest_ages(read)).over(end, read.ends) for name, end, each in own),
        len(known) - len(shown),
        by_sums=True,
    )


def rates(history: History, steps: Steps, *, missing: int | None) -> tuple[float | None, ...]:
    """Offsets per second in each step, between the scans that were really made.

    A step shorter than the sampler's pace has no scan of its own: there the rate between the scans around it holds.
    """
    values: list[float | None] = []
    for start, end in pairwise(steps.looked):
        if start is None or end is None:
            values.append(None)
        elif start == end:
            values.append(values[-1] if values else None)
        else:
            before, after = history.upto(start), history.upto(end)
            if before is None or after is None:
                values.append(None)
            else:
                values.append(moved(before, after, missing=missing) / (end - start).total_seconds())
    return tuple(values)


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
