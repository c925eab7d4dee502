"""The stored spans of some traces as OTLP in JSON, which tracing tools open."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from collector.domain.attributes import is_singular, tells_apart
from collector.domain.masking import MASK
from dashboard.queries import hiding
from dashboard.queries.span_details import SpanInFull, spans_in_full

MOST_SPANS = 10_000
_POSITION = frozenset({"messaging.destination.partition.id", "messaging.kafka.offset"})
_UNSIGNED = 0xFFFF_FFFF_FFFF_FFFF


@dataclass(frozen=True, slots=True)
class Export:
    """`body`: a TracesData message in OTLP's JSON form. `truncated`: there are more spans than were read."""

    body: dict[str, Any]
    n_spans: int
    truncated: bool


def otlp_of(trace_ids: Collection[str]) -> Export:
    """Every stored span of these traces (32 hexadecimal digits each), by resource. At most four statements.

    With all that was sent, as far as that is kept; else without attributes that only tell single events apart: position
    and group are written back from the columns.
    Nothing is masked yet: `fit_to_see` does that whenever somebody gets it.
    """
    traces = [UUID(hex=each) for each in sorted(set(trace_ids))]
    with connection.cursor() as cursor:
        cursor.execute(_SPANS, [traces])
        rows = cursor.fetchall()
        cursor.execute(_LINKS, [traces])
        links: dict[tuple[UUID, int], list[dict[str, str]]] = {}
        for trace, span, linked_trace, linked_span in cursor.fetchall():
            links.setdefault((trace, span), []).append({"traceId": linked_trace.hex, "spanId": _hex(linked_span)})
    kept, resources = rows[:MOST_SPANS], dict[str, dict[str, Any]]()
    whole = spans_in_full([(row[0], row[1]) for row in kept]) if kept else {}
    for row in dict.fromkeys(kept):
        said = whole.get((row[0], row[1]))
        body = json.loads(bytes(row[17])) if said is None else {"span": said.attributes, "resource": said.resource}
        attributes = {**body.get("resource", {}), **_speaker(row)}
        resource = resources.setdefault(
            json.dumps(attributes, sort_keys=True),
            {"resource": {"attributes": _pairs(attributes)}, "scopeSpans": [{"scope": {"name": "weir"}, "spans": []}]},
        )
        resource["scopeSpans"][0]["spans"].append(
            _span(row, body.get("span", {}), links.get((row[0], row[1]), []), _events(row, said))
        )
    return Export({"resourceSpans": list(resources.values())}, len(kept), len(rows) > MOST_SPANS)


def fit_to_see(body: dict[str, Any]) -> dict[str, Any]:
    """An export as everybody may have it now.

    Where anything of its topics is masked, what tells single events apart and the words of events are left out: they
    may quote it. Values of masked attributes hide.
    """
    spans = [span for of_one in body["resourceSpans"] for scope in of_one["scopeSpans"] for span in scope["spans"]]
    topics = {id(span): _topic(span) for span in spans}
    quotes = not any(hiding.aim_for(topic) for topic in topics.values() if topic)
    for of_one in body["resourceSpans"]:
        names = hiding.masked_attributes(None)
        of_one["resource"]["attributes"] = _without_values(of_one["resource"]["attributes"], names)
    for span in spans:
        if not quotes:
            span["attributes"] = [each for each in span["attributes"] if _is_shared(each)]
        span["attributes"] = _without_values(span["attributes"], hiding.masked_attributes(topics[id(span)]))
        for event in span.get("events", ()) if not quotes else ():
            event["attributes"] = [each for each in event["attributes"] if each["key"] == "exception.type"]
    return body


def _is_shared(pair: Mapping[str, Any]) -> bool:
    """Whether an attribute says where, or what many spans share: no copy of what one record holds."""
    if pair["key"] in _POSITION:
        return True
    (value,) = pair["value"].values()
    return not is_singular(pair["key"]) and not tells_apart(value)


