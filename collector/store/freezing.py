"""What a click freezes: the letters as they stand, where each may go, and the operation with its items."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_bytes
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import LetterStatus
from collector.domain.dialects.names import retry_topic
from collector.domain.retry_targets import Rules


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter as it stands. `operation` is the one it is open in; `is_empty`: neither key nor value came."""

    id: int
    status: LetterStatus
    attempt: int
    dialect: str
    cluster_id: int
    topic: str
    group_id: int | None
    group: str | None
    origin: str | None
    origin_partition: int | None
    origin_offset: int | None
    key_hash: int | None
    is_empty: bool
    operation: int | None


@dataclass(frozen=True, slots=True)
class Topic:
    """A living topic that a broker has confirmed. `readers`: ids of the groups that read it."""

    id: int
    name: str
    role: int
    readers: frozenset[int]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one letter goes. `verify`: the record at the claimed origin is compared before the send."""

    topic: Topic
    partition: int | None
    verify: bool


_LETTERS = (
    "select d.id, s.status, s.attempt, d.dialect, t.cluster_id, t.name, d.group_id, g.name, o.name,"
    " d.origin_partition, d.origin_offset, d.key_hash, b.key is null and b.value is null,"
    " (select max(i.operation_id) from retry_item i where i.dead_letter_id = d.id and i.status in (0, 1, 2, 3))"
    " from letter_state s join dead_letter d on d.id = s.dead_letter_id"
    " join dead_letter_body b on b.dead_letter_id = d.id join topic t on t.id = d.topic_id"
    " left join consumer_group g on g.id = d.group_id left join topic o on o.id = d.origin_topic_id"
    " where s.dead_letter_id = any(%s) order by s.dead_letter_id"
)


def begin(
    cursor: CursorWrapper, *, token: str, plan: UUID, person_id: int, person_name: str, now: datetime
) -> tuple[int, bool, UUID]:
    """Id of the operation of this person's token, whether it is new, and the digest of the plan it was made for."""
    cursor.execute(
        "insert into retry_operation (token, plan_digest, person_id, person_name, status, created_at)"
        " values (%s, %s, %s, %s, 0, %s) on conflict (person_id, token) do nothing returning id",
        [token, plan, person_id, person_name, now],
    )
    if row := cursor.fetchone():
        return row[0], True, plan
    cursor.execute(
        "select id, plan_digest from retry_operation where person_id = %s and token = %s", [person_id, token]
    )
    number, digest = cursor.fetchone()
    return number, False, digest


def letters(cursor: CursorWrapper, wanted: Collection[int], *, lock: bool) -> list[Letter]:
    """The letters of these ids that exist, in order of id; locked against every other move where they are frozen."""
    cursor.execute(f"{_LETTERS} for update of s" if lock else _LETTERS, [sorted(wanted)])
    return [Letter(row[0], LetterStatus(row[1]), *row[2:]) for row in cursor.fetchall()]


def topics(cursor: CursorWrapper, found: Sequence[Letter], *, target: str | None) -> dict[tuple[int, str], Topic]:
    """(cluster id, name) -> topic, for everything these letters could go to."""
    wanted = {(letter.cluster_id, name) for letter in found for name in (letter.origin, target) if name}
    wanted |= {
        (letter.cluster_id, retry_topic(letter.origin, letter.group))
        for letter in found
        if letter.origin and letter.group
    }
    cursor.execute(
        "select t.cluster_id, t.id, t.name, t.role, array(select r.group_id from group_now r where r.topic_id = t.id"
        "  union select m.group_id from group_member m join consumer_group g on g.id = m.group_id"
        "  where g.cluster_id = t.cluster_id and m.assignment @> jsonb_build_array(jsonb_build_array(t.name)))"
        " from topic t join unnest(%s::smallint[], %s::text[]) w(cluster_id, name) using (cluster_id, name)"
        " where t.deleted_at is null and t.kafka_id is not null",
        [[cluster for cluster, _ in wanted], [name for _, name in wanted]],
    )
    return {
        (cluster, name): Topic(number, name, role, frozenset(readers))
        for cluster, number, name, role, readers in cursor.fetchall()
    }


def rules(
    cursor: CursorWrapper, found: Sequence[Letter], *, embedded_cluster: str | None
) -> dict[tuple[int, str], Rules]:
    """(cluster id, dead-letter topic) -> what an admin allowed there, and whether the broker is Weir's own."""
    wanted = sorted({(letter.cluster_id, letter.topic) for letter in found})
    cursor.execute(
        "select w.cluster_id, w.topic, coalesce(array_agg(r.target_topic) filter (where r.target_topic is not null),"
        "  '{}'), coalesce(bool_or(c.name = %s), false)"
        " from unnest(%s::smallint[], %s::text[]) w(cluster_id, topic) join cluster c on c.id = w.cluster_id"
        " left join retry_target r on r.cluster_id = w.cluster_id and r.dead_letter_topic = w.topic group by 1, 2",
        [embedded_cluster, [cluster for cluster, _ in wanted], [topic for _, topic in wanted]],
    )
    return {(cluster, topic): Rules(frozenset(pairs), own) for cluster, topic, pairs, own in cursor.fetchall()}


def freeze(
    cursor: CursorWrapper,
    operation_id: int,
    found: Sequence[Letter],
    destinations: Mapping[int, Destination],
    *,
    target_id: int | None,
) -> None:
    """Write the items, in order of the letters' ids."""
    rows = [(ordinal, letter, destinations[letter.id]) for ordinal, letter in enumerate(found)]
    cursor.execute(
        "insert into retry_item (operation_id, ordinal, dead_letter_id, status, attempt_id, key_hash, target_topic_id,"
        "  target_partition, verify_origin)"
        " select %s, o, letter, 0, attempt, hash, topic, part, verify from unnest(%s::int[], %s::bigint[], %s::uuid[],"
        "  %s::bigint[], %s::int[], %s::int[], %s::boolean[]) r(o, letter, attempt, hash, topic, part, verify)",
        [
            operation_id,
            [ordinal for ordinal, _, _ in rows],
            [letter.id for _, letter, _ in rows],
            [UUID(bytes=token_bytes(16)) for _ in rows],  # who cannot read the target cannot guess it
            [letter.key_hash for _, letter, _ in rows],
            [goes.topic.id for _, _, goes in rows],
            [goes.partition for _, _, goes in rows],
            [goes.verify for _, _, goes in rows],
        ],
    )
    cursor.execute("update retry_operation set target_topic_id = %s where id = %s", [target_id, operation_id])
