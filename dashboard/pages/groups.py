"""Consumer groups, and one group: which fall behind, since when, and when will they be done?"""

from fnmatch import fnmatchcase

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse

from collector.clock import now
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.charts import age_caption, chart, marks_on, offsets_caption, pace_caption
from dashboard.queries.group import group
from dashboard.queries.group_series import group_series
from dashboard.queries.groups import GroupRow, groups
from dashboard.queries.marks import marks_of_group
from dashboard.queries.wire import iso
from dashboard.templatetags.sorting import badness, ordered

DEFAULT_SORT = "-health"
LONGEST = 400  # characters of a filter: each word is a pattern that every row is held against
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


@needs(Action.VIEW)
def group_list(request: HttpRequest) -> HttpResponse:
    """All groups of the window, filtered by `q` and sorted by `sort`."""
    span, within = shell.window(request), shell.scope(request)
    found = groups(span, now=now(), clusters=within.chosen)
    words = request.GET.get("q", "")[:LONGEST].split()
    kept = [row for row in found.items if all(_matches(row, word) for word in words)]
    return shell.page(
        request,
        "groups/groups.html",
        {
            "groups": found,
            "rows": ordered(kept, request.GET.get("sort") or DEFAULT_SORT, _COLUMNS),
            "default_sort": DEFAULT_SORT,
            "q": " ".join(words),
        },
        section="groups",
        crumbs=[shell.Crumb("Groups")],
        span=span,
        as_of=found.freshness.scanned_at,
        delayed=found.freshness.scan_delayed,
        streams=shell.stream("groups", span, within.chosen),
        source="scan",
        within=within,
    )


@needs(Action.VIEW)
def group_page(request: HttpRequest, cluster: str, name: str) -> HttpResponse:
    """One group, by tab; parts: `charts` (JSON), `standing`. `why` opens the samples behind one verdict."""
    span, within = shell.window(request), shell.scope(request)
    page = group(cluster, name, span, now=now(), why=_asked(request.GET.get("why", "")))
    if page is None:
        raise Http404(f"There is no group {name} on {cluster}.")
    if shell.wants_part(request, "standing"):
        about = shell.standing(within, span, [cluster])
        return render(request, "groups/standing.html", {"group": page, "span": span, **about})
    lines, marks = group_series(cluster, page.number, span), marks_of_group(page.number, span)
    charts = {
        "ages": chart(lines, lines.ages, "s"),
        "lags": chart(lines, lines.lags, "offsets"),
        "rates": chart(lines, lines.rates, "commits/s"),
    }
    shown = marks_on(marks)
    if shell.wants_part(request, "charts"):
        return JsonResponse(
            {**charts, "marks": shown, "as_of": iso(page.freshness.scanned_at), "delayed": page.freshness.scan_delayed}
        )
    chosen = request.GET.get("tab", "")
    facts = {
        "group": page,
        "tabs": TABS,
        "tab": chosen if chosen in dict(TABS) else TABS[0][0],
        "charts": charts,
        "marks": marks,
        "shown_marks": shown,
        "captions": {"ages": age_caption(lines), "lags": offsets_caption(lines), "rates": pace_caption(lines)},
        "n_more_topics": lines.n_more_topics,
    }
    return shell.page(
        request,
        "groups/group.html",
        facts,
        section="groups",
        crumbs=[shell.Crumb("Groups", reverse("groups")), shell.Crumb(name)],
        span=span,
        as_of=page.freshness.scanned_at,
        delayed=page.freshness.scan_delayed,
        streams=shell.stream("groups", span, [cluster] if within.are_several else None),
        source="scan",
        within=within,
        about=[cluster],
    )


def _asked(text: str) -> tuple[str, int | None] | None:
    """`orders.created` asks for a topic's verdict, `orders.created/7` for a partition's."""
    topic, slash, partition = text.rpartition("/")
    if not slash:
        return (text, None) if text else None
    return (topic, int(partition)) if partition.isascii() and partition.isdigit() and len(partition) < 8 else None


def _matches(row: GroupRow, word: str) -> bool:
    wanted, hit = word.removeprefix("-").lower(), False
    field, colon, value = wanted.partition(":")
    if not colon:
        hit = wanted in row.name.lower()
    elif field == "group":
        hit = fnmatchcase(row.name.lower(), value)
    elif field == "topic":
        hit = any(fnmatchcase(reading.topic_name.lower(), value) for reading in row.readings)
    elif field == "health":
        hit = row.health.level in {"failing", "degraded"} if value == "bad" else row.health.level == value
    elif field == "verdict":
        hit = any(reading.behind.verdict.lower().replace(" ", "-") == value for reading in row.readings)
    return hit is not word.startswith("-")


urlpatterns = [
    path("groups/", group_list, name="groups"),
    path("groups/<segment:cluster>/<rest:name>/", group_page, name="group"),
]
