"""Graph, topics and groups: GET only."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router
from ninja.responses import Response

from collector import clock
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.api import group_schemas, schemas
from dashboard.api.listing import After, Clusters, From, Limit, To, listing
from dashboard.api.problems import NotFound
from dashboard.crowding import heavy_where
from dashboard.queries import group as one_group
from dashboard.queries import group_series as group_lines
from dashboard.queries import groups as group_queries
from dashboard.queries import topic as one_topic
from dashboard.queries import topics as topic_queries
from dashboard.queries import wire
from dashboard.queries.conditions import Behind
from dashboard.queries.graph import graph
from dashboard.queries.lag_trends import Since, trend_since_of, trends_on
from dashboard.queries.marks import marks_of_group, marks_of_topic
from dashboard.queries.readers import GroupOnTopic
from dashboard.queries.series import series
from dashboard.queries.topic_partitions import MOST_ROWS, Asked, PartitionRow
from dashboard.queries.window import Window, parse

router = Router(tags=["topology"])
JSON = "application/json; charset=utf-8"


@router.get("graph", response=schemas.GraphAnswer, by_alias=True)
@needs(Action.VIEW)
def read_graph(
    request: HttpRequest,
    from_: From = None,
    to: To = None,
    idle: bool = False,  # noqa: FBT001, FBT002
    clusters: Clusters = None,
) -> HttpResponse:
    """The service graph of a window: who writes to which topic, who reads it, how much, and how we know."""
    now = clock.now()
    found = wire.graph(graph(parse(from_, to, now=now), now=now, idle=idle, clusters=clusters))
    return Response(found, content_type=JSON)  # as it is: checking it by the schema took as long as reading it


@router.get("topics", response=schemas.TopicList)
@needs(Action.VIEW)
def read_topics(
    request: HttpRequest,
    from_: From = None,
    to: To = None,
    after: After = "",
    limit: Limit = 100,
    clusters: Clusters = None,
) -> dict[str, Any]:
    """Every living topic that is not internal, by id."""
    now = clock.now()
    found = topic_queries.topics(parse(from_, to, now=now), now=now, after=after, clusters=clusters)
    as_of = found.freshness.scanned_at
    return listing(found.items, limit, truncated=found.truncated, as_of=as_of, row=wire.topic_row)


@router.get("topics/{segment:cluster}/{segment:topic}/series", response=schemas.SeriesAnswer)
@needs(Action.VIEW)
@heavy_where(shell.is_long_ago)
def read_series(request: HttpRequest, cluster: str, topic: str, from_: From = None, to: To = None) -> dict[str, Any]:
    """Rates and lag of one topic over the window, in at most 180 steps."""
    number = topic_queries.number_of(cluster, topic)
    if number is None:
        raise NotFound("No such topic.")
    found = series(cluster, number, _window(from_, to), now=clock.now())
    return {**asdict(found), "at": [wire.iso(at) for at in found.at]}


@router.get("topics/{segment:cluster}/{segment:topic}", response=schemas.TopicAnswer)
@needs(Action.VIEW)
@heavy_where(shell.is_long_ago)
def read_topic(request: HttpRequest, cluster: str, topic: str, from_: From = None, to: To = None) -> dict[str, Any]:
    """One topic: who writes, who reads, how far behind, and its configuration."""
    window, number = _window(from_, to), topic_queries.number_of(cluster, topic)
    asked = Asked(MOST_ROWS, "-rate")  # the busiest, where there are more
    found = one_topic.topic(cluster, topic, window, now=clock.now(), asked=asked)
    if found is None or number is None:
        raise NotFound("No such topic.")
    marks = marks_of_topic(number, window)
    since = trends_on(found, number, window, now=clock.now())
    return {
        **asdict(found.name),
        "as_of": wire.iso(found.freshness.as_of),
        "health": found.node.health,
        "sentence": found.node.sentence,
        "rate_in": found.node.rate_in,
        "messages": found.messages,
        "available": found.available,
        "traced": found.share.traced,
        "unlike_events": found.unlike_events,
        "lost": found.lost,
        "partitions": [
            _topic_partition(row, found.partitions.groups)
            for row in sorted(found.partitions.rows, key=lambda row: row.partition)
        ],
        "producers": [wire.edge(edge) for edge in found.producers],
        "written_at": {identity: wire.iso(at) for identity, at in found.written_at.items()},
        "groups": [_group_on_topic(group, since.get(group.number)) for group in found.groups],
        "configs": found.configs,
        "own_configs": [setting.name for setting in found.settings if setting.is_own],
        "marks": [wire.mark(mark) for mark in marks.items],
    }


@router.get("groups", response=group_schemas.GroupList)
@needs(Action.VIEW)
def read_groups(
    request: HttpRequest,
    from_: From = None,
    to: To = None,
    after: After = "",
    limit: Limit = 100,
    clusters: Clusters = None,
) -> dict[str, Any]:
    """Every consumer group that reads a living topic, and those whose offsets cannot be read, by id."""
    found = group_queries.groups(_window(from_, to), now=clock.now(), after=after, clusters=clusters)
    as_of = found.freshness.scanned_at
    return listing(found.items, limit, truncated=found.truncated, as_of=as_of, row=_group)


@router.get("groups/{segment:cluster}/{rest:group}", response=group_schemas.GroupAnswer)
@needs(Action.VIEW)
@heavy_where(shell.is_long_ago)
def read_group(request: HttpRequest, cluster: str, group: str, from_: From = None, to: To = None) -> dict[str, Any]:
    """One group: its topics, members and partitions, its lag over the window, and what changed in it."""
    window = _window(from_, to)
    found = one_group.group(cluster, group, window, now=clock.now())
    if found is None:
        raise NotFound("No such group.")
    lines = asdict(group_lines.group_series(cluster, found.number, window, now=clock.now()))
    return {
        **_group(found.row),
        "as_of": wire.iso(found.freshness.scanned_at),
        "members": [asdict(member) for member in found.members],
        "partitions": [_partition(partition) for partition in found.partitions],
        "n_partitions": found.n_partitions,
        "worst_topic": found.row.worst.topic if found.row.worst else None,
        "trend_since": _trend_since(trend_since_of(found, window, now=clock.now())),
        "series": {**lines, "at": [wire.iso(at) for at in lines["at"]]},
        "marks": [wire.mark(mark) for mark in marks_of_group(found.number, window).items],
    }


def _window(from_text: str | None, to_text: str | None) -> Window:
    return parse(from_text, to_text, now=clock.now())


def _group_on_topic(group: GroupOnTopic, since: Since | None) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "services": list(group.services),
        "rate": group.rate,
        "messages": group.messages,
        "messages_from": group.messages_from,
        "health": group.health.level,
        "sentence": group.health.sentence,
        "trend": group.trend,
        "trend_since": _trend_since(since),
        "done_in_seconds": wire.seconds(group.done_in_seconds),
        "loses_in_seconds": wire.seconds(group.risk.seconds if group.risk else None),
        "traced": group.share.traced,
        "offsets": group.share.offsets,
        "evidence": list(group.evidence),
        **_behind(group.behind),
    }


def _trend_since(since: Since | None) -> dict[str, Any] | None:
    return {"at": wire.iso(since.at), "is_known": since.is_known} if since else None


def _topic_partition(row: PartitionRow, groups: Sequence[str]) -> dict[str, Any]:
    names = ("partition", "leader", "low", "high", "rate", "is_hot")
    return {**{name: getattr(row, name) for name in names}, "lags": dict(zip(groups, row.lags, strict=True))}


def _group(row: group_queries.GroupRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "cluster": row.cluster,
        "protocol": row.protocol,
        "state": row.state,
        "health": row.health.level,
        "sentence": row.health.sentence,
        "n_members": row.n_members,
        "lag": row.lag,
        "lag_seconds": row.lag_seconds,
        "lost": row.lost,
        "moved_at": wire.iso(row.moved_at),
        "loses_in_seconds": wire.seconds(row.loses_in_seconds),
        "topics": [
            {
                "topic": reading.topic,
                "rate": reading.rate,
                "messages": reading.messages,
                "services": list(reading.services),
                "n_partitions": reading.n_partitions,
                "health": reading.health.level,
                "sentence": reading.health.sentence,
                "trend": reading.trend,
                "done_in_seconds": wire.seconds(reading.done_in_seconds),
                "loses_in_seconds": wire.seconds(reading.risk.seconds if reading.risk else None),
                **_behind(reading.behind),
            }
            for reading in row.readings
        ],
    }


def _behind(behind: Behind | None) -> dict[str, Any]:
    return {
        "lag": behind.lag if behind else None,
        "lag_seconds": behind.lag_seconds if behind else None,
        "lag_seconds_margin": behind.lag_seconds_margin if behind else None,
        "lag_seconds_from": None if behind is None or behind.lag_seconds is None else _source(behind.from_record),
        "lost": behind.lost if behind else None,
        "n_uncommitted": behind.n_uncommitted if behind else None,
        "verdict": behind.verdict if behind else "",
        "since": wire.iso(behind.since) if behind else None,
        "n_judged": behind.n_judged if behind else None,
        "notes": dict(behind.notes) if behind else {},
    }


def _partition(row: one_group.PartitionStanding) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in ("topic", "partition", "low", "high", "committed", "lag", "lost")},
        "lag_seconds": row.age.seconds if row.age else None,
        "lag_seconds_margin": row.age.margin_seconds if row.age else None,
        "verdict": row.verdict,
        "note": row.note,
        "member": row.member,
    }


def _source(from_record: bool) -> str:  # noqa: FBT001
    return "record" if from_record else "samples"
