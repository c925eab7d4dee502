"""Lists of events: the newest of a topic, or of all."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from collector.domain import identities
from collector.domain.texts import storable
from dashboard.queries import hiding
from dashboard.queries.event import shown_key
from dashboard.queries.open_leaves import by_index, in_order

PER_PARTITION = 20
MOST_PARTITIONS = 500
UNSAMPLED_PARTITIONS = 16  # asked for where the sampler has not told their number yet
MOST_READ = 2_000
NEWEST_BATCHES = 40
ENOUGH = 500  # spans, and records, to make a list of the newest hundred events


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event in a list: metadata only, which keys are, too.

    `matched`: (key's name, value) of a search. `at` is None where neither record nor span has a time.
    """

    cluster: str
    topic: str
    topic_id: str
    partition: int
    offset: int
    at: datetime | None
    key: str | None
    size_bytes: int | None
    trace_id: str | None
    failed: bool
    matched: tuple[str, str] | None = None

    @property
    def address(self) -> str:
        """As people type it: orders.created/7/88123."""
        return f"{self.topic}/{self.partition}/{self.offset}"


def recent_events(
    cluster: str, topic: str, *, since: datetime, until: datetime, limit: int = 20
) -> tuple[EventRow, ...]:
    """The newest events of a topic that were stored from `since` to `until`, newest first. Two statements.

    The newest 20 of each partition, tapped or traced, are looked at; of topics with more than 500 partitions the
    first 500.
    """
    parameters: dict[str, str | int | datetime] = {
        "cluster": storable(cluster),
        "topic": storable(topic),
        "since": since,
        "until": until,
        "unsampled": UNSAMPLED_PARTITIONS,
        "most": MOST_PARTITIONS,
        "each": PER_PARTITION,
    }
    with in_order(), connection.cursor() as cursor:
        cursor.execute(_RECENT, parameters)
        return event_rows(cursor.fetchall())[:limit]


def newest_events(*, limit: int = 100, clusters: Collection[str] | None = None) -> tuple[EventRow, ...]:
    """The newest events of all topics that are not internal, newest first: those of the newest batches.

    So many batches that both spans and records suffice, at most 40. Of `clusters` alone where that is not None: then
    all 40, for most may be of others. Two statements.
    """
    parameters = {
        "batches": NEWEST_BATCHES,
        "all": MOST_READ,
        "enough": ENOUGH if clusters is None else MOST_READ,
        "clusters": None if clusters is None else list(clusters),
    }
    with by_index(), connection.cursor() as cursor:
        cursor.execute(_NEWEST, parameters)
        return event_rows(cursor.fetchall())[:limit]


_RECENT = """
select c.name, t.name, x.kafka_partition, x.kafka_offset, x.at, x.key, x.size_bytes, x.trace_id, x.failed, null, null
from topic t join cluster c on c.id = t.cluster_id
cross join lateral generate_series(0, least(coalesce(t.n_partitions, %(unsampled)s), %(most)s) - 1) p(number)
cross join lateral (
  (select r.kafka_partition, r.kafka_offset, r.produced_at at, r.key, r.size_bytes, r.trace_id, false failed
    from record r where r.topic_id = t.id and r.kafka_partition = p.number and r.stored_at >= %(since)s
    and r.stored_at < %(until)s
    order by r.kafka_offset desc limit %(each)s)
  union all
  (select s.kafka_partition, s.kafka_offset, s.started_at, null, null, s.trace_id, s.status = 2
    from span s where s.topic_id = t.id and s.kafka_partition = p.number and s.kafka_offset is not null
    and s.stored_at >= %(since)s and s.stored_at < %(until)s order by s.kafka_offset desc limit %(each)s)
) x where c.name = %(cluster)s and t.name = %(topic)s and t.deleted_at is null
"""
_NEWEST = """
with latest as (select * from batch where n_records > 0 or n_spans > 0 order by stored_at desc limit %(batches)s),
newest as materialized (
  select min(stored_at) since from (
    select stored_at, sum(n_records) over newer - n_records records, sum(n_spans) over newer - n_spans spans
    from latest window newer as (order by stored_at desc)
  ) b where records < %(enough)s or spans < %(enough)s
)
select c.name, t.name, x.kafka_partition, x.kafka_offset, x.at, x.key, x.size_bytes, x.trace_id, x.failed, null, null
from (
  (select r.topic_id, r.kafka_partition, r.kafka_offset, r.produced_at at, r.key, r.size_bytes, r.trace_id, false failed
    from record r where r.stored_at >= (select since from newest) order by r.stored_at desc limit %(all)s)
  union all
  (select s.topic_id, s.kafka_partition, s.kafka_offset, s.started_at, null, null, s.trace_id, s.status = 2
    from span s where s.stored_at >= (select since from newest) and s.kafka_offset is not null
    order by s.stored_at desc limit %(all)s)
) x
join topic t on t.id = x.topic_id and t.deleted_at is null and t.role <> 3 join cluster c on c.id = t.cluster_id
where %(clusters)s::text[] is null or c.name = any(%(clusters)s)
"""


def event_rows(found: Sequence[Sequence[Any]]) -> tuple[EventRow, ...]:
    """One row an event, newest first. A tapped record says more than a span; a failed span is not forgotten.

    What rules mask is hidden, and nothing is found by it: one statement more, where there are such rules.
    """
    veils = hiding.veils({(row[0], row[1], row[2], row[3]) for row in found})
    events: dict[tuple[str, str, int, int], EventRow] = {}
    for cluster, topic, partition, offset, at, key, size_bytes, trace_id, failed, key_name, value in found:
        address = (cluster, topic, partition, offset)
        veil = veils.get(address, hiding.OPEN)
        if key_name and not veil.allows(key_name, value):
            continue
        row = EventRow(
            cluster=cluster,
            topic=topic,
            topic_id=identities.topic_id(cluster, topic),
            partition=partition,
            offset=offset,
            at=at,
            key=shown_key(veil.key(None if key is None else bytes(key))),
            size_bytes=size_bytes,
            trace_id=trace_id.hex if trace_id else None,
            failed=failed,
            matched=(key_name, value) if key_name else None,
        )
        events[address] = _merged(events[address], row) if address in events else row
    return tuple(sorted(events.values(), key=_newest_first))


def _merged(one: EventRow, other: EventRow) -> EventRow:
    tapped, traced = (one, other) if one.size_bytes is not None else (other, one)
    return EventRow(
        cluster=one.cluster,
        topic=one.topic,
        topic_id=one.topic_id,
        partition=one.partition,
        offset=one.offset,
        at=tapped.at or traced.at,
        key=tapped.key,
        size_bytes=tapped.size_bytes,
        trace_id=tapped.trace_id or traced.trace_id,
        failed=one.failed or other.failed,
        matched=one.matched or other.matched,
    )


def _newest_first(row: EventRow) -> tuple[float, int]:
    return -row.at.timestamp() if row.at else float("inf"), -row.offset
