"""What is known around failure groups: what changed before the first death, what came lately, who looks after them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from dashboard.queries.failure_trends import Trend, trend

BEFORE = timedelta(hours=1)  # a change longer ago is not named
SEEN_LATE = timedelta(seconds=10)  # a version is seen when its first spans come, which SDKs gather for five seconds
LATELY_SECONDS = 900
SOON = timedelta(hours=3)
MOST_ASKED = 50  # letters whose spans are looked for
MOST_NEW = 1_000
# A rebalance follows a deploy, so that it says nothing of its own.
_KINDS = {1: "version", 2: "created again", 3: "partitions", 4: "config", 5: "rewind", 8: "a fall of the end"}


@dataclass(frozen=True, slots=True)
class Change:
    """What changed shortly before the first death: "1 min after billing-svc 2.8.0". It need not be the cause.

    A version may have been seen a little after the first death: `seconds_before` is below 0 then.
    """

    seconds_before: float
    what: str

    @property
    def seconds_after(self) -> float:
        """How long after the first death a version was seen: it may have run by then, or not. 0 where it was before."""
        return max(0.0, -self.seconds_before)


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one group. `n_lately`: deaths of the last 15 min; `oldest_expires_at`: of its oldest open letter in Kafka.

    `n_new`: failures since its last retry was confirmed, up to MOST_NEW, while that is not over.
    """

    change: Change | None
    n_lately: int
    oldest_expires_at: datetime | None
    last_retry: "LastRetry | None"
    n_new: int
    assignee: str
    note: str
    note_by: str
    note_at: datetime | None
    trend: Trend | None


@dataclass(frozen=True, slots=True)
class LastRetry:
    """The newest operation with letters of a group, and what came of all its letters."""

    id: int
    at: datetime
    status: str
    reason: str
    n: int
    n_done: int
    n_failed_again: int
    n_without: int

    @property
    def words(self) -> str:
        """20 of 20 failed again"""
        counted = (
            (self.n_failed_again, "failed again"),
            (self.n_done, "processed or passed"),
            (self.n_without, "without an outcome"),
        )
        said = [f"{n:,} of {self.n:,} {what}" for n, what in counted if n]
        return ", ".join(said) or self.reason or self.status


# What is new is looked for among the newest letters of each status, by its index: a group may have a million.
_FACTS = """
select g.id, g.trend, g.trend_until,
  extract(epoch from g.first_at - m.at)::float8, m.kind, m.after, m.service, m.topic, m.changed_group,
  coalesce(l.n, 0), x.expires_at, r.id, r.at, r.status, r.reason, r.n, r.n_done, r.n_failed, r.n_without, w.n,
  g.assignee, g.note, g.note_by, g.note_at
from failure_group g
left join lateral (select c.at, c.kind, c.after, v.name service, t.name topic, k.name changed_group from change_mark c
  left join service v on v.id = c.service_id left join topic t on t.id = c.topic_id
  left join consumer_group k on k.id = c.group_id
  where c.at <= g.first_at + make_interval(secs => case when c.kind = 1 then %(late)s else 0 end)
    and c.at > g.first_at - make_interval(secs => %(before)s) and c.kind = any(%(kinds)s)
    and (c.topic_id = g.topic_id or c.group_id = g.group_id
    or c.service_id in (select e.service_id from edge e where e.kind = 2 and e.group_id = g.group_id
      union select h.service_id from group_hint h where h.group_id = g.group_id))
  order by c.at desc limit 1) m on true
left join (select s.failure_group_id, count(*) n from dead_letter d join letter_state s on s.dead_letter_id = d.id
  where d.seen_at > %(now)s - make_interval(secs => %(lately)s) group by 1) l on l.failure_group_id = g.id
left join lateral (select d.expires_at from dead_letter d where d.id = (select s.dead_letter_id from letter_state s
  where s.failure_group_id = g.id and s.status = 0 order by s.dead_letter_id limit 1)) x on true
left join lateral (select o.*, coalesce(sum(c.n), 0)::int n,
    coalesce(sum(c.n) filter (where c.status in (4, 5)), 0)::int n_done,
    coalesce(sum(c.n) filter (where c.status = 6), 0)::int n_failed,
    coalesce(sum(c.n) filter (where c.status in (2, 3)), 0)::int n_without
  from (select id, coalesce(confirmed_at, created_at) at, status, reason from retry_operation
    where g.id = any(failure_groups) and status <> 6 order by id desc limit 1) o
  left join retry_count c on c.operation_id = o.id group by 1, 2, 3, 4) r on true
left join lateral (select count(*)::int n from (select n.dead_letter_id
    from generate_series(0, case when r.status in (0, 1, 3, 5) then 6 else -1 end) status
    cross join lateral (select s.dead_letter_id from letter_state s where s.failure_group_id = g.id
      and s.status = status.status order by s.dead_letter_id desc limit %(most_new)s) n
    order by 1 desc limit %(most_new)s) newest
  join dead_letter d on d.id = newest.dead_letter_id where d.seen_at > r.at) w on true
where g.id = any(%(groups)s)
"""
_STATUSES = {0: "requested", 1: "running", 2: "done", 3: "stopped", 4: "cancelled", 5: "paused", 7: "asked for"}


