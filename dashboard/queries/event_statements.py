"""The statements behind a path (docs/architecture.md, "The tables"): every one capped, their number fixed."""

from dashboard.queries.open_leaves import BY_INDEX

MOST_TRACES = 2_000  # in each direction
MOST_SPANS = 10_000
MOST_ROWS = 20_000
MOST_CAUSES = 100  # of a batch: the others are counted

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

TOPIC = f"""
select t.id, t.role, {BY_INDEX} from topic t join cluster c on c.id = t.cluster_id
where c.name = %s and t.name = %s and t.deleted_at is null
"""  # noqa: S608

# From an event to the traces and ids that saw it, or saw the dead letters and retries that are next to it.
_START = f"""
n as (
  select %(topic)s::int topic_id, %(partition)s::int kafka_partition, %(offset)s::bigint kafka_offset
  where %(topic)s::int is not null
),
near as materialized (
  select * from n
  union select x.topic_id, x.kafka_partition, x.kafka_offset from n join dead_letter x on {_ORIGIN.format("n", "x")}
  union select x.origin_topic_id, x.origin_partition, x.origin_offset from n
    join dead_letter x on {_HERE.format("x", "n")}
  union select x.topic_id, x.kafka_partition, x.kafka_offset from n join retry_item i on {_SENT.format("n", "i")}
    join dead_letter x on x.id = i.dead_letter_id
),
tapped as materialized (select r.* from near join record r on {_HERE.format("r", "near")}),
start as materialized (
  select * from (
    select trace_id, null::text event_id, null::text cause_id from near join span s on {_HERE.format("s", "near")}
    union select trace_id, null, null from near join span_link l on {_HERE.format("l", "near")}
    union select trace_id, event_id, cause_id from tapped
      where trace_id is not null or event_id is not null or cause_id is not null
    union select unnest(%(traces)s::uuid[]), null, null
  ) s limit %(most)s
)
"""  # noqa: S608

# Down from the start and up from the start, never down and then up: a batch reader would drag in all its other flows.
#
# One walks from traces to events and ids, and from those to traces; `side` says how the trace came to the event: who
# sent it (1) leads down to its readers, who read it (2) up to its sender, and down only to its dead letter (a reader
# beside it is another branch). Each step reads every table once: a plan with less in it starts much sooner, for every
# table has many leaves.
_CLOSURE = f"""
down(trace_id, side, topic_id, kafka_partition, kafka_offset, id) as (
  select * from (
    select trace_id, 0, null::int, null::int, null::bigint, null::text from start where trace_id is not null
    union all select null, 0, null, null, null, event_id from start where event_id is not null
  ) s where %(down)s::bool
  union select f.* from down d cross join lateral (
    select l.trace_id, 0, null::int, null::int, null::bigint, null::text from span_link l
      where l.linked_trace_id = d.trace_id
    union all select null, case s.op when 1 then 1 else 2 end, s.topic_id, s.kafka_partition, s.kafka_offset, null
      from span s where s.trace_id = d.trace_id and s.op <> 0 and s.kafka_offset is not null
    union all select y.* from record r cross join lateral (
        select null::uuid, 1, r.topic_id, r.kafka_partition, r.kafka_offset, null::text
        union all select null, 0, null, null, null, r.event_id where r.event_id is not null
      ) y where r.trace_id = d.trace_id
    union all select s.trace_id, 0, null, null, null, null from span s
      where {_HERE.format("s", "d")} and (d.side = 3 or (d.side = 1 and s.op in (2, 3)))
    union all select l.trace_id, 0, null, null, null, null from span_link l
      where {_HERE.format("l", "d")} and d.side = 1
    union all select y.* from record r cross join lateral (
        select r.trace_id, 0, null::int, null::int, null::bigint, null::text where r.trace_id is not null
        union all select null, 0, null, null, null, r.event_id where r.event_id is not null
        union all select null, 1, r.topic_id, r.kafka_partition, r.kafka_offset, null
      ) y where r.cause_id = d.id
    union all select y.* from dead_letter x cross join lateral (
        select x.trace_id, 0, null::int, null::int, null::bigint, null::text where x.trace_id is not null
        union all select null, 3, x.topic_id, x.kafka_partition, x.kafka_offset, null
        union all select null, 3, i.target_topic_id, i.sent_partition, i.sent_offset, null from retry_item i
          where i.dead_letter_id = x.id and i.sent_offset is not null
      ) y where {_ORIGIN.format("d", "x")} and d.side = 2
    union all select null, 3, i.target_topic_id, i.sent_partition, i.sent_offset, null
      from dead_letter x join retry_item i on i.dead_letter_id = x.id
      where x.trace_id = d.trace_id and i.sent_offset is not null
  ) f
),
up(trace_id, side, topic_id, kafka_partition, kafka_offset, id) as (
  select * from (
    select trace_id, 0, null::int, null::int, null::bigint, null::text from start where trace_id is not null
    union all select null, 0, null, null, null, cause_id from start where cause_id is not null
  ) s where %(up)s::bool
  union select f.* from up u cross join lateral (
    (select y.* from span_link l cross join lateral (
        select l.linked_trace_id, 0, null::int, null::int, null::bigint, null::text
        union all select null, 4, l.topic_id, l.kafka_partition, l.kafka_offset, null where l.kafka_offset is not null
      ) y where l.trace_id = u.trace_id limit {2 * MOST_CAUSES})
    union all select null, 2, s.topic_id, s.kafka_partition, s.kafka_offset, null
      from span s where s.trace_id = u.trace_id and s.op in (2, 3) and s.kafka_offset is not null
    union all select null, 0, null, null, null, r.cause_id
      from record r where r.trace_id = u.trace_id and r.cause_id is not null
    union all select s.trace_id, 0, null, null, null, null from span s
      where {_HERE.format("s", "u")} and (u.side = 3 or (u.side = 2 and s.op = 1))
    union all select y.* from record r cross join lateral (
        select r.trace_id, 0, null::int, null::int, null::bigint, null::text where r.trace_id is not null
        union all select null, 0, null, null, null, r.cause_id where r.cause_id is not null and u.side = 2
      ) y where {_HERE.format("r", "u")} and u.side in (2, 4)
    union all select y.* from record r cross join lateral (
        select r.trace_id, 0, null::int, null::int, null::bigint, null::text where r.trace_id is not null
        union all select null, 0, null, null, null, r.cause_id where r.cause_id is not null
      ) y where r.event_id = u.id
    union all select y.* from dead_letter x cross join lateral (
        select x.trace_id, 0, null::int, null::int, null::bigint, null::text where x.trace_id is not null
        union all select null, 3, x.origin_topic_id, x.origin_partition, x.origin_offset, null
          where x.origin_offset is not null
      ) y where {_HERE.format("x", "u")} and u.side = 2
    union all select y.* from retry_item i join dead_letter x on x.id = i.dead_letter_id cross join lateral (
        select x.trace_id, 0, null::int, null::int, null::bigint, null::text where x.trace_id is not null
        union all select null, 3, x.origin_topic_id, x.origin_partition, x.origin_offset, null
          where x.origin_offset is not null
      ) y where {_SENT.format("u", "i")} and u.side = 2
    union all select null, 3, x.origin_topic_id, x.origin_partition, x.origin_offset, null
      from dead_letter x where x.trace_id = u.trace_id and x.origin_offset is not null
  ) f
)
"""  # noqa: S608

