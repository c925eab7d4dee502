"""Rows for what brokers name: clusters, topics, groups and their members, and marks where they changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from collector.domain.brokers import GroupDescribed, GroupListed, TopicConfigs, TopicDescribed
from collector.store import homecoming


class Mark(IntEnum):
    """What changed. The numbers are stored in change_mark.kind."""

    SERVICE_VERSION = 1
    TOPIC_AGAIN = 2
    PARTITIONS = 3
    CONFIG = 4
    REWIND = 5
    REBALANCE = 6
    LOST = 7
    CUT = 8


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A living topic's row. `kafka_id` None: known from spans only. `role` as in topic.role."""

    id: int
    kafka_id: UUID | None
    role: int
    n_partitions: int | None
    configs: TopicConfigs | None


DEAD = "Dead"  # the state of a group that is gone
MemberRow = tuple[str, tuple[tuple[str, int], ...]]  # member id, what it was given


def cluster_row(cursor: CursorWrapper, name: str) -> int:
    """Id of the cluster shown as `name`, made by whoever comes first: then it is observed."""
    cursor.execute("select id from cluster where name = %s", [name])
    row = cursor.fetchone()
    if row is None:
        cursor.execute("insert into cluster (name) values (%s) on conflict (name) do nothing", [name])
        cursor.execute("select id from cluster where name = %s", [name])
        row = cursor.fetchone()
    return int(row[0])


class SameCluster(Exception):
    """Two names of the settings lead to one Kafka cluster. Take one of them out."""


def set_cluster_kafka_id(cursor: CursorWrapper, cluster_id: int, kafka_cluster_id: str) -> bool:
    """Note which Kafka cluster the shown name means now. True when topics got another cluster by that.

    One that was shown under another name keeps its past; what spans alone said of it by its id comes along. Raises
    SameCluster where the other name is observed, too.
    """
    cursor.execute(
        "select id, name, is_observed from cluster where kafka_cluster_id = %s and id <> %s",
        [kafka_cluster_id, cluster_id],
    )
    other = cursor.fetchone()
    if other and other[2]:
        raise SameCluster(f"It is the same Kafka cluster as {other[1]}. Take one of the two out of the settings.")
    came_along = False
    if other:
        cursor.execute("update cluster set kafka_cluster_id = null where id = %s", [other[0]])
        came_along = homecoming.of_cluster(cursor, other[0], cluster_id)
    cursor.execute(
        "update cluster set kafka_cluster_id = %s where id = %s and kafka_cluster_id is distinct from %s",
        [kafka_cluster_id, cluster_id, kafka_cluster_id],
    )
    return came_along


def living_topics(cursor: CursorWrapper, cluster_id: int) -> dict[str, TopicRow]:
    """By name."""
    cursor.execute(
        "select name, id, kafka_id, role, n_partitions, configs::text, configs_own from topic"
        " where cluster_id = %s and deleted_at is null",
        [cluster_id],
    )
    return {
        name: TopicRow(
            number,
            kafka_id,
            role,
            n_partitions,
            TopicConfigs(json.loads(configs), frozenset(own)) if configs else None,
        )
        for name, number, kafka_id, role, n_partitions, configs, own in cursor.fetchall()
    }


