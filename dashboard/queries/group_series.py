"""Series over time of one consumer group: lag in seconds and offsets, and how fast it commits, by topic."""

from datetime import datetime

from dashboard.queries import histories, sums
from dashboard.queries.catalogue import n_partitions_of, names_of_topics
from dashboard.queries.lines import MOST_LINES, GroupSeries, Line
from dashboard.queries.readings import topics_of
from dashboard.queries.series import ages, is_wide, lags, rates
from dashboard.queries.window import Window


def group_series(cluster: str, group_id: int, window: Window, *, now: datetime) -> GroupSeries:
    """Lag and pace of a group over the window in at most 180 steps. Five statements, and one for each topic drawn."""
    if sums.is_long(window):
        return _by_sums(cluster, group_id, window, now)
    reads = topics_of(group_id, window)
    names = names_of_topics(reads)
    known = sorted((key for key in reads if key in names), key=lambda key: (reads[key].order, names[key]))
    shown, seconds, offsets, paces, wide = known[:MOST_LINES], [], [], [], []
    n_partitions = n_partitions_of(shown)
    steps = histories.steps_of(cluster, window, n_partitions=sum(n or 0 for n in n_partitions.values()))
    read = histories.commits_of(group_id, topic_ids=shown, window=window, step=steps.step)
    for topic_id in shown:
        name, commits = names[topic_id], read.get(topic_id, histories.History([], []))
        since = histories.back(window, n_partitions.get(topic_id))
        ends = histories.ends_of(topic_id, since=since, window=window, step=steps.step)
        end = reads[topic_id].gone_at
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
    read, reads = sums.plan(cluster, window, now=now), topics_of(group_id, window)
    names = names_of_topics(reads)
    known = sorted((key for key in reads if key in names), key=lambda key: (reads[key].order, names[key]))
    shown = known[:MOST_LINES]
    found = sums.of_pairs([(key, group_id) for key in shown], window, read)
    own = [(names[key], read.last_of(reads[key].gone_at), found.get((key, group_id), sums.Counted())) for key in shown]
    return GroupSeries(
        read.ends,
        read.step.total_seconds(),
        tuple(Line(name, "s", each.highest_ages(read)).over(end, read.ends) for name, end, each in own),
        tuple(Line(name, "offsets", each.highest_lags(read)).over(end, read.ends) for name, end, each in own),
        tuple(Line(name, "/s", each.rates(read)).over(end, read.ends) for name, end, each in own),
        len(known) - len(shown),
        by_sums=True,
    )
