"""Services: GET only."""

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from ninja import Router

from collector import clock
from dashboard.access import Action, needs
from dashboard.api import service_schemas as schemas
from dashboard.api.listing import After, Clusters, From, Limit, To, listing
from dashboard.api.problems import NotFound
from dashboard.queries import service as one_service
from dashboard.queries import services as service_queries
from dashboard.queries import wire
from dashboard.queries.failure_groups import FailureGroup
from dashboard.queries.marks import marks_of_service
from dashboard.queries.service_series import service_series
from dashboard.queries.service_versions import VersionRow
from dashboard.queries.window import parse

router = Router(tags=["topology"])


@router.get("services", response=schemas.ServiceList)
@needs(Action.VIEW)
def read_services(
    request: HttpRequest,
    from_: From = None,
    to: To = None,
    after: After = "",
    limit: Limit = 100,
    clusters: Clusters = None,
) -> dict[str, Any]:
    """Every service that sends traces, and every consumer group that no service explains, by id."""
    now = clock.now()
    found = service_queries.services(parse(from_, to, now=now), now=now, after=after, clusters=clusters)
    as_of = found.freshness.as_of
    return listing(found.items, limit, truncated=found.truncated, as_of=as_of, row=wire.service_row)


@router.get("services/{rest:service}", response=schemas.ServiceAnswer)
@needs(Action.VIEW)
def read_service(request: HttpRequest, service: str, from_: From = None, to: To = None) -> dict[str, Any]:
    """One service, by the end of its id (`shop/orders-svc`): what it reads and writes, its versions and failures."""
    now = clock.now()
    window = parse(from_, to, now=now)
    found = one_service.service(service, window, now=now)
    if found is None:
        raise NotFound("No such service.")
    fresh = found.freshness
    lines = service_series(found.number, window, first_at=found.first_at, as_of=fresh.folded_at, now=now)
    return {
        **{name: getattr(found, name) for name in ("id", "name", "namespace", "rate_in", "rate_out", "failed")},
        "as_of": wire.iso(fresh.as_of),
        "health": found.health.level,
        "sentence": found.health.sentence,
        "processing": asdict(found.took),
        "coverage": found.coverage.ratio if found.coverage else None,
        "first_at": wire.iso(found.first_at),
        "last_at": wire.iso(found.last_at),
        "last_event_at": wire.iso(found.silence.last_at),
        "usual_seconds": found.silence.usual_seconds,
        "is_silent": found.is_silent,
        "n_reads": found.n_reads,
        "reads": [_side(side) for side in found.reads],
        "n_writes": found.n_writes,
        "writes": [_side(side) for side in found.writes],
        "versions": [_version(row) for row in found.versions],
        "failures": [_failure(group) for group in found.failures],
        "series": {**asdict(lines), "at": [wire.iso(at) for at in lines.at]},
        "marks": [wire.mark(mark) for mark in marks_of_service(found.number, window).items],
    }


def _side(side: one_service.Side) -> dict[str, Any]:
    return {
        "topic": side.topic.id,
        "group": side.group,
        "edge": wire.edge(side.edge) if side.edge else None,
        "lag": side.behind.lag if side.behind else None,
        "lag_seconds": side.behind.lag_seconds if side.behind else None,
        "verdict": side.behind.verdict if side.behind else "",
        "wait_p50_seconds": side.latency.wait_p50,
        "processing_p50_seconds": side.latency.processing_p50,
        "n_dead_letters": side.n_dead_letters,
    }


def _version(row: VersionRow) -> dict[str, Any]:
    is_measured = row.stretch.from_at < row.stretch.to_at
    return {
        "version": row.version.name,
        "first_at": wire.iso(row.version.first_at),
        "last_at": wire.iso(row.version.last_at),
        "is_running": row.is_running,
        "from_at": wire.iso(row.stretch.from_at) if is_measured else None,
        "to_at": wire.iso(row.stretch.to_at) if is_measured else None,
        "processing": asdict(row.took),
        "beside": list(row.beside),
    }


def _failure(group: FailureGroup) -> dict[str, Any]:
    names = ("id", "title", "exception_class", "group", "topic", "n_open", "n_all")
    return {
        **{name: getattr(group, name) for name in names},
        "first_at": wire.iso(group.first_at),
        "last_at": wire.iso(group.last_at),
    }
