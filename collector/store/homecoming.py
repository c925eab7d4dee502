"""Topics that only spans had named, under a cluster that nobody knew better then: moved where they are, rows and all.

Edges, spans and counts hang on the topic's row, so that nothing but this row and the groups of its edges changes.
"""

from django.db.backends.utils import CursorWrapper

_GROUPS = """
insert into consumer_group (cluster_id, name)
select distinct %(cluster)s::smallint, g.name from edge e join consumer_group g on g.id = e.group_id
where e.topic_id = any(%(topics)s) and g.id > 0 and g.cluster_id <> %(cluster)s
on conflict do nothing
"""
_EDGES = """
update edge e set group_id = own.id from consumer_group g
join consumer_group own on own.cluster_id = %(cluster)s and own.name = g.name
where e.topic_id = any(%(topics)s) and g.id = e.group_id and g.id > 0 and g.cluster_id <> %(cluster)s
"""


def of_topic(cursor: CursorWrapper, cluster_id: int, name: str) -> None:
    """A topic that spans named before any broker was seen to have it is this cluster's, if no other one has it."""
    cursor.execute(
        "update topic t set cluster_id = %s where t.cluster_id = 0 and t.id > 0 and t.name = %s"
        " and t.deleted_at is null and not exists (select from topic o where o.name = t.name and o.deleted_at is null"
        "  and (o.cluster_id = %s or (o.cluster_id <> 0 and o.kafka_id is not null))) returning id",
        [cluster_id, name, cluster_id],
    )
    _take_groups_along(cursor, cluster_id, [number for (number,) in cursor.fetchall()])


def of_cluster(cursor: CursorWrapper, from_id: int, cluster_id: int) -> bool:
    """What spans said of a cluster by its Kafka id alone, now that its broker is known. True when there was any."""
    cursor.execute(
        "update topic t set cluster_id = %s where t.cluster_id = %s and t.deleted_at is null and t.kafka_id is null"
        " and not exists (select from topic o where o.cluster_id = %s and o.name = t.name and o.deleted_at is null)"
        " returning id",
        [cluster_id, from_id, cluster_id],
    )
    topics = [number for (number,) in cursor.fetchall()]
    _take_groups_along(cursor, cluster_id, topics)
    return bool(topics)


def _take_groups_along(cursor: CursorWrapper, cluster_id: int, topics: list[int]) -> None:
    if topics:
        cursor.execute(_GROUPS, {"cluster": cluster_id, "topics": topics})
        cursor.execute(_EDGES, {"cluster": cluster_id, "topics": topics})