def register_topic(
    cursor: CursorWrapper, cluster_id: int, name: str, seen: TopicDescribed, *, role: int, now: datetime
) -> int:
    """Row of the living topic `name`, whose Kafka id was just seen. Returns its id.

    A row known from spans only gets the id; a row with another id is another topic: it ends, a new one begins.
    """
    homecoming.of_topic(cursor, cluster_id, name)
    cursor.execute(
        "select id, kafka_id, n_partitions from topic where cluster_id = %s and name = %s and deleted_at is null"
        " for update",
        [cluster_id, name],
    )
    row = cursor.fetchone()
    if row is not None and row[1] not in (None, seen.kafka_id):
        cursor.execute("update topic set deleted_at = %s where id = %s", [now, row[0]])
        number = _insert_topic(cursor, cluster_id, name, seen, role=role, now=now)
        add_mark(
            cursor, Mark.TOPIC_AGAIN, now, cluster_id, topic_id=number, before=str(row[1]), after=str(seen.kafka_id)
        )
        return number
    if row is None:
        return _insert_topic(cursor, cluster_id, name, seen, role=role, now=now)
    number, _, n_before = row
    cursor.execute(  # out of sight for a while, and spans named it meanwhile: the row that lives is the topic's now
        "update topic set kafka_id = null where cluster_id = %s and kafka_id = %s and deleted_at is not null",
        [cluster_id, seen.kafka_id],
    )
    cursor.execute(
        "update topic set kafka_id = %s, role = %s, n_partitions = %s where id = %s",
        [seen.kafka_id, role, seen.n_partitions, number],
    )
    if n_before is not None and n_before < seen.n_partitions:
        add_mark(
            cursor,
            Mark.PARTITIONS,
            now,
            cluster_id,
            topic_id=number,
            before=str(n_before),
            after=str(seen.n_partitions),
        )
    return int(number)


def set_older(cursor: CursorWrapper, topic_ids: Sequence[int]) -> None:
    """These held records before they were seen first: what is in them is not new. Of whom samples are, it was."""
    if topic_ids:
        cursor.execute(
            "update topic t set is_older = true where t.id = any(%s)"
            " and not exists (select from topic_sample s where s.topic_id = t.id)",
            [list(topic_ids)],
        )


def _insert_topic(
    cursor: CursorWrapper, cluster_id: int, name: str, seen: TopicDescribed, *, role: int, now: datetime
) -> int:
    """A new living row; whoever was quicker with the same name made the same topic's row.

    A topic that was out of sight for a while (a right was taken away and given again) is the same one as before.
    """
    cursor.execute(
        "update topic set deleted_at = null, role = %s, n_partitions = %s"
        " where cluster_id = %s and kafka_id = %s and deleted_at is not null returning id",
        [role, seen.n_partitions, cluster_id, seen.kafka_id],
    )
    if row := cursor.fetchone():
        return int(row[0])
    cursor.execute(
        "insert into topic (cluster_id, name, kafka_id, role, n_partitions, first_at) values (%s, %s, %s, %s, %s, %s)"
        " on conflict (cluster_id, name) where deleted_at is null do update set"
        " kafka_id = coalesce(topic.kafka_id, excluded.kafka_id), role = excluded.role,"
        " n_partitions = excluded.n_partitions returning id",
        [cluster_id, name, seen.kafka_id, role, seen.n_partitions, now],
    )
    return int(cursor.fetchone()[0])


def end_topics(cursor: CursorWrapper, topic_ids: Sequence[int], *, now: datetime) -> None:
    """These topics were deleted."""
    cursor.execute("update topic set deleted_at = %s where id = any(%s) and deleted_at is null", [now, list(topic_ids)])


def set_configs(
    cursor: CursorWrapper,
    cluster_id: int,
    topic_id: int,
    *,
    before: TopicConfigs | None,
    after: TopicConfigs,
    now: datetime,
) -> None:
    """Keep a topic's settings; a mark says which changed."""
    cursor.execute(
        "update topic set configs = %s::jsonb, configs_own = %s, configs_at = %s where id = %s",
        [json.dumps(dict(after.values)), sorted(after.own), now, topic_id],
    )
    if before is None:
        return
    names = sorted(before.values.keys() | after.values.keys())
    changed = [name for name in names if before.values.get(name) != after.values.get(name)]
    if changed:
        old, new = ({name: of.values.get(name) for name in changed} for of in (before, after))
        add_mark(cursor, Mark.CONFIG, now, cluster_id, topic_id=topic_id, before=json.dumps(old), after=json.dumps(new))


def known_groups(cursor: CursorWrapper, cluster_id: int) -> dict[str, tuple[int, str, int]]:
    """name -> (id, state, protocol)."""
    cursor.execute("select name, id, state, protocol from consumer_group where cluster_id = %s", [cluster_id])
    return {name: (number, state, protocol) for name, number, state, protocol in cursor.fetchall()}