def failure_facts(groups: Collection[int], *, now: datetime) -> Mapping[int, Facts]:
    """By the group's id. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            _FACTS,
            {
                "groups": list(groups),
                "now": now,
                "before": BEFORE.total_seconds(),
                "late": SEEN_LATE.total_seconds(),
                "kinds": list(_KINDS),
                "lately": LATELY_SECONDS,
                "most_new": MOST_NEW,
            },
        )
        found = {}
        for (
            number,
            by_hour,
            until,
            seconds,
            kind,
            after,
            service,
            topic,
            group,
            n,
            expires_at,
            *rest,
        ) in cursor.fetchall():
            *retry, n_new, assignee, note, note_by, note_at = rest
            change = None if seconds is None else Change(seconds, _said(kind, after, service or topic or group))
            known = trend(by_hour, until, now=now)
            last = _last_retry(*retry)
            found[number] = Facts(change, n, expires_at, last, n_new, assignee, note, note_by, note_at, known)
    return found


def _last_retry(
    number: int | None, at: datetime, status: int, reason: str, n: int, n_done: int, n_failed: int, n_without: int
) -> LastRetry | None:
    if number is None:
        return None
    return LastRetry(number, at, _STATUSES.get(status, ""), reason, n, n_done, n_failed, n_without)


def _said(kind: int, after: str | None, name: str | None) -> str:
    if kind == 1:
        return f"{name or '?'} {after or ''}".strip()
    return f"{_KINDS[kind]} of {name or '?'}"


@dataclass(frozen=True, slots=True)
class FailedIn:
    """A version of a service that failed letters of a group, by its spans: how many of those asked about."""

    service: str
    version: str
    n_letters: int
    n_instances: int


@dataclass(frozen=True, slots=True)
class Failing:
    """Where the newest `n_read` letters of a group failed. What left no failed span is in none."""

    items: tuple[FailedIn, ...]
    n_read: int


def failed_in(group: int) -> Failing:
    """The versions and instances that the newest 50 letters of a group failed in. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_FAILED_IN, {"group": group, "most": MOST_ASKED})
        rows = cursor.fetchall()
    items = tuple(FailedIn(*row[1:]) for row in rows if row[1] is not None)
    return Failing(items, rows[0][0] if rows else 0)


