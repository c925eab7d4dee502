"""How long events usually wait for each group that reads a topic, learned from the histograms of the last day."""

from collections import defaultdict
from datetime import datetime, timedelta

from django.db import connection, transaction

from collector.domain import histograms

LEARN_OVER = timedelta(hours=24)
LEAST_READINGS = 30
LEAST_SECONDS = 1.0  # what comes within less is never late


def learn(*, now: datetime) -> int:
    """Learn anew, and forget what was not read for a day; of how many topics and groups. One transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_WAITS, {"since": now - LEARN_OVER, "hour": now.replace(minute=0, second=0, microsecond=0)})
        waits: defaultdict[tuple[int, int], list[dict[int, int]]] = defaultdict(list)
        for topic, group, body in cursor.fetchall():
            waits[topic, group].append(histograms.decoded(bytes(body)))
        found = [(*key, *usual) for key, its in sorted(waits.items()) if (usual := _usual(histograms.merged(its)))]
        columns = [list(column) for column in zip(*found, strict=True)] or [[], [], [], []]
        cursor.execute(_LEARN, [now, *columns])
        cursor.execute("delete from usual_wait where learned_at < %s", [now])
    return len(found)


def _usual(merged: dict[int, int]) -> tuple[int, float] | None:
    """How many readings, and the seconds within which 99 % of them came; None of too few."""
    n, p99 = sum(merged.values()), histograms.percentile(merged, 0.99)
    return None if p99 is None or n < LEAST_READINGS else (n, max(LEAST_SECONDS, p99 / 1000))


_WAITS = """
select e.topic_id, coalesce(e.group_id, h.group_id), b.wait from edge e
left join group_hint h on e.group_id is null and h.service_id = e.service_id and h.topic_id = e.topic_id
cross join lateral (
  select wait from edge_1h where edge_id = e.id and bucket_at >= %(since)s and bucket_at < %(hour)s and wait is not null
  union all select wait from edge_1m where edge_id = e.id and bucket_at >= %(hour)s and wait is not null
) b where e.kind = 2 and coalesce(e.group_id, h.group_id) is not null
"""
_LEARN = """
insert into usual_wait (topic_id, group_id, n, within_seconds, learned_at)
select n.*, %s from unnest(%s::int[], %s::int[], %s::int[], %s::float8[]) n(topic_id, group_id, n, within_seconds)
on conflict (topic_id, group_id) do update set n = excluded.n, within_seconds = excluded.within_seconds,
  learned_at = excluded.learned_at
"""
