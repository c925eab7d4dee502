"""Topics, and one topic: which are busy, late or at risk; who writes, who reads, how far behind?"""

import sys
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from math import inf
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse

from collector.clock import now
from collector.domain import lookups as limits
from collector.domain.identities import tail
from dashboard import samples, shell
from dashboard.access import Action, can, needs
from dashboard.charts import (
    age_caption,
    by_name,
    chart,
    lag_caption,
    marks_on,
    rate_caption,
    renewed,
    retention_limit,
    without_ages,
)
from dashboard.crowding import heavy_where
from dashboard.forms import SampleForm
from dashboard.lists import MOST_ROWS, ROWS, as_csv, csv_of, listed, rows_wanted, told_of_changes
from dashboard.queries.events import recent_events
from dashboard.queries.filters import Subject
from dashboard.queries.freshness import freshness
from dashboard.queries.graph import Node
from dashboard.queries.keeping import keeping
from dashboard.queries.lag_trends import trends_on
from dashboard.queries.marks import config_history, marks_of_topic
from dashboard.queries.neighbourhood import Neighbourhood
from dashboard.queries.offsets import by_minutes
from dashboard.queries.series import series
from dashboard.queries.topic import TopicPage, topic
from dashboard.queries.topic_partitions import EVERY_TAB, Asked, PartitionRow, PartitionTable
from dashboard.queries.topics import TopicRow, deleted, number_of, topics
from dashboard.queries.window import Window
from dashboard.queries.wire import edge, node
from dashboard.templatetags.sorting import badness

N_RECENT = 100
MOST_READ_PER_SECOND = 50.0  # of a list that follows by itself
TABS = (("flow", "Flow"), ("partitions", "Partitions"), ("events", "Events"), ("config", "Config"))
DEFAULT_SORT = "-in"
_PRESETS = (
    ("Failing or slow", "health:bad"),
    ("Lag above 30 s", "lag>30s"),
    ("With dead letters", "has:dead-letters"),
    ("Retention risk", "is:at-risk"),
    ("Not traced", "-known:traced"),
    ("Idle", "is:idle"),
    ("Changed since yesterday", "changed:yes"),
)
_COLUMNS = {
    "health": lambda row: badness(row.health),
    "name": lambda row: row.name,
    "cluster": lambda row: row.cluster,
    "in": lambda row: row.rate_in,
    "out": lambda row: row.slowest_rate,
    "lag": lambda row: row.lag_seconds if row.lag_seconds is not None else row.lag,
    "keeps": lambda row: row.retention_ms,
    "letters": lambda row: row.n_dead_letters,
    "partitions": lambda row: row.n_partitions,
    "traced": lambda row: row.share.ratio,
}
_CELLS = {
    "cluster": lambda row: row.cluster,
    "topic": lambda row: row.name,
    "role": lambda row: row.role,
    "health": lambda row: row.health,
    "because": lambda row: row.sentence,
    "in_per_second": lambda row: row.rate_in,
    "slowest_out_per_second": lambda row: row.slowest_rate,
    "groups": lambda row: row.n_groups,
    "worst_lag_offsets": lambda row: row.lag,
    "worst_lag_seconds": lambda row: row.lag_seconds,
    "retention_ms": lambda row: row.retention_ms,
    "loses_data_in_seconds": lambda row: row.loses_in_seconds,
    "open_dead_letters": lambda row: row.n_dead_letters,
    "partitions": lambda row: row.n_partitions,
    "written_in_window": lambda row: row.share.offsets,
    "of_these_traced": lambda row: row.share.traced,
    "known_by": lambda row: row.evidence,
}


@needs(Action.VIEW)
def topic_list(request: HttpRequest) -> HttpResponse:
    """All topics of the window, filtered by `q` and sorted by `sort`."""
    span, within = shell.window(request), shell.scope(request)
    found = topics(span, now=now(), clusters=within.chosen)
    subject = told_of_changes(_subject, request, span)
    rows = listed(request, found.items, subject=subject, columns=_COLUMNS, default_sort=DEFAULT_SORT, presets=_PRESETS)
    return shell.page(
        request,
        "topics/topics.html",
        {"topics": found, **rows},
        section="topics",
        crumbs=[shell.Crumb("Topics")],
        span=span,
        fresh=found.freshness,
        streams=shell.stream("topics", span, within.chosen),
        source="scan",
        within=within,
        keeps=settings.WEIR_KEEP_CHUNKS,
    )


