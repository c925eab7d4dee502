"""Series over time of one consumer group: lag in seconds and offsets, and how fast it commits, by topic."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from dashboard.queries import histories, sums
from dashboard.queries.catalogue import n_partitions_of, names_of_topics
from dashboard.queries.lines import MOST_LINES, GroupSeries, Line
from dashboard.queries.readings import topics_of
from dashboard.queries.series import ages, is_wide, lags, rates
from dashboard.queries.unpacking import is_too_much
from dashboard.queries.window import Window


class _Topic(NamedTuple):
    number: int
    name: str
    gone_at: datetime | None


def group_series(cluster: str, group_id: int, window: Window, *, now: datetime) -> GroupSeries:
    """Lag and pace of a group over the window in at most 180 steps. Five statements, and one for each topic drawn."""
    reads = topics_of(group_id, window)
    names = names_of_topics(reads)
    known = sorted((key for key in reads if key in names), key=lambda key: (reads[key].order, names[key]))
    shown = [_Topic(key, names[key], reads[key].gone_at) for key in known[:MOST_LINES]]
    is_long = sums.is_long(window)
    n_partitions = {} if is_long else n_partitions_of(known[:MOST_LINES])
    n_all = sum(n or 0 for n in n_partitions.values())
    since = min((histories.back(window, n) for n in n_partitions.values()), default=window.from_at)
    too_many = is_too_much(window, since=since, n_series=3 * n_all, now=now)
    if is_long or too_many:
        found = _by_sums(group_id, shown, window, sums.plan(cluster, window, now=now))
        return replace(found, n_more_topics=len(known) - len(shown), too_many=too_many)
    steps = histories.steps_of(cluster, window, n_partitions=n_all)
    read = histories.commits_of(group_id, topic_ids=known[:MOST_LINES], window=window, step=steps.step)
    seconds, offsets, paces, wide = [], [], [], []
    for topic_id, name, end in shown:
        commits = read.get(topic_id, histories.History([], []))
        since = histories.back(window, n_partitions.get(topic_id))
        ends = histories.ends_of(topic_id, since=since, window=window, step=steps.step)
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


def _by_sums(group_id: int, shown: Sequence[_Topic], window: Window, read: sums.Plan) -> GroupSeries:
    """The same of more than half a day, or of more than is unpacked."""
    found = sums.of_pairs([(topic.number, group_id) for topic in shown], window, read)
    own = [
        (topic.name, read.last_of(topic.gone_at), found.get((topic.number, group_id), sums.Counted()))
        for topic in shown
    ]
    return GroupSeries(
        read.ends,
        read.step.total_seconds(),
        tuple(Line(name, "s", each.highest_ages(read)).over(end, read.ends) for name, end, each in own),
        tuple(Line(name, "offsets", each.highest_lags(read)).over(end, read.ends) for name, end, each in own),
        tuple(Line(name, "/s", each.rates(read)).over(end, read.ends) for name, end, each in own),
        0,
        by_sums=True,
    )
