"""One hop from near: its span's attributes, the spans within it that are no messages, and what is usual for it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from collector.domain import histograms, identities
from collector.domain.masking import MASK
from dashboard.queries import hiding
from dashboard.queries.hiding import NO_FIELDS, OPEN, Lifted, Veil
from dashboard.queries.path_veils import address_of
from dashboard.queries.paths import Hop
from dashboard.queries.span_details import SpanEvent, SpanInFull, span_in_full

MOST_SPANS = 2_000
USUAL_OVER = timedelta(hours=24)
KEY_NAME = "messaging.kafka.message.key"
KINDS = ("", "internal", "server", "client", "producer", "consumer")


@dataclass(frozen=True, slots=True)
class InnerSpan:
    """A span that is no message, within a hop. `depth` counts from 0."""

    name: str
    kind: str
    service: str
    started_at: datetime
    duration_seconds: float
    failed: bool
    depth: int


@dataclass(frozen=True, slots=True)
class Usual:
    """What the same service reading the same topic usually takes, in seconds, over the last day."""

    n: int
    wait_p50: float | None
    wait_p99: float | None
    processing_p50: float | None
    processing_p99: float | None


@dataclass(frozen=True, slots=True)
class HopDetails:
    """`attributes`, `resource`: the span's own. `name` is None where no span is stored.

    Not `is_whole`: all that was sent is not kept any more, these are without ids, offsets and times, and no `events`.
    """

    name: str | None
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    events: tuple[SpanEvent, ...]
    scope: str
    is_whole: bool
    inside: tuple[InnerSpan, ...]
    usual: Usual | None


def hop_details(hop: Hop, *, now: datetime, lifted: Lifted = NO_FIELDS) -> HopDetails:
    """What is known of the hop beyond the path. At most four statements, one more where rules mask its topic.

    `lifted`: what is unmasked.
    """
    rows = _spans(hop.trace_id) if hop.trace_id else []
    own = next((row for row in rows if hop.span_id and row[1] == _signed(hop.span_id)), None)
    whole = span_in_full(hop.trace_id, hop.span_id) if own and hop.trace_id and hop.span_id else None
    said = _fit_to_see(whole or _shared(own), hop, lifted)
    return HopDetails(
        name=own[3] if own else None,
        attributes=said.attributes,
        resource=said.resource,
        events=said.events,
        scope=said.scope,
        is_whole=whole is not None,
        inside=tuple(_inside(rows, own)) if own and hop.kind == "consume" else (),
        usual=_usual(hop, now=now) if hop.kind == "consume" and hop.service else None,
    )


def _shared(own: tuple[Any, ...] | None) -> SpanInFull:
    """What is kept as long as the span."""
    body = json.loads(bytes(own[9])) if own else {}
    return SpanInFull(body.get("span", {}), (), body.get("resource", {}), "")


def _fit_to_see(said: SpanInFull, hop: Hop, lifted: Lifted) -> SpanInFull:
    """Without masked attributes, and without copies of what is masked in the record that the hop speaks of.

    Where that record's bytes were not kept, nothing tells what is a copy: all texts hide.
    """
    veil = OPEN
    if aim := hiding.aim_for(hop.topic_name, lifted=lifted):
        at = address_of(hop)
        veil = (hiding.veils([at], lifted).get(at) if at else None) or Veil(aim)

    def seen(attributes: Mapping[str, Any]) -> dict[str, Any]:
        shown = hiding.attributes_of(hop.topic_name, attributes, lifted)
        return dict(sorted((name, _veiled(name, held, veil)) for name, held in shown.items()))

    events = tuple(replace(event, attributes=seen(event.attributes)) for event in said.events)
    resource = dict(sorted(hiding.attributes_of(hop.topic_name, said.resource, lifted).items()))
    return replace(said, attributes=seen(said.attributes), events=events, resource=resource)


def _veiled(name: str, value: Any, veil: Veil) -> Any:  # noqa: ANN401  whatever JSON can say
    if name == KEY_NAME and veil.aim.key:
        return MASK
    text = str(value)
    shown = veil.text(text)
    return value if shown == text else shown


def _spans(trace_id: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select s.parent_id, s.span_id, s.op, n.name, s.kind, w.name, s.started_at, s.duration_ms, s.status = 2,"
            " a.body from span s join span_name n on n.id = s.name_id join attribute_set a on a.id = s.attrs_id"
            " join source o on o.id = s.source_id join service_version v on v.id = o.service_version_id"
            " join service w on w.id = v.service_id where s.trace_id = %s order by s.started_at limit %s",
            [UUID(hex=trace_id), MOST_SPANS],
        )
        return list(cursor.fetchall())


def _inside(rows: Iterable[tuple[Any, ...]], own: tuple[Any, ...]) -> Iterable[InnerSpan]:
    children: dict[int, list[tuple[Any, ...]]] = {}
    seen = {own[1]}
    for row in rows:
        if row[0] is not None and row[1] not in seen:
            seen.add(row[1])
            children.setdefault(row[0], []).append(row)
    waiting = [(row, 0) for row in reversed(children.get(own[1], []))]
    while waiting:
        row, depth = waiting.pop()
        if row[2] != 0:
            continue  # a message: a hop of its own
        yield InnerSpan(row[3], KINDS[row[4]], row[5], row[6], row[7] / 1000, row[8], depth)
        waiting.extend((child, depth + 1) for child in reversed(children.get(row[1], [])))


def _usual(hop: Hop, *, now: datetime) -> Usual | None:
    words = identities.parts(hop.service or "")
    if words is None:
        return None
    since = now - USUAL_OVER
    with connection.cursor() as cursor:
        cursor.execute(
            _HISTOGRAMS,
            {
                "namespace": words[1][0] if len(words[1]) > 1 else "",
                "service": words[1][-1],
                "cluster": hop.cluster,
                "topic": hop.topic_name,
                "since": since,
                "hour": now.replace(minute=0, second=0, microsecond=0),
            },
        )
        rows = cursor.fetchall()
    wait = histograms.merged(histograms.decoded(bytes(row[0])) for row in rows if row[0] is not None)
    work = histograms.merged(histograms.decoded(bytes(row[1])) for row in rows if row[1] is not None)
    if not wait and not work:
        return None
    return Usual(
        n=max(sum(wait.values()), sum(work.values())),
        wait_p50=_seconds(wait, 0.5),
        wait_p99=_seconds(wait, 0.99),
        processing_p50=_seconds(work, 0.5),
        processing_p99=_seconds(work, 0.99),
    )


def _seconds(histogram: dict[int, int], share: float) -> float | None:
    found = histograms.percentile(histogram, share)
    return None if found is None else found / 1000


def _signed(span_id: str) -> int:
    return int.from_bytes(bytes.fromhex(span_id), "big", signed=True)


_HISTOGRAMS = """
select b.wait, b.processing from service s join cluster c on c.name = %(cluster)s
join topic t on t.cluster_id = c.id and t.name = %(topic)s and t.deleted_at is null
join edge e on e.kind = 2 and e.service_id = s.id and e.topic_id = t.id
cross join lateral (
  select wait, processing from edge_1h where edge_id = e.id and bucket_at >= %(since)s and bucket_at < %(hour)s
  union all select wait, processing from edge_1m where edge_id = e.id and bucket_at >= %(hour)s
) b where s.namespace = %(namespace)s and s.name = %(service)s
"""
