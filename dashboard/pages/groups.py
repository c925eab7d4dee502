"""Consumer groups, and one group: which fall behind, since when, and when will they be done?"""

from collections.abc import Collection
from functools import partial
from math import inf
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse

from collector.clock import now
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.charts import (
    age_caption,
    by_name,
    chart,
    marks_on,
    offsets_caption,
    pace_caption,
    renewed,
    retention_limit,
    without_ages,
)
from dashboard.crowding import heavy_where
from dashboard.lists import as_csv, listed, told_of_changes
from dashboard.queries.filters import Subject
from dashboard.queries.freshness import freshness
from dashboard.queries.group import MOST_PARTITIONS, group, kept_by, number_of
from dashboard.queries.group_series import group_series
from dashboard.queries.groups import GroupRow, groups
from dashboard.queries.lag_trends import trend_since_of
from dashboard.queries.marks import last_rewind, marks_of_group
from dashboard.queries.offsets import by_minutes
from dashboard.queries.owners import group_owners, owners_of
from dashboard.queries.window import Window
from dashboard.templatetags.sorting import badness

DEFAULT_SORT = "-health"
_PRESETS = (
    ("Failing or slow", "health:bad"),
    ("Lag above 30 s", "lag>30s"),
    ("Stalled", "verdict:stalled"),
    ("Retention risk", "is:at-risk"),
    ("Never committed", "verdict:no-commits"),
)
TABS = (("lag", "Lag"), ("partitions", "Partitions"), ("members", "Members"), ("history", "History"))
_COLUMNS = {
    "health": lambda row: (badness(row.health.level), row.lag_seconds or 0, row.lag or 0),
    "name": lambda row: row.name,
    "cluster": lambda row: row.cluster,
    "topics": lambda row: len(row.readings),
    "members": lambda row: row.n_members,
    "lag": lambda row: row.lag_seconds if row.lag_seconds is not None else row.lag,
    "trend": lambda row: row.worst.trend if row.worst else None,
    "done": lambda row: row.worst.done_in_seconds if row.worst else None,
    "loses": lambda row: row.loses_in_seconds,
    "committed": lambda row: row.moved_at,
}
_CELLS = {
    "cluster": lambda row: row.cluster,
    "group": lambda row: row.name,
    "protocol": lambda row: row.protocol,
    "state": lambda row: row.state,
    "health": lambda row: row.health.level,
    "because": lambda row: row.health.sentence,
    "topics": lambda row: tuple(each.topic_name for each in row.readings),
    "members": lambda row: row.n_members,
    "worst_lag_offsets": lambda row: row.lag,
    "worst_lag_seconds": lambda row: row.lag_seconds,
    "lag_grows_per_second": lambda row: row.worst.trend if row.worst else None,
    "done_in_seconds": lambda row: row.worst.done_in_seconds if row.worst else None,
    "loses_data_in_seconds": lambda row: row.loses_in_seconds,
    "lost_unread": lambda row: row.lost,
    "partitions_without_commit": lambda row: row.n_uncommitted,
    "last_commit": lambda row: row.moved_at,
}


@needs(Action.VIEW)
def group_list(request: HttpRequest) -> HttpResponse:
    """All groups of the window, filtered by `q` and sorted by `sort`."""
    span, within = shell.window(request), shell.scope(request)
    found = groups(span, now=now(), clusters=within.chosen)
    subject = told_of_changes(_subject, request, span)
    rows = listed(request, found.items, subject=subject, columns=_COLUMNS, default_sort=DEFAULT_SORT, presets=_PRESETS)
    owners = group_owners()
    known = [(row, owners.of(row.cluster, row.name)) for row in rows["rows"]]
    return shell.page(
        request,
        "groups/groups.html",
        {"groups": found, **rows, "owned": known, "has_owners": any(owner for _, owner in known)},
        section="groups",
        crumbs=[shell.Crumb("Groups")],
        span=span,
        fresh=found.freshness,
        streams=shell.stream("groups", span, within.chosen),
        source="scan",
        within=within,
        keeps=settings.WEIR_KEEP_CHUNKS,
    )


@needs(Action.VIEW)
def group_csv(request: HttpRequest) -> HttpResponse:
    """The list as a file."""
    span = shell.window(request)
    found = groups(span, now=now(), clusters=shell.scope(request).chosen)
    owners = group_owners()
    return as_csv(
        request,
        "groups",
        found.items,
        subject=told_of_changes(_subject, request, span),
        columns=_COLUMNS,
        default_sort=DEFAULT_SORT,
        cells={**_CELLS, "owner": lambda row: owners.of(row.cluster, row.name)},
        truncated=found.truncated,
    )


