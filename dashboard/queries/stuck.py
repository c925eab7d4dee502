"""Events that do not go on: not read within what is usual for their group, or not followed by the usual next."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from collector.domain import histograms

LEAST_SECONDS = 1.0
LEAST_READINGS = 30
LEARNED_OVER = timedelta(hours=24)
MOST_OF_EACH = 20
MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class StuckEvent:
    """One event that waits. `since` is when it was written, or read."""

    cluster: str
    topic: str
    partition: int
    offset: int
    since: datetime

    @property
    def address(self) -> str:
        """As people type it."""
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Stuck:
    """All of one kind: `who` has not read `topic`, or has read it and sent no `next_topic`.

    `within_seconds`: 99 % take less. `n` is exact below 1,000. `events`: the oldest of them.
    """

    cluster: str
    topic: str
    who: str
    next_topic: str | None
    within_seconds: float
    n: int
    truncated: bool
    events: tuple[StuckEvent, ...]


def stuck_events(*, now: datetime) -> list[Stuck]:
    """By topic and group, most first. Three statements."""
    return sorted([*_unread(now), *_unfollowed()], key=lambda each: -each.n)


def _unread(now: datetime) -> list[Stuck]:
    with connection.cursor() as cursor:
        cursor.execute(_LEARNED, {"since": now - LEARNED_OVER, "hour": now.replace(minute=0, second=0, microsecond=0)})
        waits: defaultdict[tuple[int, int], list[dict[int, int]]] = defaultdict(list)
        for topic, group, body in cursor.fetchall():
            waits[topic, group].append(histograms.decoded(bytes(body)))
    limits = {}
    for key, bodies in waits.items():
        merged = histograms.merged(bodies)
        p99 = histograms.percentile(merged, 0.99)
        if p99 is not None and sum(merged.values()) >= LEAST_READINGS:
            limits[key] = max(LEAST_SECONDS, p99 / 1000)
    keys = sorted(limits)
    with connection.cursor() as cursor:
        cursor.execute(
            _UNREAD,
            {
                "topics": [topic for topic, _ in keys],
                "groups": [group for _, group in keys],
                "limits": [limits[key] for key in keys],
                "now": now,
                "most": MOST_COUNTED,
            },
        )
        rows = cursor.fetchall()
    return _grouped([(*row[:3], None, *row[3:]) for row in rows])


def _unfollowed() -> list[Stuck]:
    with connection.cursor() as cursor:
        cursor.execute(_UNFOLLOWED, {"most": 5 * MOST_COUNTED})
        return _grouped(cursor.fetchall())


def _grouped(rows: list[tuple[str, str, str, str | None, float, int, int, datetime]]) -> list[Stuck]:
    """Rows: cluster, topic, who, next topic, limit, partition, offset, since; oldest first within each."""
    found: defaultdict[tuple[str, str, str, str | None], list[tuple[float, StuckEvent]]] = defaultdict(list)
    for cluster, topic, who, following, limit, partition, offset, since in rows:
        found[cluster, topic, who, following].append((limit, StuckEvent(cluster, topic, partition, offset, since)))
    return [
        Stuck(
            cluster=cluster,
            topic=topic,
            who=who,
            next_topic=following,
            within_seconds=its[0][0],
            n=len(its),
            truncated=len(its) >= MOST_COUNTED,
            events=tuple(event for _, event in sorted(its, key=lambda each: each[1].since)[:MOST_OF_EACH]),
        )
        for (cluster, topic, who, following), its in found.items()
    ]


_LEARNED = """
select e.topic_id, coalesce(e.group_id, h.group_id), b.wait from edge e
left join group_hint h on e.group_id is null and h.service_id = e.service_id and h.topic_id = e.topic_id
cross join lateral (
  select wait from edge_1h where edge_id = e.id and bucket_at >= %(since)s and bucket_at < %(hour)s and wait is not null
  union all select wait from edge_1m where edge_id = e.id and bucket_at >= %(hour)s and wait is not null
) b where e.kind = 2 and coalesce(e.group_id, h.group_id) is not null
"""
_UNREAD = """
select c.name, t.name, cg.name, n.seconds, r.kafka_partition, r.kafka_offset, r.produced_at
from unnest(%(topics)s::int[], %(groups)s::int[], %(limits)s::float8[]) n(topic_id, group_id, seconds)
join group_now g on g.topic_id = n.topic_id and g.group_id = n.group_id
join topic t on t.id = n.topic_id and t.deleted_at is null join cluster c on c.id = t.cluster_id
join consumer_group cg on cg.id = n.group_id
cross join lateral (
  select r.kafka_partition, r.kafka_offset, r.produced_at
  from generate_series(1, cardinality(g.committed)) p(number)
  cross join lateral (select * from record r where r.topic_id = n.topic_id and r.kafka_partition = p.number - 1
    and r.kafka_offset >= g.committed[p.number]
    and r.produced_at < %(now)s::timestamptz - n.seconds * interval '1 second'
    order by r.kafka_offset limit %(most)s) r
  where g.committed[p.number] is not null limit %(most)s
) r where not exists (
  select from span s left join edge e on e.id = s.edge_id
  left join group_hint h on e.group_id is null and h.service_id = e.service_id and h.topic_id = e.topic_id
  where s.topic_id = n.topic_id and s.kafka_partition = r.kafka_partition and s.kafka_offset = r.kafka_offset
    and s.op in (2, 3) and coalesce(e.group_id, h.group_id) = n.group_id)
"""
_UNFOLLOWED = """
select c.name, t.name, s.name, o.name, x.within_seconds, x.kafka_partition, x.kafka_offset, x.read_at
from stuck_reading x join topic t on t.id = x.topic_id join cluster c on c.id = t.cluster_id
join topic o on o.id = x.next_topic_id join service s on s.id = x.service_id
order by x.read_at desc limit %(most)s
"""
