"""Series over time of one consumer group: lag in seconds and offsets, and how fast it commits, by topic."""

from dataclasses import dataclass
from datetime import datetime

from dashboard.queries import histories
from dashboard.queries.catalogue import catalogue
from dashboard.queries.series import MOST_GROUPS, Line, ages, lags, rates
from dashboard.queries.window import Window


@dataclass(frozen=True, slots=True)
class GroupSeries:
    """Lines on one time axis, one a topic. `n_more_topics` were left out, smallest lag first."""

    at: tuple[datetime, ...]
    step_seconds: float
    ages: tuple[Line, ...]
    lags: tuple[Line, ...]
    rates: tuple[Line, ...]
    n_more_topics: int


def group_series(cluster: str, group_id: int, window: Window) -> GroupSeries:
    """Lag and pace of a group over the window in at most 180 steps. Seven statements, and one for each topic drawn."""
    steps = histories.steps_of(cluster, window)
    commits = histories.commits_of(group_id, window=window, step=steps.step)
    names = catalogue()
    known = [key for key in commits if key in names.topics]
    worst = sorted(known, key=lambda key: -((behind.lag or 0) if (behind := names.behind(key, group_id)) else 0))
    shown, seconds, offsets, paces = worst[:MOST_GROUPS], [], [], []
    for topic_id in shown:
        name = names.topics[topic_id].name
        ends = histories.ends_of(topic_id, since=histories.back(window), window=window, step=steps.step)
        seconds.append(Line(name, "s", ages(ends, commits[topic_id], steps)))
        offsets.append(Line(name, "offsets", lags(ends, commits[topic_id], steps)))
        paces.append(Line(name, "/s", rates(commits[topic_id], steps, missing=None)))
    return GroupSeries(
        tuple(steps.ends),
        steps.step.total_seconds(),
        tuple(seconds),
        tuple(offsets),
        tuple(paces),
        len(known) - len(shown),
    )
