"""What changes about dead letters without anybody's deed: new ones are announced, keys are counted."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from collector.changes import announce
from collector.domain.dead_letters import LetterStatus

KEYS_EVERY = timedelta(seconds=30)
SAVING = timedelta(seconds=60)  # from when a letter was seen until everybody sees it: a statement's limit
TREND_HOURS = 24
MOST_COUNTED = 200_000  # letters that are read at a time: about a second's worth; a group of more is read alone


def ring() -> bool:
    """Announce "letters" when some were parked, or died again, since the last time; in the saving transaction it would
    queue. Both ends are looked up in an index, however many letters there are.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "with now as (select (select coalesce(max(id), 0) from dead_letter) last_id,"
            "  (select max(seen_at) from dead_letter_again) again_at)"
            " insert into letter_bell as b (last_id, again_at) select last_id, again_at from now"
            " on conflict (one) do update set last_id = excluded.last_id, again_at = excluded.again_at"
            "  where (b.last_id, b.again_at) is distinct from (excluded.last_id, excluded.again_at) returning last_id"
        )
        row = cursor.fetchone()
        if row and row[0]:
            announce("letters", row[0])
        return row is not None


def count_keys(*, now: datetime) -> int:
    """Count the keys of failure groups that got letters since, and how many died in each hour; how many groups.

    Those whose count is the oldest come first, the rest the next time.
    """
    until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {
                "before": now - KEYS_EVERY,
                "saving": SAVING.total_seconds(),
                "now": now,
                "until": until,
                "since": until - timedelta(hours=TREND_HOURS),
                "last": TREND_HOURS - 1,
                "most": MOST_COUNTED,
                "statuses": [int(status) for status in LetterStatus],
            },
        )
        return int(cursor.rowcount)


# Stale is who got a letter since: its newest one of each status, by the index, however many letters there are. What is
# sent, archived or resolved stays where it was; who takes letters to another group says so by null (rereadings.py).
# A letter is seen before it is saved, and a count between sees none of it: who got one shortly before is stale again.
# Each letter of these groups is read once, for its key and its hour. Groups are locked when all is counted.
_COUNT = """
with stale as (select id, keys_as_of,
    coalesce((select sum(n) from failure_count c where c.failure_group_id = f.id), 0) n
    from failure_group f where keys_as_of is null or (keys_as_of < %(before)s and keys_as_of <
      (select d.seen_at + make_interval(secs => %(saving)s) from dead_letter d
      where d.id = (select max(l.dead_letter_id) from unnest(%(statuses)s::smallint[]) s
        cross join lateral (select t.dead_letter_id from letter_state t where t.failure_group_id = f.id and t.status = s
          order by t.dead_letter_id desc limit 1) l)))),
  due as materialized (select id from (select id, sum(n) over (order by keys_as_of nulls first, id) - n n_before
    from stale) turns where n_before < %(most)s),
  letters as (select s.failure_group_id id, d.key_hash, case when d.failed_at >= %(since)s and d.failed_at < %(until)s
      then ceil(extract(epoch from %(until)s - d.failed_at) / 3600)::int - 1 end ago
    from due join letter_state s on s.failure_group_id = due.id join dead_letter d on d.id = s.dead_letter_id),
  counted as materialized (select id, count(distinct key_hash) n, array_agg(ago) filter (where ago is not null) hours
    from letters group by 1),
  held as materialized (select f.id from failure_group f join due on due.id = f.id
    cross join (select count(*) from counted) whole for no key update of f skip locked)
update failure_group g set n_keys = coalesce(c.n, 0), keys_as_of = %(now)s, trend_until = %(until)s,
  trend = array(select coalesce(h.n, 0) from generate_series(%(last)s, 0, -1) a(ago)
    left join (select ago, count(*)::int n from unnest(c.hours) u(ago) group by 1) h using (ago) order by ago desc)
from held left join counted c on c.id = held.id where held.id = g.id
"""
