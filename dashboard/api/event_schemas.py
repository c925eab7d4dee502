"""Answers about events and their paths. `service`, `topic` and `group` are ids as in the graph."""

from ninja import Schema


class Event(Schema):
    """One record. Without a tap only its address and what spans say. `key`: cut to 200 characters."""

    cluster: str
    topic: str
    topic_name: str
    partition: int
    offset: int
    position: str
    produced_at: str | None
    stored_at: str | None
    key: str | None
    size_bytes: int | None
    trace_id: str | None
    event_id: str | None
    dead_letter: int | None


class Hop(Schema):
    """One event sent, or read by one party; `cause` is the id of the hop it comes from, `causes` all of them.

    result: ok, failed; received (only a poll was seen); waiting (put off, not tried yet); passed (the group's
    committed offset is beyond it, and no span says more).
    known_by: how its causes are known: position (two parties name the same record), parent, link, traceparent, copied
    traceparent (a service without spans handed it on), causation id, dead letter headers, retry.
    missing: what is not stored: writer, cause, context, sender. skew_seconds: it seems to have been read that much
    before it was sent: two clocks differ, and the wait is not known. n_inside: spans that are no messages within it.
    """

    id: int
    kind: str
    service: str | None
    service_name: str | None
    version: str
    topic: str | None
    topic_name: str | None
    partition: int | None
    offset: int | None
    position: str | None
    group: str | None
    group_name: str | None
    happened_at: str | None
    margin_seconds: float | None
    wait_seconds: float | None
    processing_seconds: float | None
    result: str
    exception_class: str | None
    n_attempts: int
    evidence: list[str]
    cause: int | None
    causes: list[int]
    trace_id: str | None
    span_id: str | None
    known_by: list[str]
    n_causes: int
    missing: list[str]
    skew_seconds: float | None
    n_inside: int


class End(Schema):
    """The path goes on at hop `hop`: `side` is before or after it; `n` hops right there, null where nobody looked.

    url: where to ask for the rest; null where the position of its event is not known.
    """

    hop: int
    side: str
    n: int | None
    url: str | None


class Path(Schema):
    """The hops nearest to what was asked for, in causal order. `start`: ids of those that were asked for.

    truncated: it is longer; `ends` says where it goes on.
    """

    hops: list[Hop]
    start: list[int]
    n_events: int
    n_services: int
    n_traces: int
    waiting_seconds: float
    processing_seconds: float
    truncated: bool
    ends: list[End]


class EventAnswer(Schema):
    """One event and its path: back to what caused it, forwards to all that came of it."""

    event: Event
    path: Path


class TraceAnswer(Schema):
    """One trace and the path of everything in it."""

    trace_id: str
    path: Path
