"""One event: where it came from, where it went, what is missing."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from collector.clock import now as clock_now
from collector.domain import positions
from collector.domain.mask_fields import fields
from dashboard import shell, unmasking
from dashboard.access import Action, can, needs, sentence
from dashboard.audit import recorded
from dashboard.crowding import heavy
from dashboard.kept_paths import NotKept, keep, kept_export, kept_path, let_go
from dashboard.path_comparison import compared
from dashboard.path_pictures import DEAD, Row, picture, rows
from dashboard.payloads import readable, readable_headers
from dashboard.queries.events import Event, Lineage, event, payload, topics_of, trace
from dashboard.queries.expected import expected
from dashboard.queries.hiding import aim_for
from dashboard.queries.hop_details import hop_details
from dashboard.queries.letters_at import Address, letters_at
from dashboard.queries.partition_ends import Held, held
from dashboard.queries.path_export import fit_to_see, otlp_of
from dashboard.queries.path_veils import address_of
from dashboard.queries.sampled import sampled_services
from dashboard.unmasking import View

ROWS_A_PAGE = 200
LONGEST_POSITION = 300
_TRACE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SPAN_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_SELECTED = re.compile(r"hop:([1-9][0-9]{0,5})", re.ASCII)


@needs(Action.VIEW)
@heavy
def event_page(request: HttpRequest, cluster: str, topic: str, partition: int, offset: int) -> HttpResponse:
    """One event and its path; `sel` opens one hop, with `tab=payload` its bytes, which is written down."""
    now = clock_now()
    kept = kept_path(cluster, topic, partition, offset)
    living = event(cluster, topic, partition, offset)
    is_snapshot = kept is not None and (living is None or request.GET.get("kept") == "1")
    found = kept.page if kept and is_snapshot else living
    if found is None:
        return _not_found(request, cluster, topic, partition, offset)
    shown = found.event
    facts = {
        "event": shown,
        **_path(request, found.path, now=now),
        "kept": kept,
        "is_snapshot": is_snapshot,
        "is_gone": living is None,
        "graph_find": f"event:{shown.address}",
        "may_keep": can(request.user, Action.KEEP_PATHS),
        "may_export": can(request.user, Action.SEE_PAYLOADS),
    }
    if not shell.wants_part(request, "path") and not shell.wants_part(request, "hop"):
        facts |= _compared(request, cluster, found.path)
    if "sel" not in request.GET and not shell.wants_part(request, "path"):  # that one is asked for by itself
        facts |= _bytes(request, shown)
    return _page(request, "event/event.html", facts, crumb=shown.address)


def _not_found(request: HttpRequest, cluster: str, topic: str, partition: int, offset: int) -> HttpResponse:
    """404, with what the broker says of the place, where it says anything."""
    there, place = held(cluster, topic, partition), f"{topic}/{partition}/{offset}"
    if there is None:
        sentence = f"No event at {place}: nothing was seen of it, and no broker has told what lies there."
    elif there.newest < there.oldest:
        sentence = f"No event at {place}: the partition is empty."
    elif offset > there.newest:
        sentence = f"No event at {place}; the newest is {there.newest:,}."
    elif offset < there.oldest:
        sentence = f"Nothing was seen of {place}, and Kafka has removed it: its oldest is {there.oldest:,}."
    else:
        sentence = f"Nothing was seen of {place}: no span and no tapped record, or both are past retention."
    in_kafka = _in_kafka((cluster, topic, partition, offset), there)
    facts: dict[str, object] = {"sentence": sentence, "cluster": cluster, "topic": topic, "is_known": there is not None}
    facts["in_kafka"] = in_kafka if can(request.user, Action.SEE_PAYLOADS) else None
    crumbs = [shell.Crumb("Events", reverse("events")), shell.Crumb(place)]
    return shell.page(request, "event/none.html", facts, section="events", crumbs=crumbs, streams=" ", status=404)


def _compared(request: HttpRequest, cluster: str, here: Lineage) -> dict[str, object]:
    """A second event's hops beside, where `with` names one."""
    text = request.GET.get("with", "").strip()[:LONGEST_POSITION]
    if not text:
        return {}
    position = positions.parse(text)
    other = event(cluster, position.topic, position.partition, position.offset) if position else None
    facts: dict[str, object] = {"compare_with": text}
    return facts | ({"other": other.event, "comparison": compared(here, other.path)} if other else {})


@require_POST
@needs(Action.KEEP_PATHS)
def keep_page(request: HttpRequest, cluster: str, topic: str, partition: int, offset: int) -> HttpResponse:
    """Keep the path of an event, or with `let_go` keep it no longer; then back to it."""
    goes = bool(request.POST.get("let_go"))
    with recorded("let path go" if goes else "keep path", request, object=f"{cluster}/{topic}/{partition}/{offset}"):
        if goes:
            let_go(cluster, topic, partition, offset)
        else:
            _keep(request, cluster, topic, partition, offset)
    return HttpResponseRedirect(reverse("event", args=[cluster, topic, partition, offset]))


