"""Causal histories, and how real services would have told them: spans, links, records, dead letters.

A history is a list of steps. Each step is one service that reads events and writes others; its style is that of a real
library (the names stand at STYLES). `Told.expected` is what a perfect reader may know of it, and no more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from collector.domain.hops import Op
from collector.domain.sightings import Context, LetterSeen, LinkSeen, Place, RecordSeen, SpanSeen
from collector.domain.topology import Evidence

AT = datetime(2026, 1, 1, tzinfo=UTC)
Key = tuple[str, int, int]  # ("wrote", event, 0) or ("read", event, step)


@dataclass(frozen=True)
class Step:
    """One service at work: its style, the events it reads (numbers of earlier ones), how many it writes."""

    style: str
    reads: tuple[int, ...]
    n_writes: int
    topic: int


@dataclass
class Event:
    """One event as it was written. `header`: the trace context on the record."""

    number: int
    place: Place
    header: Context | None


@dataclass
class Told:
    """Everything that was seen, and what follows from it."""

    tapped: bool
    events: list[Event] = field(default_factory=list)
    spans: list[SpanSeen] = field(default_factory=list)
    links: list[LinkSeen] = field(default_factory=list)
    records: list[RecordSeen] = field(default_factory=list)
    letters: list[LetterSeen] = field(default_factory=list)
    expected: dict[Key, set[Key]] = field(default_factory=dict)
    senders: dict[Context, int] = field(default_factory=dict)
    clock: int = 0
    ids: int = 0

    def span(self, op: Op, topic: int | None, step: int, *, inside: Context | None = None, **more: object) -> SpanSeen:
        """One more span of the step's service: inside of `inside`, else the root of a new trace."""
        self.ids += 1
        self.clock += 1
        base = SpanSeen(
            trace_id=inside[0] if inside else UUID(int=self.ids),
            span_id=self.ids,
            parent_id=inside[1] if inside else None,
            op=op,
            topic=topic,
            place=None,
            group=None,
            group_evidence=Evidence(0),
            service=("", f"step-{step}"),
            version="",
            started_at=AT + timedelta(seconds=self.clock),
            seconds=0.1,
            failed=False,
            n_messages=1,
            exception=None,
        )
        made = replace(base, **more)  # type: ignore[arg-type]
        self.spans.append(made)
        return made

    def link(self, owner: SpanSeen, to: Context | None, place: Place | None = None) -> None:
        """A link, where there is something to link to."""
        if to:
            self.links.append(LinkSeen(owner.context, to, place))

    def write(self, topic: int, header: Context | None, causes: set[Key], *, cause_id: str | None = None) -> Event:
        """One more event, and its record where Weir taps."""
        number = len(self.events)
        self.clock += 1
        event = Event(number, (topic, number % 2, number), header)
        self.events.append(event)
        self.expected["wrote", number, 0] = causes
        if self.tapped:
            at = AT + timedelta(seconds=self.clock)
            self.records.append(RecordSeen(event.place, at, header, f"id-{number}", cause_id))
        return event

    def read(self, event: Event, step: int) -> Key:
        """Note that the step's reading of the event can be known."""
        key: Key = ("read", event.number, step)
        self.expected[key] = {("wrote", event.number, 0)}
        return key

    def send(self, step: int, topic: int, inside: Context | None, causes: set[Key], **more: object) -> Event:
        """A send with a span of its own, with or without its place."""
        knows_place = bool(more.pop("knows_place", False))
        cause_id = more.pop("cause_id", None)
        sent = self.span(Op.SEND, topic, step, inside=inside)
        event = self.write(topic, sent.context, causes, cause_id=None if cause_id is None else str(cause_id))
        self.senders[sent.context] = event.number
        if knows_place:
            self.spans[-1] = replace(sent, place=event.place)
        return event


def tell(steps: Sequence[Step], *, tapped: bool) -> Told:
    """The history as its services tell it."""
    told = Told(tapped)
    for number, step in enumerate(steps):
        events = [told.events[each % len(told.events)] for each in dict.fromkeys(step.reads)] if told.events else []
        events = list({event.number: event for event in events}.values())
        style = step.style if events and (tapped or step.style in WITHOUT_TAP) else "root"
        STYLES[style](told, number, events, step)
    return told


def _root(told: Told, number: int, _events: list[Event], step: Step) -> None:
    """An HTTP request that makes an event (any SDK); every second one tells the place."""
    around = told.span(Op.OTHER, None, number)
    told.send(number, step.topic, around.context, set(), knows_place=number % 2 == 0)


def _java(told: Told, number: int, events: list[Event], step: Step) -> None:
    """The Java agent: child of the producer, places and groups everywhere; failed tries at the same place."""
    event = events[0]
    for failed in (True, False):
        read = told.span(
            Op.PROCESS,
            event.place[0],
            number,
            inside=event.header,
            place=event.place,
            group=100 + number,
            failed=failed,
        )
    told.span(
        Op.PROCESS, event.place[0], number, inside=event.header, place=event.place, group=100 + number, n_messages=0
    )
    query = told.span(Op.OTHER, None, number, inside=read.context)
    key = told.read(event, number)
    for _ in range(step.n_writes):
        told.send(number, step.topic, query.context, {key}, knows_place=True)


def _python(told: Told, number: int, events: list[Event], step: Step) -> None:
    """confluent-kafka: a recv span around the process span, which links; no group; senders do not know their place."""
    event = events[0]
    around = told.span(Op.OTHER, None, number)
    read = told.span(Op.PROCESS, event.place[0], number, inside=around.context, place=event.place)
    told.link(read, event.header)
    key = told.read(event, number)
    for _ in range(step.n_writes):
        told.send(number, step.topic, read.context, {key})


