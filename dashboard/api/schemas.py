"""The API's answers, as the OpenAPI document shows them. Times are ISO 8601 UTC; None is unknown, never 0."""

from typing import Any, Literal

from ninja import Field, Schema

Health = Literal["ok", "degraded", "failing", "idle", "unknown"]


class Problem(Schema):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class GraphNode(Schema):
    """A service, a topic, or a group that no service explains. Rates are per second over the last minute."""

    id: str
    kind: Literal["service", "topic", "group"]
    name: str
    cluster: str
    role: str
    health: Health
    sentence: str
    rate: float | None
    rate_in: float | None
    rate_out: float | None
    n_dead_letters: int
    lag: int | None
    lag_seconds: float | None
    guessed: bool
    x: float | None
    y: float | None


class GraphEdge(Schema):
    """A service writes to a topic, or a topic is read: by the service that explains the group, else by the group."""

    id: str
    source: str
    target: str
    kind: Literal["produce", "consume"]
    group: str | None
    group_name: str | None
    evidence: list[str]
    messages: int | None
    messages_from: Literal["spans", "offsets"]
    errors: int | None
    rate: float | None
    lag: int | None
    lag_seconds: float | None
    wait_p95_seconds: float | None
    processing_p95_seconds: float | None
    health: Health
    sentence: str


class GraphAnswer(Schema):
    """What flowed in the window. Counts are over the whole window, rates over its last `rate_seconds`.

    Waits and processing times are read by whole minutes or hours, so since `latencies_from`. Of the past, `lag` is that
    of the window's end and no group's state is judged; `n_dead_letters` are always those open now.
    """

    as_of: str | None
    from_: str = Field(alias="from")
    to: str
    rate_seconds: int
    latencies_from: str
    delayed: bool
    n_idle: int
    nodes: list[GraphNode]
    edges: list[GraphEdge]


class TopicItem(Schema):
    """One topic of the list."""

    id: str
    name: str
    cluster: str
    role: str
    health: Health
    sentence: str
    rate_in: float | None
    messages: int | None
    slowest_rate: float | None
    n_groups: int
    lag: int | None
    lag_seconds: float | None
    retention_ms: int | None
    n_dead_letters: int
    n_partitions: int | None
    evidence: list[str]


class TopicList(Schema):
    """A page of topics, by id. `truncated`: there are more; `next` continues it (parameter `after`)."""

    as_of: str | None
    items: list[TopicItem]
    next: str | None
    truncated: bool


class TopicGroup(Schema):
    """A group on this topic. `trend`: events per second by which its lag grows.

    `rate` and `messages` are what it committed; where `messages_from` is spans, what its services said they read.
    """

    id: str
    name: str
    services: list[str]
    rate: float | None
    messages: int | None
    messages_from: str
    lag: int | None
    lag_seconds: float | None
    lag_seconds_margin: float | None
    lost: int | None
    verdict: str
    health: Health
    sentence: str
    trend: float | None
    evidence: list[str]


class TopicAnswer(Schema):
    """One topic."""

    as_of: str | None
    id: str
    name: str
    cluster: str
    role: str
    n_partitions: int | None
    health: Health
    sentence: str
    rate_in: float | None
    messages: int | None
    available: int | None
    producers: list[GraphEdge]
    groups: list[TopicGroup]
    configs: dict[str, Any]


class SeriesLine(Schema):
    """One line of a chart: a value per step, null where there was no sample."""

    name: str
    unit: str
    values: list[float | None]


class SeriesAnswer(Schema):
    """Rates in and out (per second) and lag (events), one value per step; `at` are the ends of the steps."""

    at: list[str]
    step_seconds: float
    rate_in: SeriesLine
    rates_out: list[SeriesLine]
    lags: list[SeriesLine]
    n_more_groups: int


class Reading(Schema):
    """A group on one of its topics."""

    topic: str
    rate: float | None
    messages: int | None
    lag: int | None
    lag_seconds: float | None
    lost: int | None
    verdict: str
    services: list[str]


class GroupItem(Schema):
    """A consumer group."""

    id: str
    name: str
    cluster: str
    protocol: str
    state: str
    health: Health
    sentence: str
    lag: int | None
    lag_seconds: float | None
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


class GroupAnswer(GroupItem):
    """One group with its members and partitions."""

    as_of: str | None
    members: list[GroupMember]
    partitions: list[GroupPartition]


class HealthPart(Schema):
    """One process of Weir."""

    name: str
    instance: str
    state: Literal["ok", "failing", "delayed", "missing"]
    at: str | None
    sentence: str
    numbers: dict[str, Any]


class HealthAnswer(Schema):
    """Whether Weir keeps up."""

    ok: bool
    sentence: str
    folded_at: str | None
    scanned_at: str | None
    parts: list[HealthPart]
    database_bytes: int
    n_waiting_batches: int
    n_undecodable_hour: int
    n_gaps_day: int
