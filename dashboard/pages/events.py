"""Events: the newest of all topics, and what was looked for, grouped by flow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse

from collector.clock import now
from dashboard import shell
from dashboard.access import Action, can, needs
from dashboard.queries.events import Found, newest_events, search
from dashboard.queries.flows import Flow, flows
from dashboard.queries.stuck import stuck_events

N_NEWEST = 100
LONGEST = 400
N_BARS = 40


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


@needs(Action.VIEW)
def event_list(request: HttpRequest) -> HttpResponse:
    """The newest events; with `q` those that were looked for, by flow; with `view=stuck` those that do not go on."""
    text = request.GET.get("q", "").strip()[:LONGEST]
    view = "stuck" if request.GET.get("view") == "stuck" and not text else ""
    facts: dict[str, object] = {"query": text, "view": view, "may_see": can(request.user, Action.SEE_PAYLOADS)}
    if text:
        found = search(text)
        there = _leads_to(found)
        if there and not shell.wants_part(request, "results"):
            return HttpResponseRedirect(there)
        facts |= {**_results(request, found), "leads_to": there}
    elif view:
        facts["stuck"] = stuck_events(now=now())
    else:
        facts["recent"] = newest_events(limit=N_NEWEST)
    if shell.wants_part(request, "results"):
        return render(request, "events/results.html", facts)
    crumbs = [shell.Crumb("Events", reverse("events")), shell.Crumb(text)] if text else [shell.Crumb("Events")]
    return shell.page(request, "events/events.html", facts, section="events", crumbs=crumbs, streams=" ")


def _leads_to(found: Found) -> str:
    if found.kind == "trace" and found.trace_id:
        return reverse("trace", args=[found.trace_id])
    if found.kind == "event" and len(found.rows) == 1:
        row = found.rows[0]
        return reverse("event", args=[row.cluster, row.topic, row.partition, row.offset])
    return ""


def _results(request: HttpRequest, found: Found) -> dict[str, object]:
    grouped = flows(found.rows)
    failed_only = request.GET.get("failed") == "1"
    since, until = _moment(request.GET.get("begun_from")), _moment(request.GET.get("begun_to"))
    kept = [flow for flow in grouped if _fits(flow, since, until) and (flow.failed_in or not failed_only)]
    order = request.GET.get("order", "")
    if order == "wait":
        kept.sort(key=lambda flow: -(flow.longest_wait_seconds or 0.0))
    elif order == "retries":
        kept.sort(key=lambda flow: -flow.n_retries)
    return {
        "found": found,
        "flows": kept,
        "n_all_flows": len(grouped),
        "n_rows": sum(len(flow.rows) for flow in kept),
        "bars": _bars(request, grouped),
        "failed_only": failed_only,
        "order": order,
        "narrowed": since is not None and until is not None,
    }


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
