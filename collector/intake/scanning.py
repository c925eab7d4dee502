"""OTLP bytes -> packed rows. What spans have in common is found out once, by the readable rules, and then recognised.

An attribute is recognised by its bytes; a span by its name, kind, status, number of links and the traits of its
attributes. None of the rules of collector.domain is repeated here: they are asked about the first span of each plan.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from collector.domain import messaging, sampling
from collector.domain.bearings import Bearing
from collector.domain.hops import Context, Hop, hop_of, is_backoff_class
from collector.domain.spans import Raised, Resource, Status
from collector.intake import native
from collector.intake.packing import Packed, Sketches, error_rows, place_of
from collector.intake.traits import Trait, Traits, number
from collector.otlp import slim, wire
from collector.otlp.limits import MAX_ATTRIBUTES, MAX_LINKS, MAX_SPANS, Tally
from collector.otlp.messages import check_number, raised_of, resource_of, scope_of, span_of
from collector.otlp.values import attributes, text
from collector.store import rows
from collector.store.rows import CHILD, DURATION, FIRST, FIRST_NS, ID, MOMENT, NO_PARENT, NOWHERE, ROOT, where
from collector.store.spans import Failed, Linked, Sampled, Sketch

MOST_BYTES = 48 * 1024**2  # of what spans are recognised by; beyond it all is forgotten
PLAN_BYTES = 400  # about what one plan takes beside its name
_NO_SPAN, _NO_TRACE = bytes(8), bytes(16)
_NO_PARENT, _PARENT_SIZES = (b"", _NO_SPAN), (0, 8)
_ERROR = Status.ERROR
# A link that holds its ids alone, or with its flags: trace_id, span_id, flags, as Span.Link numbers them.
_LINK_TRACE, _LINK_SPAN, _LINK_END = b"\x0a\x10", b"\x12\x08", (b"", b"\x35")


class Plan:
    """What is known of spans that are alike. `placing`: where among the attributes those stand that say the place."""

    __slots__ = ("_traits", "offset_at", "partition_at", "placed", "placing", "topic", "unplaced")

    def __init__(self, traits: tuple[Trait, ...]) -> None:
        self._traits = traits
        self.placed: Sketch | None = None
        self.unplaced: Sketch | None = None
        self.topic: str | None = None
        self.placing: tuple[int, ...] = ()
        self.partition_at = self.offset_at = -1

    def learn(self, sketch: Sketch, hop: Hop | None) -> None:
        """Keep what the rules say of the first span; nothing where two attributes have one name."""
        names = [trait.name for trait in self._traits]
        if len(set(names)) < len(names):
            return
        if place_of(hop) is None:
            self.unplaced = sketch
        else:
            self.placed = sketch
        if hop is not None:
            self.topic = hop.topic
            self.placing = tuple(at for at, trait in enumerate(self._traits) if trait.bearing is Bearing.PLACE)
            partitions = [at for at in self.placing if names[at] in messaging.PARTITION_NAMES]
            offsets = [at for at in self.placing if names[at] in messaging.OFFSET_NAMES]
            both = (*partitions, *offsets)
            if len(partitions) == len(offsets) == 1 and all(self._traits[at].is_plain for at in both):
                self.partition_at, self.offset_at = both

    def place(self, raws: Sequence[bytes], scope: str) -> rows.Place | None:
        """Partition and offset of a span with these attributes."""
        if self.partition_at >= 0:
            partition, offset = number(raws[self.partition_at]), number(raws[self.offset_at])
            if partition is not None and offset is not None and partition <= messaging.MAX_PARTITION:
                return partition, offset
        said = attributes([slim.attribute(raws[at]) for at in self.placing], Tally())
        return messaging.place(said, topic=self.topic, scope=scope)


class Said(NamedTuple):
    """A resource, and its bytes: one object for all of its scopes, as it may be large."""

    resource: Resource
    raw: bytes


class Scope:
    """One library of one resource, as one source tells of it, and the plans of its spans."""

    __slots__ = ("frame", "name", "plans", "resource", "source")

    def __init__(self, resource: Resource, name: str, source: str, frame: tuple[bytes, bytes]) -> None:
        """`frame`: resource and scope as bytes, in which a span stands."""
        self.resource = resource
        self.name = name
        self.source = source
        self.frame = frame
        self.plans: dict[tuple[object, ...], Plan] = {}


class Scanner:
    """Reads requests, and remembers what it has read. For one thread. `compiled`: the same in C, which asks here."""

    def __init__(self, compiled: native.Compiled | None = None) -> None:
        self.sketches = Sketches()
        self._compiled = compiled
        self._traits = Traits()
        self._resources: dict[bytes, Said] = {}
        self._scopes: dict[tuple[int, bytes, str], Scope] = {}  # by the number of the resource's object, which is held
        self._n_bytes = 0

    @property
    def n_bytes(self) -> int:
        """About how much is remembered."""
        compiled = self._compiled.n_bytes if self._compiled else 0
        return self._n_bytes + self._traits.n_bytes + self.sketches.n_bytes + compiled

    def scan(self, body: bytes, source: str) -> Packed:
        """The spans of one request. Raises DecodeError, and Malformed for more than one request may hold."""
        if self.n_bytes > MOST_BYTES:
            self._forget()
        wire.check(body)
        found = Packed()
        if self._compiled is None or not self._compiled.scan(self, body, source, found, Linked, MAX_SPANS):
            found = self._scanned(body, source)
        found.settle(self.sketches)
        return found

    def trait(self, raw: bytes) -> tuple[Trait, bool, bool, int]:
        """What the compiled scanner asks of an attribute: its trait, whether it is remembered for these bytes, whether
        other bytes share it, and how many bytes in front are enough to know it by (0: none are).
        """
        found = self._traits[raw]
        return found, raw in self._traits, found.bearing is not Bearing.VALUE, self._traits.plain_bytes(raw, found)

    def scope(self, resource: bytes, scope: bytes, source: str) -> Scope:
        """What the compiled scanner asks of a scope. Raises DecodeError."""
        return self._scope(self._resource(resource), scope, source)

    def one(self, span: bytes, scope: Scope, found: Packed) -> None:
        """Read one span that the compiled scanner does not know. Raises DecodeError."""
        message: Any = slim.Request.FromString(slim.around(span))
        self._scan(message.resource_spans[0].scope_spans[0].spans, scope, found)

    def _scanned(self, body: bytes, source: str) -> Packed:
        message: Any = slim.Request.FromString(body)
        check_number(message)
        found = Packed()
        for resource_spans in message.resource_spans:
            said = self._resource(b"".join(resource_spans.resource))
            for scoped in resource_spans.scope_spans:
                self._scan(scoped.spans, self._scope(said, b"".join(scoped.scope), source), found)
        return found

    def _scan(self, spans: Iterable[Any], scope: Scope, found: Packed) -> None:  # noqa: C901  see below
        """Add the spans of one scope: the one loop that every span goes through, so its steps stand here in a row."""
        trait_of, plan_of = self._traits.__getitem__, scope.plans.get
        add_head, add_sketch = found.heads.append, found.sketches.append
        for span in spans:
            trace_id, span_id, parent_id = span.trace_id, span.span_id, span.parent_span_id
            started_ns, ended_ns = span.start_time_unix_nano, span.end_time_unix_nano
            if (
                len(trace_id) != 16
                or trace_id == _NO_TRACE
                or len(span_id) != 8
                or span_id == _NO_SPAN
                or not started_ns
                or len(parent_id) not in _PARENT_SIZES
            ):  # as messages.fault has it
                _refuse(span, found)
                continue
            raws = span.attributes[:]
            if len(raws) > MAX_ATTRIBUTES:
                self._read(span, scope, found, None)
                continue
            traits = tuple(map(trait_of, raws))
            if parent_id in _NO_PARENT:
                parent_id = None
            links = self._links(span, parent_id) if span.links else ()
            raised = self._raised(span) if span.events else ()
            if links is None or raised is None or started_ns > rows.LAST_NS:
                self._read(span, scope, found, None)
                continue
            key = (traits, span.name, span.kind, span.status.code, len(links))
            plan = plan_of(key) or self._plan(scope, key)
            place = plan.place(raws, scope.name) if plan.placing else None
            sketch = plan.unplaced if place is None else plan.placed
            if sketch is None:
                self._read(span, scope, found, plan)
                continue
            if span.trace_state and sketch.hop and (more := sampling.more(span.trace_state)):
                found.sampled.append(Sampled(len(found.heads), more))
            if links:
                _add_links(found, span, links)
            if sketch.status is _ERROR:
                _add_errors(found, span, sketch, raised, scope)
            started = (started_ns - FIRST_NS) // 1_000
            took = (ended_ns - started_ns) / 1e6 if ended_ns > started_ns else 0.0
            if parent_id is None:
                head = ROOT(FIRST, trace_id, ID, span_id, NO_PARENT, MOMENT, started, DURATION, took)
            else:
                head = CHILD(FIRST, trace_id, ID, span_id, ID, parent_id, MOMENT, started, DURATION, took)
            add_head(head + NOWHERE if place is None else head + where(place))
            add_sketch(sketch)

    def _plan(self, scope: Scope, key: tuple[Any, ...]) -> Plan:
        plan = scope.plans[key] = Plan(key[0])
        self._n_bytes += PLAN_BYTES + len(key[1]) + 8 * len(key[0])
        return plan

    def _read(self, span: Any, scope: Scope, found: Packed, plan: Plan | None) -> None:  # noqa: ANN401
        """Read a span by the rules: the first of its plan, or one that is like no other."""
        read = span_of(slim.whole(span), scope.resource, scope.name, Tally())
        hop = hop_of(read)
        sketch = self.sketches.of(read, hop, scope.source)
        found.add(read, hop, sketch)
        if sketch.is_failure:
            found.failed.append(_failed(span, scope))
        if plan is not None:
            plan.learn(sketch, hop)

    def _links(self, span: Any, parent_id: bytes | None) -> list[Context] | None:  # noqa: ANN401
        """What a span links to, as messages.span_of has it; None where the links say more, or are many."""
        found: list[Context] = []
        for raw in span.links:
            if raw[:2] == _LINK_TRACE and raw[18:20] == _LINK_SPAN and raw[28:29] in _LINK_END and len(raw) in (28, 33):
                found.append((raw[2:18], raw[20:28]))
                continue
            link = slim.link(raw)
            if link.attributes:
                return None
            found.append((link.trace_id, link.span_id))
        found = [
            (trace_id, span_id)
            for trace_id, span_id in found
            if len(trace_id) == 16
            and len(span_id) == 8
            and trace_id != _NO_TRACE
            and span_id != _NO_SPAN
            and (trace_id != span.trace_id or span_id != parent_id)
        ]
        return found if len(found) <= MAX_LINKS else None

    def _raised(self, span: Any) -> tuple[Raised, ...] | None:  # noqa: ANN401
        """The exceptions of a span; None for a back-off, which the rules must see."""
        events = [event for event in map(slim.event, span.events) if event.name == "exception"]
        raised = raised_of(events, Tally())
        return None if any(is_backoff_class(each.exception_class) for each in raised) else raised

    def _resource(self, raw: bytes) -> Said:
        found = self._resources.get(raw)
        if found is None:
            found = self._resources[raw] = Said(resource_of(slim.resource(raw), Tally()), raw)
            self._n_bytes += PLAN_BYTES + 2 * len(raw)
        return found

    def _scope(self, said: Said, scope: bytes, source: str) -> Scope:
        key = (id(said.resource), scope, source)
        found = self._scopes.get(key)
        if found is None:
            name = scope_of(slim.scope_name(scope), Tally())
            found = self._scopes[key] = Scope(said.resource, name, source, (said.raw, scope))
            self._n_bytes += PLAN_BYTES + 2 * len(scope)
        return found

    def _forget(self) -> None:
        if self._compiled:
            self._compiled.forget()
        self.sketches.forget()
        self._traits.forget()
        self._resources.clear()
        self._scopes.clear()
        self._n_bytes = 0


def _refuse(span: Any, found: Packed) -> None:  # noqa: ANN401
    """Count a span that OTLP does not allow. Raises DecodeError for what is broken in it all the same."""
    slim.whole(span)
    found.n_refused += 1


def _add_links(found: Packed, span: Any, links: Iterable[Context]) -> None:  # noqa: ANN401
    ids, index = (span.trace_id, span.span_id), len(found.heads)
    found.links.extend(Linked(rows.link(ids, linked, None), index, has_place=False) for linked in links)


def _add_errors(found: Packed, span: Any, sketch: Sketch, raised: Iterable[Raised], scope: Scope) -> None:  # noqa: ANN401
    if sketch.is_failure:
        found.failed.append(_failed(span, scope))
        message = text(span.status.message, Tally())
        found.errors.extend(error_rows((span.trace_id, span.span_id), raised, message))


def _failed(span: Any, scope: Scope) -> Failed:  # noqa: ANN401
    return Failed(span.trace_id, span.span_id, span.SerializeToString(), scope.frame)
