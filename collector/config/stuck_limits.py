"""After how long an event counts as stuck, where somebody says so: instead of what is usual there."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

LEAST_SECONDS, MOST_SECONDS = 0.1, 7 * 86_400.0
MOST_SECONDS_OF_SENDS = 300.0  # what follows a reading is looked for among the spans of ten minutes


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who is waited for: a group that reads the topic, or a service that sends to `next_topic` after reading it.

    A service is its namespace and its name; of the two kinds one is None.
    """

    cluster: str
    topic: str
    group: str | None = None
    service: tuple[str, str] | None = None
    next_topic: str | None = None


class NotALimit(ValueError):
    """The limit cannot be set; the message says why, for the person who asked."""


def set_limit(waiting: Waiting, seconds: float, *, by: str, now: datetime) -> None:
    """From now on this limit counts. Raises NotALimit."""
    most = MOST_SECONDS if waiting.group is not None else MOST_SECONDS_OF_SENDS
    if not LEAST_SECONDS <= seconds <= most:
        raise NotALimit(f"Give a time from 100 ms to {'7 d' if waiting.group is not None else '5 min'}.")
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into stuck_limit (topic_id, group_id, service_id, next_topic_id, seconds, set_by, set_at)"  # noqa: S608
            f" select topic_id, group_id, service_id, next_topic_id, %(seconds)s, %(by)s, %(now)s from ({_FOUND}) n"
            " on conflict (topic_id, group_id, service_id, next_topic_id) do update set seconds = excluded.seconds,"
            " set_by = excluded.set_by, set_at = excluded.set_at",
            {**_named(waiting), "seconds": seconds, "by": by, "now": now},
        )
        if cursor.rowcount != 1:
            raise NotALimit("Nothing of these names is known here.")


def clear_limit(waiting: Waiting) -> bool:
    """From now on what is usual counts again; whether there was a limit."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"delete from stuck_limit l using ({_FOUND}) n where l.topic_id = n.topic_id"  # noqa: S608
            " and l.group_id is not distinct from n.group_id and l.service_id is not distinct from n.service_id"
            " and l.next_topic_id is not distinct from n.next_topic_id",
            _named(waiting),
        )
        return bool(cursor.rowcount)


def _named(waiting: Waiting) -> dict[str, str | None]:
    namespace, service = waiting.service or (None, None)
    return {
        "cluster": waiting.cluster,
        "topic": waiting.topic,
        "group": waiting.group,
        "namespace": namespace,
        "service": service,
        "next": waiting.next_topic,
    }


# Exactly one row, or none where a name is not known.
_FOUND = """
select t.id topic_id, g.id group_id, s.id service_id, o.id next_topic_id
from cluster c join topic t on t.cluster_id = c.id and t.name = %(topic)s and t.deleted_at is null
left join consumer_group g on g.cluster_id = c.id and g.name = %(group)s
left join service s on s.namespace = %(namespace)s and s.name = %(service)s
left join topic o on o.cluster_id = c.id and o.name = %(next)s and o.deleted_at is null
where c.name = %(cluster)s and (g.id is not null) = (%(group)s::text is not null)
  and (s.id is not null) = (%(service)s::text is not null) and (o.id is not null) = (%(next)s::text is not null)
  and (g.id is null) = (s.id is not null and o.id is not null)
"""