def _topic(span: Mapping[str, Any]) -> str | None:
    return next(
        (
            each["value"].get("stringValue")
            for each in span["attributes"]
            if each["key"] == "messaging.destination.name"
        ),
        None,
    )


def _without_values(pairs: list[dict[str, Any]], names: Collection[str]) -> list[dict[str, Any]]:
    """Values of these names hidden, and every other value that holds a copy of one."""
    if not any(each["key"] in names for each in pairs):
        return pairs
    texts = [text for each in pairs if each["key"] in names and len(text := str(*each["value"].values())) > 3]
    return [
        {"key": each["key"], "value": {"stringValue": MASK}}
        if each["key"] in names or any(text in json.dumps(each["value"], ensure_ascii=False) for text in texts)
        else each
        for each in pairs
    ]


def _span(
    row: Sequence[Any], stored: Mapping[str, Any], links: list[dict[str, str]], events: list[dict[str, Any]]
) -> dict[str, Any]:
    trace, span, parent, name, kind, started_at, duration_ms, status, topic, partition, offset, group = row[:12]
    begun = _nanoseconds(started_at)
    said = {
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": None if partition is None else str(partition),
        "messaging.kafka.offset": offset,
        "messaging.consumer.group.name": group,
    }
    attributes = {**stored, **{word: value for word, value in said.items() if value is not None}}
    return {
        "traceId": trace.hex,
        "spanId": _hex(span),
        **({} if parent is None else {"parentSpanId": _hex(parent)}),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(begun),
        "endTimeUnixNano": str(begun + int(duration_ms * 1e6)),
        "attributes": _pairs(attributes),
        "status": {"code": status},
        **({"links": links} if links else {}),
        **({"events": events} if events else {}),
    }


def _events(row: Sequence[Any], said: SpanInFull | None) -> list[dict[str, Any]]:
    """What happened within a span: all of it, or the exception that is kept with it."""
    if said is not None:
        return [
            {
                "timeUnixNano": str(_nanoseconds(event.at or row[5])),
                "name": event.name,
                "attributes": _pairs(event.attributes),
            }
            for event in said.events
        ]
    if not row[15] and not row[16]:
        return []
    raised = {"exception.type": row[15], "exception.message": row[16]}
    return [{"timeUnixNano": str(_nanoseconds(row[5])), "name": "exception", "attributes": _pairs(raised)}]


def _speaker(row: Sequence[Any]) -> dict[str, str]:
    namespace, name, version = row[12:15]
    said = {"service.namespace": namespace, "service.name": name, "service.version": version}
    return {word: value for word, value in said.items() if value}


def _pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in attributes.items() if value is not None]


def _value(value: object) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _pairs(value)}}
    return {"stringValue": str(value)}


def _hex(span_id: int) -> str:
    return f"{span_id & _UNSIGNED:016x}"


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1_000


_SPANS = f"""
select s.trace_id, s.span_id, s.parent_id, n.name, s.kind, s.started_at, s.duration_ms, s.status,
  t.name, s.kafka_partition, s.kafka_offset, g.name, w.namespace, w.name, v.version, x.exception_class, x.message,
  a.body
from span s join span_name n on n.id = s.name_id join attribute_set a on a.id = s.attrs_id
join source o on o.id = s.source_id join service_version v on v.id = o.service_version_id
join service w on w.id = v.service_id left join topic t on t.id = s.topic_id
left join edge e on e.id = s.edge_id left join consumer_group g on g.id = e.group_id
left join lateral (select exception_class, message from span_error x
  where x.trace_id = s.trace_id and x.span_id = s.span_id limit 1) x on s.status = 2
where s.trace_id = any(%s::uuid[]) order by s.started_at limit {MOST_SPANS + 1}
"""  # noqa: S608
_LINKS = "select distinct trace_id, span_id, linked_trace_id, linked_span_id from span_link where trace_id = any(%s::uuid[]) limit 20000"  # noqa: E501
