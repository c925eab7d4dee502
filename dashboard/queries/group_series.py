"""Series over time of one consumer group: lag in seconds and offsets, and how fast it commits, by topic."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from dashboard.queries import histories, sums
from dashboard.queries.catalogue import n_partitions_of, names_of_topics
from dashboard.queries.histories import LastSeen
from dashboard.queries.lines import MOST_LINES, GroupSeries, Line
from dashboard.queries.series import ages, is_wide, lags, rates
from dashboard.queries.window import Window


def group_series(cluster: str, group_id: int, window: Window, *, now: datetime) -> GroupSeries:
    """Lag and pace of a group over the window in at most 180 steps. Five statements, and one for each topic drawn."""
    if sums.is_long(window):
        return _by_sums(cluster, group_id, window, now)
    reads = histories.read_by(group_id, window)
    names = names_of_topics(reads)
    known = _in_order(reads, names)
    shown, seconds, offsets, paces, wide = known[:MOST_LINES], [], [], [], []
    n_partitions = n_partitions_of(shown)
    steps = histories.steps_of(cluster, window, n_partitions=sum(n or 0 for n in n_partitions.values()))
    read = histories.commits_of(group_id, topic_ids=shown, window=window, step=steps.step)
    for topic_id in shown:
        name, commits = names[topic_id], read.get(topic_id, histories.History([], []))
        since = histories.back(window, n_partitions.get(topic_id))
        ends = histories.ends_of(topic_id, since=since, window=window, step=steps.step)
        end = histories.end_of(reads[topic_id].ended_at, commits, steps.step)
        wide.append(is_wide(ends))
        seconds.append(Line(name, "s", ages(ends, commits, steps)).over(end, steps.ends))
        offsets.append(Line(name, "offsets", lags(ends, commits, steps)).over(end, steps.ends))
        paces.append(Line(name, "/s", rates(commits, steps, missing=None)).over(end, steps.ends))
    return GroupSeries(
        tuple(steps.ends),
        steps.step.total_seconds(),
        tuple(seconds),
        tuple(offsets),
        tuple(paces),
        len(known) - len(shown),
        by_sums=False,
        too_wide=bool(wide) and wide[0],
    )


def _by_sums(cluster: str, group_id: int, window: Window, now: datetime) -> GroupSeries:
    """The same of more than a day."""
    read, reads = sums.plan(cluster, window, now=now), sums.topics_of(group_id, window)
    names = names_of_topics(reads)
    known = _in_order(reads, names)
    shown = known[:MOST_LINES]
    found = sums.of_pairs([(key, group_id) for key in shown], window, read)
    own = [(names[key], reads[key].ended_at, found.get((key, group_id), sums.Counted())) for key in shown]
    return GroupSeries(
        read.ends,
        read.step.total_seconds(),
        tuple(Line(name, "s", each.highest_ages(read)).over(end, read.ends) for name, end, each in own),
        tuple(Line(name, "offsets", each.highest_lags(read)).over(end, read.ends) for name, end, each in own),
        tuple(Line(name, "/s", each.rates(read)).over(end, read.ends) for name, end, each in own),
        len(known) - len(shown),
        by_sums=True,
    )


def _in_order(reads: Mapping[int, LastSeen], names: Mapping[int, str]) -> Sequence[int]:
    """What it still reads before what it reads no more, the furthest behind first."""
    return sorted(
        (key for key in reads if key in names),
        key=lambda key: (reads[key].ended_at is not None, -(reads[key].lag or 0), names[key]),
    )