@needs(Action.VIEW)
def topic_csv(request: HttpRequest) -> HttpResponse:
    """The list as a file."""
    span = shell.window(request)
    found = topics(span, now=now(), clusters=shell.scope(request).chosen)
    return as_csv(
        request,
        "topics",
        found.items,
        subject=told_of_changes(_subject, request, span),
        columns=_COLUMNS,
        default_sort=DEFAULT_SORT,
        cells=_CELLS,
        truncated=found.truncated,
    )


@needs(Action.VIEW)
@heavy_where(shell.is_long_ago)
def topic_page(request: HttpRequest, cluster: str, name: str) -> HttpResponse:
    """One topic, by tab; parts: `charts` (JSON), `fresh` with everything on the tab that moves."""
    span, within = shell.window(request), shell.scope(request)
    number = number_of(cluster, name)
    if number is not None and shell.wants_part(request, "charts"):
        drawn = _charts(cluster, name, number, span)
        fresh = freshness(now=now()).only([cluster])
        return JsonResponse(renewed(drawn, fresh))
    tab = request.GET.get("tab", "")
    tab = tab if tab in dict(TABS) else TABS[0][0]
    asked = Asked(rows_wanted(request), request.GET.get("sort", "")) if tab == "partitions" else EVERY_TAB
    page = topic(cluster, name, span, now=now(), asked=asked) if number is not None else None
    if number is None or page is None:
        return _absent(request, cluster, name)
    facts: dict[str, Any] = {
        "topic": page,
        "unit": "offsets" if page.unlike_events else "events",
        "around": _around(page.around),
        "tab": tab,
        "stood_at": None if span.live else by_minutes(span, now=now()).to_at,
    }
    facts |= _moving(tab, number, page, span)
    if shell.wants_part(request, "fresh"):
        facts |= {"span": span, "range": shell.time_range(request, span), **shell.standing(within, span, [cluster])}
        facts["marks"] = marks_of_topic(number, span)
        return render(request, "topics/fresh.html", facts)
    match tab:
        case "flow":
            facts |= _charts(cluster, name, number, span)
        case "events":
            facts |= _events(request, number, page, span)
        case "config":
            facts["config_marks"] = config_history(number)
    return shell.page(
        request,
        "topics/topic.html",
        {**facts, "tabs": TABS},
        section="topics",
        crumbs=[shell.Crumb("Topics", reverse("topics")), shell.Crumb(name)],
        span=span,
        fresh=page.freshness,
        streams=shell.stream("topics", span, [cluster] if within.are_several else None),
        source="scan",
        within=within,
        about=[cluster],
        keeps=settings.WEIR_KEEP_CHUNKS,
    )


@needs(Action.VIEW)
@heavy_where(shell.is_long_ago)
def partition_csv(request: HttpRequest, cluster: str, name: str) -> HttpResponse:
    """All partitions of a topic as a file, in the order of the page."""
    asked = Asked(sys.maxsize, request.GET.get("sort", ""))
    page = topic(cluster, name, shell.window(request), now=now(), asked=asked)
    if page is None:
        raise Http404(f"There is no topic {name} on {cluster}.")
    cells: dict[str, Callable[[PartitionRow], Any]] = {
        "partition": lambda row: row.partition,
        "leader": lambda row: row.leader,
        "per_second": lambda row: row.rate,
        "share_of_rate": lambda row: row.share,
        "is_hot": lambda row: row.is_hot,
        "oldest_kept_offset": lambda row: row.low,
        "end_offset": lambda row: row.high,
    }
    for number, group in enumerate(page.partitions.groups):
        cells[f"lag_of_{group}"] = partial(_lag_of, number)
    return csv_of("partitions", page.partitions.rows, cells)


def _lag_of(number: int, row: PartitionRow) -> int | None:
    return row.lags[number]


def _moving(tab: str, number: int, page: TopicPage, span: Window) -> dict[str, Any]:
    """What a tab has beside the page's facts, each time it is renewed."""
    if tab == "flow":
        return {"since": trends_on(page, number, span, now=now())}
    return _more_partitions(page.partitions) if tab == "partitions" else {}


