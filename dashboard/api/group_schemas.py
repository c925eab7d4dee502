"""The API's answers about consumer groups."""

from typing import Literal

from ninja import Schema

from dashboard.api.schemas import Health, MarkItem, SeriesLine, Standing, TrendSince, Until


class Reading(Standing):
    """A group on one of its topics."""

    topic: str
    n_partitions: int | None


class GroupItem(Schema):
    """A consumer group."""

    id: str
    name: str
    cluster: str
    protocol: str
    state: str
    health: Health
    sentence: str
    n_members: int | None
    lag: int | None
    lag_seconds: float | None
    lost: int
    moved_at: str | None
    loses_in_seconds: Until
    topics: list[Reading]


class GroupList(Schema):
    """A page of groups, by id. `truncated`: there are more; `next` continues it (parameter `after`)."""

    as_of: str | None
    items: list[GroupItem]
    next: str | None
    truncated: bool


class GroupMember(Schema):
    """A member of a group and the partitions it holds."""

    client_id: str
    host: str
    assignment: list[tuple[str, int]]


class GroupPartition(Schema):
    """One partition that a group reads."""

    topic: str
    partition: int
    low: int | None
    high: int | None
    committed: int | None
    lag: int | None
    lost: int
    lag_seconds: float | None
    lag_seconds_margin: float | None
    verdict: str
    note: Literal["", "markers", "open transaction"]
    member: str


class GroupSeries(Schema):
    """Lag in seconds and in offsets, and commits per second, one line a topic; `at` are the ends of the steps.

    `by_sums`, in windows of more than 12 hours: lags are the highest of each step, else those at its end.
    """

    at: list[str]
    step_seconds: float
    ages: list[SeriesLine]
    lags: list[SeriesLine]
    rates: list[SeriesLine]
    n_more_topics: int
    by_sums: bool


class GroupAnswer(GroupItem):
    """One group with its members and partitions (at most 1,000 of each; partitions with the largest lag first).

    `trend_since`: of the topic on which it is furthest behind, `worst_topic`.
    """

    as_of: str | None
    members: list[GroupMember]
    partitions: list[GroupPartition]
    n_partitions: int
    worst_topic: str | None
    trend_since: TrendSince | None
    series: GroupSeries
    marks: list[MarkItem]
