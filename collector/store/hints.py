"""Which group a service's unnamed deliveries belong to: as people declare, else by the members that brokers know."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.domain.topology import Evidence, Reader


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A service that reads a topic in no named group, and the names its telemetry gave."""

    service_id: int
    topic_id: int
    names: frozenset[str]


def unexplained(cursor: CursorWrapper, cluster_id: int) -> list[Unexplained]:
    """Traced consume edges without a group that nobody declared."""
    cursor.execute(
        "select e.service_id, e.topic_id, array(select client_id from service_client c"
        "   where c.service_id = e.service_id union select s.instance from source s"
        "   join service_version v on v.id = s.service_version_id where v.service_id = e.service_id"
        "   and s.instance <> '' limit 2000)"
        " from edge e join topic t on t.id = e.topic_id"
        " where e.kind = 2 and e.group_id is null and e.service_id > 0 and t.cluster_id = %s"
        " and t.deleted_at is null and not exists (select from group_hint h where h.service_id = e.service_id"
        "   and h.topic_id = e.topic_id and h.evidence = %s)",
        [cluster_id, int(Evidence.DECLARED)],
    )
    return [Unexplained(service_id, topic_id, frozenset(names)) for service_id, topic_id, names in cursor.fetchall()]


def readers(cursor: CursorWrapper, cluster_id: int) -> Mapping[int, list[Reader]]:
    """Members by the topic they read."""
    cursor.execute(
        "select distinct t.id, m.group_id, m.client_id, m.host from group_member m"
        " join consumer_group g on g.id = m.group_id"
        " cross join lateral jsonb_array_elements(m.assignment) a"
        " join topic t on t.cluster_id = g.cluster_id and t.name = a ->> 0 and t.deleted_at is null"
        " where g.cluster_id = %s",
        [cluster_id],
    )
    found: defaultdict[int, list[Reader]] = defaultdict(list)
    for topic_id, group_id, client_id, host in cursor.fetchall():
        found[topic_id].append(Reader(group_id, client_id, host))
    return found


def set_hint(cursor: CursorWrapper, *, service_id: int, topic_id: int, group_id: int, now: datetime) -> bool:
    """Keep what membership says; what a person declared stays. True when it is new."""
    cursor.execute(
        "insert into group_hint as h (service_id, topic_id, group_id, evidence, noticed_at) values (%s, %s, %s, %s, %s)"
        " on conflict (service_id, topic_id) do update set group_id = excluded.group_id,"
        " noticed_at = excluded.noticed_at where h.evidence = excluded.evidence and h.group_id <> excluded.group_id",
        [service_id, topic_id, group_id, int(Evidence.MEMBERSHIP), now],
    )
    return bool(cursor.rowcount)


def declare(
    cursor: CursorWrapper,
    cluster_id: int,
    group_of: Callable[[tuple[str, str], str], int | None],
    *,
    now: datetime,
) -> bool:
    """Keep what people declare, and nothing that they do not declare any more. True when something changed.

    `group_of`: the group in which a service (namespace, name) reads a topic.
    """
    cursor.execute(
        "select e.service_id, e.topic_id, s.namespace, s.name, t.name from edge e join service s on s.id = e.service_id"
        " join topic t on t.id = e.topic_id where e.kind = 2 and e.group_id is null and e.service_id > 0"
        " and t.cluster_id = %s and t.deleted_at is null order by 1, 2",
        [cluster_id],
    )
    found = [
        (service_id, topic_id, group_id)
        for service_id, topic_id, namespace, name, topic in cursor.fetchall()
        if (group_id := group_of((namespace, name), topic)) is not None
    ]
    given: dict[str, int | datetime | list[int]] = {
        "cluster": cluster_id,
        "declared": int(Evidence.DECLARED),
        "now": now,
        "services": [service_id for service_id, _, _ in found],
        "topics": [topic_id for _, topic_id, _ in found],
        "groups": [group_id for _, _, group_id in found],
    }
    cursor.execute(_FORGET, given)
    has_changed = bool(cursor.rowcount)
    cursor.execute(_DECLARE, given)
    return has_changed or bool(cursor.rowcount)


_FORGET = """
delete from group_hint h using topic t where t.id = h.topic_id and t.cluster_id = %(cluster)s
  and h.evidence = %(declared)s and not exists (select from unnest(%(services)s::int[], %(topics)s::int[])
    d(service_id, topic_id) where d.service_id = h.service_id and d.topic_id = h.topic_id)
"""
_DECLARE = """
insert into group_hint as h (service_id, topic_id, group_id, evidence, noticed_at)
  select service_id, topic_id, group_id, %(declared)s, %(now)s
  from unnest(%(services)s::int[], %(topics)s::int[], %(groups)s::int[]) d(service_id, topic_id, group_id)
on conflict (service_id, topic_id) do update
  set group_id = excluded.group_id, evidence = excluded.evidence, noticed_at = excluded.noticed_at
  where (h.group_id, h.evidence) is distinct from (excluded.group_id, excluded.evidence)
"""
