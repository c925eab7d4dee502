"""What was seen of events, as stored: spans, links, tapped records, dead letters, retries. Numbers name rows."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from collector.domain.hops import Op
from collector.domain.topology import Evidence

Context = tuple[UUID, int]
"""Trace id and span id: who wrote a record, or which span this is."""

Place = tuple[int, int, int]
"""Topic, partition, offset: one event."""

Service = tuple[str, str]
"""Namespace ("" for none) and name."""


@dataclass(frozen=True, slots=True)
class SpanSeen:
    """One span. `group` is the span's own, or what `group_evidence` says it must be."""

    trace_id: UUID
    span_id: int
    parent_id: int | None
    op: Op
    topic: int | None
    place: Place | None
    group: int | None
    group_evidence: Evidence
    service: Service
    version: str
    started_at: datetime
    seconds: float
    failed: bool
    n_messages: int
    exception: tuple[str, str] | None  # class, message

    @property
    def context(self) -> Context:
        """What others name this span by."""
        return self.trace_id, self.span_id

    @property
    def parent(self) -> Context | None:
        """The parent's context."""
        return None if self.parent_id is None else (self.trace_id, self.parent_id)


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """A link of `owner` to `linked`; batch spans name each record's place on its link."""

    owner: Context
    linked: Context
    place: Place | None


@dataclass(frozen=True, slots=True)
class RecordSeen:
    """A tapped record; `context` is that of its last traceparent header, which may be a copy.

    `event_id` is its own id, `cause_id` the own id of the record that it says it comes from.
    """

    place: Place
    produced_at: datetime | None
    context: Context | None
    event_id: str | None = None
    cause_id: str | None = None


@dataclass(frozen=True, slots=True)
class LetterSeen:
    """A dead letter: the record at `place` says that `group` gave up on the record at `origin`."""

    place: Place
    origin: Place | None
    group: int | None
    failed_at: datetime
    exception: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class ResentSeen:
    """A retry that Weir sent: the dead letter at `letter` went to `sent` again."""

    letter: Place
    sent: Place
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Passing:
    """The broker's word: `group` committed beyond the record at `place`.

    `at` is the first look that showed it, None where it was not seen to happen; it happened at most `margin_seconds`
    before.
    """

    place: Place
    group: int
    at: datetime | None
    margin_seconds: float | None