_FAILED_IN = """
with asked as materialized (select d.origin_topic_id, d.origin_partition, d.origin_offset, d.group_id
  from letter_state s join dead_letter d on d.id = s.dead_letter_id
  where s.failure_group_id = %(group)s and d.origin_offset is not null and d.origin_topic_id is not null
  order by s.dead_letter_id desc limit %(most)s),
found as (select f.* from asked a cross join lateral (select o.service_version_id, o.instance, p.kafka_offset,
    p.kafka_partition, p.topic_id from span p join edge e on e.id = p.edge_id join source o on o.id = p.source_id
    left join group_hint h on h.service_id = e.service_id and h.topic_id = e.topic_id
    where p.topic_id = a.origin_topic_id and p.kafka_partition = a.origin_partition
      and p.kafka_offset = a.origin_offset and p.op = 3 and p.status = 2
      and coalesce(e.group_id, h.group_id) = a.group_id) f),
told as (select v.service_id, v.version, count(distinct (f.topic_id, f.kafka_partition, f.kafka_offset)) n,
    count(distinct f.instance) filter (where f.instance <> '') n_instances
  from found f join service_version v on v.id = f.service_version_id group by 1, 2)
select (select count(*) from asked), case when w.namespace = '' then w.name else w.namespace || '/' || w.name end,
  t.version, t.n, t.n_instances
from (select 1) one left join told t on true left join service w on w.id = t.service_id order by t.n desc nulls last
limit 10
"""


@dataclass(frozen=True, slots=True)
class Expiring:
    """Open letters that leave Kafka soon. Weir keeps its own copy of each: a retry works from there."""

    n: int
    within: timedelta
    first_at: datetime | None = None


def expiring(*, now: datetime, clusters: Collection[str] | None = None) -> Expiring:
    """Open letters whose record leaves Kafka within three hours, counted up to 10,000; of `clusters` alone where that
    is not None. One statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*), min(expires_at) from (select d.expires_at from dead_letter d"
            " join letter_state s on s.dead_letter_id = d.id"
            " where s.status = 0 and d.expires_at > %(now)s and d.expires_at <= %(soon)s"
            " and (%(clusters)s::text[] is null or exists (select from topic t join cluster c on c.id = t.cluster_id"
            " where t.id = d.topic_id and c.name = any(%(clusters)s::text[]))) limit 10000) n",
            {"now": now, "soon": now + SOON, "clusters": None if clusters is None else sorted(clusters)},
        )
        n, first_at = cursor.fetchone()
        return Expiring(int(n), SOON, first_at)


@dataclass(frozen=True, slots=True)
class LetterTopics:
    """How many of all topics hold dead letters, and when the last one died."""

    n: int
    n_all: int
    last_at: datetime | None


def letter_topics() -> LetterTopics:
    """Of the topics that there are now. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) filter (where role = 1), count(*), (select max(last_at) from failure_group)"
            " from topic where id > 0 and deleted_at is null and role <> 3"
        )
        return LetterTopics(*cursor.fetchone())


@dataclass(frozen=True, slots=True)
class Backfill:
    """A dead-letter topic that is still being read from its beginning. Offsets, which are at least the records."""

    topic: str
    n_read: int
    n_all: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.n_read / self.n_all) if self.n_all else 1.0


def backfills(clusters: Collection[str] | None = None) -> tuple[Backfill, ...]:
    """Dead-letter topics with more than 1,000 records that are not read yet, the most first; of `clusters` alone where
    that is not None. One statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select t.name, sum(greatest(0, least(p.next_offset, n.high[p.partition + 1]) - n.low[p.partition + 1]))"
            "::bigint, sum(n.high[p.partition + 1] - n.low[p.partition + 1])::bigint from topic t"
            " join topic_now n on n.topic_id = t.id join intake_position p on p.topic_uuid = t.kafka_id"
            " join input i on i.id = p.input_id and i.kind = 3 join cluster c on c.id = t.cluster_id"
            " where t.role = 1 and t.deleted_at is null"
            " and (%(clusters)s::text[] is null or c.name = any(%(clusters)s::text[])) group by t.id"
            " having sum(greatest(0, n.high[p.partition + 1] - greatest(p.next_offset, n.low[p.partition + 1]))) > 1000"
            " order by 3 desc limit 20",
            {"clusters": None if clusters is None else sorted(clusters)},
        )
        return tuple(Backfill(*row) for row in cursor.fetchall())
