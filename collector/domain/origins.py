"""What each hop comes from: from a span's parents and links, a record's headers, its ids, dead letters and retries.

Nothing is tied by a business key. A traceparent that a service without spans copied from what it read to what it wrote
says that the one came of the other, and nothing of who wrote it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from collector.domain.hops import Op
from collector.domain.readings import ConsumeKey, HopKey, Node, Party, ProduceKey
from collector.domain.sightings import Context, LetterSeen, Place, RecordSeen, ResentSeen, SpanSeen
from collector.domain.ties import How

if TYPE_CHECKING:
    from collector.domain.weaving import Loom

_NOBODY = ("", "")
_READS = (Op.RECEIVE, Op.PROCESS)
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def tie_all(loom: "Loom") -> None:
    """Tie every hop of the loom to what it comes from."""
    origins = _Origins(loom)
    origins.of_sends()
    origins.of_records_without_send()
    for letter in loom.letters.values():
        origins.of_letter(letter)
    for resent in loom.resents.values():
        origins.of_resent(resent)
    origins.of_ids()
    origins.of_readings()


class _Origins:
    def __init__(self, loom: "Loom") -> None:
        self._loom = loom
        self._ties = loom.ties

    def of_sends(self) -> None:
        """Where a span sent, what it is inside of or links to was the cause."""
        for context, nodes in self._loom.sent.items():
            causes, how = self._around(self._loom.spans[context])
            for cause in causes:
                for node in nodes:
                    self._ties.tie(ProduceKey(node), cause, how)

    def of_records_without_send(self) -> None:
        """A record that no span of a send stands for, but whose context is that of a known span."""
        for context, records in self._loom.written.items():
            span = self._loom.spans.get(context)
            if span is None:
                continue
            sent = self._loom.sent.get(context)
            for record in records:
                if sent is None:
                    self._tie_written_inside(record, span)
                elif record.place not in sent and len(sent) == 1:
                    self._tie_copy(record.place, sent[0])

    def of_letter(self, letter: LetterSeen) -> None:
        """The dead letter comes from the reading that failed, also where that reading left no span."""
        key = ProduceKey(letter.place)
        self._loom.node(letter.place).letter = letter
        if letter.origin is None:
            return
        failed = self._reading_that_failed(letter, letter.origin)
        if failed is not None:
            self._loom.readings[failed].letter = letter
        cause = failed or ProduceKey(self._loom.node(letter.origin).key)
        known = self._ties.causes_of(key)
        if not known or cause in known:
            self._ties.tie(key, cause, "dead letter headers")
        elif self._ties.known_by(key) == ("copied traceparent",):
            self._ties.untie(key)  # the same copy, and the headers know better which reading made it
            self._ties.tie(key, cause, "dead letter headers", "copied traceparent")

    def of_resent(self, resent: ResentSeen) -> None:
        """What Weir sent again comes from its dead letter, whatever the copied headers say."""
        key = ProduceKey(resent.sent)
        self._loom.node(resent.sent).resent = resent
        self._loom.node(resent.letter)
        self._ties.untie(key)
        self._ties.tie(key, ProduceKey(resent.letter), "retry")

    def of_ids(self) -> None:
        """A record that names the id of its cause comes from it: from its writer's reading of it where known."""
        by_id: defaultdict[str, list[Node]] = defaultdict(list)
        for node in self._loom.nodes.values():
            if node.record and node.record.event_id:
                by_id[node.record.event_id].append(node)
        for node in list(self._loom.nodes.values()):
            record = node.record
            if record is None or not record.cause_id or node.letter or node.resent:
                continue
            if named := _newest_before(record, by_id.get(record.cause_id, ())):
                self._tie_named(node, named)

    def of_readings(self) -> None:
        """A reading comes from its event."""
        for key in self._loom.readings:
            if node := self._loom.nodes.get(key.node):
                self._ties.tie(key, ProduceKey(key.node), *self._how_read(key, node))

    # One by one

    def _around(self, sender: SpanSeen) -> tuple[list[HopKey], How]:
        """What made `sender` send: the nearest reading among what it is inside of, or links to."""
        loom = self._loom
        for span in self._inside_of(sender):
            own: list[HopKey] = list(loom.read.get(span.context, ())) if span.op in _READS else []
            if own:
                return own, "parent"
            linked = [key for link in loom.links.get(span.context, ()) for key in loom.read.get(link.linked, ())]
            if linked:
                return list(dict.fromkeys(linked)), "link"
            if beside := self._siblings_of(sender, span):
                return list(dict.fromkeys(beside)), "parent"
            if span is not sender and span.context in loom.sent and span.service != sender.service:
                return [ProduceKey(node) for node in loom.sent[span.context]], "parent"
        return [], "parent"

    def _inside_of(self, span: SpanSeen) -> Iterator[SpanSeen]:
        seen: set[Context] = set()
        at: SpanSeen | None = span
        while at is not None and at.context not in seen:
            seen.add(at.context)
            yield at
            at = self._loom.spans.get(at.parent) if at.parent else None

    def _siblings_of(self, sender: SpanSeen, around: SpanSeen) -> list[ConsumeKey]:
        """In a batch handler of kafkajs the poll span is around both the process spans and what they send."""
        if around.op is not Op.RECEIVE or around is sender:
            return []
        inside = self._loom.processed_inside.get(around.context, ())
        return [key for context in inside for key in self._loom.read.get(context, ())]

    def _tie_written_inside(self, record: RecordSeen, span: SpanSeen) -> None:
        """Written by a client without instrumentation, in the context of a span of whoever handled something."""
        causes, _ = self._around(span)
        for cause in causes:
            self._ties.tie(ProduceKey(record.place), cause, "traceparent")

    def _tie_copy(self, copy: Place, original: Place | Context) -> None:
        """Somebody without spans wrote it; whom the broker knows to have passed the original stands beside it."""
        self._ties.tie(ProduceKey(copy), ProduceKey(original), "copied traceparent")

    def _reading_that_failed(self, letter: LetterSeen, origin: Place) -> ConsumeKey | None:
        if letter.group:
            return self._loom.reading(ConsumeKey(origin, Party(letter.group, _NOBODY))).key
        failed = self._loom.failed_at(origin)
        return failed[0] if len(failed) == 1 else None

    def _tie_named(self, node: Node, named: Node) -> None:
        key, event = ProduceKey(node.key), ProduceKey(named.key)
        known = self._ties.causes_of(key)
        by_writer = [each for each in self._loom.readers(named.key) if node.span and self._is_by(each, node.span)]
        cause: HopKey = by_writer[0] if len(by_writer) == 1 else event
        if cause in known or not known:
            self._ties.tie(key, cause, "causation id")
        elif self._ties.known_by(key) == ("copied traceparent",):
            self._ties.untie(key)  # of two copies of one context the id tells which came first
            self._ties.tie(key, cause, "causation id", "copied traceparent")

    def _is_by(self, key: ConsumeKey, writer: SpanSeen) -> bool:
        return any(span.service == writer.service for span in self._loom.readings[key].spans)

    def _how_read(self, key: ConsumeKey, node: Node) -> list[How]:
        reading = self._loom.readings[key]
        writers = {node.span.context} if node.span else set()
        writers |= {node.record.context} if node.record and node.record.context else set()
        links = [link for span in reading.spans for link in self._loom.links.get(span.context, ())]
        places = {span.place for span in reading.spans} | {link.place for link in links}
        has_place = node.place is not None and node.place in places
        told: list[tuple[How, bool]] = [
            ("position", has_place and (node.record is not None or (node.span is not None and bool(node.span.place)))),
            ("link", any(link.linked in writers for link in links)),
            ("parent", any(span.parent in writers for span in reading.spans if span.parent)),
            ("dead letter headers", reading.letter is not None),
        ]
        return [how for how, is_so in told if is_so] or ["position"]


def _newest_before(effect: RecordSeen, named: Sequence[Node]) -> Node | None:
    """Among the copies of a cause the last one written before its effect, a dead letter only if there is no other."""
    earlier = [
        node for node in _by_time(named) if node.key != effect.place and _at(node) <= (effect.produced_at or _at(node))
    ]
    alive = [node for node in earlier if node.letter is None]
    return alive[-1] if alive else earlier[-1] if earlier else None


def _by_time(nodes: Iterable[Node]) -> list[Node]:
    return sorted(nodes, key=lambda node: (_at(node), str(node.key)))


def _at(node: Node) -> datetime:
    return (node.record and node.record.produced_at) or _EARLIEST
