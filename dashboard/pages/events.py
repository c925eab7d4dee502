"""Events: search, and the path of one event."""

import re
from collections.abc import Mapping
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.http import urlencode

from dashboard import shell
from dashboard.access import Action, can, needs, sentence
from dashboard.audit import recorded
from dashboard.payloads import readable, readable_headers
from dashboard.queries.events import Event, Hop, Lineage, event, newest_events, payload, trace
from dashboard.queries.letters_at import Address, letters_at

MOST_DRAWN = 200
N_NEWEST = 100
_TRACE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_DEAD, _SENT_AGAIN = "dead letter", "retry"


@needs(Action.VIEW)
def event_list(request: HttpRequest) -> HttpResponse:
    """The newest events of all topics; `q` is the search of every page."""
    if request.GET.get("q"):
        return HttpResponseRedirect(f"{reverse('search')}?{urlencode({'q': request.GET['q']})}")
    return shell.page(
        request,
        "events/events.html",
        {"recent": newest_events(limit=N_NEWEST)},
        section="events",
        crumbs=[shell.Crumb("Events")],
        streams=" ",
    )


@needs(Action.VIEW)
def event_page(request: HttpRequest, cluster: str, topic: str, partition: int, offset: int) -> HttpResponse:
    """One event: its path; with `tab=payload` its bytes, which is written down."""
    found = event(cluster, topic, partition, offset)
    if found is None:
        raise Http404(f"No event at {topic}/{partition}/{offset}.")
    address = found.event.address
    facts = {
        "event": found.event,
        "path": found.path,
        **_drawing(found.path, may_retry=can(request.user, Action.RETRY)),
        **_bytes(request, found.event),
    }
    crumbs = [shell.Crumb("Events", reverse("events")), shell.Crumb(address)]
    return shell.page(request, "events/event.html", facts, section="events", crumbs=crumbs)


@needs(Action.VIEW)
def trace_page(request: HttpRequest, trace_id: str) -> HttpResponse:
    """Everything in one trace, and what it comes from."""
    found = trace(UUID(hex=trace_id)) if _TRACE_ID.fullmatch(trace_id) else None
    if found is None:
        raise Http404("Nothing was seen of this trace.")
    facts = {
        "trace": found,
        "path": found.path,
        **_drawing(found.path, may_retry=can(request.user, Action.RETRY)),
    }
    crumbs = [shell.Crumb("Events", reverse("events")), shell.Crumb(f"trace {trace_id}")]
    return shell.page(request, "events/trace.html", facts, section="events", crumbs=crumbs)


def _bytes(request: HttpRequest, found: Event) -> dict[str, object]:
    """Value and headers, for who may see them and asks."""
    tab = "payload" if request.GET.get("tab") == "payload" else ""
    if not can(request.user, Action.SEE_PAYLOADS):
        return {"tab": tab, "refusal": sentence(Action.SEE_PAYLOADS)}
    if not tab or not found.has_payload:
        return {"tab": tab}
    with recorded("see payload", request, object=f"{found.cluster}/{found.address}"):
        held = payload(found.cluster, found.topic, found.partition, found.offset)
    if held is None:
        return {"tab": tab}
    headers = None if held.headers is None else readable_headers(held.headers)
    return {"tab": tab, "value": readable(held.value), "key": readable(held.key), "headers": headers, "shown": True}


def _drawing(lineage: Lineage, *, may_retry: bool) -> dict[str, object]:
    letters = letters_at(at for hop in lineage.hops if _DEAD in hop.evidence and (at := _address(hop)))
    rows = [_row(hop, lineage, letters, may_retry=may_retry) for hop in lineage.hops]
    drawn = [row["drawn"] for row in rows[:MOST_DRAWN]]
    return {"rows": rows, "data": {"hops": drawn, "start": list(lineage.start)}, "n_left_out": len(rows) - len(drawn)}


def _row(hop: Hop, lineage: Lineage, letters: Mapping[Address, int], *, may_retry: bool) -> dict[str, object]:
    at = _address(hop)
    letter = letters.get(at) if at and hop.kind == "produce" else None
    url = reverse("event", args=at) if at else ""
    first = lineage.hops[0].happened_at
    after = (hop.happened_at - first).total_seconds() if hop.happened_at and first else None
    written = hop.kind == "produce"
    note = (
        "" if not written else _DEAD if _DEAD in hop.evidence else "sent again" if _SENT_AGAIN in hop.evidence else ""
    )
    retry_url = reverse("retry_plan", args=[letter]) if letter and may_retry else ""
    drawn = {
        "id": hop.id,
        "kind": hop.kind,
        "service": hop.service_name,
        "topic": hop.topic_name,
        "partition": hop.partition,
        "offset": hop.offset,
        "group": hop.group_name,
        "wait_seconds": hop.wait_seconds,
        "processing_seconds": hop.processing_seconds,
        "result": hop.result,
        "reason": hop.exception_class if hop.result == "failed" else None,
        "evidence": list(hop.evidence),
        "cause": hop.cause,
        "note": note,
        "url": url,
        "retry_url": retry_url,
    }
    return {
        "hop": hop,
        "url": url,
        "after_seconds": after,
        "letter": letter,
        "retry_url": retry_url,
        "note": note,
        "current": hop.id in lineage.start and hop.kind == "produce",
        "drawn": drawn,
    }


def _address(hop: Hop) -> Address | None:
    if hop.cluster is None or hop.topic_name is None or hop.partition is None or hop.offset is None:
        return None
    return hop.cluster, hop.topic_name, hop.partition, hop.offset


urlpatterns = [
    path("events/", event_list, name="events"),
    path("events/<segment:cluster>/<segment:topic>/<int:partition>/<int:offset>/", event_page, name="event"),
    path("events/traces/<str:trace_id>/", trace_page, name="trace"),
]
