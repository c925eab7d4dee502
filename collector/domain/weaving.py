"""Sightings woven together: every event once, every reading of it once, and what each comes from.

Rules, in the order of their weight: a record's place; the record's own last traceparent, within the same topic; a
span's parents and links. A traceparent that a service without spans copied from its input to its output joins nothing:
a sender's context counts for a record, and for a reader, only where it sent to that very topic.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

from collector.domain.hops import Op
from collector.domain.readings import ConsumeKey, HopKey, Node, NodeKey, Party, ProduceKey, Reading
from collector.domain.sightings import Context, LetterSeen, LinkSeen, Place, RecordSeen, ResentSeen, Service, SpanSeen

MOST_CAUSES = 100
_LATEST = datetime.max.replace(tzinfo=UTC)
_NOBODY = ("", "")
_READS = (Op.RECEIVE, Op.PROCESS)


class Loom:
    """The whole cloth. Repeated sightings count once."""

    def __init__(
        self,
        *,
        spans: Iterable[SpanSeen],
        links: Iterable[LinkSeen],
        records: Iterable[RecordSeen],
        letters: Iterable[LetterSeen] = (),
        resents: Iterable[ResentSeen] = (),
    ) -> None:
        self.nodes: dict[NodeKey, Node] = {}
        self.readings: dict[ConsumeKey, Reading] = {}
        self._spans: dict[Context, SpanSeen] = {}
        for span in spans:
            self._spans.setdefault(span.context, span)
        self._links: defaultdict[Context, list[LinkSeen]] = defaultdict(list)
        for link in dict.fromkeys(links):
            self._links[link.owner].append(link)
        self._letters = {letter.place: letter for letter in letters}
        self._resents = {resent.sent: resent for resent in resents}
        self._records: dict[Place, RecordSeen] = {}
        for record in records:
            self._records.setdefault(record.place, record)
        self._sent: dict[Context, list[NodeKey]] = {}
        self._readers: defaultdict[NodeKey, list[ConsumeKey]] = defaultdict(list)
        self._processed_inside: defaultdict[Context, list[Context]] = defaultdict(list)
        self._read: defaultdict[Context, list[ConsumeKey]] = defaultdict(list)
        self._causes: defaultdict[HopKey, list[HopKey]] = defaultdict(list)
        self._effects: defaultdict[HopKey, list[HopKey]] = defaultdict(list)
        self._weave()

    def exists(self, key: HopKey) -> bool:
        """True when anything was seen of it."""
        return key in self.readings if isinstance(key, ConsumeKey) else key.node in self.nodes

    def readers(self, place: Place) -> list[ConsumeKey]:
        """All readings of the event at `place`."""
        return list(self._readers[place])

    def of_trace(self, trace_id: UUID) -> list[HopKey]:
        """Every sending and reading that a span of this trace stands for, or a record with its traceparent."""
        found: dict[HopKey, None] = {}
        for context, nodes in self._sent.items():
            if context[0] == trace_id:
                found.update((ProduceKey(node), None) for node in nodes)
        for key, reading in self.readings.items():
            if any(span.trace_id == trace_id for span in reading.spans):
                found[key] = None
        return list(found)

    def causes_of(self, key: HopKey) -> Sequence[HopKey]:
        """What a hop comes from: a reading from its event, an event from the readings that made it."""
        return self._causes[key]

    def effects_of(self, key: HopKey) -> Sequence[HopKey]:
        """What came of a hop."""
        return self._effects[key]

    @property
    def places(self) -> set[Place]:
        """Every place that anything was seen of."""
        return {node.place for node in self.nodes.values() if node.place}

    # How it is woven

    def _weave(self) -> None:
        written = self._written()
        self._place_senders(written)
        self._place_readers(written)
        self._join_parties()
        self._tie_sent()
        for letter in self._letters.values():
            self._add_letter(letter)
        for resent in self._resents.values():
            self._add_resent(resent)
        for key in self.readings:
            if key.node in self.nodes:
                self._tie(key, ProduceKey(key.node))

    def _written(self) -> dict[Context, list[RecordSeen]]:
        """Records by who wrote them, earliest first. What Weir sent again still carries its first writer's name."""
        written: defaultdict[Context, list[RecordSeen]] = defaultdict(list)
        for record in sorted(self._records.values(), key=lambda each: (each.produced_at or _LATEST, each.place)):
            self._node(record.place).record = record
            if record.context and record.place not in self._resents:
                written[record.context].append(record)
        return written

    def _node(self, key: NodeKey) -> Node:
        return self.nodes.setdefault(key, Node(key))

    def _place_senders(self, written: dict[Context, list[RecordSeen]]) -> None:
        """Find the event of every sending span: by its own place, its record's, its readers', or none."""
        told = self._places_told_by_readers()
        for span in self._spans.values():
            if span.op is not Op.SEND:
                continue
            nodes: list[NodeKey] = [span.place] if span.place else []
            if not nodes:
                places = [record.place for record in written.get(span.context, ()) if record.place[0] == span.topic]
                places = places or sorted(told.get(span.context, ()))
                nodes.extend(places if span.n_messages > 1 else places[:1])
            self._sent[span.context] = nodes or [span.context]
            for node in self._sent[span.context]:
                found = self._node(node)
                found.span = found.span or span

    def _places_told_by_readers(self) -> dict[Context, set[Place]]:
        told: defaultdict[Context, set[Place]] = defaultdict(set)
        for span in self._spans.values():
            if span.op not in _READS:
                continue
            for link in self._links[span.context]:
                if place := link.place or span.place:
                    self._tell(told, link.linked, place)
            if span.place and span.parent:
                self._tell(told, span.parent, span.place)
        return told

    def _tell(self, told: defaultdict[Context, set[Place]], context: Context, place: Place) -> None:
        sender = self._spans.get(context)
        if sender and sender.op is Op.SEND and sender.topic == place[0]:
            told[context].add(place)

    def _place_readers(self, written: dict[Context, list[RecordSeen]]) -> None:
        for span in self._spans.values():
            if span.op not in _READS:
                continue
            party = Party(span.group, _NOBODY) if span.group else Party(0, span.service)
            for node in self._delivered(span, written):
                self._reading(ConsumeKey(node, party)).spans.append(span)
            if span.op is Op.PROCESS and span.parent:
                self._processed_inside[span.parent].append(span.context)

    def _delivered(self, span: SpanSeen, written: dict[Context, list[RecordSeen]]) -> list[NodeKey]:
        """The events that a reading span stands for. A batch span stands for one a link."""
        if span.place:
            return [span.place]
        found: dict[NodeKey, None] = {}
        for link in self._links[span.context]:
            if link.place:
                found[link.place] = None
            else:
                found.update(dict.fromkeys(self._sent_by(link.linked, span, written)))
        if not found and span.parent:
            found.update(dict.fromkeys(self._sent_by(span.parent, span, written)))
        if not found and span.n_messages and span.topic is not None:
            found[span.context] = None
        return list(found)

    def _sent_by(self, context: Context, reader: SpanSeen, written: dict[Context, list[RecordSeen]]) -> list[NodeKey]:
        """What `context` sent to the topic that `reader` reads: known by its span, else by a record that names it."""
        sender = self._spans.get(context)
        if sender and sender.op is Op.SEND and sender.topic == reader.topic:
            return self._sent[context]
        found: list[NodeKey] = [record.place for record in written.get(context, ()) if record.place[0] == reader.topic]
        return found[:1]

    def _reading(self, key: ConsumeKey) -> Reading:
        if key not in self.readings:
            self.readings[key] = Reading(key)
            self._readers[key.node].append(key)
        return self.readings[key]

    def _join_parties(self) -> None:
        """A reading without a group belongs to the group that the dead letter, or the service's own spans, name."""
        for letter in self._letters.values():
            self._join_by_letter(letter)
        for key in list(self.readings):
            known = [other for other in self._readers[key.node] if self._names_group(other, key.party.service)]
            if not key.party.group and len(known) == 1:
                self._join(key, known[0])
        for key, reading in self.readings.items():
            for span in reading.spans:
                self._read[span.context].append(key)

    def _join_by_letter(self, letter: LetterSeen) -> None:
        if letter.group and letter.origin:
            named = ConsumeKey(letter.origin, Party(letter.group, _NOBODY))
            nameless = [key for key in self._failed_at(letter.origin) if not key.party.group]
            if named not in self.readings and len(nameless) == 1:
                self._join(nameless[0], named)

    def _join(self, key: ConsumeKey, into: ConsumeKey) -> None:
        self._reading(into).spans.extend(self.readings.pop(key).spans)
        self._readers[key.node].remove(key)

    def _names_group(self, key: ConsumeKey, service: Service) -> bool:
        return bool(key.party.group) and any(span.service == service for span in self.readings[key].spans)

    def _failed_at(self, place: Place) -> list[ConsumeKey]:
        return [key for key in self._readers[place] if any(last.failed for last in self.readings[key].attempts[-1:])]

    def _tie_sent(self) -> None:
        for context, nodes in self._sent.items():
            for cause in self._origin(self._spans[context]):
                for node in nodes:
                    self._tie(ProduceKey(node), cause)

    def _origin(self, sender: SpanSeen) -> list[HopKey]:
        """What made `sender` send: the nearest reading among what it is inside of, or links to."""
        for span in self._inside_of(sender):
            linked: list[HopKey] = [
                key for link in self._links[span.context] for key in self._read.get(link.linked, ())
            ]
            own = self._read.get(span.context, []) if span.op in _READS else []
            if made_by := [*own] or linked or [*self._siblings_of(sender, span)]:
                return list(dict.fromkeys(made_by))[:MOST_CAUSES]
            if span.op is Op.SEND and span.service != sender.service:
                return [ProduceKey(node) for node in self._sent[span.context]]
        return []

    def _inside_of(self, span: SpanSeen) -> Iterator[SpanSeen]:
        seen: set[Context] = set()
        at: SpanSeen | None = span
        while at is not None and at.context not in seen:
            seen.add(at.context)
            yield at
            at = self._spans.get(at.parent) if at.parent else None

    def _siblings_of(self, sender: SpanSeen, around: SpanSeen) -> list[ConsumeKey]:
        """In a batch handler of kafkajs the poll span is around both the process spans and what they send."""
        if around.op is not Op.RECEIVE or around is sender:
            return []
        return [key for context in self._processed_inside[around.context] for key in self._read.get(context, ())]

    def _add_letter(self, letter: LetterSeen) -> None:
        """The dead letter comes from the reading that failed, also where that reading left no span."""
        key = ProduceKey(letter.place)
        self._node(letter.place).letter = letter
        if letter.origin is None:
            return
        failed = self._reading_that_failed(letter, letter.origin)
        if failed is not None:
            self.readings[failed].letter = letter
        if not self._causes[key]:
            self._tie(key, failed or ProduceKey(self._node(letter.origin).key))

    def _reading_that_failed(self, letter: LetterSeen, origin: Place) -> ConsumeKey | None:
        if letter.group:
            return self._reading(ConsumeKey(origin, Party(letter.group, _NOBODY))).key
        failed = self._failed_at(origin)
        return failed[0] if len(failed) == 1 else None

    def _add_resent(self, resent: ResentSeen) -> None:
        key = ProduceKey(resent.sent)
        self._node(resent.sent).resent = resent
        self._node(resent.letter)
        for cause in self._causes.pop(key, []):
            self._effects[cause].remove(key)
        self._tie(key, ProduceKey(resent.letter))

    def _tie(self, effect: HopKey, cause: HopKey) -> None:
        if effect != cause and cause not in self._causes[effect]:
            self._causes[effect].append(cause)
            self._effects[cause].append(effect)
