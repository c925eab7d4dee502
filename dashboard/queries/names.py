"""Services, topics and consumer groups by name."""

from dataclasses import dataclass

from django.db import connection

from collector.domain import identities
from collector.domain.texts import storable

MOST = 20


@dataclass(frozen=True, slots=True)
class Name:
    """Something that has a name; `id` is as in the graph, `cluster` empty for services."""

    kind: str  # topic | service | group
    id: str
    name: str
    cluster: str
    exact: bool


def names_with(text: str) -> tuple[Name, ...]:
    """What is called `text`, then what contains it, capitals or not: at most 21, so that more than 20 shows.

    One statement.
    """
    wanted = storable(text.strip())
    if not wanted:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, {"text": wanted, "most": MOST + 1})
        return tuple(_name(*row) for row in cursor.fetchall())


_STATEMENT = """
    select kind, cluster, name, name = %(text)s exact from (
      select 'topic' kind, c.name cluster, t.name from topic t join cluster c on c.id = t.cluster_id
        where t.id > 0 and t.deleted_at is null and t.role <> 3
      union all
      select 'service', namespace, name from service where id > 0
      union all
      select 'group', c.name, g.name from consumer_group g join cluster c on c.id = g.cluster_id where g.id > 0
    ) n where strpos(lower(name), lower(%(text)s)) > 0
    order by name <> %(text)s, length(name), kind desc, name limit %(most)s
"""


def _name(kind: str, place: str, name: str, exact: bool) -> Name:  # noqa: FBT001 - a column
    if kind == "service":
        shown = f"{place}/{name}" if place else name
        return Name(kind, identities.service_id(place, name), shown, "", exact)
    identity = identities.topic_id(place, name) if kind == "topic" else identities.group_id(place, name)
    return Name(kind, identity, name, place, exact)