def end_groups(cursor: CursorWrapper, cluster_ids: Sequence[int], *, now: datetime) -> None:
    """Nobody asks these clusters any more."""
    cursor.execute(
        "delete from group_member m using consumer_group g where g.id = m.group_id and g.cluster_id = any(%s)",
        [list(cluster_ids)],
    )
    cursor.execute(
        "update consumer_group set state = %s, state_at = %s where cluster_id = any(%s) and state not in ('', %s)",
        [DEAD, now, list(cluster_ids), DEAD],
    )


def known_members(cursor: CursorWrapper, cluster_id: int) -> dict[int, frozenset[MemberRow]]:
    """Group id -> its members and what they hold, as last described; groups without any are missing."""
    cursor.execute(
        "select m.group_id, m.member_id, m.assignment::text from group_member m"
        " join consumer_group g on g.id = m.group_id where g.cluster_id = %s",
        [cluster_id],
    )
    found: dict[int, set[MemberRow]] = {}
    for group_id, member_id, assignment in cursor.fetchall():
        given = tuple((topic, partition) for topic, partition in json.loads(assignment))
        found.setdefault(group_id, set()).add((member_id, given))
    return {group_id: frozenset(members) for group_id, members in found.items()}


def set_groups(
    cursor: CursorWrapper, cluster_id: int, groups: Sequence[GroupListed], *, now: datetime
) -> dict[str, int]:
    """Rows with the state and protocol just seen. Returns name -> id. `state_at` is since when the state holds."""
    ordered = sorted(groups, key=lambda group: group.name)
    cursor.execute(
        "insert into consumer_group as g (cluster_id, name, protocol, state, state_at, first_at)"
        " select %s, name, protocol, state, %s, %s from unnest(%s::text[], %s::smallint[], %s::text[])"
        " n (name, protocol, state)"
        " on conflict (cluster_id, name) do update set"
        " protocol = case when excluded.protocol = 0 then g.protocol else excluded.protocol end,"
        " state_at = case when g.state = excluded.state then g.state_at else excluded.state_at end,"
        " state = excluded.state returning name, id",
        [
            cluster_id,
            now,
            now,
            [group.name for group in ordered],
            [int(group.protocol) for group in ordered],
            [group.state for group in ordered],
        ],
    )
    return dict(cursor.fetchall())


def set_members(
    cursor: CursorWrapper, group_ids: Mapping[str, int], groups: Sequence[GroupDescribed], *, now: datetime
) -> None:
    """The members of these groups are exactly those just seen."""
    rows = [(group_ids[group.name], member) for group in groups for member in group.members]
    cursor.execute(
        "delete from group_member m where m.group_id = any(%s)"
        " and not exists (select from unnest(%s::int[], %s::text[]) n (group_id, member_id)"
        " where n.group_id = m.group_id and n.member_id = m.member_id)",
        [
            [group_ids[group.name] for group in groups],
            [group_id for group_id, _ in rows],
            [member.member_id for _, member in rows],
        ],
    )
    cursor.execute(
        "insert into group_member (group_id, member_id, client_id, host, assignment, seen_at)"
        " select group_id, member_id, client_id, host, assignment::jsonb, %s"
        " from unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[])"
        " n (group_id, member_id, client_id, host, assignment)"
        " on conflict (group_id, member_id) do update set client_id = excluded.client_id, host = excluded.host,"
        " assignment = excluded.assignment, seen_at = excluded.seen_at",
        [
            now,
            [group_id for group_id, _ in rows],
            [member.member_id for _, member in rows],
            [member.client_id for _, member in rows],
            [member.host for _, member in rows],
            [json.dumps(member.assignment) for _, member in rows],
        ],
    )


def add_mark(
    cursor: CursorWrapper,
    kind: Mark,
    at: datetime,
    cluster_id: int,
    *,
    topic_id: int | None = None,
    group_id: int | None = None,
    before: str,
    after: str,
) -> None:
    """Note a change; a second noticer of the same one adds nothing."""
    cursor.execute(
        "insert into change_mark (at, kind, cluster_id, topic_id, group_id, before, after)"
        " values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        [at, int(kind), cluster_id, topic_id, group_id, before, after],
    )