_SPAN = """
  s.trace_id, s.span_id, null::uuid, s.parent_id, s.op::int, s.topic_id, s.kafka_partition, s.kafka_offset,
  coalesce(e.group_id, h.group_id), case when e.group_id is null then coalesce(h.evidence, 0) else 0 end::int,
  w.namespace, w.name, v.version, s.started_at, s.duration_ms, s.status = 2, s.n_messages::int,
  x.exception_class, x.message
from span s join source o on o.id = s.source_id join service_version v on v.id = o.service_version_id
join service w on w.id = v.service_id left join edge e on e.id = s.edge_id
left join group_hint h on e.kind = 2 and e.group_id is null and h.service_id = e.service_id and h.topic_id = e.topic_id
left join lateral (select exception_class, message from span_error x
  where x.trace_id = s.trace_id and x.span_id = s.span_id limit 1) x on s.status = 2
"""

EVENT, REACHED, SPAN, LINK = range(4)

# Everything that the traces around an event tell, each kind of row by its number: the record itself (as JSON), what
# was reached, spans, links.
AROUND = f"""
with recursive {_START},
{_CLOSURE},
reached as materialized (
  select trace_id, id event_id from (select trace_id, id from down where topic_id is null limit %(most)s) d
  union select trace_id, id from (select trace_id, id from up where topic_id is null limit %(most)s) u
  union select trace_id, null from start where trace_id is not null
),
traces as materialized (
  select array(select distinct trace_id from reached where trace_id is not null) found
)
select {EVENT}, null::uuid, null::bigint, null::uuid, null::bigint, null::int, null::int, null::int, null::bigint,
  null::int, null::int, json_build_object('produced_at', r.produced_at, 'timestamp_type', r.timestamp_type,
    'stored_at', r.stored_at, 'key', encode(r.key, 'hex'), 'size_bytes', r.size_bytes, 'n_headers', r.n_headers,
    'trace_id', r.trace_id, 'event_id', r.event_id, 'has_payload',
    x.id is not null or exists (select from record_body b where {_HERE.format("b", "n")}), 'dead_letter', x.id)::text,
  null::text, null::text, null::timestamptz, null::real, null::bool, null::int, null::text, null::text
from n left join lateral (select * from tapped r where {_HERE.format("r", "n")} limit 1) r on true
left join dead_letter x on {_HERE.format("x", "n")}
union all select {REACHED}, trace_id, null, null, null, null, null, null, null, null, null, event_id, null, null, null,
  null, null, null, null, null from reached
union all (select {SPAN}, {_SPAN} where s.trace_id = any((select found from traces)::uuid[]) limit {MOST_SPANS + 1})
union all (select {LINK}, trace_id, span_id, linked_trace_id, linked_span_id, null, topic_id, kafka_partition,
  kafka_offset, null, null, null, null, null, null, null, null, null, null, null
  from span_link where trace_id = any((select found from traces)::uuid[]) limit {MOST_ROWS})
"""  # noqa: S608

