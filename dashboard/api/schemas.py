"""The API's answers, as the OpenAPI document shows them. Times are ISO 8601 UTC; None is unknown, never 0."""

from typing import Any, Literal

from ninja import Field, Schema

Health = Literal["ok", "degraded", "failing", "idle", "unknown"]
Until = float | Literal["never"] | None
"""Seconds until something happens; null is unknown."""


class Problem(Schema):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class GraphNode(Schema):
    """A service, a topic, or a group that no service explains. Rates are per second over the last minute; `lacks` names
    ways whose rate leaves out unknown edges. `shown_name`: with its cluster where another one has its name.
    """

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
    shown_name: str
    x: float | None
    y: float | None
    estimated: bool
    domain: str
    team: str
    lacks: list[Literal["in", "out"]]


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
    sampled_share: float | None
    estimated: bool
    wait_p50_seconds: float | None
    processing_p50_seconds: float | None
    contradictions: list[str]


class GraphAnswer(Schema):
    """What flowed in the window. Counts are over the whole window, rates over its last `rate_seconds`.

    Waits and processing times are read by whole minutes or hours, so since `latencies_from`. Of the past, `lag` is that
    of the window's end and no group's state is judged; `n_dead_letters` are always those open now. Of an edge whose
    spans are sampled, counts are of what was kept, `sampled_share` of all; `estimated` rates are told from that.
    Counts of `produce` edges are of sends that were attempted: an aborted transaction's count, too.
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
    """One topic of the list. `retention_ms`: how long it keeps a record; -1 is for ever (only compacted, too)."""

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
    loses_in_seconds: Until
    n_dead_letters: int
    n_partitions: int | None
    evidence: list[str]


class TopicList(Schema):
    """A page of topics, by id. `truncated`: there are more; `next` continues it (parameter `after`)."""

    as_of: str | None
    items: list[TopicItem]
    next: str | None
    truncated: bool


class TrendSince(Schema):
    """When lag began to grow, or to fall; where `is_known` is false, at the latest: no sample tells how long before."""

    at: str
    is_known: bool


class Standing(Schema):
    """How a group stands on a topic. `lost`: offsets that were deleted before it read them.

    `trend`: events per second by which its lag grows.
    `verdict` was found on `n_judged` partitions and holds since `since`. `notes`: partition to "markers" (what is left
    there are transaction markers) or "open transaction".
    """

    rate: float | None
    messages: int | None
    services: list[str]
    lag: int | None
    lag_seconds: float | None
    lag_seconds_margin: float | None
    lag_seconds_from: Literal["samples", "record"] | None
    lost: int | None
    n_uncommitted: int | None
    verdict: str
    since: str | None
    n_judged: int | None
    notes: dict[str, str]
    health: Health
    sentence: str
    trend: float | None
    done_in_seconds: Until
    loses_in_seconds: Until


class TopicGroup(Standing):
    """A group on this topic. `trend_since` is told of the eight whose lag changes fastest.

    `rate` and `messages` are what it committed; where `messages_from` is spans, what its services said they read.
    """

    id: str
    name: str
    messages_from: str
    trend_since: TrendSince | None
    traced: int | None
    offsets: int | None
    evidence: list[str]


class TopicPartition(Schema):
    """One partition. `is_hot`: more than 3 times the median rate. `lags` by group (those furthest behind)."""

    partition: int
    leader: int | None
    low: int | None
    high: int | None
    rate: float | None
    is_hot: bool
    lags: dict[str, int | None]


class Change(Schema):
    """One setting before and after; null is "not set"."""

    name: str
    before: str | None
    after: str | None


class MarkItem(Schema):
    """Something that changed at a time."""

    at: str
    kind: Literal["version", "again", "partitions", "config", "rewind", "rebalance", "lost", "cut", "other"]
    who: str
    sentence: str
    changes: list[Change]


class TopicAnswer(Schema):
    """One topic. `traced` of `messages` written in the window have spans.

    `unlike_events`: why its offsets and its events differ in number ("transactional", "compacted"), or empty. `lost`:
    offsets that were deleted before some group read them. `own_configs`: settings of the topic's own. `partitions`: at
    most 1,000 of `n_partitions`, the busiest. `written_at`: when each producer last wrote, to its rollup's length.
    """

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
    traced: int | None
    unlike_events: str
    lost: int
    partitions: list[TopicPartition]
    producers: list[GraphEdge]
    written_at: dict[str, str]
    groups: list[TopicGroup]
    configs: dict[str, Any]
    own_configs: list[str]
    marks: list[MarkItem]


class SeriesLine(Schema):
    """One line: a value per step, null without a sample. `is_over`: the group reads the topic no more."""

    name: str
    unit: str
    values: list[float | None]
    is_over: bool = False


class SeriesAnswer(Schema):
    """Rates in and out (per second), lag in offsets and in seconds: a value per step; `at` are their ends.

    `by_sums`, in windows of more than 12 hours: lags are the highest of each step, else those at its end.
    """

    at: list[str]
    step_seconds: float
    rate_in: SeriesLine
    rates_out: list[SeriesLine]
    lags: list[SeriesLine]
    ages: list[SeriesLine]
    n_more_groups: int
    by_sums: bool