def _keep(request: HttpRequest, cluster: str, topic: str, partition: int, offset: int) -> None:
    found = event(cluster, topic, partition, offset)
    if found is None:
        raise Http404(f"No event at {topic}/{partition}/{offset}.")
    try:
        keep(found, by=str(request.user), now=clock_now())
    except NotKept as error:
        raise BadRequest(str(error)) from error


@needs(Action.SEE_PAYLOADS)
@heavy
def export_page(request: HttpRequest, cluster: str, topic: str, partition: int, offset: int) -> HttpResponse:
    """The spans of the path as OTLP in JSON, which Jaeger's page opens; kept ones where the others are gone."""
    found = event(cluster, topic, partition, offset)
    with recorded("export path", request, object=f"{cluster}/{topic}/{partition}/{offset}"):
        if found is not None:
            body: dict[str, Any] | None = fit_to_see(
                otlp_of({hop.trace_id for hop in found.path.hops if hop.trace_id}).body
            )
        else:
            body = kept_export(cluster, topic, partition, offset)
        if body is None:
            raise Http404(f"No event at {topic}/{partition}/{offset}.")
    name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{topic}-{partition}-{offset}")
    return JsonResponse(body, headers={"Content-Disposition": f'attachment; filename="{name}.otlp.json"'})


@needs(Action.VIEW)
@heavy
def trace_page(request: HttpRequest, trace_id: str) -> HttpResponse:
    """Everything in one trace, and what it comes from."""
    found = trace(UUID(hex=trace_id)) if _TRACE_ID.fullmatch(trace_id) else None
    if found is None:
        raise Http404("Nothing was seen of this trace.")
    facts = {"trace": found, **_path(request, found.path, now=clock_now())}
    return _page(request, "event/trace.html", facts, crumb=f"trace {trace_id}")


@needs(Action.VIEW)
def span_page(request: HttpRequest, trace_id: str, span_id: str) -> HttpResponse:
    """An event whose position is not known, by the span that sent it; once the position is known it leads there."""
    if not (_TRACE_ID.fullmatch(trace_id) and _SPAN_ID.fullmatch(span_id)):
        raise Http404("Nothing was seen of this span.")
    found = trace(UUID(hex=trace_id))
    hop = (
        next((hop for hop in found.path.hops if (hop.trace_id, hop.span_id) == (trace_id, span_id)), None)
        if found
        else None
    )
    if found is None or hop is None:
        raise Http404("Nothing was seen of this span.")
    if place := address_of(hop):
        return HttpResponseRedirect(reverse("event", args=place))
    selection = request.GET.get("sel", f"hop:{hop.id + 1}")
    facts = {"trace": found, **_path(request, found.path, now=clock_now(), selection=selection)}
    return _page(request, "event/trace.html", facts, crumb=f"span {span_id}")


def _page(request: HttpRequest, template: str, facts: dict[str, object], *, crumb: str) -> HttpResponse:
    for part, fragment in (("hop", "event/hop.html"), ("path", "event/path.html")):
        if shell.wants_part(request, part):
            return render(request, fragment, facts)
    crumbs = [shell.Crumb("Events", reverse("events")), shell.Crumb(crumb)]
    return shell.page(request, template, facts, section="events", crumbs=crumbs, streams=" ", about=_clusters(facts))


def _clusters(facts: Mapping[str, object]) -> set[str]:
    """Those that the path goes through: of one that does not answer, what its broker knows is its last word."""
    path, shown = cast("Lineage", facts["path"]), cast("Event | None", facts.get("event"))
    return {hop.cluster for hop in path.hops if hop.cluster} | ({shown.cluster} if shown else set())


def _path(request: HttpRequest, lineage: Lineage, *, now: datetime, selection: str | None = None) -> dict[str, object]:
    missing_next = expected(lineage, now=now)
    letters = letters_at(at for hop in lineage.hops if DEAD in hop.evidence and (at := address_of(hop)))
    found = rows(lineage, letters, may_retry=can(request.user, Action.RETRY))
    first = _first_row(request, len(found))
    data = picture(found, lineage, missing_next)
    selected = _selected(request.GET.get("sel", "") if selection is None else selection, found)
    return {
        "path": lineage,
        "sampled": sampled_services(lineage),
        "rows": found[first : first + ROWS_A_PAGE],
        "n_rows": len(found),
        "first_row": first + 1,
        "last_row": min(len(found), first + ROWS_A_PAGE),
        "next_row": first + ROWS_A_PAGE if first + ROWS_A_PAGE < len(found) else None,
        "data": data,
        "view": "timeline" if request.GET.get("view") == "timeline" else "path",
        "true_scale": request.GET.get("scale") == "true",
        "failed": [row for row in found if row.hop.result == "failed"],
        "late": [each for each in missing_next if each.late and lineage.hops[each.after].result != "failed"],
        "waiting": [each for each in missing_next if not each.late and each.kind == "group"],
        "elapsed_seconds": _elapsed(lineage),
        "clocks_differ": any(hop.skew_seconds for hop in lineage.hops),
        "incomplete": any(hop.missing for hop in lineage.hops),
        **(_hop(request, selected, now=now) if selected and not shell.wants_part(request, "path") else {}),
    }


