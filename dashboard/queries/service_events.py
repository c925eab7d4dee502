"""What the newest spans of a service say: its last events, and how its instances do."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.db import connection
from django.urls import reverse

from collector.domain.hops import Op
from dashboard.queries.edges import CONSUME
from dashboard.queries.open_leaves import in_order
from dashboard.queries.service_versions import LEAST
from dashboard.queries.window import Window

PER_PARTITION = 200
MOST_PARTITIONS = 64
MOST_EVENTS = 50
MOST_INSTANCES = 100
LONGEST_LOOK = timedelta(hours=1)
_FAILED = 2


@dataclass(frozen=True, slots=True)
class Sighting:
    """A span of the service at one event. `seconds`: how long it processed, None where the span does not say."""

    cluster: str
    topic: str
    partition: int
    offset: int
    at: datetime
    wrote: bool
    seconds: float | None
    failed: bool
    source_id: int
    version: str
    instance: str

    @property
    def address(self) -> str:
        """orders.created/7/88123"""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def url(self) -> str:
        """The event's page."""
        return reverse("event", args=[self.cluster, self.topic, self.partition, self.offset])


@dataclass(frozen=True, slots=True)
class Instance:
    """A process of the service. `n` of its readings are among those looked at; `p95` from 20 of them on, in seconds.

    `last_at` None: none of its spans is.
    """

    name: str
    version: str
    n: int
    n_failed: int
    p95: float | None
    last_at: datetime | None


def sightings(service_id: int, window: Window) -> tuple[Sighting, ...]:
    """The newest 200 sightings in each partition that the service reads or writes, its own of them, newest first.

    At most 64 partitions, and the last hour of the window. Two statements.
    """
    parameters: dict[str, int | datetime] = {
        "service": service_id,
        "since": max(window.from_at, window.to_at - LONGEST_LOOK),
        "until": window.to_at,
        "partitions": MOST_PARTITIONS,
        "each": PER_PARTITION,
    }
    with in_order(), connection.cursor() as cursor:
        cursor.execute(_SIGHTINGS, parameters)
        found = [_sighting(*row) for row in cursor.fetchall()]
    return tuple(sorted(found, key=lambda each: each.at, reverse=True))


def newest(found: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """One for each event and side, the newest 50: of a reading the span that tells how long it took."""
    kept: dict[tuple[str, str, bool], Sighting] = {}
    for each in found:
        key = (each.cluster, each.address, each.wrote)
        if key not in kept or (kept[key].seconds is None and each.seconds is not None):
            kept[key] = each
    return tuple(sorted(kept.values(), key=lambda each: each.at, reverse=True)[:MOST_EVENTS])


def instances(service_id: int, found: Sequence[Sighting], *, versions: Sequence[int]) -> tuple[Instance, ...]:
    """Processes of some versions, the last seen first; at most 100 that were not seen lately. One statement."""
    by_source: Mapping[int, list[Sighting]] = defaultdict(list)
    for each in found:
        by_source[each.source_id].append(each)
    with connection.cursor() as cursor:
        cursor.execute(
            "select o.id, o.instance, v.version from source o join service_version v on v.id = o.service_version_id"
            " where v.service_id = %s and v.id = any(%s) and (o.id = any(%s) or o.id in"
            "  (select id from source where service_version_id = any(%s) order by id desc limit %s))",
            [service_id, list(versions), list(by_source), list(versions), MOST_INSTANCES],
        )
        rows = [instance(name, version, by_source[number]) for number, name, version in cursor.fetchall()]
    return tuple(sorted(rows, key=lambda row: (row.last_at is None, -row.last_at.timestamp() if row.last_at else 0)))


def instance(name: str, version: str, found: Sequence[Sighting]) -> Instance:
    """One process by its sightings."""
    read = [each for each in found if not each.wrote and each.seconds is not None]
    took = sorted(each.seconds for each in read if each.seconds is not None)
    return Instance(
        name,
        version,
        len(read),
        sum(each.failed for each in read),
        took[ceil(0.95 * len(took)) - 1] if len(took) >= LEAST else None,
        max((each.at for each in found), default=None),
    )


_SIGHTINGS = """
    with own as (select id, kind, topic_id from edge where service_id = %(service)s),
    places as (
      select t.id, t.name, c.name cluster, p.number from topic t join cluster c on c.id = t.cluster_id
      cross join lateral generate_series(0, coalesce(t.n_partitions, 1) - 1) p(number)
      where t.id in (select topic_id from own) and t.deleted_at is null and t.role <> 3
      order by p.number, t.id limit %(partitions)s
    )
    select p.cluster, p.name, x.kafka_partition, x.kafka_offset, x.started_at, own.kind, x.op, x.duration_ms, x.status,
      x.source_id, v.version, o.instance
    from places p cross join lateral (
      select * from span s where s.topic_id = p.id and s.kafka_partition = p.number and s.kafka_offset is not null
        and s.stored_at >= %(since)s and s.stored_at < %(until)s order by s.kafka_offset desc limit %(each)s
    ) x join own on own.id = x.edge_id join source o on o.id = x.source_id
    join service_version v on v.id = o.service_version_id
"""


def _sighting(
    cluster: str, topic: str, partition: int, offset: int, at: datetime, kind: int, op: int, duration_ms: float,
    status: int, source_id: int, version: str, instance: str,
) -> Sighting:  # fmt: skip
    return Sighting(
        cluster,
        topic,
        partition,
        offset,
        at,
        kind != CONSUME,
        duration_ms / 1000 if op == Op.PROCESS else None,
        status == _FAILED,
        source_id,
        version,
        instance,
    )
