"""Events that do not go on: not read within the limit of their group, or not followed by what usually follows.

The limit is what 99 % need, learned by collector.store.usual_waits and usual_hops, unless somebody set another.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from collector.domain import identities
from dashboard.queries.open_leaves import by_index

LEAST_READINGS, USUAL_SHARE, LEAST_SECONDS = 30, 0.98, 1.0
MOST_OF_EACH = 20
MOST_COUNTED = 1_000
MOST_LIMITS = 500


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
class Limit:
    """After how long something counts as stuck: `who` has not read `topic`, or has read it and sent no `next_topic`.

    `usual_seconds`: 99 % take less, of `n` readings; None of too few. `set_seconds`: what `set_by` said instead, or the
    settings file, in the table `declared`.
    """

    cluster: str
    topic: str
    who: str  # id of a group, or of a service
    next_topic: str | None
    n: int
    usual_seconds: float | None
    set_seconds: float | None = None
    set_by: str = ""
    set_at: datetime | None = None
    declared: str | None = None

    @property
    def seconds(self) -> float:
        """What counts. One of the two is always there."""
        return self.set_seconds or self.usual_seconds or 0.0

    @property
    def topic_id(self) -> str:
        """As a form sends it."""
        return identities.topic_id(self.cluster, self.topic)

    @property
    def name(self) -> str:
        """Of who is waited for."""
        _, names = identities.parts(self.who) or ("", (self.who,))
        return "/".join(names) if self.next_topic else names[-1]


@dataclass(frozen=True, slots=True)
class Stuck:
    """All of one kind. `n` is exact below 1,000. `events`: the oldest of them."""

    limit: Limit
    n: int
    truncated: bool
    events: tuple[StuckEvent, ...]


def stuck_events(limits: list[Limit], *, now: datetime) -> list[Stuck]:
    """By topic and group, most first. Three statements."""
    by_name = {(each.cluster, each.topic, each.who, each.next_topic): each for each in limits}
    return sorted([*_unread(by_name, now), *_unfollowed(by_name)], key=lambda each: -each.n)


def limits() -> list[Limit]:
    """Every limit that is learned or set, by topic; the first 500. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            _LIMITS,
            {
                "least": LEAST_READINGS,
                "share": USUAL_SHARE,
                "least_seconds": LEAST_SECONDS,
                "most": MOST_LIMITS,
            },
        )
        return [_limit(row) for row in cursor.fetchall()]


def _limit(row: tuple[Any, ...]) -> Limit:
    cluster, topic, group, namespace, service, following, n, usual, set_seconds, set_by, set_at, declared = row
    who = identities.group_id(cluster, group) if group is not None else identities.service_id(namespace, service)
    return Limit(cluster, topic, who, following, n or 0, usual, set_seconds, set_by or "", set_at, declared)


Named = dict[tuple[str, str, str, str | None], Limit]
Row = tuple[str, str, str, str | None, int, int, datetime]


def _unread(known: Named, now: datetime) -> list[Stuck]:
    """Of each group the first unread of each partition that have waited too long."""
    with by_index(), connection.cursor() as cursor:
        cursor.execute(_UNREAD, {"now": now, "most": MOST_COUNTED})
        rows: list[Row] = [
            (cluster, topic, identities.group_id(cluster, group), None, *rest)
            for cluster, topic, group, *rest in cursor.fetchall()
        ]
    return _grouped(rows, known)


def _unfollowed(known: Named) -> list[Stuck]:
    with connection.cursor() as cursor:
        cursor.execute(_UNFOLLOWED, {"most": 5 * MOST_COUNTED})
        rows: list[Row] = [
            (cluster, topic, identities.service_id(namespace, service), following, *rest)
            for cluster, topic, namespace, service, following, *rest in cursor.fetchall()
        ]
    return _grouped(rows, known)


