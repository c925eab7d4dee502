"""What a click freezes: the letters as they stand, where each may go, and the operation with its items."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import LetterStatus
from collector.domain.dialects.names import retry_topics
from collector.domain.frames import framed, unframed
from collector.domain.records import Headers
from collector.store.arrays import numbers

MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Kind:
    """Letters about which everything that decides is the same. `operation` is the one they are open in.

    `is_observed`: whether the settings still name their cluster.
    `has_position`: they claim a whole position of the origin; `is_empty`: neither key nor value came with them.
    """

    letters: tuple[int, ...]
    status: LetterStatus
    attempt: int
    dialect: str
    cluster_id: int
    topic: str
    group_id: int | None
    group: str | None
    origin: str | None
    has_position: bool
    is_empty: bool
    operation: int | None
    cluster: str
    is_observed: bool
    has_key: bool


@dataclass(frozen=True, slots=True)
class Topic:
    """A living topic that a broker has confirmed. `readers`: ids of the groups that read it.

    `most_bytes`: of a batch, compressed; None where that is not known.
    """

    id: int
    name: str
    role: int
    readers: frozenset[int]
    n_partitions: int | None
    is_compacted: bool
    most_bytes: int | None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where letters go. `verify`: the record at the claimed origin is compared before the send."""

    topic: Topic
    verify: bool


_KINDS = """
select array_agg(d.id), s.status, s.attempt, d.dialect, t.cluster_id, t.name, d.group_id, g.name, o.name,
  d.origin_partition is not null and d.origin_offset is not null,
  d.dialect = 'share-group' and exists (select 1 from dead_letter_body b
    where b.dead_letter_id = d.id and b.key is null and b.value is null),
  case when s.status = any('{1,2,5}') then (select max(i.operation_id) from retry_item i
    where i.dead_letter_id = d.id and i.status in (0, 1, 2, 3)) end, c.name, c.is_observed, d.key_hash is not null
from letter_state s join dead_letter d on d.id = s.dead_letter_id join topic t on t.id = d.topic_id
join cluster c on c.id = t.cluster_id
left join consumer_group g on g.id = d.group_id left join topic o on o.id = d.origin_topic_id
where s.dead_letter_id = any(%s::bigint[]) group by 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
"""


def lock(cursor: CursorWrapper, wanted: Collection[int]) -> None:
    """Keep these letters as they stand until the transaction ends; sorted: two of these never wait in a circle."""
    cursor.execute(
        "select count(*) from (select 1 from letter_state where dead_letter_id = any(%s::bigint[])"
        " order by dead_letter_id for update) s",
        [numbers(sorted(wanted))],
    )


def kinds(cursor: CursorWrapper, wanted: Collection[int]) -> list[Kind]:
    """The letters of these ids that exist, by what decides about them."""
    cursor.execute(_KINDS, [numbers(sorted(wanted))])
    return [Kind(tuple(sorted(row[0])), LetterStatus(row[1]), *row[2:]) for row in cursor.fetchall()]


def topics(
    cursor: CursorWrapper, found: Sequence[Kind], *, target: str | None, allowed: Collection[tuple[int, str]] = ()
) -> dict[tuple[int, str], Topic]:
    """(cluster id, name) -> topic, for everything these letters could go to. `allowed`: as an admin says."""
    wanted = {*allowed} | {(kind.cluster_id, name) for kind in found for name in (kind.origin, target) if name}
    wanted |= {
        (kind.cluster_id, name)
        for kind in found
        if kind.origin and kind.group
        for name in retry_topics(kind.origin, kind.group)
    }
    if not wanted:
        return {}
    ordered = sorted(wanted)
    cursor.execute(
        "select t.cluster_id, t.id, t.name, t.role, array(select r.group_id from group_now r where r.topic_id = t.id"
        "  union select m.group_id from group_member m join consumer_group g on g.id = m.group_id"
        "  where g.cluster_id = t.cluster_id and m.assignment @> jsonb_build_array(jsonb_build_array(t.name))),"
        " t.n_partitions, coalesce(t.configs ->> 'cleanup.policy', '') like '%%compact%%',"
        " t.configs ->> 'max.message.bytes'"
        " from topic t join unnest(%s::smallint[], %s::text[]) w(cluster_id, name) using (cluster_id, name)"
        " where t.deleted_at is null and t.kafka_id is not null",
        [[cluster for cluster, _ in ordered], [name for _, name in ordered]],
    )
    return {
        (cluster, name): Topic(number, name, role, frozenset(readers), n_partitions, compacted, _bytes(most))
        for cluster, number, name, role, readers, n_partitions, compacted, most in cursor.fetchall()
    }


