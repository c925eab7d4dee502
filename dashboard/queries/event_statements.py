"""The statements behind a path (docs/architecture.md, "The tables"): every one capped, their number fixed."""

MOST_TRACES = 2_000
MOST_SPANS = 10_000
MOST_ROWS = 20_000

_HERE = (
    "{0}.topic_id = {1}.topic_id and {0}.kafka_partition = {1}.kafka_partition and {0}.kafka_offset = {1}.kafka_offset"
)
_ORIGIN = (
    "{0}.topic_id = {1}.origin_topic_id and {0}.kafka_partition = {1}.origin_partition"
    " and {0}.kafka_offset = {1}.origin_offset"
)
_SENT = (
    "{0}.topic_id = {1}.target_topic_id and {0}.kafka_partition = {1}.sent_partition"
    " and {0}.kafka_offset = {1}.sent_offset"
)
_PLACES = (
    "unnest(%(topics)s::int[], %(partitions)s::int[], %(offsets)s::bigint[]) n(topic_id, kafka_partition, kafka_offset)"
)

_RECORD = "r.topic_id, r.kafka_partition, r.kafka_offset, r.produced_at, r.trace_id, r.span_id, r.event_id, r.cause_id"

# From an event to the traces and ids that saw it, or saw the dead letters and retries that are next to it.
START = f"""
with n as (select %(topic)s::int topic_id, %(partition)s::int kafka_partition, %(offset)s::bigint kafka_offset),
near as (
  select * from n
  union select x.topic_id, x.kafka_partition, x.kafka_offset from n join dead_letter x on {_ORIGIN.format("n", "x")}
  union select x.origin_topic_id, x.origin_partition, x.origin_offset from n
    join dead_letter x on {_HERE.format("x", "n")}
  union select x.topic_id, x.kafka_partition, x.kafka_offset from n join retry_item i on {_SENT.format("n", "i")}
    join dead_letter x on x.id = i.dead_letter_id
)
select trace_id, null::text, null::text from near join span s on {_HERE.format("s", "near")}
union select trace_id, null, null from near join span_link l on {_HERE.format("l", "near")}
union select trace_id, event_id, cause_id from near join record r on {_HERE.format("r", "near")}
  where r.trace_id is not null or r.event_id is not null or r.cause_id is not null
limit {MOST_TRACES}
"""  # noqa: S608

# Down from the start and up from the start, never down and then up: a batch reader would drag in all its other flows.
CLOSURE = f"""
with recursive down(trace_id, event_id) as (
  select * from (select unnest(%(start)s::uuid[]), null::text union all select null, unnest(%(events)s::text[])) s
  union select found.trace_id, found.event_id from down d cross join lateral (
    select l.trace_id, null::text event_id from span_link l where l.linked_trace_id = d.trace_id
    union all select c.trace_id, null from span p join span c on {_HERE.format("c", "p")} and c.op in (2, 3)
      where p.trace_id = d.trace_id and p.op = 1
    union all select c.trace_id, null from record r join span c on {_HERE.format("c", "r")} and c.op in (2, 3)
      where r.trace_id = d.trace_id
    union all select c.trace_id, null from record r join span_link c on {_HERE.format("c", "r")}
      where r.trace_id = d.trace_id
    union all select null, r.event_id from record r where r.trace_id = d.trace_id and r.event_id is not null
    union all select y.trace_id, y.event_id from record r cross join lateral (
        select r.trace_id, null::text event_id union all select null, r.event_id
        union all select c.trace_id, null from span c where {_HERE.format("c", "r")} and c.op in (2, 3)
      ) y where r.cause_id = d.event_id
    union all select y.trace_id, null from span p join dead_letter x on {_ORIGIN.format("p", "x")}
      cross join lateral (
        select x.trace_id
        union all select c.trace_id from span c where {_HERE.format("c", "x")}
        union all select c.trace_id from retry_item i join span c on {_SENT.format("c", "i")}
          where i.dead_letter_id = x.id
      ) y where p.trace_id = d.trace_id and p.op in (2, 3)
    union all select c.trace_id, null from dead_letter x join retry_item i on i.dead_letter_id = x.id
      join span c on {_SENT.format("c", "i")} where x.trace_id = d.trace_id
  ) found where found.trace_id is not null or found.event_id is not null
),
up(trace_id, cause_id) as (
  select * from (select unnest(%(start)s::uuid[]), null::text union all select null, unnest(%(causes)s::text[])) s
  union select found.trace_id, found.cause_id from up u cross join lateral (
    (select l.linked_trace_id trace_id, null::text cause_id from span_link l where l.trace_id = u.trace_id limit 100)
    union all select p.trace_id, null from span c join span p on {_HERE.format("p", "c")} and p.op = 1
      where c.trace_id = u.trace_id and c.op in (2, 3)
    union all select y.trace_id, y.cause_id from span c join record r on {_HERE.format("r", "c")}
      cross join lateral (select r.trace_id, null::text cause_id union all select null, r.cause_id) y
      where c.trace_id = u.trace_id and c.op in (2, 3)
    union all (select r.trace_id, null from span_link c join record r on {_HERE.format("r", "c")}
      where c.trace_id = u.trace_id limit 100)
    union all select null, r.cause_id from record r where r.trace_id = u.trace_id and r.cause_id is not null
    union all select y.trace_id, y.cause_id from record r
      cross join lateral (select r.trace_id, null::text cause_id union all select null, r.cause_id) y
      where r.event_id = u.cause_id
    union all select s.trace_id, null from dead_letter x join span s on {_ORIGIN.format("s", "x")}
      where x.trace_id = u.trace_id
    union all select y.trace_id, null from span c join dead_letter x on {_HERE.format("x", "c")}
      cross join lateral (
        select x.trace_id union all select s.trace_id from span s where {_ORIGIN.format("s", "x")}
      ) y where c.trace_id = u.trace_id and c.op in (2, 3)
    union all select y.trace_id, null from span c join retry_item i on {_SENT.format("c", "i")}
      join dead_letter x on x.id = i.dead_letter_id cross join lateral (
        select x.trace_id union all select s.trace_id from span s where {_ORIGIN.format("s", "x")}
      ) y where c.trace_id = u.trace_id and c.op in (2, 3)
  ) found where found.trace_id is not null or found.cause_id is not null
)
select trace_id, event_id from (select trace_id, event_id from down limit {MOST_TRACES}) d
union select trace_id, cause_id from (select trace_id, cause_id from up limit {MOST_TRACES}) u
"""  # noqa: S608