@needs(Action.VIEW)
@heavy_where(shell.is_long_ago)
def group_page(request: HttpRequest, cluster: str, name: str) -> HttpResponse:
    """One group, by tab; parts: `charts` (JSON), `fresh` with everything on the tab that moves.

    `why` opens the samples behind one verdict.
    """
    span, within = shell.window(request), shell.scope(request)
    if shell.wants_part(request, "charts") and (number := number_of(cluster, name)) is not None:
        drawn = _charts(cluster, number, span)
        fresh = freshness(now=now()).only([cluster])
        return JsonResponse(renewed(drawn, fresh))
    chosen = request.GET.get("tab", "")
    tab = chosen if chosen in dict(TABS) else TABS[0][0]
    most = MOST_PARTITIONS if tab == "partitions" else 0
    page = group(cluster, name, span, now=now(), why=_asked(request.GET.get("why", "")), most=most)
    if page is None:
        raise Http404(f"There is no group {name} on {cluster}.")
    facts: dict[str, Any] = {"group": page, "owners": owners_of(page.row.id), "tab": tab}
    judged = page.row.judged
    if judged and judged.behind.verdict == "REWOUND":
        facts["rewind"] = last_rewind(page.number, judged.topic_name, span)
    facts["since"] = trend_since_of(page, span, now=now())
    facts["stood_at"] = None if span.live else by_minutes(span, now=now()).to_at
    if shell.wants_part(request, "fresh"):
        facts |= {"span": span, "marks": marks_of_group(page.number, span), **shell.standing(within, span, [cluster])}
        return render(request, "groups/fresh.html", facts)
    facts |= {"tabs": TABS}
    if tab == "lag":
        facts |= _charts(cluster, page.number, span)
    elif tab == "history":
        facts["marks"] = marks_of_group(page.number, span)
    return shell.page(
        request,
        "groups/group.html",
        facts,
        section="groups",
        crumbs=[shell.Crumb("Groups", reverse("groups")), shell.Crumb(name)],
        span=span,
        fresh=page.freshness,
        streams=shell.stream("groups", span, [cluster] if within.are_several else None),
        source="scan",
        within=within,
        about=[cluster],
        keeps=settings.WEIR_KEEP_CHUNKS,
    )


def _charts(cluster: str, number: int, span: Window) -> dict[str, Any]:
    lines, marks, kept = group_series(cluster, number, span, now=now()), marks_of_group(number, span), kept_by(number)
    limit = retention_limit({line.name: kept.get(line.name) for line in lines.ages})
    drawn = partial(chart, lines, over="read no more")
    return {
        "charts": {
            "ages": drawn(by_name(lines.ages), "s", limit=limit, highest=lines.by_sums, none=without_ages(lines)),
            "lags": drawn(by_name(lines.lags), "offsets", highest=lines.by_sums),
            "rates": drawn(by_name(lines.rates), "commits/s"),
        },
        "captions": {"ages": age_caption(lines), "lags": offsets_caption(lines), "rates": pace_caption(lines)},
        "n_more_topics": lines.n_more_topics,
        "marks": marks,
        "shown_marks": marks_on(marks),
    }


def _asked(text: str) -> tuple[str, int | None] | None:
    """`orders.created` asks for a topic's verdict, `orders.created/7` for a partition's."""
    topic, slash, partition = text.rpartition("/")
    if not slash:
        return (text, None) if text else None
    return (topic, int(partition)) if partition.isascii() and partition.isdigit() and len(partition) < 8 else None


def _subject(row: GroupRow, changed: Collection[str]) -> Subject:
    services = {service.removeprefix("service:") for reading in row.readings for service in reading.services}
    return Subject(
        "group",
        row.name,
        row.health.level,
        frozenset({"offsets", *({"traced"} if services else ())}),
        row.lag,
        row.lag_seconds,
        sum(rates) if (rates := [each.rate for each in row.readings if each.rate is not None]) else None,
        changed=row.id in changed,
        at_risk=row.loses_in_seconds is not None and row.loses_in_seconds < inf,
        verdicts=frozenset(reading.behind.verdict for reading in row.readings),
        tied=frozenset(("topic", reading.topic_name) for reading in row.readings),
    )


urlpatterns = [
    path("groups/", group_list, name="groups"),
    path("groups/list.csv", group_csv, name="groups_csv"),
    path("groups/<segment:cluster>/<rest:name>/", group_page, name="group"),
]