def _events(request: HttpRequest, number: int, page: TopicPage, span: Window) -> dict[str, Any]:
    """The newest events, which follow by themselves where somebody could read them, and looks into the topic."""
    own, rate = page.name, page.node.rate_in
    may_see = can(request.user, Action.SEE_PAYLOADS)
    return {
        "recent": recent_events(own.cluster, own.name, since=span.from_at, until=span.to_at, limit=N_RECENT),
        "too_fast": span.live and rate is not None and rate > MOST_READ_PER_SECOND,
        "may_see": may_see,
        "samples": samples.find_all(request, number) if may_see else (),
        "sample_form": SampleForm(initial={"start": "newest"}),
        "limits": limits,
    }


def _more_partitions(found: PartitionTable) -> dict[str, int | str]:
    n_shown = len(found.rows)
    return {
        "n_more": min(ROWS, max(0, min(found.n_all, MOST_ROWS) - n_shown)),
        "n_next": n_shown + ROWS,
        "default_sort": "partition",
    }


def _charts(cluster: str, name: str, number: int, span: Window, *, until: datetime | None = None) -> dict[str, Any]:
    kept = keeping([number]).get(number)
    keeps = kept.keeps.seconds if kept else None
    lines, marks = series(cluster, number, span, now=now()), marks_of_topic(number, span)
    if until is not None:
        lines = lines.until(until)
    return {
        "charts": {
            "rates": chart(lines, [lines.rate_in, *by_name(lines.rates_out)], "/s"),
            "ages": chart(
                lines,
                by_name(lines.ages),
                "s",
                limit=retention_limit({name: keeps}),
                first=1,
                highest=lines.by_sums,
                none=without_ages(lines),
            ),
            "lags": chart(lines, by_name(lines.lags), "offsets", first=1, highest=lines.by_sums),
        },
        "captions": {"rates": rate_caption(lines), "ages": age_caption(lines), "lags": lag_caption(lines)},
        "n_more_groups": lines.n_more_groups,
        "marks": marks,
        "shown_marks": marks_on(marks),
    }


def _around(found: Neighbourhood) -> dict[str, Any]:
    """The graph of the flow tab: nodes with the addresses of their pages."""
    return {
        "nodes": [{**node(each), "url": _address(each)} for each in found.nodes],
        "edges": [edge(each) for each in found.edges],
    }


def _address(found: Node) -> str:
    if found.kind == "service":
        return reverse("service", args=[tail(found.id)])
    return reverse(found.kind, args=[found.cluster, found.name])


def _absent(request: HttpRequest, cluster: str, name: str) -> HttpResponse:
    """There is none, or there was one: then what is kept of it."""
    gone = deleted(cluster, name)
    if gone is None:
        raise Http404(f"There is no topic {name} on {cluster}.")
    number, deleted_at = gone
    span = shell.window(request)
    until, today = deleted_at + settings.WEIR_KEEP_CHUNKS, now()
    history = _charts(cluster, name, number, span, until=deleted_at) if until > today else {}
    return shell.page(
        request,
        "topics/deleted.html",
        {
            "name": name,
            "cluster": cluster,
            "deleted_at": deleted_at,
            "kept_until": until,
            "is_kept": until > today,
            "last_hour": _last_hour(deleted_at),
            "unit": "offsets",
            **history,
        },
        section="topics",
        crumbs=[shell.Crumb("Topics", reverse("topics")), shell.Crumb(name)],
        span=span,
        keeps=settings.WEIR_KEEP_CHUNKS,
        status=404,
    )


def _last_hour(end: datetime) -> dict[str, str]:
    """The window that ends with a topic, as an address names it."""
    begin = end - timedelta(hours=1)
    return {"from": f"{begin:%Y-%m-%dT%H:%M:%SZ}", "to": f"{end + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"}


def _subject(row: TopicRow, changed: Collection[str]) -> Subject:
    return Subject(
        "topic",
        row.name,
        row.health,
        frozenset(row.evidence),
        row.lag,
        row.lag_seconds,
        row.rate_in,
        None,
        row.n_dead_letters,
        changed=row.id in changed,
        at_risk=row.loses_in_seconds is not None and row.loses_in_seconds < inf,
    )


urlpatterns = [
    path("topics/", topic_list, name="topics"),
    path("topics/list.csv", topic_csv, name="topics_csv"),
    path("topics/<segment:cluster>/<rest:name>/", topic_page, name="topic"),
    path("topics/<segment:cluster>/<rest:name>/partitions.csv", partition_csv, name="partitions_csv"),
]
