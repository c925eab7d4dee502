"""Topics, and one topic: which are busy, late or at risk; who writes, who reads, how far behind?"""

from fnmatch import fnmatchcase

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse

from collector.clock import now
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.charts import chart, lag_caption, rate_caption
from dashboard.queries.events import recent_events
from dashboard.queries.series import series
from dashboard.queries.topics import TopicRow, number_of, topic, topics
from dashboard.queries.wire import iso
from dashboard.templatetags.sorting import ordered

N_RECENT = 20
DEFAULT_SORT = "-in"
_HEALTH = ("failing", "degraded", "unknown", "ok", "idle")
_COLUMNS = {
    "health": lambda row: -_HEALTH.index(row.health),
    "name": lambda row: row.name,
    "in": lambda row: row.rate_in,
    "out": lambda row: row.slowest_rate,
    "lag": lambda row: row.lag_seconds if row.lag_seconds is not None else row.lag,
    "keeps": lambda row: row.retention_ms,
    "letters": lambda row: row.n_dead_letters,
    "partitions": lambda row: row.n_partitions,
}


@needs(Action.VIEW)
def topic_list(request: HttpRequest) -> HttpResponse:
    """All topics of the window, filtered by `q` and sorted by `sort`."""
    span = shell.window(request)
    found = topics(span, now=now())
    words = request.GET.get("q", "").split()
    kept = [row for row in found.items if all(_matches(row, word) for word in words)]
    facts = {
        "topics": found,
        "rows": ordered(kept, request.GET.get("sort") or DEFAULT_SORT, _COLUMNS),
        "default_sort": DEFAULT_SORT,
        "q": " ".join(words),
    }
    return shell.page(
        request,
        "topics/topics.html",
        facts,
        section="topics",
        crumbs=[shell.Crumb("Topics")],
        span=span,
        as_of=found.freshness.scanned_at,
        delayed=found.freshness.scan_delayed,
        streams=shell.stream("topics", span),
        source="scan",
    )


@needs(Action.VIEW)
def topic_page(request: HttpRequest, cluster: str, name: str) -> HttpResponse:
    """One topic; part: `charts` (JSON)."""
    span = shell.window(request)
    number = number_of(cluster, name)
    page = topic(cluster, name, span, now=now()) if number is not None else None
    if number is None or page is None:
        raise Http404(f"There is no topic {name} on {cluster}.")
    lines = series(number, span)
    charts = {
        "rates": chart(lines, [lines.rate_in, *lines.rates_out], "events/s"),
        "lags": chart(lines, lines.lags, "events"),
    }
    if shell.wants_part(request, "charts"):
        return JsonResponse({**charts, "as_of": iso(page.freshness.scanned_at), "delayed": page.freshness.scan_delayed})
    facts = {
        "topic": page,
        "charts": charts,
        "captions": {"rates": rate_caption(lines), "lags": lag_caption(lines)},
        "n_more_groups": lines.n_more_groups,
        "recent": recent_events(cluster, name, since=span.from_at, until=span.to_at, limit=N_RECENT),
        "configs": sorted(page.configs.items()),
    }
    if shell.wants_part(request, "flow"):
        return render(request, "topics/flow.html", facts)
    return shell.page(
        request,
        "topics/topic.html",
        facts,
        section="topics",
        crumbs=[shell.Crumb("Topics", reverse("topics")), shell.Crumb(name)],
        span=span,
        as_of=page.freshness.scanned_at,
        delayed=page.freshness.scan_delayed,
        streams=shell.stream("topics", span),
        source="scan",
    )


def _matches(row: TopicRow, word: str) -> bool:
    wanted, hit = word.removeprefix("-").lower(), False
    field, colon, value = wanted.partition(":")
    name = row.name.lower()
    if not colon:
        hit = wanted in name
    elif field == "topic":
        hit = fnmatchcase(name, value)
    elif field == "health":
        hit = row.health in {"failing", "degraded"} if value == "bad" else row.health == value
    elif (field, value) == ("is", "idle"):
        hit = row.health == "idle"
    elif (field, value) == ("has", "dead-letters"):
        hit = row.n_dead_letters > 0
    return hit is not word.startswith("-")


urlpatterns = [
    path("topics/", topic_list, name="topics"),
    path("topics/<segment:cluster>/<rest:name>/", topic_page, name="topic"),
]
