"""The rows that spans must become, made the long way: decoded, looked at by the rules, written out as tuples.

What the intake packs is compared with this.
"""

import struct
from typing import Any

from collector.domain import sampling
from collector.domain.attributes import joined, shared
from collector.domain.hops import Hop, hops, linked_position
from collector.domain.spans import Span, Status
from collector.domain.texts import cut
from collector.intake.packing import Packed
from collector.otlp import decode_protobuf

EPOCH_2000_US = 946_684_800 * 10**6
YEAR_9999_NS = 253_402_300_799 * 10**9

Rows = dict[str, list[tuple[Any, ...]]]


def expected(body: bytes, source: str) -> Rows:
    """By the readable decoder. Raises Malformed."""
    spans = decode_protobuf(body).spans
    found: Rows = {"spans": [], "links": [], "errors": [], "sampled": []}
    for span, hop in zip(spans, hops(spans), strict=True):
        failed = span.status is Status.ERROR and (hop is None or hop.failed)
        if hop and (more := sampling.more(span.trace_state)):
            found["sampled"].append((len(found["spans"]), more))
        found["spans"].append((*_head(span, hop), *_sketch(span, hop, source)))
        for link in span.links:
            at = linked_position(hop, span, link) if hop else None
            place = (at.offset, at.partition) if at and hop and at.topic == hop.topic else (None, None)
            ids = (span.trace_id, span.span_id, link.trace_id, link.span_id)
            found["links"].append((*ids, *place, hop.topic if hop and place[0] is not None else None))
        for name, message, stack in _errors(span) if failed else []:
            found["errors"].append((span.trace_id, span.span_id, name, message, stack))
    return found


def unpacked(packed: Packed) -> Rows:
    """What was packed, field by field."""
    spans = []
    for head, sketch in zip(packed.heads, packed.sketches, strict=True):
        n_columns, (trace, span, parent, started, took, offset, partition) = fields(head)
        assert n_columns == 17
        numbers = (number(started, ">q"), number(took, ">f"), number(offset, ">q"), number(partition, ">i"))
        shown = (sketch.speaker, sketch.title, sketch.attributes, sketch.kind, sketch.status, sketch.hop, sketch.source)
        spans.append((trace, span, parent, *numbers, *shown, sketch.is_failure))
    links = []
    for row, index, has_place in packed.links:
        n_columns, (*ids, offset, partition) = fields(row)
        assert n_columns == 8
        hop = packed.sketches[index].hop
        topic = hop.topic if has_place and hop else None
        links.append((*ids, number(offset, ">q"), number(partition, ">i"), topic))
    errors = []
    for row in packed.errors:
        n_columns, (trace, span, *texts) = fields(row)
        assert n_columns == 6
        errors.append((trace, span, *(each.decode() for each in texts if each is not None)))
    return {"spans": spans, "links": links, "errors": errors, "sampled": [tuple(each) for each in packed.sampled]}


def fields(row: bytes) -> tuple[int, list[bytes | None]]:
    """How many columns a packed row says it has, and those that are there."""
    found: list[bytes | None] = []
    at = 2
    while at < len(row):
        (size,) = struct.unpack_from(">i", row, at)
        found.append(None if size < 0 else row[at + 4 : at + 4 + size])
        at += 4 + max(0, size)
    assert at == len(row)
    return int.from_bytes(row[:2], "big"), found


def number(raw: bytes | None, form: str) -> float | int | None:
    return None if raw is None else struct.unpack(form, raw)[0]


def _head(span: Span, hop: Hop | None) -> tuple[Any, ...]:
    started = min(span.started_ns, YEAR_9999_NS) // 1_000 - EPOCH_2000_US
    (took,) = struct.unpack(">f", struct.pack(">f", (span.ended_ns - span.started_ns) / 1e6))
    place = (hop.offset, hop.partition) if hop else (None, None)
    return (span.trace_id, span.span_id, span.parent_id, started, took, *place)


def _sketch(span: Span, hop: Hop | None, source: str) -> tuple[Any, ...]:
    who = span.resource
    body = joined(span=shared(span.attributes), resource=shared(who.attributes))
    unplaced = None
    if hop is not None:
        unplaced = Hop(
            op=hop.op,
            edge=hop.edge,
            topic=hop.topic,
            kafka_cluster_id=hop.kafka_cluster_id,
            partition=None,
            offset=None,
            group=hop.group,
            client_id=hop.client_id,
            n_messages=hop.n_messages,
            n_bytes=None,
            failed=hop.failed,
        )
    failed = span.status is Status.ERROR and (hop is None or hop.failed)
    said = (who.namespace, who.name, who.version, who.instance)
    return (said, span.name, body, int(span.kind), span.status, unplaced, source, failed)


def _errors(span: Span) -> list[tuple[str, str, str]]:
    found = [(raised.exception_class, raised.message, raised.stack) for raised in span.raised]
    if not found and span.status_message:
        found = [("", span.status_message, "")]
    return [(cut(name, 255), cut(message, 4_000), cut(stack, 32_000)) for name, message, stack in found]
