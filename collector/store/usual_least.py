"""What is usual of a topic at an hour of the day, learned from counts by the minute, each hour once."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from collector.store.rollups import hour

LEARNED_OVER = timedelta(days=14)
SETTLES_WITHIN = timedelta(minutes=10)  # spans may come late
MOST_AT_ONCE = 24
HOUR = timedelta(hours=1)


def learn(*, now: datetime) -> int:
    """Learn the newest hours that are over and were not learned yet; how many. Safe to run twice."""
    newest = hour(now - SETTLES_WITHIN) - HOUR
    hours = [newest - number * HOUR for number in range(int(LEARNED_OVER / HOUR))]
    with connection.cursor() as cursor:
        cursor.execute("select hour_at from usual_hour where hour_at >= %s", [hours[-1]])
        done = {at for (at,) in cursor.fetchall()}
    todo = [at for at in hours if at not in done][:MOST_AT_ONCE]
    for at in todo:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("insert into usual_hour values (%s) on conflict do nothing", [at])
            cursor.execute(_LEARN, {"hour": at})
    with connection.cursor() as cursor:
        cursor.execute("delete from usual_least where hour_at < %s", [hours[-1]])
        cursor.execute("delete from usual_hour where hour_at < %s", [hours[-1]])
    return len(todo)


# Business topics that were written when the hour began. A minute in which no edge at all was counted was not watched.
_LEARN = """
with counted as (
  select r.bucket_at at, e.topic_id, e.kind, r.n from edge_1m r join edge e on e.id = r.edge_id
  where r.bucket_at >= %(hour)s::timestamptz - interval '9 min' and r.bucket_at < %(hour)s::timestamptz + interval '1 h'
    and r.n > 0
), watched as (select distinct at from counted),
written as (select topic_id, at, sum(n) n from counted where kind = 1 group by 1, 2),
known as (
  select distinct e.topic_id from edge e join topic t on t.id = e.topic_id
  where e.kind = 1 and t.role = 0 and t.deleted_at is null and t.first_at <= %(hour)s
), spans as (
  select k.topic_id, m.at, sum(coalesce(w.n, 0)) over ten n, count(s.at) over ten n_watched
  from known k cross join generate_series(%(hour)s::timestamptz - interval '9 min',
    %(hour)s::timestamptz + interval '59 min', interval '1 min') m (at)
  left join written w on w.topic_id = k.topic_id and w.at = m.at left join watched s on s.at = m.at
  window ten as (partition by k.topic_id order by m.at rows 9 preceding)
)
insert into usual_least (hour_at, topic_id, least)
select %(hour)s, topic_id, min(n) from spans where at >= %(hour)s and n_watched = 10 group by topic_id
on conflict (hour_at, topic_id) do update set least = excluded.least
"""
