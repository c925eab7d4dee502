"""One event, and one reading of it: what the sightings of each add up to."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from collector.domain.hops import Op
from collector.domain.sightings import Context, LetterSeen, Place, RecordSeen, ResentSeen, Service, SpanSeen
from collector.domain.topology import Evidence

NodeKey = Place | Context
Result = Literal["ok", "failed", "received", "waiting", "passed"]


class Party(NamedTuple):
    """Who read: a group where it is known, else a service. Never both."""

    group: int  # 0 where only the service is known
    service: Service


class ProduceKey(NamedTuple):
    """An event, by its place, or by the span that sent it where nothing tells the place."""

    node: NodeKey


class ConsumeKey(NamedTuple):
    """An event read by one party."""

    node: NodeKey
    party: Party


HopKey = ProduceKey | ConsumeKey


@dataclass(slots=True)
class Node:
    """One event: what was seen of its sending."""

    key: NodeKey
    span: SpanSeen | None = None
    record: RecordSeen | None = None
    letter: LetterSeen | None = None
    resent: ResentSeen | None = None

    @property
    def place(self) -> Place | None:
        """Where it lies."""
        return self.key if len(self.key) == 3 else None

    @property
    def topic(self) -> int | None:
        """Its topic."""
        return self.key[0] if len(self.key) == 3 else self.span.topic if self.span else None

    @property
    def happened_at(self) -> datetime | None:
        """When it was sent: by the sender's span, else by the record, else by Weir's own note."""
        if self.span:
            return self.span.started_at
        if self.record and self.record.produced_at:
            return self.record.produced_at
        return self.resent.sent_at if self.resent else None


@dataclass(slots=True)
class Reading:
    """One event read by one party: all spans of it, and the dead letter that came of it."""

    key: ConsumeKey
    spans: list[SpanSeen] = field(default_factory=list)
    letter: LetterSeen | None = None

    @property
    def attempts(self) -> list[SpanSeen]:
        """The spans that stand for tries, earliest first: process spans where there are any, without back-offs."""
        counted = [span for span in self.spans if span.n_messages] or self.spans
        tried = [span for span in counted if span.op is Op.PROCESS] or counted
        return sorted(tried, key=lambda span: span.started_at)

    @property
    def result(self) -> Result:
        """What the spans say."""
        if any(span.n_messages for span in self.spans) or not self.spans:
            return "ok"
        return "waiting" if any(span.op is Op.PROCESS for span in self.spans) else "received"

    @property
    def group(self) -> int | None:
        """The group, where it is known."""
        return self.key.party.group or None

    @property
    def topic(self) -> int | None:
        """The topic that was read."""
        place = self.place
        return self.spans[0].topic if self.spans else place[0] if place else None

    @property
    def place(self) -> Place | None:
        """Where the event lies."""
        return self.key.node if len(self.key.node) == 3 else None

    @property
    def evidence(self) -> tuple[str, ...]:
        """Where this is known from."""
        guessed = Evidence(0)
        for span in self.spans:
            guessed |= span.group_evidence
        words = (
            ("traced", bool(self.spans)),
            ("membership", Evidence.MEMBERSHIP in guessed),
            ("declared", Evidence.DECLARED in guessed),
            ("dead letter", self.letter is not None),
        )
        return tuple(word for word, is_so in words if is_so)
