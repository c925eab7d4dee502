"""Letters that are read again in the background: what is asked for, how far it is, and what changes."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import DeadLetter, LetterStatus
from collector.domain.frames import readable
from collector.domain.records import Record
from collector.store import letter_counts, letter_rows
from collector.store.later_deaths import columns

ENDLESS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Rereading:
    """One that is under way. `into_id`: its letters are moved there, and not read."""

    id: int
    failure_group_id: int | None
    topic_id: int | None
    into_id: int | None
    next_id: int
    last_id: int
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """A letter as it is kept. `record` None: what was stored of its headers cannot be read."""

    id: int
    topic_id: int
    record: Record | None
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class Read:
    """A letter as it is read now. `own_key`: the key that the event had."""

    id: int
    letter: DeadLetter
    failed_at: datetime
    failure_group_id: int
    group_id: int | None
    origin_topic_id: int | None
    own_key: bytes | None


def ask(
    cursor: CursorWrapper,
    *,
    why: str,
    by: str,
    now: datetime,
    topic_id: int | None = None,
    failure_group: int | None = None,
    into: int | None = None,
) -> None:
    """Have the letters of a topic, of a failure group, or all read again. Nothing where there are none.

    By another mapping also those that come until it is done: a collector may still read by the settings before.
    """
    cursor.execute(
        "insert into letter_rereading (why, topic_id, failure_group_id, into_id, last_id, n_all, asked_by, asked_at)"
        " select %(why)s, %(topic)s, %(group)s, %(into)s, case when %(why)s = 'mapping' then %(endless)s"
        "   else (select coalesce(max(id), 0) from dead_letter) end, n, %(by)s, %(now)s"
        " from (select coalesce(sum(n), 0)::bigint n from failure_count"
        "   where (%(topic)s::int is null or topic_id = %(topic)s)"
        "    and (%(group)s::bigint is null or failure_group_id = %(group)s)) c where n > 0",
        {
            "why": why,
            "topic": topic_id,
            "group": failure_group,
            "into": into,
            "by": by,
            "now": now,
            "endless": ENDLESS,
        },
    )


def topics_with_letters(cursor: CursorWrapper) -> list[tuple[int, str]]:
    """Ids and names of the topics whose letters are stored."""
    cursor.execute(
        "select id, name from topic where id in (select topic_id from failure_count where n > 0) order by id"
    )
    return [(number, name) for number, name in cursor.fetchall()]


def catch_up(cursor: CursorWrapper, *, version: int, now: datetime) -> None:
    """Have all letters read again where they were read by an older version of the rules."""
    cursor.execute("update fingerprint_state set version = %s where version < %s", [version, version])
    if cursor.rowcount:
        ask(cursor, why="fingerprints", by="Weir", now=now)


def oldest(cursor: CursorWrapper) -> Rereading | None:
    """The one that is to go on, locked; None where there is none, or another worker has it."""
    cursor.execute(
        "select id, failure_group_id, topic_id, into_id, next_id, last_id, asked_at from letter_rereading"
        " where ended_at is null order by id limit 1 for update skip locked"
    )
    row = cursor.fetchone()
    return Rereading(*row) if row else None


def next_letters(cursor: CursorWrapper, of: Rereading, *, limit: int) -> tuple[list[Stored], int | None]:
    """Its next letters, by their ids, and up to which id that is; None where there are no more.

    Each slice costs the same, however many letters there are and whatever the planner thinks of them.
    """
    if of.failure_group_id is not None:
        ids = _next_of_group(cursor, of, limit)
        return _whole(cursor, ids), ids[-1] if ids else None
    cursor.execute("select min(id) from dead_letter where id > %s and id <= %s", [of.next_id, of.last_id])
    (first,) = cursor.fetchone()
    if first is None:
        return [], None
    up_to = min(first + limit - 1, of.last_id)
    cursor.execute(
        "select id from dead_letter where id between %s and %s and (%s::int is null or topic_id = %s) order by id",
        [first, up_to, of.topic_id, of.topic_id],
    )
    return _whole(cursor, [number for (number,) in cursor.fetchall()]), up_to


def _next_of_group(cursor: CursorWrapper, of: Rereading, limit: int) -> list[int]:
    """From the index by group and status, in which each status is in order."""
    cursor.execute(
        "select l.id from unnest(%s::smallint[]) s(status) cross join lateral (select dead_letter_id id"
        "  from letter_state where failure_group_id = %s and status = s.status and dead_letter_id > %s"
        "  and dead_letter_id <= %s order by dead_letter_id limit %s) l order by 1 limit %s",
        [[int(status) for status in LetterStatus], of.failure_group_id, of.next_id, of.last_id, limit, limit],
    )
    return [number for (number,) in cursor.fetchall()]


def _whole(cursor: CursorWrapper, ids: Sequence[int]) -> list[Stored]:
    cursor.execute(
        "select d.id, d.topic_id, t.name, d.kafka_partition, d.kafka_offset, d.failed_at, b.key, b.value, b.headers"
        " from dead_letter d join topic t on t.id = d.topic_id join dead_letter_body b on b.dead_letter_id = d.id"
        " where d.id = any(%s) order by d.id",
        [list(ids)],
    )
    return [_stored(*row) for row in cursor.fetchall()]


def _stored(
    number: int,
    topic_id: int,
    topic: str,
    partition: int,
    offset: int,
    failed_at: datetime,
    key: bytes | None,
    value: bytes | None,
    framed: bytes,
) -> Stored:
    headers = readable(framed)
    if headers is None:
        return Stored(number, topic_id, None, failed_at)
    return Stored(number, topic_id, Record(topic, partition, offset, failed_at, 0, key, value, headers), failed_at)


def advance(cursor: CursorWrapper, of: Rereading, *, up_to: int, n_done: int, n_changed: int) -> None:
    """Letters up to this id are done."""
    cursor.execute(
        "update letter_rereading set next_id = %s, n_done = n_done + %s, n_changed = n_changed + %s where id = %s",
        [up_to, n_done, n_changed, of.id],
    )


def end(cursor: CursorWrapper, of: Rereading, *, now: datetime) -> None:
    """All are done. A group that letters were taken from begins and ends with those that are left."""
    cursor.execute("update letter_rereading set ended_at = %s where id = %s", [now, of.id])
    cursor.execute(
        "update failure_group g set first_at = x.first, last_at = x.last from (select min(d.failed_at) first,"
        "  max(d.failed_at) last from letter_state s join dead_letter d on d.id = s.dead_letter_id"
        "  where s.failure_group_id = %(group)s) x where g.id = %(group)s and x.first is not null",
        {"group": of.failure_group_id},
    )


def write(cursor: CursorWrapper, read: Sequence[Read]) -> int:
    """Store what is read otherwise now; how many letters that changed."""
    arrays = ", ".join(f"%s::{each}[]" for each in ("int8", *letter_rows.TYPES))
    old, new = (", ".join(f"{of}.{name}" for name in letter_rows.SAID.split(", ")) for of in "dr")
    cursor.execute(
        f"with r as (select * from unnest({arrays}) r(id, {letter_rows.SAID}))"  # noqa: S608  of constants
        f" update dead_letter d set ({letter_rows.SAID}) = row({new}) from r where d.id = r.id"
        f" and ({old}) is distinct from ({new}) returning d.id",
        columns([_row(each) for each in read]),
    )
    changed = {number for (number,) in cursor.fetchall()}
    return len(changed | move(cursor, {each.id: each.failure_group_id for each in read}))


def _row(each: Read) -> tuple[object, ...]:
    return each.id, *letter_rows.said(
        each.letter,
        failed_at=each.failed_at,
        group_id=each.group_id,
        origin_topic_id=each.origin_topic_id,
        own_key=each.own_key,
    )


def move(cursor: CursorWrapper, groups: dict[int, int]) -> set[int]:
    """Move letters to other failure groups; the ids that moved. Locks and counts as in letter_states.move."""
    cursor.execute(
        "with f as (select * from unnest(%s::bigint[], %s::bigint[]) f(id, to_id)),"
        " before as (select s.dead_letter_id, s.failure_group_id, s.status, d.topic_id, f.to_id from letter_state s"
        "  join f on f.id = s.dead_letter_id join dead_letter d on d.id = f.id where s.failure_group_id <> f.to_id"
        "  order by s.dead_letter_id for update of s)"
        " update letter_state s set failure_group_id = before.to_id from before"
        " where s.dead_letter_id = before.dead_letter_id"
        " returning s.dead_letter_id, before.failure_group_id, before.to_id, before.topic_id, before.status",
        columns(sorted(groups.items())),
    )
    moved = cursor.fetchall()
    changes: Counter[tuple[int, int, int]] = Counter()
    for _, before, after, topic, status in moved:
        changes[before, topic, status] -= 1
        changes[after, topic, status] += 1
    letter_counts.adjust(cursor, changes)
    _note_emptied(cursor, {(before, after) for _, before, after, _, _ in moved})
    return {letter for letter, *_ in moved}


def _note_emptied(cursor: CursorWrapper, ways: Collection[tuple[int, int]]) -> None:
    """A group without letters leads to where its last one went; so do its assignee and note, where there are none."""
    if not ways:
        return
    pairs = columns(sorted(ways))
    cursor.execute(
        "with w as (select * from unnest(%s::bigint[], %s::bigint[]) w(from_id, to_id)),"
        " locked as (select g.id from failure_group g where g.id in (select from_id from w union select to_id from w)"
        "  order by g.id for no key update),"
        " kept as (select distinct on (w.to_id) w.to_id, a.assignee, a.note, a.note_by, a.note_at from w"
        "  join failure_group a on a.id = w.from_id where (a.assignee, a.note) <> ('', '')"
        "  and not exists (select from letter_state s where s.failure_group_id = a.id) order by w.to_id, a.id)"
        " update failure_group g set keys_as_of = null, emptied_into = case when exists"
        "   (select from letter_state s where s.failure_group_id = g.id) then null"
        "   else coalesce((select max(w.to_id) from w where w.from_id = g.id), g.emptied_into) end,"
        "  assignee = case when g.assignee = '' then coalesce(k.assignee, '') else g.assignee end,"
        "  note = case when g.note = '' then coalesce(k.note, '') else g.note end,"
        "  note_by = case when g.note = '' then coalesce(k.note_by, '') else g.note_by end,"
        "  note_at = case when g.note = '' then k.note_at else g.note_at end"
        " from locked left join kept k on k.to_id = locked.id where g.id = locked.id",
        pairs,
    )
