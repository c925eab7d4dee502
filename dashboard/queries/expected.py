"""What usually comes next in a path and has not come: readers that wait, and events that were not sent."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from collector.domain import identities
from dashboard.queries.paths import Hop, Lineage

USUAL_SHARE = 0.98  # of the readings that ended well were followed by it
LEAST_READINGS = 30
LEAST_SECONDS = 1.0  # what came within less is not late before that
MOST_ASKED = 500
_TRIED = ("ok", "failed")


@dataclass(frozen=True, slots=True)
class Expected:
    """`kind` group: `name` has not read the event of hop `after`. topic: the service of hop `after` sent no `name`.

    `within_seconds`: 99 % of the others came within, or the limit that somebody set (`is_set`); None where neither is
    known. `late`: it waits longer.
    """

    after: int
    kind: str
    name: str
    within_seconds: float | None
    waited_seconds: float | None
    late: bool
    is_set: bool = False


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
            },
        )
        rows = cursor.fetchall()
    found = []
    for number, cluster, name, within, is_set in rows:
        hop = lineage.hops[number]
        if (hop.topic, hop.partition, hop.offset, identities.group_id(cluster, name)) not in known:
            found.append(_missing(hop, "group", name, within, now, is_set=is_set))
    return found


def _missing(hop: Hop, kind: str, name: str, within: float | None, now: datetime, *, is_set: bool) -> Expected:
    waited = max(0.0, (now - hop.happened_at).total_seconds()) if hop.happened_at else None
    late = within is not None and waited is not None and waited > within
    return Expected(hop.id, kind, name, within, waited, late, is_set)


def _sends(lineage: Lineage, *, now: datetime) -> list[Expected]:
    """Topics that the service of a reading usually sends to, and has not, nor did anybody after it."""
    asked = [hop for hop in lineage.hops if hop.kind == "consume" and hop.service and hop.result in _TRIED]
    asked = asked[:MOST_ASKED]
    if not asked:
        return []
    sent = _sent_after(lineage)
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
                "least_seconds": LEAST_SECONDS,
            },
        )
        rows = cursor.fetchall()
    return [
        _missing(lineage.hops[number], "topic", topic, within, now, is_set=is_set)
        for number, topic, within, is_set in rows
        if topic not in sent[number]
    ]


def _sent_after(lineage: Lineage) -> list[frozenset[str]]:
    """Names of the topics that were sent to by what came of each hop: what failed at first may have gone on later.

    Hops stand in causal order, so those that come of one stand behind it.
    """
    found: list[frozenset[str]] = [frozenset()] * len(lineage.hops)
    for hop in reversed(lineage.hops):
        own = frozenset([hop.topic_name]) if hop.kind == "produce" and hop.topic_name else frozenset()
        for cause in hop.causes:
            found[cause] |= found[hop.id] | own
    return found


_WAITING = """
select n.hop, c.name, cg.name, coalesce(l.seconds, u.within_seconds), l.seconds is not null
from unnest(%(hops)s::int[], %(clusters)s::text[], %(topics)s::text[], %(partitions)s::int[], %(offsets)s::bigint[])
  n(hop, cluster, topic, kafka_partition, kafka_offset)
join cluster c on c.name = n.cluster join topic t on t.cluster_id = c.id and t.name = n.topic and t.deleted_at is null
join group_now g on g.topic_id = t.id and g.committed[n.kafka_partition + 1] <= n.kafka_offset
join consumer_group cg on cg.id = g.group_id and cg.name not like 'weir-%%'
left join usual_wait u on u.topic_id = t.id and u.group_id = g.group_id
left join stuck_limit l on l.topic_id = t.id and l.group_id = g.group_id
limit 2000
"""
_USUALLY_SENT = """
select n.hop, o.name, coalesce(l.seconds, greatest(%(least_seconds)s, u.within_seconds)), l.seconds is not null
from unnest(%(hops)s::int[], %(namespaces)s::text[], %(services)s::text[], %(clusters)s::text[], %(topics)s::text[])
  n(hop, namespace, service, cluster, topic)
join service s on s.namespace = n.namespace and s.name = n.service
join cluster c on c.name = n.cluster join topic t on t.cluster_id = c.id and t.name = n.topic and t.deleted_at is null
join usual_next u on u.service_id = s.id and u.topic_id = t.id
join topic o on o.id = u.next_topic_id
left join stuck_limit l on l.topic_id = u.topic_id and l.service_id = u.service_id and l.next_topic_id = u.next_topic_id
where u.n_reads >= %(least)s and u.n_followed >= u.n_reads * %(share)s::float8
"""