def _first_row(request: HttpRequest, n: int) -> int:
    text = request.GET.get("after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 and int(text) < n else 0


def _selected(text: str, found: Sequence[Row]) -> Row | None:
    match = _SELECTED.fullmatch(text)
    number = int(match[1]) if match else 0
    return found[number - 1] if 0 < number <= len(found) else None


def _elapsed(lineage: Lineage) -> float | None:
    """From the first hop's start to the end of the last work."""
    times = [hop.happened_at for hop in lineage.hops if hop.happened_at]
    ends = [hop.happened_at.timestamp() + (hop.processing_seconds or 0.0) for hop in lineage.hops if hop.happened_at]
    return max(ends) - min(times).timestamp() if times else None


def _hop(request: HttpRequest, row: Row, *, now: datetime) -> dict[str, object]:
    may_see = can(request.user, Action.SEE_PAYLOADS)
    topic = row.hop.topic_name or ""
    what = unmasking.view(request, now=now).of([topic] if row.hop.span_id else [])
    what = unmasking.noted(request, what, f"attributes of span {row.hop.trace_id}/{row.hop.span_id}")
    facts: dict[str, object] = {
        "row": row,
        "details": hop_details(row.hop, now=now, lifted=what.lifted),
        "attributes_masks": _masks(request, [topic] if fields(aim_for(topic)) else [], what),
        "kept_details": settings.WEIR_KEEP_DETAILS.total_seconds(),
        "may_see": may_see,
        "refusal": "" if may_see else sentence(Action.SEE_PAYLOADS),
    }
    place = address_of(row.hop)
    if place and may_see and request.GET.get("tab") == "payload":
        facts |= _read(request, place, now=now)
    return facts


def _bytes(request: HttpRequest, found: Event) -> dict[str, object]:
    """Value and headers, for who may see them and asks."""
    if not can(request.user, Action.SEE_PAYLOADS):
        return {"refusal": sentence(Action.SEE_PAYLOADS)}
    if not found.has_payload:
        return _gone(found)
    if request.GET.get("tab") != "payload":
        return {}
    return _read(request, (found.cluster, found.topic, found.partition, found.offset), now=clock_now())


def _gone(found: Event) -> dict[str, object]:
    """What became of the bytes of an event that were not kept, and how long the rest stays."""
    there = held(found.cluster, found.topic, found.partition)
    until = found.stored_at + settings.WEIR_KEEP_RAW if found.stored_at else None
    is_removed = there is not None and found.offset < there.oldest
    place = found.cluster, found.topic, found.partition, found.offset
    return {"is_removed": is_removed, "kept_until": until, "in_kafka": _in_kafka(place, there)}


def _in_kafka(place: Address, there: Held | None) -> Address | None:
    """The place of a record that the broker has, as it said last."""
    return place if there is not None and there.oldest <= place[3] <= there.newest else None


def _read(request: HttpRequest, place: Address, *, now: datetime) -> dict[str, object]:
    name = "/".join(str(part) for part in place)
    what = unmasking.view(request, now=now)
    if what.granted:
        what = unmasking.noted(request, what.of(topics_of(*place)), name)
    with recorded("see payload", request, object=name):
        found = payload(*place, lifted=what.lifted)
    if found is None:
        return {"asked": True, "in_kafka": _in_kafka(place, held(*place[:3]))}
    headers = None if found.headers is None else readable_headers(found.headers)
    form = "" if found.is_masked else request.GET.get("form", "")
    return {
        "asked": True,
        "value": readable(found.value, n_bytes=found.n_bytes, form=form),
        "key": readable(found.key),
        "headers": headers,
        "shown": True,
        "form": form,
        "may_see_raw": not found.is_masked and bool(found.value),
        "download": "" if found.is_masked or found.value is None else reverse("event_payload", args=place),
        "masked_by": found.rules,
        "masks": _masks(request, found.maskable, what),
    }


def _masks(request: HttpRequest, topics: Iterable[str], what: View) -> dict[str, object]:
    """What is said of masks beside values: of which topics, what is unmasked, and who may."""
    return {"topics": tuple(topics), "unmasked": what.granted, "may": can(request.user, Action.UNMASK)}


urlpatterns = [
    path("events/<segment:cluster>/<segment:topic>/<int:partition>/<int:offset>/", event_page, name="event"),
    path("events/<segment:cluster>/<segment:topic>/<int:partition>/<int:offset>/keep/", keep_page, name="keep_path"),
    path(
        "events/<segment:cluster>/<segment:topic>/<int:partition>/<int:offset>/otlp.json",
        export_page,
        name="export_path",
    ),
    path("events/traces/<str:trace_id>/", trace_page, name="trace"),
    path("events/span/<str:trace_id>/<str:span_id>/", span_page, name="span"),
]
