"""What changes about dead letters without anybody's deed: new ones are announced, keys are counted."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from collector.changes import announce

KEYS_EVERY = timedelta(seconds=30)
TREND_HOURS = 24


def ring() -> bool:
    """Announce "letters" when some were parked since the last time; in the saving transaction it would queue."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "with now as (select (select coalesce(max(id), 0) from dead_letter) last_id,"
            "  (select count(*) from dead_letter_again) n_again)"
            " insert into letter_bell as b (last_id, n_again) select last_id, n_again from now"
            " on conflict (one) do update set last_id = excluded.last_id, n_again = excluded.n_again"
            "  where (b.last_id, b.n_again) <> (excluded.last_id, excluded.n_again) returning last_id"
        )
        row = cursor.fetchone()
        if row and row[0]:
            announce("letters", row[0])
        return row is not None


def count_keys(*, now: datetime) -> int:
    """Count the keys of failure groups that got letters since, and how many died in each hour; how many groups."""
    until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {
                "before": now - KEYS_EVERY,
                "now": now,
                "until": until,
                "since": until - timedelta(hours=TREND_HOURS),
                "last": TREND_HOURS - 1,
            },
        )
        return int(cursor.rowcount)


# What died within the trend was stored within it, too: by that, few pages are read where few are new. Groups are locked
# when all is counted: who saves a letter waits for them.
_COUNT = """
with stale as (select id from failure_group f where keys_as_of is null or (keys_as_of < %(before)s and exists
      (select 1 from letter_state t where t.failure_group_id = f.id and t.changed_at > f.keys_as_of))),
  keys as (select s.failure_group_id id, count(distinct d.key_hash) n from letter_state s
    join dead_letter d on d.id = s.dead_letter_id join stale on stale.id = s.failure_group_id group by 1),
  hours as (select s.failure_group_id id, ceil(extract(epoch from %(until)s - d.failed_at) / 3600)::int - 1 ago,
      count(*)::int n from dead_letter d join letter_state s on s.dead_letter_id = d.id
    join stale on stale.id = s.failure_group_id
    where d.seen_at >= %(since)s and d.failed_at >= %(since)s and d.failed_at < %(until)s group by 1, 2),
  held as materialized (select f.id from failure_group f join keys on keys.id = f.id
    cross join (select count(*) from hours) counted for no key update of f skip locked)
update failure_group g set n_keys = k.n, keys_as_of = %(now)s, trend_until = %(until)s,
  trend = array(select coalesce(h.n, 0) from generate_series(%(last)s, 0, -1) a(ago)
    left join hours h on h.id = g.id and h.ago = a.ago order by a.ago desc)
from keys k join held on held.id = k.id where k.id = g.id
"""
