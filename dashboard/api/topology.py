"""Graph, topics and groups: GET only."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Protocol, TypeVar

from django.http import HttpRequest
from ninja import Query, Router

from collector import clock
from dashboard.access import Action, needs
from dashboard.api import schemas
from dashboard.api.problems import NotFound
from dashboard.queries import groups as group_queries
from dashboard.queries import topics as topic_queries
from dashboard.queries import wire
from dashboard.queries.conditions import Behind
from dashboard.queries.graph import graph
from dashboard.queries.series import series
from dashboard.queries.window import Window, parse

router = Router(tags=["topology"])
From = Annotated[str | None, Query(alias="from", max_length=40)]
To = Annotated[str | None, Query(max_length=40)]
After = Annotated[str, Query(max_length=8000)]  # an id of any name, percent-encoded
Limit = Annotated[int, Query(ge=1, le=1000)]


class _Named(Protocol):
    @property
    def id(self) -> str: ...


Row = TypeVar("Row", bound=_Named)


@router.get("graph", response=schemas.GraphAnswer, by_alias=True)
@needs(Action.VIEW)
def read_graph(
    request: HttpRequest,
    from_: From = None,
    to: To = None,
    idle: bool = False,  # noqa: FBT001, FBT002
) -> dict[str, Any]:
    """The service graph of a window: who writes to which topic, who reads it, how much, and how we know."""
    now = clock.now()
    return wire.graph(graph(parse(from_, to, now=now), now=now, idle=idle))


@router.get("topics", response=schemas.TopicList)
@needs(Action.VIEW)
def read_topics(
    request: HttpRequest,
    from_: From = None,
    to: To = None,
    after: After = "",
    limit: Limit = 100,
) -> dict[str, Any]:
    """Every living topic that is not internal, by id."""
    now = clock.now()
    found = topic_queries.topics(parse(from_, to, now=now), now=now, after=after)
    page, more = _page(found.items, limit, truncated=found.truncated)
    return {
        "as_of": wire.iso(found.freshness.scanned_at),
        "items": [asdict(row) for row in page],
        "next": more,
        "truncated": more is not None,
    }


@router.get("topics/{segment:cluster}/{segment:topic}/series", response=schemas.SeriesAnswer)
@needs(Action.VIEW)
def read_series(request: HttpRequest, cluster: str, topic: str, from_: From = None, to: To = None) -> dict[str, Any]:
    """Rates and lag of one topic over the window, in at most 180 steps."""
    number = topic_queries.number_of(cluster, topic)
    if number is None:
        raise NotFound("No such topic.")
    found = series(number, _window(from_, to))
    return {**asdict(found), "at": [wire.iso(at) for at in found.at]}


@router.get("topics/{segment:cluster}/{segment:topic}", response=schemas.TopicAnswer)
@needs(Action.VIEW)
def read_topic(request: HttpRequest, cluster: str, topic: str, from_: From = None, to: To = None) -> dict[str, Any]:
    """One topic: who writes, who reads, how far behind, and its configuration."""
    found = topic_queries.topic(cluster, topic, _window(from_, to), now=clock.now())
    if found is None:
        raise NotFound("No such topic.")
    return {
        **asdict(found.name),
        "as_of": wire.iso(found.freshness.as_of),
        "health": found.node.health,
        "sentence": found.node.sentence,
        "rate_in": found.node.rate_in,
        "messages": found.messages,
        "available": found.available,
        "producers": [wire.edge(edge) for edge in found.producers],
        "groups": [_group_on_topic(group) for group in found.groups],
        "configs": found.configs,
    }


@router.get("groups", response=schemas.GroupList)
@needs(Action.VIEW)
def read_groups(
    request: HttpRequest,
    from_: From = None,
    to: To = None,
    after: After = "",
    limit: Limit = 100,
) -> dict[str, Any]:
    """Every consumer group that ever committed on a living topic, by id."""
    found = group_queries.groups(_window(from_, to), now=clock.now(), after=after)
    page, more = _page(found.items, limit, truncated=found.truncated)
    return {
        "as_of": wire.iso(found.freshness.scanned_at),
        "items": [_group(row) for row in page],
        "next": more,
        "truncated": more is not None,
    }


@router.get("groups/{segment:cluster}/{rest:group}", response=schemas.GroupAnswer)
@needs(Action.VIEW)
def read_group(request: HttpRequest, cluster: str, group: str, from_: From = None, to: To = None) -> dict[str, Any]:
    """One group: its topics, members and partitions."""
    found = group_queries.group(cluster, group, _window(from_, to), now=clock.now())
    if found is None:
        raise NotFound("No such group.")
    return {
        **_group(found.row),
        "as_of": wire.iso(found.freshness.scanned_at),
        "members": [asdict(member) for member in found.members],
        "partitions": [asdict(partition) for partition in found.partitions],
    }


def _window(from_text: str | None, to_text: str | None) -> Window:
    return parse(from_text, to_text, now=clock.now())


def _page(rows: Sequence[Row], limit: int, *, truncated: bool) -> tuple[Sequence[Row], str | None]:
    """The first `limit` rows, and the cursor of those behind them. `truncated`: there are more than these rows."""
    page = rows[:limit]
    return page, page[-1].id if len(rows) > limit or (truncated and page) else None


def _group_on_topic(group: topic_queries.GroupOnTopic) -> dict[str, Any]:
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
        "evidence": list(group.evidence),
        **_behind(group.behind),
    }


def _group(row: group_queries.GroupRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "cluster": row.cluster,
        "protocol": row.protocol,
        "state": row.state,
        "health": row.health.level,
        "sentence": row.health.sentence,
        "lag": row.lag,
        "lag_seconds": row.lag_seconds,
        "topics": [
            {
                "topic": reading.topic,
                "rate": reading.rate,
                "messages": reading.messages,
                "services": list(reading.services),
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
        "lost": behind.lost if behind else None,
        "verdict": behind.verdict if behind else "",
    }
