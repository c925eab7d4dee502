"""Sightings woven together: every event once, every reading of it once, and what each comes from.

Where things are placed, by weight: a record's place; the record's own last traceparent, within the same topic; a span's
parents and links. What comes from what: collector/domain/origins.py.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from collector.domain.hops import Op
from collector.domain.origins import tie_all
from collector.domain.readings import ConsumeKey, HopKey, Node, NodeKey, Party, ProduceKey, Reading
from collector.domain.sightings import Context, LetterSeen, LinkSeen, Place, RecordSeen, ResentSeen, Service, SpanSeen
from collector.domain.ties import How, Ties

_LATEST = datetime.max.replace(tzinfo=UTC)
_NOBODY = ("", "")
_READS = (Op.RECEIVE, Op.PROCESS)


class Loom:
    """The whole cloth. Repeated sightings count once.

    `sent`: the events of each sending span; `read`: the readings of each reading span; `written`: the records that
    carry each context, earliest first.
    """

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
        self.ties = Ties()
        self.spans: dict[Context, SpanSeen] = {}
        for span in spans:
            self.spans.setdefault(span.context, span)
        self.links: defaultdict[Context, list[LinkSeen]] = defaultdict(list)
        for link in dict.fromkeys(links):
            self.links[link.owner].append(link)
        self.letters = {letter.place: letter for letter in letters}
        self.resents = {resent.sent: resent for resent in resents}
        self._records: dict[Place, RecordSeen] = {}
        for record in records:
            self._records.setdefault(record.place, record)
        self.written = self._written()
        self.sent: dict[Context, list[NodeKey]] = {}
        self.read: defaultdict[Context, list[ConsumeKey]] = defaultdict(list)
        self.processed_inside: defaultdict[Context, list[Context]] = defaultdict(list)
        self._readers: defaultdict[NodeKey, list[ConsumeKey]] = defaultdict(list)
        self._place_senders()
        self._place_readers()
        self._join_parties()
        tie_all(self)

    def exists(self, key: HopKey) -> bool:
        """True when anything was seen of it."""
        return key in self.readings if isinstance(key, ConsumeKey) else key.node in self.nodes

    def readers(self, place: NodeKey) -> list[ConsumeKey]:
        """All readings of the event at `place`."""
        return list(self._readers.get(place, ()))

    def of_trace(self, trace_id: UUID) -> list[HopKey]:
        """Every sending and reading that a span of this trace stands for, or a record with its traceparent."""
        found: dict[HopKey, None] = {}
        for context, nodes in self.sent.items():
            if context[0] == trace_id:
                found.update((ProduceKey(node), None) for node in nodes)
        for key, reading in self.readings.items():
            if any(span.trace_id == trace_id for span in reading.spans):
                found[key] = None
        return list(found)

    def causes_of(self, key: HopKey) -> Sequence[HopKey]:
        """What a hop comes from: a reading from its event, an event from the readings that made it."""
        return self.ties.causes_of(key)

    def effects_of(self, key: HopKey) -> Sequence[HopKey]:
        """What came of a hop."""
        return self.ties.effects_of(key)

    def known_by(self, key: HopKey) -> tuple[How, ...]:
        """How its causes are known."""
        return self.ties.known_by(key)

    def n_inside(self) -> dict[Context, int]:
        """How many spans that are no messages (HTTP, database) lie within each reading span, at any depth."""
        found: defaultdict[Context, int] = defaultdict(int)
        for span in self.spans.values():
            if span.op is Op.OTHER and (around := self._reading_around(span)):
                found[around] += 1
        return dict(found)

    def node(self, key: NodeKey) -> Node:
        """The event, made if nothing was seen of it yet."""
        return self.nodes.setdefault(key, Node(key))

    def reading(self, key: ConsumeKey) -> Reading:
        """The reading, made if nothing was seen of it yet."""
        if key not in self.readings:
            self.readings[key] = Reading(key)
            self._readers[key.node].append(key)
        return self.readings[key]

    def failed_at(self, place: Place) -> list[ConsumeKey]:
        """The readings of an event whose last try failed."""
        found = self._readers.get(place, ())
        return [key for key in found if any(last.failed for last in self.readings[key].attempts[-1:])]

    # How everything finds its place

    def _written(self) -> dict[Context, list[RecordSeen]]:
        """Records by who wrote them, earliest first. What Weir sent again still carries its first writer's name."""
        written: defaultdict[Context, list[RecordSeen]] = defaultdict(list)
        for record in sorted(self._records.values(), key=lambda each: (each.produced_at or _LATEST, each.place)):
            self.node(record.place).record = record
            if record.context and record.place not in self.resents:
                written[record.context].append(record)
        return dict(written)

    def _place_senders(self) -> None:
        """Find the event of every sending span: by its own place, its record's, its readers', or none."""
        told = self._places_told_by_readers()
        for span in self.spans.values():
            if span.op is not Op.SEND or (not span.n_messages and self.links.get(span.context)):
                continue  # the second: a batch send, whose messages each have a span of their own that it links to
            nodes: list[NodeKey] = [span.place] if span.place else []
            if not nodes:
                places = [record.place for record in self.written.get(span.context, ()) if _fits(record, span)]
                places = places or sorted(told.get(span.context, ()))
                nodes.extend(places if span.n_messages > 1 else places[:1])
            self.sent[span.context] = nodes or [span.context]
            for node in self.sent[span.context]:
                found = self.node(node)
                found.span = found.span or span

    def _places_told_by_readers(self) -> dict[Context, set[Place]]:
        told: defaultdict[Context, set[Place]] = defaultdict(set)
        for span in self.spans.values():
            if span.op not in _READS:
                continue
            for link in self.links.get(span.context, ()):
                if place := link.place or span.place:
                    self._tell(told, link.linked, place)
            if span.place and span.parent:
                self._tell(told, span.parent, span.place)
        return told

    def _tell(self, told: defaultdict[Context, set[Place]], context: Context, place: Place) -> None:
        sender = self.spans.get(context)
        if sender and sender.op is Op.SEND and sender.topic == place[0] and not self._is_told_otherwise(sender, place):
            told[context].add(place)

    def _is_told_otherwise(self, sender: SpanSeen, place: Place) -> bool:
        """A record that Weir sent again carries its first sender's context, and so do its readers."""
        return place in self.resents or self._sent_elsewhere(sender, place)

    def _sent_elsewhere(self, sender: SpanSeen, place: Place) -> bool:
        record = self._records.get(place)
        return record is not None and record.context not in {None, sender.context}

    def _place_readers(self) -> None:
        for span in self.spans.values():
            if span.op not in _READS:
                continue
            party = Party(span.group, _NOBODY) if span.group else Party(0, span.service)
            for node in self._delivered(span):
                self.reading(ConsumeKey(node, party)).spans.append(span)
            if span.op is Op.PROCESS and span.parent:
                self.processed_inside[span.parent].append(span.context)

    def _delivered(self, span: SpanSeen) -> list[NodeKey]:
        """The events that a reading span stands for. A batch span stands for one a link."""
        if span.place:
            return [span.place]
        found: dict[NodeKey, None] = {}
        for link in self.links.get(span.context, ()):
            if link.place:
                found[link.place] = None
            else:
                found.update(dict.fromkeys(self._sent_by(link.linked, span)))
        if not found and span.parent:
            found.update(dict.fromkeys(self._sent_by(span.parent, span)))
        if not found and span.n_messages and span.topic is not None:
            found[span.context] = None
        return list(found)

    def _sent_by(self, context: Context, reader: SpanSeen) -> list[NodeKey]:
        """What `context` sent to the topic that `reader` reads: known by its span, else by a record that names it."""
        sender = self.spans.get(context)
        if sender and sender.topic == reader.topic and context in self.sent:
            return self.sent[context]
        found: list[NodeKey] = [record.place for record in self.written.get(context, ()) if _fits(record, reader)]
        return found[:1]

    def _join_parties(self) -> None:
        """A reading without a group belongs to the group that the dead letter, or the service's own spans, name."""
        for letter in self.letters.values():
            self._join_by_letter(letter)
        for key in list(self.readings):
            known = [other for other in self._readers[key.node] if self._names_group(other, key.party.service)]
            if not key.party.group and len(known) == 1:
                self._join(key, known[0])
        for key, reading in self.readings.items():
            for span in reading.spans:
                self.read[span.context].append(key)

    def _join_by_letter(self, letter: LetterSeen) -> None:
        """The letter names the group of the failed reading: that of the service which wrote the letter, if known."""
        if letter.group and letter.origin:
            named = ConsumeKey(letter.origin, Party(letter.group, _NOBODY))
            nameless = [key for key in self.failed_at(letter.origin) if not key.party.group]
            if (sent := self.nodes.get(letter.place)) and sent.span:
                nameless = [key for key in nameless if key.party.service == sent.span.service]
            if named not in self.readings and len(nameless) == 1:
                self._join(nameless[0], named)

    def _join(self, key: ConsumeKey, into: ConsumeKey) -> None:
        self.reading(into).spans.extend(self.readings.pop(key).spans)
        self._readers[key.node].remove(key)

    def _names_group(self, key: ConsumeKey, service: Service) -> bool:
        return bool(key.party.group) and any(span.service == service for span in self.readings[key].spans)

    def _reading_around(self, span: SpanSeen) -> Context | None:
        seen: set[Context] = set()
        at = self.spans.get(span.parent) if span.parent else None
        while at is not None and at.context not in seen:
            if at.op is not Op.OTHER:
                return at.context if at.op in _READS else None
            seen.add(at.context)
            at = self.spans.get(at.parent) if at.parent else None
        return None


def _fits(record: RecordSeen, span: SpanSeen) -> bool:
    return record.place[0] == span.topic
