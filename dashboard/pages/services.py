"""Services, and one service: what does it take in, send out, get wrong?"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse

from collector.clock import now
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.charts import chart, failed_caption, marks_on, processing_caption, renewed, spans_caption
from dashboard.lists import as_csv, listed, told_of_changes
from dashboard.queries.failure_facts import failure_facts
from dashboard.queries.filters import Subject
from dashboard.queries.latencies import told_from
from dashboard.queries.marks import marks_of_service
from dashboard.queries.owners import owners_of
from dashboard.queries.service import ServicePage, service
from dashboard.queries.service_events import instances, newest, sightings
from dashboard.queries.service_series import service_series
from dashboard.queries.services import ServiceRow, services
from dashboard.queries.window import Window
from dashboard.templatetags.sorting import badness

DEFAULT_SORT = "-health"
_PRESETS = (
    ("Failing or slow", "health:bad"),
    ("With dead letters", "has:dead-letters"),
    ("Idle", "is:idle"),
    ("Not traced", "is:guessed"),
    ("Changed since yesterday", "changed:yes"),
)
_COMPARED, _LEAST_COMPARED = timedelta(minutes=15), timedelta(minutes=1)  # before and after a new version
TABS = (("flow", "Flow"), ("versions", "Versions and instances"), ("events", "Events"))
_COLUMNS = {
    "health": lambda row: (badness(row.health), row.rate_in or 0),
    "name": lambda row: row.name,
    "domain": lambda row: row.namespace or None,
    "version": lambda row: row.version_since,
    "in": lambda row: row.rate_in,
    "out": lambda row: row.rate_out,
    "lag": lambda row: row.lag_seconds if row.lag_seconds is not None else row.lag,
    "failed": lambda row: row.failed,
    "letters": lambda row: row.n_dead_letters,
    "coverage": lambda row: row.coverage.ratio if row.coverage else None,
    "seen": lambda row: row.last_at,
}
_CELLS = {
    "service": lambda row: row.name,
    "domain": lambda row: row.namespace,
    "known_only_as_group_on": lambda row: row.cluster,
    "health": lambda row: row.health,
    "because": lambda row: row.sentence,
    "version": lambda row: row.version,
    "version_since": lambda row: row.version_since,
    "versions_at_once": lambda row: row.n_versions,
    "in_per_second": lambda row: row.rate_in,
    "out_per_second": lambda row: row.rate_out,
    "worst_lag_offsets": lambda row: row.lag,
    "worst_lag_seconds": lambda row: row.lag_seconds,
    "failed_share": lambda row: row.failed,
    "open_dead_letters": lambda row: None if row.guessed else row.n_dead_letters,
    "read_in_window": lambda row: row.coverage.offsets if row.coverage else None,
    "of_these_traced": lambda row: row.coverage.traced if row.coverage else None,
    "last_seen": lambda row: row.last_at,
    "known_by": lambda row: row.evidence,
}


@needs(Action.VIEW)
def service_list(request: HttpRequest) -> HttpResponse:
    """All services of the window, filtered by `q` and sorted by `sort`."""
    span, within = shell.window(request), shell.scope(request)
    found = services(span, now=now(), clusters=within.chosen)
    subject = told_of_changes(_subject, request, span)
    rows = listed(request, found.items, subject=subject, columns=_COLUMNS, default_sort=DEFAULT_SORT, presets=_PRESETS)
    facts = {
        "services": found,
        **rows,
        "has_domains": any(row.namespace for row in found.items),
        "otlp_endpoint": f"http://127.0.0.1:{settings.WEIR_OTLP_HTTP_PORT}",
    }
    return shell.page(
        request,
        "services/services.html",
        facts,
        section="services",
        crumbs=[shell.Crumb("Services")],
        span=span,
        fresh=found.freshness,
        streams=shell.stream("graph", span, within.chosen),
        within=within,
    )


@needs(Action.VIEW)
def service_csv(request: HttpRequest) -> HttpResponse:
    """The list as a file."""
    span = shell.window(request)
    found = services(span, now=now(), clusters=shell.scope(request).chosen)
    return as_csv(
        request,
        "services",
        found.items,
        subject=told_of_changes(_subject, request, span),
        columns=_COLUMNS,
        default_sort=DEFAULT_SORT,
        cells=_CELLS,
        truncated=found.truncated,
    )


@needs(Action.VIEW)
def service_page(request: HttpRequest, name: str) -> HttpResponse:
    """One service, by tab; parts: `charts` (JSON), `fresh` with all that moves."""
    span, within, moment = shell.window(request), shell.scope(request), now()
    page = service(name, span, now=moment)
    if page is None:
        raise Http404(f"There is no service {name}.")
    chosen = request.GET.get("tab", "")
    tab = chosen if chosen in dict(TABS) else TABS[0][0]
    facts: dict[str, Any] = {"service": page, "owners": owners_of(page.id), "tabs": TABS, "tab": tab}
    facts["compared_at"] = _around(page.comparison.now.version.first_at, moment) if page.comparison else None
    if page.silence.last_at:
        facts["silent_seconds"] = (moment - page.silence.last_at).total_seconds()
    if shell.wants_part(request, "charts"):
        found = _charts(page, span)
        return JsonResponse(renewed(found, page.freshness))
    if shell.wants_part(request, "fresh"):
        facts |= {"span": span, "range": shell.time_range(request, span), "marks": marks_of_service(page.number, span)}
        return render(request, "services/fresh.html", facts | shell.standing(within, span, page.freshness.scanned))
    return shell.page(
        request,
        "services/service.html",
        {**facts, **_of_tab(tab, page, span, moment)},
        section="services",
        crumbs=[shell.Crumb("Services", reverse("services")), shell.Crumb(page.name)],
        span=span,
        fresh=page.freshness,
        streams=shell.stream("graph", span, sorted(page.freshness.scanned) if within.are_several else None),
        within=within,
        about=page.freshness.scanned,
    )


def _of_tab(tab: str, page: ServicePage, span: Window, moment: datetime) -> dict[str, Any]:
    if tab == "flow":
        known = failure_facts([group.id for group in page.failures], now=moment)
        failures = [(group, known[group.id].change if group.id in known else None) for group in page.failures]
        return {**_charts(page, span), "failures": failures, "latencies_from": told_from(span)}
    found = sightings(page.number, span)
    if tab == "events":
        return {"recent": newest(found)}
    newer, older = page.versions[:-1], page.versions[-1:]
    told = [*((row, _around(row.version.first_at, moment)) for row in newer), *((row, None) for row in older)]
    return {
        "versions": told,
        "instances": instances(page.number, found, versions=[row.version.id for row in page.running]),
    }


def _around(came_at: datetime, moment: datetime) -> dict[str, str] | None:
    """The window after a version came and the moment to compare it with, as an address has them; None for too short."""
    to_at = min(came_at + _COMPARED, moment)
    if to_at - came_at < _LEAST_COMPARED:
        return None
    came, to = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (came_at, to_at))
    return {"from": came, "to": to, "vs": came}


def _charts(page: ServicePage, span: Window) -> dict[str, Any]:
    lines = service_series(page.number, span, first_at=page.first_at, as_of=page.freshness.folded_at, now=now())
    marks = marks_of_service(page.number, span)
    return {
        "charts": {
            "rates": chart(lines, lines.rates, "events/s"),
            "processing": chart(lines, lines.processing, "s"),
            "failed": chart(lines, lines.failed, "share"),
        },
        "captions": {
            "rates": spans_caption(lines),
            "processing": processing_caption(lines),
            "failed": failed_caption(lines),
        },
        "marks": marks,
        "shown_marks": marks_on(marks),
    }


def _subject(row: ServiceRow, changed: Collection[str]) -> Subject:
    tied = {("service", row.name), ("version", row.version), ("domain", row.namespace)}
    return Subject(
        "group" if row.guessed else "service",
        f"{row.namespace}/{row.name}" if row.namespace else row.name,
        row.health,
        frozenset(row.evidence),
        row.lag,
        row.lag_seconds,
        row.rate_in if row.rate_in is not None else row.rate_out,
        row.failed,
        row.n_dead_letters,
        row.guessed,
        changed=row.id in changed,
        tied=frozenset(each for each in tied if each[1]),
    )


urlpatterns = [
    path("services/", service_list, name="services"),
    path("services/list.csv", service_csv, name="services_csv"),
    path("services/<rest:name>/", service_page, name="service"),
]