def _optin(told: Told, number: int, events: list[Event], step: Step) -> None:
    """The Java agent's opt-in: a poll with the places on its links, and a process span of the same record."""
    event = events[0]
    poll = told.span(Op.RECEIVE, event.place[0], number, n_messages=0, group=100 + number)
    told.link(poll, event.header, event.place)
    read = told.span(Op.PROCESS, event.place[0], number, inside=event.header, place=event.place)
    told.link(read, event.header)
    key = told.read(event, number)
    for _ in range(step.n_writes):
        told.send(number, step.topic, read.context, {key}, knows_place=True)


def _kafkajs(told: Told, number: int, events: list[Event], step: Step) -> None:
    """kafkajs eachBatch: process spans and sends side by side in a poll span without links."""
    poll = told.span(Op.RECEIVE, events[0].place[0], number, n_messages=0)
    keys = set()
    for event in events:
        read = told.span(Op.PROCESS, event.place[0], number, inside=poll.context, place=event.place)
        told.link(read, event.header)
        keys.add(told.read(event, number))
    for _ in range(step.n_writes):
        told.send(number, step.topic, poll.context, keys)


def _kotel(told: Told, number: int, events: list[Event], step: Step) -> None:
    """franz-go: receive spans of no length; the send is its child and starts after it has ended."""
    event = events[0]
    read = told.span(
        Op.RECEIVE, event.place[0], number, inside=event.header, place=event.place, group=100 + number, seconds=0.0
    )
    key = told.read(event, number)
    for _ in range(step.n_writes):
        told.send(number, step.topic, read.context, {key}, knows_place=True)


def _batch(told: Told, number: int, events: list[Event], step: Step) -> None:
    """consume(n): one process span, a bare link for each record of one topic, no places."""
    found = [event for event in events if event.header and event.place[0] == events[0].place[0]]
    if not found:
        return
    read = told.span(Op.PROCESS, found[0].place[0], number, n_messages=len(found))
    for event in found:
        told.link(read, event.header)
    keys = {told.read(event, number) for event in found}
    for _ in range(step.n_writes):
        told.send(number, step.topic, read.context, keys)


def _aiokafka(told: Told, number: int, events: list[Event], step: Step) -> None:
    """The receive span is never current: every send is a trace of its own, and nothing tells what it came from."""
    event = events[0]
    told.span(Op.RECEIVE, event.place[0], number, inside=event.header, place=event.place, group=100 + number)
    told.read(event, number)
    for _ in range(step.n_writes):
        told.send(number, step.topic, None, set())


def _aiokafka_with_ids(told: Told, number: int, events: list[Event], step: Step) -> None:
    """The same, of an application that writes CloudEvents with a causation id."""
    event = events[0]
    told.span(Op.RECEIVE, event.place[0], number, inside=event.header, place=event.place, group=100 + number)
    key = told.read(event, number)
    for _ in range(step.n_writes):
        told.send(number, step.topic, None, {key}, cause_id=f"id-{event.number}")


def _watcher(told: Told, number: int, events: list[Event], step: Step) -> None:
    """kafka-python: a receive span without place and group; sends are new roots."""
    event = events[0]
    if event.header is None:
        return
    told.span(Op.RECEIVE, event.place[0], number, inside=event.header)
    told.read(event, number)
    for _ in range(step.n_writes):
        told.send(number, step.topic, None, set())


def _bridge(told: Told, number: int, events: list[Event], _step: Step) -> None:
    """No spans, but the headers are copied: what it wrote came of what carries this context first."""
    event = events[0]
    first = told.senders.get(event.header) if event.header else None
    told.write(1_000 + number, event.header, set() if first is None else {("wrote", first, 0)})


def _ids_alone(told: Told, number: int, events: list[Event], step: Step) -> None:
    """No spans, no trace headers, but an id of the cause."""
    event = events[0]
    told.write(step.topic, None, {("wrote", event.number, 0)}, cause_id=f"id-{event.number}")


def _silent(told: Told, _number: int, _events: list[Event], step: Step) -> None:
    """Nothing tells anything."""
    told.write(step.topic, None, set())


def _connect(told: Told, number: int, events: list[Event], _step: Step) -> None:
    """A sink that dead-letters: the publish is a root, headers name the origin and the group."""
    event = events[0]
    read = told.span(Op.PROCESS, event.place[0], number, place=event.place, failed=True)
    told.link(read, event.header)
    key = told.read(event, number)
    letter = told.send(number, 2_000 + number, None, {key}, knows_place=True)
    told.letters.append(LetterSeen(letter.place, event.place, 100 + number, AT, ("E", "m")))


STYLES: dict[str, Callable[[Told, int, list[Event], Step], None]] = {
    "root": _root,
    "java": _java,
    "python": _python,
    "optin": _optin,
    "kafkajs": _kafkajs,
    "kotel": _kotel,
    "batch": _batch,
    "aiokafka": _aiokafka,
    "aiokafka_with_ids": _aiokafka_with_ids,
    "watcher": _watcher,
    "bridge": _bridge,
    "ids_alone": _ids_alone,
    "silent": _silent,
    "connect": _connect,
}
WITHOUT_TAP = {"java", "python", "optin", "kafkajs", "kotel", "batch", "aiokafka", "watcher"}
