"""A path as pages and the API show it: hops with names and ids instead of numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from collector.domain import identities
from collector.domain.lineage import with_passings
from collector.domain.paths import Path, PathHop
from dashboard.queries.event_rows import Names, word_on


@dataclass(frozen=True, slots=True)
class Hop:
    """One event sent, or read by one party. Ids are as in the graph; None is unknown.

    `result`, `evidence`, `known_by`, `missing`, `skew_seconds`, `n_causes`, `n_inside`: see
    collector.domain.lineage.PathHop. `cause`: the first of `causes`, ids of earlier hops.
    """

    id: int
    kind: str
    service: str | None
    service_name: str | None
    version: str
    topic: str | None
    topic_name: str | None
    cluster: str | None
    partition: int | None
    offset: int | None
    group: str | None
    group_name: str | None
    happened_at: datetime | None
    margin_seconds: float | None
    wait_seconds: float | None
    processing_seconds: float | None
    result: str
    exception_class: str | None
    exception_message: str | None
    n_attempts: int
    evidence: tuple[str, ...]
    cause: int | None
    causes: tuple[int, ...]
    trace_id: str | None
    span_id: str | None
    known_by: tuple[str, ...]
    n_causes: int
    missing: tuple[str, ...]
    skew_seconds: float | None
    n_inside: int


@dataclass(frozen=True, slots=True)
class Onward:
    """The path goes on at hop `hop`: `side` before or after it. `n`: hops right behind it, None where nobody looked."""

    hop: int
    side: str
    n: int | None


@dataclass(frozen=True, slots=True)
class Lineage:
    """Hops in causal order. `start`: ids of the hops that were asked for. `truncated`: a cap was reached.

    `ends`: where it goes on, so that it can be asked for from there.
    """

    hops: tuple[Hop, ...]
    start: tuple[int, ...]
    n_events: int
    n_services: int
    n_traces: int
    waiting_seconds: float
    processing_seconds: float
    truncated: bool
    ends: tuple[Onward, ...] = ()

    @property
    def n_waits_unknown(self) -> int:
        """Readings that do not tell how long their event waited, or by clocks that differ: the sum lacks these."""
        return sum(hop.kind == "consume" and (hop.wait_seconds is None or bool(hop.skew_seconds)) for hop in self.hops)

    @property
    def n_works_unknown(self) -> int:
        """Readings that do not tell how long they took."""
        return sum(hop.kind == "consume" and hop.processing_seconds is None for hop in self.hops)


def named(path: Path, *, truncated: bool) -> Lineage:
    """The path with what the broker knows of it, and the names behind its numbers. One statement."""
    passings, topics, groups = word_on(path)
    path = with_passings(path, passings)
    hops = tuple(_hop(index, hop, topics, groups) for index, hop in enumerate(path.hops))
    return Lineage(
        hops=hops,
        start=path.start,
        n_events=sum(hop.kind == "produce" for hop in hops),
        n_services=len({hop.service for hop in hops if hop.service}),
        n_traces=len({hop.trace_id for hop in hops if hop.trace_id}),
        waiting_seconds=sum(hop.wait_seconds or 0.0 for hop in hops),
        processing_seconds=sum(hop.processing_seconds or 0.0 for hop in hops),
        truncated=truncated,
        ends=tuple(Onward(end.hop, end.side, end.n) for end in path.ends),
    )


def _hop(index: int, hop: PathHop, topics: Names, groups: Names) -> Hop:
    topic = topics.get(hop.topic) if hop.topic is not None else None
    group = _identity(groups, hop.group)
    exception_class, message = hop.exception or (None, None)
    return Hop(
        id=index,
        kind=hop.kind,
        service=identities.service_id(*hop.service) if hop.service else None,
        service_name="/".join(part for part in hop.service if part) if hop.service else None,
        version=hop.version,
        topic=identities.topic_id(*topic) if topic else None,
        topic_name=topic[1] if topic else None,
        cluster=topic[0] if topic else None,
        partition=hop.place[1] if hop.place else None,
        offset=hop.place[2] if hop.place else None,
        group=identities.group_id(*group) if group else None,
        group_name=group[1] if group else None,
        happened_at=hop.happened_at,
        margin_seconds=hop.margin_seconds,
        wait_seconds=hop.wait_seconds,
        processing_seconds=hop.processing_seconds,
        result=hop.result,
        exception_class=exception_class,
        exception_message=message,
        n_attempts=hop.n_attempts,
        evidence=hop.evidence,
        cause=hop.causes[0] if hop.causes else None,
        causes=hop.causes,
        trace_id=hop.context[0].hex if hop.context else None,
        span_id=f"{hop.context[1] & 0xFFFF_FFFF_FFFF_FFFF:016x}" if hop.context else None,
        known_by=hop.known_by,
        n_causes=hop.n_causes,
        missing=hop.missing,
        skew_seconds=hop.skew_seconds,
        n_inside=hop.n_inside,
    )


def _identity(known: Mapping[int, tuple[str, str]], number: int | None) -> tuple[str, str] | None:
    return known.get(number) if number else None
