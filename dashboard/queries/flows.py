"""Events grouped by flow: what came of one first event stands together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from collector.domain.lineage import first_events, path_below
from collector.domain.readings import HopKey, ProduceKey
from collector.domain.sightings import Place
from collector.domain.weaving import Loom
from dashboard.queries import event_rows
from dashboard.queries.event_lists import EventRow
from dashboard.queries.open_leaves import by_index

Address = tuple[str, str, int, int]
MOST_GROUPED = 200


@dataclass(frozen=True, slots=True)
class Flow:
    """All events caused by one first event. `rows`: those of them that were looked for, newest first.

    `services`, `topics`: names of all that took part.
    """

    rows: tuple[EventRow, ...]
    begun_at: datetime | None
    n_events: int
    n_services: int
    failed_in: tuple[str, ...]
    n_retries: int
    longest_wait_seconds: float | None
    longest_work_seconds: float | None
    services: tuple[str, ...]
    topics: tuple[str, ...]

    @property
    def first(self) -> EventRow:
        """The earliest of the rows: where its path is opened."""
        return self.rows[-1]


def flows(rows: Sequence[EventRow]) -> list[Flow]:
    """The rows by flow, newest flow first. Five statements at most; of more than 200 rows each stands alone."""
    grouped = rows[:MOST_GROUPED]
    with by_index():
        loom, numbers, topics, groups = _loom(grouped)
    found: dict[tuple[HopKey, ...], list[EventRow]] = {}
    for row in grouped:
        place = numbers.get(_address(row))
        roots = first_events(loom, place) if place else ()
        found.setdefault(roots or (ProduceKey(place or (0, row.partition, row.offset)),), []).append(row)
    return [_flow(loom, roots, its, topics, groups) for roots, its in found.items()] + [
        _alone(row) for row in rows[MOST_GROUPED:]
    ]


def _loom(rows: Iterable[EventRow]) -> tuple[Loom, dict[Address, Place], event_rows.Names, event_rows.Names]:
    traces = {UUID(hex=row.trace_id) for row in rows if row.trace_id}
    addresses = [_address(row) for row in rows]
    numbers = event_rows.places_at(addresses)
    seen = event_rows.seen_around(traces=traces, places=numbers.values())
    loom = Loom(spans=seen.spans, links=seen.links, records=seen.records, letters=seen.letters, resents=seen.resents)
    topics, groups = event_rows.names(
        {node.topic for node in loom.nodes.values() if node.topic is not None},
        {key.party.group for key in loom.readings if key.party.group},
    )
    return loom, numbers, topics, groups


def _flow(
    loom: Loom, roots: tuple[HopKey, ...], rows: list[EventRow], topics: event_rows.Names, groups: event_rows.Names
) -> Flow:
    path = path_below(loom, [key for key in roots if loom.exists(key)])
    failed = {_who(hop.service, groups.get(hop.group or 0)) for hop in path.hops if hop.result == "failed"}
    waits = [hop.wait_seconds for hop in path.hops if hop.wait_seconds is not None]
    return Flow(
        rows=tuple(rows),
        begun_at=min((hop.happened_at for hop in path.hops if hop.happened_at), default=rows[-1].at),
        n_events=max(len(rows), sum(hop.kind == "produce" for hop in path.hops)),
        n_services=len({hop.service for hop in path.hops if hop.service}),
        failed_in=tuple(sorted(failed)),
        n_retries=sum("retry" in hop.evidence for hop in path.hops),
        longest_wait_seconds=max(waits, default=None),
        longest_work_seconds=max((hop.processing_seconds for hop in path.hops if hop.processing_seconds), default=None),
        services=tuple(sorted({"/".join(part for part in hop.service if part) for hop in path.hops if hop.service})),
        topics=tuple(sorted({topics[hop.topic][1] for hop in path.hops if hop.topic in topics} | {rows[0].topic})),
    )


def _alone(row: EventRow) -> Flow:
    return Flow((row,), row.at, 1, 0, (), 0, None, None, (), (row.topic,))


def _who(service: tuple[str, str] | None, group: tuple[str, str] | None) -> str:
    return service[1] if service else group[1] if group else "?"


def _address(row: EventRow) -> Address:
    return row.cluster, row.topic, row.partition, row.offset
