"""What usually comes next in a path and has not come: readers that wait, and events that were not sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from collector.domain import histograms, identities
from dashboard.queries.paths import Hop, Lineage

USUAL_SHARE = 0.98  # of the readings that ended well were followed by it
LEAST_READINGS = 30
LEAST_SECONDS = 1.0  # what came within less is not late before that
MOST_ASKED = 500
LEARNED_OVER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Expected:
    """`kind` group: `name` has not read the event of hop `after`. topic: the service of hop `after` sent no `name`.

    `within_seconds`: 99 % of the others came within; None where that is not learned. `late`: it waits longer.
    """

    after: int
    kind: str
    name: str
    within_seconds: float | None
    waited_seconds: float | None
    late: bool


def expected(lineage: Lineage, *, now: datetime) -> list[Expected]:
    """What is missing at the ends of a path. Two statements."""
    return [*_readers(lineage, now=now), *_sends(lineage, now=now)]


def _readers(lineage: Lineage, *, now: datetime) -> list[Expected]:
    """Groups that read the topic, that the broker knows to be before the event, and that no hop tells of."""
    asked = [hop for hop in lineage.hops if hop.kind == "produce" and hop.offset is not None][:MOST_ASKED]
    known = {(hop.topic, hop.partition, hop.offset, hop.group) for hop in lineage.hops if hop.kind == "consume"}
    if not asked:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _WAITING,
            {
                "hops": [hop.id for hop in asked],
                "clusters": [hop.cluster for hop in asked],
                "topics": [hop.topic_name for hop in asked],
                "partitions": [hop.partition for hop in asked],
                "offsets": [hop.offset for hop in asked],
                "since": now - LEARNED_OVER,
            },
        )
        rows = cursor.fetchall()
    found = []
    for number, cluster, name, bodies in rows:
        hop = lineage.hops[number]
        if (hop.topic, hop.partition, hop.offset, identities.group_id(cluster, name)) not in known:
            found.append(_waiting(hop, name, _p99(bodies), now))
    return found


def _waiting(hop: Hop, name: str, within: float | None, now: datetime) -> Expected:
    waited = max(0.0, (now - hop.happened_at).total_seconds()) if hop.happened_at else None
    late = within is not None and waited is not None and waited > within
    return Expected(hop.id, "group", name, within, waited, late)


def _sends(lineage: Lineage, *, now: datetime) -> list[Expected]:
    """Topics that the service of a reading usually sends to, and has not."""
    asked = [hop for hop in lineage.hops if hop.kind == "consume" and hop.service and hop.result == "ok"][:MOST_ASKED]
    if not asked:
        return []
    sent = {(cause, hop.topic_name) for hop in lineage.hops if hop.kind == "produce" for cause in hop.causes}
    with connection.cursor() as cursor:
        names = [identities.parts(hop.service or "") for hop in asked]
        cursor.execute(
            _USUALLY_SENT,
            {
                "hops": [hop.id for hop in asked],
                "namespaces": [words[1][0] if words and len(words[1]) > 1 else "" for words in names],
                "services": [words[1][-1] if words else "" for words in names],
                "clusters": [hop.cluster for hop in asked],
                "topics": [hop.topic_name for hop in asked],
                "share": USUAL_SHARE,
                "least": LEAST_READINGS,
            },
        )
        rows = cursor.fetchall()
    found = []
    for number, topic, p99 in rows:
        hop, within = lineage.hops[number], max(LEAST_SECONDS, p99)
        waited = (now - hop.happened_at).total_seconds() if hop.happened_at else None
        if (number, topic) not in sent:
            found.append(Expected(number, "topic", topic, within, waited, late=waited is not None and waited > within))
    return found


def _p99(bodies: Sequence[bytes | memoryview] | None) -> float | None:
    if not bodies:
        return None
    found = histograms.percentile(histograms.merged(histograms.decoded(bytes(body)) for body in bodies), 0.99)
    return None if found is None else max(LEAST_SECONDS, found / 1000)


_WAITING = """
select n.hop, c.name, cg.name, (select array_agg(b.wait) from edge e
    left join group_hint h on e.group_id is null and h.service_id = e.service_id and h.topic_id = e.topic_id
    cross join lateral (
      select wait from edge_1h where edge_id = e.id and bucket_at >= %(since)s and wait is not null
      union all select wait from edge_1m where edge_id = e.id and wait is not null
        and bucket_at >= greatest(%(since)s,
          (select max(bucket_at) + interval '1 hour' from edge_1h where edge_id = e.id))
    ) b where e.kind = 2 and e.topic_id = t.id and coalesce(e.group_id, h.group_id) = g.group_id)
from unnest(%(hops)s::int[], %(clusters)s::text[], %(topics)s::text[], %(partitions)s::int[], %(offsets)s::bigint[])
  n(hop, cluster, topic, kafka_partition, kafka_offset)
join cluster c on c.name = n.cluster join topic t on t.cluster_id = c.id and t.name = n.topic and t.deleted_at is null
join group_now g on g.topic_id = t.id and g.committed[n.kafka_partition + 1] <= n.kafka_offset
join consumer_group cg on cg.id = g.group_id and cg.name not like 'weir-%%'
limit 2000
"""
_USUALLY_SENT = """
select n.hop, o.name, u.within_seconds
from unnest(%(hops)s::int[], %(namespaces)s::text[], %(services)s::text[], %(clusters)s::text[], %(topics)s::text[])
  n(hop, namespace, service, cluster, topic)
join service s on s.namespace = n.namespace and s.name = n.service
join cluster c on c.name = n.cluster join topic t on t.cluster_id = c.id and t.name = n.topic and t.deleted_at is null
join usual_next u on u.service_id = s.id and u.topic_id = t.id
join topic o on o.id = u.next_topic_id
where u.n_reads >= %(least)s and u.n_followed >= u.n_reads * %(share)s::float8
"""
