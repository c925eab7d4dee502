"""Events: the newest of all topics, and what was looked for, grouped by flow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse

from collector.clock import now
from collector.domain.durations import seconds_of
from dashboard import shell
from dashboard.access import Action, can, needs, sentence
from dashboard.audit import recorded
from dashboard.crowding import heavy
from dashboard.queries.events import Found, indexed_names, newest_events, search, with_header
from dashboard.queries.flows import Flow, flows
from dashboard.queries.stuck import limits, stuck_events

N_NEWEST = 100
LONGEST = 400
N_BARS = 40
HEADER = "header:"
ORDERS: dict[str, Callable[[Flow], float]] = {
    "wait": lambda flow: -(flow.longest_wait_seconds or 0.0),
    "work": lambda flow: -(flow.longest_work_seconds or 0.0),
    "retries": lambda flow: -flow.n_retries,
}


@dataclass(frozen=True, slots=True)
class Bar:
    """Matches in one stretch of time: a bar of the histogram, 0 to 100 high, and a link that narrows to it."""

    x: int
    height: int
    n: int
    begins_at: datetime
    url: str

    @property
    def top(self) -> int:
        """Where it begins, from above."""
        return 100 - self.height


@dataclass(frozen=True, slots=True)
class Wanted:
    """How what was found is narrowed, and in which order it stands. `slower`: as it was typed."""

    topic: str
    service: str
    failed: bool
    slower: str
    order: str
    since: datetime | None
    until: datetime | None

    @property
    def slower_seconds(self) -> float | None:
        """None where nothing, or no time, was typed."""
        return seconds_of(self.slower) if self.slower else None

    def lets(self, flow: Flow) -> bool:
        """Whether the flow is shown."""
        slow = self.slower_seconds
        return (
            (not self.failed or bool(flow.failed_in))
            and (not self.topic or self.topic in flow.topics)
            and (not self.service or self.service in flow.services)
            and (slow is None or max(flow.longest_wait_seconds or 0, flow.longest_work_seconds or 0) > slow)
            and _fits(flow, self.since, self.until)
        )


@needs(Action.VIEW)
@heavy
def event_list(request: HttpRequest) -> HttpResponse:
    """The newest events; with `q` those that were looked for, by flow; with `view=stuck` those that do not go on."""
    text = request.GET.get("q", "").strip()[:LONGEST]
    view = "stuck" if request.GET.get("view") == "stuck" and not text else ""
    within = shell.scope(request)
    facts: dict[str, object] = {"query": text, "view": view}
    if text:
        found = _search(request, text)
        there = found.url
        if there and not shell.wants_part(request, "results"):
            return HttpResponseRedirect(there)
        facts |= {**_results(request, found), "leads_to": there}
    elif view:
        known = limits()
        stuck = [each for each in stuck_events(known, now=now()) if within.holds(each.limit.cluster)]
        facts |= {"limits": [each for each in known if within.holds(each.cluster)], "stuck": stuck}
        facts["may_limit"] = can(request.user, Action.SET_LIMITS)
    else:
        facts["recent"] = newest_events(limit=N_NEWEST, clusters=within.chosen)
    if shell.wants_part(request, "results"):
        return render(request, "events/results.html", {**facts, "clusters": within})
    crumbs = [shell.Crumb("Events", reverse("events")), shell.Crumb(text)] if text else [shell.Crumb("Events")]
    return shell.page(request, "events/events.html", facts, section="events", crumbs=crumbs, streams=" ", within=within)


def _search(request: HttpRequest, text: str) -> Found:
    """Values of headers are for those who may see payloads, found or not."""
    if not text.startswith(HEADER):
        return search(text)
    if not can(request.user, Action.SEE_PAYLOADS):
        return Found("nothing", sentence(Action.SEE_PAYLOADS), (), None, truncated=False)
    begun = monotonic()
    with recorded("search header", request, object=text.removeprefix(HEADER).partition("=")[0][:100]):
        return with_header(text.removeprefix(HEADER), elapsed=lambda: monotonic() - begun)


def _results(request: HttpRequest, found: Found) -> dict[str, object]:
    grouped, wanted = flows(found.rows), _wanted(request)
    kept = [flow for flow in grouped if wanted.lets(flow)]
    if wanted.order in ORDERS:
        kept.sort(key=ORDERS[wanted.order])
    return {
        "found": found,
        "flows": kept,
        "n_all_flows": len(grouped),
        "n_rows": sum(len(flow.rows) for flow in kept),
        "bars": _bars(request, grouped),
        "wanted": wanted,
        "no_time": wanted.slower and wanted.slower_seconds is None,
        "topics": sorted({topic for flow in grouped for topic in flow.topics} | ({wanted.topic} - {""})),
        "services": sorted({name for flow in grouped for name in flow.services} | ({wanted.service} - {""})),
        "names": () if found.rows else indexed_names(),
        "narrowed": wanted.since is not None and wanted.until is not None,
    }


def _wanted(request: HttpRequest) -> Wanted:
    said = request.GET
    return Wanted(
        topic=said.get("topic", ""),
        service=said.get("service", ""),
        failed=said.get("failed") == "1",
        slower=said.get("slower", "").strip()[:20],
        order=said.get("order", ""),
        since=_moment(said.get("begun_from")),
        until=_moment(said.get("begun_to")),
    )


def _fits(flow: Flow, since: datetime | None, until: datetime | None) -> bool:
    """Whether any of its rows lies in the stretch."""
    if since is None or until is None:
        return True
    return any(row.at is not None and since <= row.at < until for row in flow.rows)


def _bars(request: HttpRequest, grouped: Sequence[Flow]) -> list[Bar]:
    """The matches over time: whole stretches from the first to the last."""
    times = sorted(row.at.timestamp() for flow in grouped for row in flow.rows if row.at)
    if len(times) < 2 or times[-1] - times[0] < N_BARS / 1000:
        return []
    step = (times[-1] - times[0]) / (N_BARS - 1)
    counts = [0] * N_BARS
    for each in times:
        counts[min(N_BARS - 1, int((each - times[0]) / step))] += 1
    query = request.GET.dict()
    bars = []
    for number, n in enumerate(counts):
        begins, ends = (datetime.fromtimestamp(times[0] + step * each, UTC) for each in (number, number + 1))
        narrowed = {**query, "begun_from": begins.isoformat(), "begun_to": ends.isoformat()}
        height = max(6, round(100 * n / max(counts))) if n else 0
        bars.append(Bar(number * 10, height, n, begins, f"?{urlencode(narrowed)}"))
    return bars


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None


urlpatterns = [
    path("events/", event_list, name="events"),
]