def _grouped(rows: list[Row], known: Named) -> list[Stuck]:
    """The oldest first within each. What is known of a limit may be forgotten since: then it says what was read."""
    found: defaultdict[tuple[str, str, str, str | None], list[StuckEvent]] = defaultdict(list)
    for cluster, topic, who, following, partition, offset, since in rows:
        found[cluster, topic, who, following].append(StuckEvent(cluster, topic, partition, offset, since))
    return [
        Stuck(
            limit=known.get(key) or Limit(*key, n=0, usual_seconds=None),
            n=len(its),
            truncated=len(its) >= MOST_COUNTED,
            events=tuple(sorted(its, key=lambda each: each.since)[:MOST_OF_EACH]),
        )
        for key, its in found.items()
    ]


_LIMITS = """
select c.name, t.name, g.name, s.namespace, s.name, o.name, x.n, x.usual, x.seconds, x.set_by, x.set_at,
  x.declared
from (
  select coalesce(u.topic_id, l.topic_id) topic_id, coalesce(u.group_id, l.group_id) group_id, null::int service_id,
    null::int next_topic_id, u.n, u.within_seconds usual, l.seconds, l.set_by, l.set_at,
    l.declared
  from usual_wait u full join (select * from stuck_limit where group_id is not null) l
    on l.topic_id = u.topic_id and l.group_id = u.group_id
  union all
  select coalesce(u.topic_id, l.topic_id), null, coalesce(u.service_id, l.service_id),
    coalesce(u.next_topic_id, l.next_topic_id), u.n_reads, greatest(%(least_seconds)s, u.within_seconds), l.seconds,
    l.set_by, l.set_at, l.declared
  from (select * from usual_next where n_reads >= %(least)s and n_followed >= n_reads * %(share)s::float8) u
  full join (select * from stuck_limit where group_id is null) l
    on l.topic_id = u.topic_id and l.service_id = u.service_id and l.next_topic_id = u.next_topic_id
) x join topic t on t.id = x.topic_id and t.deleted_at is null join cluster c on c.id = t.cluster_id
left join consumer_group g on g.id = x.group_id left join service s on s.id = x.service_id
left join topic o on o.id = x.next_topic_id
where g.name is null or g.name not like 'weir-%%'
order by x.seconds is null, t.name, g.name, s.name, o.name limit %(most)s
"""
# What a group has not read begins at its committed offset: so many records of each partition are looked at.
_UNREAD = """
with n as materialized (
  select coalesce(u.topic_id, l.topic_id) topic_id, coalesce(u.group_id, l.group_id) group_id,
    coalesce(l.seconds, u.within_seconds) seconds
  from usual_wait u full join (select * from stuck_limit where group_id is not null) l
    on l.topic_id = u.topic_id and l.group_id = u.group_id
)
select c.name, t.name, cg.name, r.kafka_partition, r.kafka_offset, r.produced_at
from n join group_now g on g.topic_id = n.topic_id and g.group_id = n.group_id
join topic t on t.id = n.topic_id and t.deleted_at is null join cluster c on c.id = t.cluster_id
join consumer_group cg on cg.id = n.group_id and cg.name not like 'weir-%%'
cross join lateral (
  select r.kafka_partition, r.kafka_offset, r.produced_at
  from generate_series(1, cardinality(g.committed)) p(number)
  cross join lateral (select * from record r where r.topic_id = n.topic_id and r.kafka_partition = p.number - 1
    and r.kafka_offset >= g.committed[p.number]
    and r.produced_at < %(now)s::timestamptz - n.seconds * interval '1 second'
    order by r.kafka_offset limit %(most)s) r
  where g.committed[p.number] is not null limit %(most)s
) r
cross join lateral (
  select exists (select from span s left join edge e on e.id = s.edge_id
    left join group_hint h on e.group_id is null and h.service_id = e.service_id and h.topic_id = e.topic_id
    where s.topic_id = n.topic_id and s.kafka_partition = r.kafka_partition and s.kafka_offset = r.kafka_offset
      and s.op in (2, 3) and coalesce(e.group_id, h.group_id) = n.group_id) was_read offset 0
) w where not w.was_read
"""
_UNFOLLOWED = """
select c.name, t.name, s.namespace, s.name, o.name, x.kafka_partition, x.kafka_offset, x.read_at
from stuck_reading x join topic t on t.id = x.topic_id and t.deleted_at is null join cluster c on c.id = t.cluster_id
join topic o on o.id = x.next_topic_id join service s on s.id = x.service_id
order by x.read_at desc limit %(most)s
"""
