"""What usually comes of a reading, learned from the newest spans; and the readings of which it did not come."""

from datetime import datetime, timedelta

from django.db import connection, transaction

LEARN_OVER = timedelta(minutes=10)
SETTLES_WITHIN = timedelta(seconds=30)  # spans come seconds after they end; later ones are not waited for
MOST_SPANS = 100_000
LEAST_READINGS = 30
USUAL_SHARE = 0.98
LEAST_SECONDS = 1.0
MOST_STUCK = 1_000  # a run; the list says that there are more
KEPT = timedelta(hours=24)


def learn(*, now: datetime) -> int:
    """Learn anew from the last minutes, and note what is stuck; how many readings that is. One transaction.

    What is joined is first copied and counted (ANALYZE): of the open leaf the planner may know nothing.
    """
    parameters: dict[str, datetime | int | float] = {
        "from": now - LEARN_OVER,
        "to": now,
        "settled": now - SETTLES_WITHIN,
        "spans": MOST_SPANS,
        "least": LEAST_READINGS,
        "share": USUAL_SHARE,
        "least_seconds": LEAST_SECONDS,
        "most": MOST_STUCK,
        "now": now,
        "forget": now - KEPT,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SINCE, parameters)
        parameters["from"] = cursor.fetchone()[0] or now
        cursor.execute(_TABLES)
        cursor.execute("set local enable_seqscan = off")  # the newest batches are found by their index
        cursor.execute(_RECENT, parameters)
        cursor.execute("set local enable_seqscan = on")
        cursor.execute("analyze recent_span")
        cursor.execute(_READINGS, parameters)
        cursor.execute("analyze recent_reading")
        cursor.execute(_LEARN, parameters)
        cursor.execute(_STUCK, parameters)
        n_stuck = int(cursor.rowcount)
        cursor.execute(_FORGET, parameters)
        cursor.execute("drop table recent_span, recent_reading")
    return n_stuck


# The newest batches, so many that their spans are not too many: what was stored later than a reading is never cut off.
_SINCE = """
select min(stored_at) from (
  select stored_at, sum(n_spans) over (order by stored_at desc) n from batch where stored_at >= %(from)s
) b where n <= %(spans)s
"""
_TABLES = """
create temporary table recent_span (trace_id uuid, span_id bigint, op smallint, topic_id integer,
  kafka_partition integer, kafka_offset bigint, started_at timestamptz, status smallint, n_messages smallint,
  source_id integer) on commit drop;
create temporary table recent_reading (trace_id uuid, span_id bigint, service_id integer, topic_id integer,
  kafka_partition integer, kafka_offset bigint, started_at timestamptz, next_topic_id integer,
  after_seconds double precision) on commit drop
"""
_RECENT = """
insert into recent_span
select trace_id, span_id, op, topic_id, kafka_partition, kafka_offset, started_at, status, n_messages, source_id
from span where stored_at >= %(from)s and stored_at < %(to)s and op <> 0 and topic_id is not null
"""
# A reading and what its service sent in the same trace after it began. Failed ones, polls and twins do not count.
_READINGS = """
insert into recent_reading
with recent as materialized (
  select r.*, v.service_id from recent_span r join source o on o.id = r.source_id
  join service_version v on v.id = o.service_version_id
)
select r.trace_id, r.span_id, r.service_id, r.topic_id, r.kafka_partition, r.kafka_offset, r.started_at,
  n.topic_id next_topic_id, extract(epoch from min(n.started_at) - r.started_at) after_seconds
from recent r left join recent n on n.trace_id = r.trace_id and n.service_id = r.service_id and n.op = 1
  and n.started_at >= r.started_at
where r.op in (2, 3) and r.n_messages = 1 and r.status <> 2 and r.started_at < %(settled)s
  and r.started_at >= %(from)s
group by 1, 2, 3, 4, 5, 6, 7, 8
"""
_LEARN = """
with reads as (select service_id, topic_id, count(distinct (trace_id, span_id)) n from recent_reading group by 1, 2)
insert into usual_next as u (service_id, topic_id, next_topic_id, n_reads, n_followed, within_seconds, learned_at)
select f.service_id, f.topic_id, f.next_topic_id, r.n, count(*),
  percentile_disc(0.99) within group (order by f.after_seconds), %(now)s
from recent_reading f join reads r using (service_id, topic_id)
where f.next_topic_id is not null and r.n >= %(least)s group by 1, 2, 3, 4
on conflict (service_id, topic_id, next_topic_id) do update set n_reads = excluded.n_reads,
  n_followed = excluded.n_followed, within_seconds = excluded.within_seconds, learned_at = excluded.learned_at
"""
# A limit that somebody set counts instead of what is usual.
_STUCK = """
insert into stuck_reading (topic_id, kafka_partition, kafka_offset, service_id, next_topic_id, read_at, within_seconds,
  found_at)
select distinct on (r.topic_id, r.kafka_partition, r.kafka_offset, r.service_id, u.next_topic_id)
  r.topic_id, r.kafka_partition, r.kafka_offset, r.service_id, u.next_topic_id, r.started_at, u.seconds, %(now)s
from recent_reading r join (
  select u.*, coalesce(l.seconds, greatest(%(least_seconds)s, u.within_seconds)) seconds from usual_next u
  left join stuck_limit l on l.topic_id = u.topic_id and l.service_id = u.service_id
    and l.next_topic_id = u.next_topic_id
  where u.n_reads >= %(least)s and u.n_followed >= u.n_reads * %(share)s::float8
) u on u.service_id = r.service_id and u.topic_id = r.topic_id
where r.kafka_offset is not null and r.started_at < %(now)s - u.seconds * interval '1 second'
  and not exists (select from recent_reading f where f.trace_id = r.trace_id and f.span_id = r.span_id
    and f.next_topic_id = u.next_topic_id)
limit %(most)s
on conflict do nothing
"""
_FORGET = """
delete from stuck_reading x where x.read_at < %(forget)s or exists (
  select from recent_reading f where f.topic_id = x.topic_id and f.kafka_partition = x.kafka_partition
    and f.kafka_offset = x.kafka_offset and f.service_id = x.service_id and f.next_topic_id = x.next_topic_id)
"""