def _bytes(said: str | None) -> int | None:
    return int(said) if said and len(said) <= MOST_DIGITS and said.isascii() and said.isdigit() else None


# Round robin over the partitions, in order within each: a key's events keep their order, a first step sees many places.
# Who cannot read the target cannot guess an attempt's id: Postgres takes it from the system's random numbers.
_FREEZE = """
insert into retry_item (operation_id, ordinal, step, dead_letter_id, status, attempt_id, key_hash, target_topic_id,
  target_partition, verify_origin)
select %s, i.ordinal, width_bucket(i.ordinal, %s::bigint[]), i.letter, 0, gen_random_uuid(), i.key_hash,
  i.target, i.target_partition, i.verify <> 0
from (select r.*, row_number() over (order by r.turn, r.t nulls last, r.p nulls last, r.letter) - 1 ordinal
  from (select f.*, d.key_hash, d.origin_topic_id t, d.origin_partition p,
      case when d.origin_topic_id = f.target then d.origin_partition end target_partition,
      row_number() over (partition by d.origin_topic_id, d.origin_partition order by d.origin_offset, d.id) turn
    from unnest(%s::bigint[], %s::int[], %s::int[]) f(letter, target, verify)
    join dead_letter d on d.id = f.letter) r) i
"""


def write_items(
    cursor: CursorWrapper,
    operation_id: int,
    sent: Sequence[tuple[Kind, Destination]],
    *,
    left_out: Collection[int],
    ends: Sequence[int],
) -> list[int]:
    """Write an item for each letter, save those left out; the letters' ids. `ends`: where each step ends."""
    rows = [
        (letter, goes.topic.id, goes.verify) for kind, goes in sent for letter in kind.letters if letter not in left_out
    ]
    cursor.execute(
        _FREEZE,
        [
            operation_id,
            list(ends),
            numbers(letter for letter, _, _ in rows),
            numbers(target for _, target, _ in rows),
            numbers(verify for _, _, verify in rows),
        ],
    )
    return [letter for letter, _, _ in rows]


def write_edit(cursor: CursorWrapper, operation_id: int, *, value: bytes, headers: Headers, reason: str) -> None:
    """Send these bytes instead of the letter's own, in an operation of one."""
    cursor.execute(
        "update retry_item set edited_value = %s, edited_headers = %s, edit_reason = %s where operation_id = %s",
        [value, framed(headers), reason, operation_id],
    )


def keep_edit(cursor: CursorWrapper, operation_id: int, *, value: bytes, headers: Headers, reason: str) -> None:
    """Keep an edited copy with what waits for approval."""
    cursor.execute(
        "insert into asked_edit (operation_id, value, headers, reason) values (%s, %s, %s, %s)",
        [operation_id, value, framed(headers), reason],
    )


def kept_edit(cursor: CursorWrapper, operation_id: int) -> tuple[bytes, Headers, str] | None:
    """Value, headers and reason of the edited copy, or None."""
    cursor.execute("select value, headers, reason from asked_edit where operation_id = %s", [operation_id])
    row = cursor.fetchone()
    return (row[0], unframed(row[1]), row[2]) if row else None


def forget_edit(cursor: CursorWrapper, operation_id: int) -> None:
    """It was decided about."""
    cursor.execute("delete from asked_edit where operation_id = %s", [operation_id])


def failure_groups(cursor: CursorWrapper, letters: Collection[int]) -> list[int]:
    """The failure groups that these letters are of."""
    cursor.execute(
        "select distinct failure_group_id from letter_state where dead_letter_id = any(%s::bigint[]) order by 1",
        [numbers(letters)],
    )
    return [number for (number,) in cursor.fetchall()]


def group_names(cursor: CursorWrapper, ids: Collection[int]) -> tuple[str, ...]:
    """Names of these groups, without Weir's own."""
    cursor.execute(
        "select name from consumer_group where id = any(%s) and name not like 'weir-%%' order by 1", [sorted(ids)]
    )
    return tuple(name for (name,) in cursor.fetchall())
