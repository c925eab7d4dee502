"""Names that nothing refers to any more: instances that left long ago, consumer groups that were deleted."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

MARGIN = timedelta(days=2)  # a collector looks up anew each day what it remembers (collector.store.names)
MOST_AT_ONCE = 10_000


def forget(now: datetime) -> int:
    """Delete a few; how many. Each statement commits by itself."""
    with connection.cursor() as cursor:
        cursor.execute(_SOURCES, [(now - settings.WEIR_KEEP_RAW - MARGIN).date(), MOST_AT_ONCE])
        n_sources = cursor.rowcount
        cursor.execute(_GROUPS, [now - settings.WEIR_KEEP_CHUNKS, MOST_AT_ONCE])
        (n_groups,) = cursor.fetchone()
    return int(n_sources) + int(n_groups)


# Spans name their source, and those of that day are gone.
_SOURCES = "delete from source where id in (select id from source where id > 0 and seen_on < %s limit %s)"

# A group that Kafka deleted before the oldest sample, that no span, letter or page speaks of.
_GROUPS = """
with gone as (
  select g.id from consumer_group g where g.id > 0 and g.state = 'Dead' and g.state_at < %s
  and not exists (select from edge e where e.group_id = g.id)
  and not exists (select from group_hint h where h.group_id = g.id)
  and not exists (select from group_now n where n.group_id = g.id)
  and not exists (select from dead_letter d where d.group_id = g.id)
  and not exists (select from failure_group f where f.group_id = g.id)
  limit %s
), members as (delete from group_member m using gone where m.group_id = gone.id),
marks as (delete from change_mark m using gone where m.group_id = gone.id),
deleted as (delete from consumer_group g using gone where g.id = gone.id returning 1)
select count(*) from deleted
"""
