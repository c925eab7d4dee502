"""Names, roles and states behind the ids of the observation tables, read once per question."""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.db import connection
from django.db.backends.utils import CursorWrapper

from collector.domain import identities
from collector.domain.dead_letters import LetterStatus
from dashboard.queries.conditions import Behind

ROLES = ("business", "dead_letter", "retry", "internal")
PROTOCOLS = ("unknown", "classic", "consumer", "share", "connect", "streams")


@dataclass(frozen=True, slots=True)
class TopicName:
    """A living topic."""

    id: str
    name: str
    cluster: str
    role: str
    n_partitions: int | None


@dataclass(frozen=True, slots=True)
class GroupName:
    """A consumer group."""

    id: str
    name: str
    cluster: str
    protocol: str
    state: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that has a name, by its number in the database."""

    topics: Mapping[int, TopicName]
    groups: Mapping[int, GroupName]
    standing: Mapping[tuple[int, int], Behind]
    open_letters: Mapping[int, int]
    places: Mapping[str, tuple[float, float]]

    def only(self, clusters: Collection[str] | None) -> "Catalogue":
        """What is of these clusters; None is all."""
        if clusters is None:
            return self
        topics = {number: topic for number, topic in self.topics.items() if topic.cluster in clusters}
        groups = {number: group for number, group in self.groups.items() if group.cluster in clusters}
        standing = {pair: behind for pair, behind in self.standing.items() if pair[0] in topics}
        return replace(self, topics=topics, groups=groups, standing=standing)

    def shown(self) -> Mapping[str, str]:
        """Names of topics and groups by id, with the cluster where another one has the same name."""
        result: dict[str, str] = {}
        for things in (self.topics.values(), self.groups.values()):
            of_name = Counter(each.name for each in things)
            result |= {
                each.id: f"{each.name} · {each.cluster}" if of_name[each.name] > 1 else each.name for each in things
            }
        return result

    def behind(self, topic_id: int, group_id: int | None) -> Behind | None:
        """How far a group is behind on a topic; None where it never committed there or is not known."""
        return self.standing.get((topic_id, group_id)) if group_id else None

    def service_id(self, namespace: str, name: str) -> str:
        """The id of a service as text."""
        return identities.service_id(namespace, name)

    def party(self, identity: str) -> tuple[str, str, str]:
        """Kind, cluster ("" for a service) and shown name of a service's or group's id."""
        kind, names = identities.parts(identity) or ("service", (identity,))
        return (kind, names[0], names[-1]) if kind == "group" else (kind, "", "/".join(names))


def _standing(cursor: CursorWrapper) -> dict[tuple[int, int], Behind]:
    cursor.execute(
        "select topic_id, group_id, lag, lag_seconds, lag_seconds_margin, lost, n_uncommitted, verdict,"
        " extract(epoch from verdict_at)::float8,"
        " lag_seconds_from_record, n_judged, notes::text, extract(epoch from moved_at)::float8 from group_now"
    )
    return {
        (row[0], row[1]): Behind(
            lag=row[2],
            lag_seconds=row[3],
            lag_seconds_margin=row[4],
            lost=row[5],
            n_uncommitted=row[6],
            verdict=row[7],
            since=_moment(row[8]),
            from_record=row[9],
            n_judged=row[10],
            notes={} if row[11] == "{}" else json.loads(row[11]),
            moved_at=_moment(row[12]),
        )
        for row in cursor.fetchall()
    }


def _moment(seconds: float | None) -> datetime | None:
    """Ten times as quick as to read a time as text."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def names_of_groups(group_ids: Collection[int]) -> dict[int, str]:
    """Of these groups those that are not Weir's own. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, name from consumer_group where id = any(%s) and id > 0 and name not like 'weir-%%'",
            [list(group_ids)],
        )
        return dict(cursor.fetchall())


def names_of_topics(topic_ids: Collection[int]) -> dict[int, str]:
    """Of these topics; those that live no more say so. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, case when deleted_at is null then name else name || ' (deleted)' end from topic"
            " where id = any(%s) and id > 0",
            [list(topic_ids)],
        )
        return dict(cursor.fetchall())


def n_partitions_of(topic_ids: Collection[int]) -> dict[int, int | None]:
    """How many partitions these topics have. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("select id, n_partitions from topic where id = any(%s)", [list(topic_ids)])
        return dict(cursor.fetchall())


def catalogue(*, since: datetime | None = None) -> Catalogue:
    """One read of every dictionary. Five statements. `since`: with topics that were deleted after it, of those that
    were created again the newest.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct on (t.cluster_id, t.name) t.id, c.name, t.name, t.role, t.n_partitions from topic t"
            " join cluster c on c.id = t.cluster_id where (t.deleted_at is null or t.deleted_at > %s::timestamptz)"
            " and t.id > 0 order by t.cluster_id, t.name, t.deleted_at desc nulls first",
            [since],
        )
        topics = {
            number: TopicName(identities.topic_id(cluster, name), name, cluster, ROLES[role], n)
            for number, cluster, name, role, n in cursor.fetchall()
        }
        cursor.execute(
            "select g.id, c.name, g.name, g.protocol, g.state from consumer_group g"
            " join cluster c on c.id = g.cluster_id where g.id > 0 and g.name not like 'weir-%%'"
        )
        groups = {
            number: GroupName(identities.group_id(cluster, name), name, cluster, PROTOCOLS[protocol], state)
            for number, cluster, name, protocol, state in cursor.fetchall()
        }
        standing = _standing(cursor)
        cursor.execute(
            "select topic_id, sum(n)::bigint from failure_count where status = %s and n > 0 group by 1",
            [int(LetterStatus.OPEN)],
        )
        open_letters = dict(cursor.fetchall())
        cursor.execute("select node, x, y from layout_node")
        places = {node: (x, y) for node, x, y in cursor.fetchall()}
    return Catalogue(topics, groups, standing, open_letters, places)