LETTER, RECORD = range(2)

# Dead letters and retries next to these events, and the records of all of them.
BESIDE = f"""
with n as materialized (select * from {_PLACES}),
known as (
  select x.id from n join dead_letter x on {_ORIGIN.format("n", "x")}
  union select x.id from n join dead_letter x on {_HERE.format("x", "n")}
  union select i.dead_letter_id from n join retry_item i on {_SENT.format("n", "i")}
  union select a.dead_letter_id from n join dead_letter_again a on {_HERE.format("a", "n")}
),
letters as materialized (
  select x.topic_id, x.kafka_partition, x.kafka_offset, x.origin_topic_id, x.origin_partition, x.origin_offset,
    x.group_id, x.failed_at, x.exception_class, x.message, i.target_topic_id, i.sent_partition, i.sent_offset, i.sent_at
  from known k join dead_letter x on x.id = k.id
  left join retry_item i on i.dead_letter_id = x.id and i.sent_offset is not null
  union all select a.topic_id, a.kafka_partition, a.kafka_offset, i.target_topic_id, i.sent_partition, i.sent_offset,
    x.group_id, a.failed_at, a.exception_class, a.message, null, null, null, null
  from known k join dead_letter x on x.id = k.id join dead_letter_again a on a.dead_letter_id = x.id
  join retry_item i on i.attempt_id = a.attempt_id
  limit {MOST_ROWS}
),
places as materialized (
  select topic_id, kafka_partition, kafka_offset from n
  union select topic_id, kafka_partition, kafka_offset from letters
  union select origin_topic_id, origin_partition, origin_offset from letters where origin_offset is not null
  union select target_topic_id, sent_partition, sent_offset from letters where sent_offset is not null
),
records as (
  select {_RECORD} from record r where r.trace_id = any(%(traces)s::uuid[])
  union select {_RECORD} from places n join record r on {_HERE.format("r", "n")}
  union select {_RECORD} from record r where r.event_id = any(%(ids)s::text[])
  union select {_RECORD} from record r where r.cause_id = any(%(ids)s::text[])
)
select {LETTER}, topic_id, kafka_partition, kafka_offset, failed_at, exception_class, message, null::uuid, null::bigint,
  origin_topic_id, origin_partition, origin_offset, group_id, target_topic_id, sent_partition, sent_offset, sent_at
from letters
union all (select {RECORD}, topic_id, kafka_partition, kafka_offset, produced_at, event_id, cause_id, trace_id, span_id,
  null, null, null, null, null, null, null, null from records limit {MOST_ROWS})
"""  # noqa: S608

PASSING, TOPIC_NAME, GROUP_NAME = range(3)

# Which groups are beyond these events by the broker's word, and what everything is called. `before` is the look before
# the first that showed it: between the two it happened.
WORD = f"""
select {PASSING}, n.topic_id, n.kafka_partition, n.kafka_offset, g.group_id, first.at, before.at, k.name, c.name
from unnest(%(topics)s::int[], %(partitions)s::int[], %(offsets)s::bigint[], %(times)s::timestamptz[])
  n(topic_id, kafka_partition, kafka_offset, at)
join group_now g on g.topic_id = n.topic_id and g.committed[n.kafka_partition + 1] > n.kafka_offset
join consumer_group c on c.id = g.group_id and c.name not like 'weir-%%' join cluster k on k.id = c.cluster_id
left join lateral (select s.sampled_at at from group_sample s where s.topic_id = n.topic_id and s.group_id = g.group_id
  and s.sampled_at >= n.at and s.committed[n.kafka_partition + 1] > n.kafka_offset
  order by s.sampled_at limit 1) first on true
left join lateral (select s.sampled_at at, s.committed[n.kafka_partition + 1] committed from group_sample s
  where s.topic_id = n.topic_id and s.group_id = g.group_id and s.sampled_at < first.at
  order by s.sampled_at desc limit 1) before on coalesce(before.committed, -1) <= n.kafka_offset
union all select {TOPIC_NAME}, t.id, null, null, null, null, null, c.name, t.name
from topic t join cluster c on c.id = t.cluster_id where t.id = any(%(topic_ids)s::int[])
union all select {GROUP_NAME}, g.id, null, null, null, null, null, c.name, g.name
from consumer_group g join cluster c on c.id = g.cluster_id where g.id = any(%(group_ids)s::int[])
"""  # noqa: S608

TOPICS = """
select t.id, c.name, t.name from topic t join cluster c on c.id = t.cluster_id
where c.name = any(%s::text[]) and t.name = any(%s::text[]) and t.deleted_at is null
"""

NAMES = f"""
select {TOPIC_NAME}, t.id, c.name, t.name from topic t join cluster c on c.id = t.cluster_id where t.id = any(%s::int[])
union all select {GROUP_NAME}, g.id, c.name, g.name from consumer_group g join cluster c on c.id = g.cluster_id
where g.id = any(%s::int[])
"""  # noqa: S608
