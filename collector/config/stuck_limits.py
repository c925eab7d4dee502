"""After how long an event counts as stuck, where somebody says so: instead of what is usual there."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from collector.config.limits import LEAST_SECONDS, MOST_SECONDS, MOST_SECONDS_OF_SENDS, Limit

BY_FILE = "the settings file"


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
    _refuse_declared(waiting)
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
    """From now on what is usual counts again; whether there was a limit. Raises NotALimit."""
    _refuse_declared(waiting)
    with connection.cursor() as cursor:
        cursor.execute(
            f"delete from stuck_limit l using ({_FOUND}) n where l.topic_id = n.topic_id"  # noqa: S608
            " and l.group_id is not distinct from n.group_id and l.service_id is not distinct from n.service_id"
            " and l.next_topic_id is not distinct from n.next_topic_id",
            _named(waiting),
        )
        return bool(cursor.rowcount)


def settle(limits: Iterable[Limit], *, now: datetime, anew: bool = False) -> None:
    """Let the limits of the settings file count, as far as what they name is known: the rest does once it is.

    `anew`: those that it declared before go first.
    """
    with connection.cursor() as cursor:
        if anew:
            cursor.execute("delete from stuck_limit where declared is not null")
        for each in sorted(limits, key=lambda each: each.cluster):  # the named cluster's own counts more
            waiting = Waiting(each.cluster, each.topic, each.group, each.service, each.next_topic)
            cursor.execute(
                "insert into stuck_limit"  # noqa: S608
                " (topic_id, group_id, service_id, next_topic_id, seconds, set_by, set_at, declared)"
                " select topic_id, group_id, service_id, next_topic_id, %(seconds)s, %(by)s, %(now)s, %(name)s"
                f" from ({_FOUND}) n on conflict (topic_id, group_id, service_id, next_topic_id) do update"
                " set seconds = excluded.seconds, set_by = excluded.set_by, set_at = excluded.set_at,"
                " declared = excluded.declared where stuck_limit.declared is distinct from excluded.declared",
                {**_named(waiting), "seconds": each.seconds, "by": BY_FILE, "now": now, "name": each.name},
            )


def _refuse_declared(waiting: Waiting) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"select l.declared from stuck_limit l join ({_FOUND}) n on l.topic_id = n.topic_id"  # noqa: S608
            " and l.group_id is not distinct from n.group_id and l.service_id is not distinct from n.service_id"
            " and l.next_topic_id is not distinct from n.next_topic_id where l.declared is not null",
            _named(waiting),
        )
        if row := cursor.fetchone():
            raise NotALimit(f"The settings file declares this limit, in [stuck.{row[0]}]: change it there.")


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


# Exactly one row, or none where a name is not known; where no cluster is named, one of each that knows the names.
_FOUND = """
select t.id topic_id, g.id group_id, s.id service_id, o.id next_topic_id
from cluster c join topic t on t.cluster_id = c.id and t.name = %(topic)s and t.deleted_at is null
left join consumer_group g on g.cluster_id = c.id and g.name = %(group)s
left join service s on s.namespace = %(namespace)s and s.name = %(service)s
left join topic o on o.cluster_id = c.id and o.name = %(next)s and o.deleted_at is null
where %(cluster)s::text in (c.name, '') and (g.id is not null) = (%(group)s::text is not null)
  and (s.id is not null) = (%(service)s::text is not null) and (o.id is not null) = (%(next)s::text is not null)
  and (g.id is null) = (s.id is not null and o.id is not null)
"""
