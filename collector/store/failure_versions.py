"""In which versions of a service the newest letters of failure groups failed, by the spans of the failed deliveries."""

from datetime import datetime, timedelta

from django.db import connection

MOST_ASKED = 10  # letters of each group whose spans are looked for
LOOKS_AGAIN_FOR = timedelta(minutes=10)  # spans come some seconds after the letter that they explain


def find_versions(*, counted_at: datetime) -> int:
    """Of the groups whose letters were counted just then, and of those that died lately and where none was found yet.

    How many were found. What was found once stays where spans are kept no more.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FIND, {"counted_at": counted_at, "since": counted_at - LOOKS_AGAIN_FOR, "most": MOST_ASKED})
        return int(cursor.rowcount)


# The newest letters of each status, by its index: a group may have a million. Groups in which somebody saves a letter
# are left for the next time.
_FIND = """
with asked as materialized (select g.id, d.origin_topic_id, d.origin_partition, d.origin_offset, d.group_id
  from failure_group g cross join lateral (select n.dead_letter_id from generate_series(0, 6) status
      cross join lateral (select s.dead_letter_id from letter_state s where s.failure_group_id = g.id
        and s.status = status.status order by s.dead_letter_id desc limit %(most)s) n
      order by 1 desc limit %(most)s) newest
    join dead_letter d on d.id = newest.dead_letter_id
  where d.origin_topic_id is not null and d.origin_offset is not null
    and (g.keys_as_of = %(counted_at)s or (g.versions = '{}' and g.last_at > %(since)s))),
found as (select a.id, array_agg(distinct
    concat_ws(' ', case when w.namespace = '' then w.name else w.namespace || '/' || w.name end, nullif(v.version, '')))
    versions
  from asked a join span p on p.topic_id = a.origin_topic_id and p.kafka_partition = a.origin_partition
      and p.kafka_offset = a.origin_offset and p.op = 3 and p.status = 2
    join edge e on e.id = p.edge_id
    left join group_hint h on h.service_id = e.service_id and h.topic_id = e.topic_id
    join source o on o.id = p.source_id join service_version v on v.id = o.service_version_id
    join service w on w.id = v.service_id
  where coalesce(e.group_id, h.group_id) = a.group_id group by 1),
held as materialized (select g.id from failure_group g join found on found.id = g.id
  where g.versions <> found.versions for no key update of g skip locked)
update failure_group g set versions = found.versions from found join held on held.id = found.id where g.id = found.id
"""
