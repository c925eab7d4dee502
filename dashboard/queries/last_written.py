"""When each service last wrote to a topic, as its spans tell."""

from datetime import datetime

from django.db import connection

from collector.domain import identities
from dashboard.queries.edges import BUCKET, PRODUCE, floor


def last_written(topic_id: int, *, until: datetime) -> dict[str, datetime]:
    """By the service's id: when the ten seconds, the minute or the hour began in which it last wrote, before `until`.

    One statement.
    """
    with connection.cursor() as cursor:
        parameters: dict[str, int | datetime] = {
            "topic": topic_id,
            "kind": PRODUCE,
            "to": until,
            "tens": floor(until, BUCKET),
        }
        cursor.execute(_LAST, parameters)
        return {identities.service_id(namespace, name): at for namespace, name, at in cursor.fetchall()}


# Ten seconds are looked up by their key, and only those that no minute may hold yet.
_LAST = """
    select s.namespace, s.name, max(last.at) from edge e join service s on s.id = e.service_id
    cross join lateral (
      select r.bucket_at at from generate_series(0, 17) n (number)
        join edge_10s r on r.edge_id = e.id and r.bucket_at = %(tens)s - n.number * interval '10 s' and r.n > 0
      union all (select bucket_at from edge_1m where edge_id = e.id and bucket_at < %(to)s and n > 0
        order by bucket_at desc limit 1)
      union all (select bucket_at from edge_1h where edge_id = e.id and bucket_at < %(to)s and n > 0
        order by bucket_at desc limit 1)
    ) last where e.kind = %(kind)s and e.topic_id = %(topic)s group by 1, 2
"""