SPANS = f"""
select s.trace_id, s.span_id, s.parent_id, s.op, s.topic_id, s.kafka_partition, s.kafka_offset,
  coalesce(e.group_id, h.group_id), case when e.group_id is null then coalesce(h.evidence, 0) else 0 end,
  w.namespace, w.name, v.version, s.started_at, s.duration_ms, s.status = 2, s.n_messages,
  x.exception_class, x.message
from span s join source o on o.id = s.source_id join service_version v on v.id = o.service_version_id
join service w on w.id = v.service_id left join edge e on e.id = s.edge_id
left join group_hint h on e.kind = 2 and e.group_id is null and h.service_id = e.service_id and h.topic_id = e.topic_id
left join lateral (select exception_class, message from span_error x
  where x.trace_id = s.trace_id and x.span_id = s.span_id limit 1) x on s.status = 2
where s.trace_id = any(%s::uuid[]) limit {MOST_SPANS + 1}
"""  # noqa: S608

LINKS = f"""
select trace_id, span_id, linked_trace_id, linked_span_id, topic_id, kafka_partition, kafka_offset
from span_link where trace_id = any(%s::uuid[]) limit {MOST_ROWS}
"""  # noqa: S608

RECORDS = f"""
with found as (
  select {_RECORD} from record r where r.trace_id = any(%(traces)s::uuid[])
  union all select {_RECORD} from {_PLACES} join record r on {_HERE.format("r", "n")}
  union all select {_RECORD} from record r where r.event_id = any(%(ids)s::text[])
  union all select {_RECORD} from record r where r.cause_id = any(%(ids)s::text[])
)
select * from found limit {MOST_ROWS}
"""  # noqa: S608

LETTERS = f"""
with n as (select * from {_PLACES}),
known as (
  select x.id from n join dead_letter x on {_ORIGIN.format("n", "x")}
  union select x.id from n join dead_letter x on {_HERE.format("x", "n")}
  union select i.dead_letter_id from n join retry_item i on {_SENT.format("n", "i")}
  union select a.dead_letter_id from n join dead_letter_again a on {_HERE.format("a", "n")}
)
select x.topic_id, x.kafka_partition, x.kafka_offset, x.origin_topic_id, x.origin_partition, x.origin_offset,
  x.group_id, x.failed_at, x.exception_class, x.message, i.target_topic_id, i.sent_partition, i.sent_offset, i.sent_at
from known k join dead_letter x on x.id = k.id
left join retry_item i on i.dead_letter_id = x.id and i.sent_offset is not null
union all select a.topic_id, a.kafka_partition, a.kafka_offset, i.target_topic_id, i.sent_partition, i.sent_offset,
  x.group_id, a.failed_at, a.exception_class, a.message, null, null, null, null
from known k join dead_letter x on x.id = k.id join dead_letter_again a on a.dead_letter_id = x.id
join retry_item i on i.attempt_id = a.attempt_id
limit {MOST_ROWS}
"""  # noqa: S608

# `before` is the look before the first that showed it: between the two it happened.
PASSINGS = """
select n.topic_id, n.kafka_partition, n.kafka_offset, g.group_id, first.at, before.at
from unnest(%(topics)s::int[], %(partitions)s::int[], %(offsets)s::bigint[], %(times)s::timestamptz[])
  n(topic_id, kafka_partition, kafka_offset, at)
join group_now g on g.topic_id = n.topic_id and g.committed[n.kafka_partition + 1] > n.kafka_offset
join consumer_group c on c.id = g.group_id and c.name not like 'weir-%%'
left join lateral (select s.sampled_at at from group_sample s where s.topic_id = n.topic_id and s.group_id = g.group_id
  and s.sampled_at >= n.at and s.committed[n.kafka_partition + 1] > n.kafka_offset
  order by s.sampled_at limit 1) first on true
left join lateral (select s.sampled_at at, s.committed[n.kafka_partition + 1] committed from group_sample s
  where s.topic_id = n.topic_id and s.group_id = g.group_id and s.sampled_at < first.at
  order by s.sampled_at desc limit 1) before on coalesce(before.committed, -1) <= n.kafka_offset
limit 2000
"""

NAMES = """
select 0, t.id, c.name, t.name from topic t join cluster c on c.id = t.cluster_id where t.id = any(%s::int[])
union all select 1, g.id, c.name, g.name from consumer_group g join cluster c on c.id = g.cluster_id
where g.id = any(%s::int[])
"""

TOPICS = """
select t.id, c.name, t.name from topic t join cluster c on c.id = t.cluster_id
where c.name = any(%s::text[]) and t.name = any(%s::text[]) and t.deleted_at is null
"""
