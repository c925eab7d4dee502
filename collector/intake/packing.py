"""Decoded spans -> packed rows by the readable rules, one span after the other."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from collector.domain import sampling
from collector.domain.attributes import joined, shared
from collector.domain.hops import Context, Hop, Op, Told, hop_of, linked_position, settled
from collector.domain.spans import Raised, Resource, Span, Status
from collector.domain.texts import cut
from collector.store import rows
from collector.store.spans import MAX_NAME, SKETCH_BYTES, Failed, Linked, Sampled, Sketch, Speaker

MAX_MESSAGE, MAX_STACK = 4_000, 32_000


class Sketches:
    """One object for equal sketches."""

    def __init__(self) -> None:
        self._all: dict[tuple[object, ...], Sketch] = {}
        self._resources: dict[int, tuple[Resource, str]] = {}
        self.n_bytes = 0

    def of(self, span: Span, hop: Hop | None, source: str) -> Sketch:
        """The sketch of a span with this hop."""
        who = span.resource
        body = joined(span=shared(span.attributes), resource=self._written(who))
        said = Speaker(who.namespace, who.name, who.version, who.instance)
        unplaced = hop and replace(hop, partition=None, offset=None, n_bytes=None)
        return self._one(said, span.name, body, int(span.kind), span.status, unplaced, source)

    def with_hop(self, it: Sketch, hop: Hop) -> Sketch:
        """The same with another hop, which has no place either."""
        return self._one(it.speaker, it.title, it.attributes, it.kind, it.status, hop, it.source)

    def forget(self) -> None:
        """Begin anew: equal sketches of before and after are two."""
        self._all.clear()
        self._resources.clear()
        self.n_bytes = 0

    def _written(self, resource: Resource) -> str:
        """What is kept of a resource: all spans of a request share a few."""
        known = self._resources.get(id(resource))
        if known is None:  # the object is held here, so nothing else gets its number
            known = self._resources[id(resource)] = (resource, shared(resource.attributes))
            self.n_bytes += SKETCH_BYTES + len(known[1])
        return known[1]

    def _one(
        self, said: Speaker, title: str, body: bytes, kind: int, status: Status, hop: Hop | None, source: str
    ) -> Sketch:
        key = (said, title, body, kind, status, hop, source)
        found = self._all.get(key)
        if found is None:
            found = self._all[key] = Sketch(said, title, body, kind, status, hop, source)
            self.n_bytes += SKETCH_BYTES + len(body) + len(title)
        return found


@dataclass(slots=True)
class Packed:
    """The spans of one request so far; see collector.store.spans.Request."""

    heads: list[bytes] = field(default_factory=list)
    sketches: list[Sketch] = field(default_factory=list)
    links: list[Linked] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    sampled: list[Sampled] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    n_refused: int = 0  # spans that OTLP does not allow

    def add(self, span: Span, hop: Hop | None, sketch: Sketch) -> None:
        """One more span."""
        ids, index = (span.trace_id, span.span_id), len(self.heads)
        self.heads.append(rows.head(*ids, span.parent_id, span.started_ns, span.ended_ns, place_of(hop)))
        self.sketches.append(sketch)
        if span.trace_state and hop and (more := sampling.more(span.trace_state)):
            self.sampled.append(Sampled(index, more))
        for link in span.links:
            found = linked_position(hop, span, link) if hop else None
            place = (found.partition, found.offset) if found and hop and found.topic == hop.topic else None
            row = rows.link(ids, (link.trace_id, link.span_id), place)
            self.links.append(Linked(row, index, place is not None))
        if sketch.is_failure:
            self.errors.extend(error_rows(ids, span.raised, span.status_message))

    def settle(self, sketches: Sketches) -> None:
        """Let the hops of the request tell each other what they know, when all its spans are here."""
        ops = {sketch.hop.op for sketch in set(self.sketches) if sketch.hop}
        if Op.RECEIVE not in ops or Op.PROCESS not in ops:
            return
        linked: defaultdict[int, set[Context]] = defaultdict(set)
        for row, index, _ in self.links:
            linked[index].add(rows.linked_by(row))
        told: dict[int, Told] = {}
        for index, sketch in enumerate(self.sketches):
            if sketch.hop and sketch.hop.op is not Op.SEND:
                context, parent_id = rows.span_of(self.heads[index]), rows.parent_of(self.heads[index])
                causes = linked[index] | ({(context[0], parent_id)} if parent_id else set())
                who = sketch.speaker
                told[index] = Told(sketch.hop, context, frozenset(causes), (who.namespace, who.name, who.instance))
        for index, hop in zip(told, settled(list(told.values())), strict=True):
            if hop is not told[index].hop:
                self.sketches[index] = sketches.with_hop(self.sketches[index], hop)


def packed(spans: Iterable[Span], sketches: Sketches, source: str) -> Packed:
    """All spans of one request."""
    found = Packed()
    for span in spans:
        hop = hop_of(span)
        found.add(span, hop, sketches.of(span, hop, source))
    found.settle(sketches)
    return found


def place_of(hop: Hop | None) -> rows.Place | None:
    """Partition and offset, where the hop says them."""
    if hop is None or hop.partition is None or hop.offset is None:
        return None
    return hop.partition, hop.offset


def error_rows(ids: tuple[bytes, bytes], raised: Iterable[Raised], status_message: str) -> list[bytes]:
    """Rows for the exceptions of a failed span, or for its message where it names none."""
    found = [(each.exception_class, each.message, each.stack) for each in raised]
    if not found and status_message:
        found = [("", status_message, "")]
    return [
        rows.error(ids, cut(name, MAX_NAME), cut(message, MAX_MESSAGE), cut(stack, MAX_STACK))
        for name, message, stack in found
    ]
