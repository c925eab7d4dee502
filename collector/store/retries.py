"""Retry operations and their items: frozen by a person's click, claimed by one worker, marked by what Kafka reported.

Every step is a conditional update: what does not come back was not moved, so each may run twice.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.changes import announce
from collector.domain.dead_letters import LETTER_OF_ITEM, ItemStatus, LetterStatus
from collector.domain.dialects.registry import key_for
from collector.domain.frames import readable
from collector.domain.positions import Position
from collector.domain.records import Headers
from collector.store.letter_states import move
from collector.store.retry_turns import UNFINISHED

_ITEMS = (
    "select i.operation_id, i.ordinal, i.attempt_id, i.dead_letter_id, s.attempt, lt.name, d.kafka_partition,"
    " d.kafka_offset, t.name, i.target_partition, i.verify_origin, ot.name, d.origin_partition, d.origin_offset,"
    " b.key, b.value, b.headers, i.search_from, i.n_claims, d.dialect, i.edited_value, i.edited_headers, c.name,"
    " t.deleted_at is not null, t.kafka_id, coalesce(t.configs ->> 'cleanup.policy', '') like '%%compact%%', t.role"
    " from retry_item i"
    " join retry_operation o on o.id = i.operation_id join dead_letter d on d.id = i.dead_letter_id"
    " join dead_letter_body b on b.dead_letter_id = d.id join letter_state s on s.dead_letter_id = d.id"
    " join topic lt on lt.id = d.topic_id join topic t on t.id = i.target_topic_id"
    " join cluster c on c.id = t.cluster_id"
    " left join topic ot on ot.id = d.origin_topic_id"
)


@dataclass(frozen=True, slots=True)
class Item:
    """One send with everything it needs. `origin` is set where the record there must be compared first.

    `value` and `headers` are those of an edited copy where there is one; the origin holds `original_value`.
    `headers` is None where what is stored of them cannot be read: it is not sent.
    """

    operation_id: int
    ordinal: int
    attempt_id: UUID
    dead_letter_id: int
    number: int
    dead_letter: Position
    target: str
    target_partition: int | None
    origin: Position | None
    key: bytes | None
    value: bytes | None
    original_value: bytes | None
    headers: Headers | None
    search_from: Mapping[int, int]
    n_claims: int
    cluster: str  # of the target, by its shown name
    is_gone: bool = False  # the target: deleted, or created again, which is another topic
    target_id: UUID | None = None  # Kafka's own, where it is known
    is_compacted: bool = False  # the target
    target_role: int = 0


# The first of each key, in their order; those whose wait for the one before is over; what has no key. Each in an index.
_DUE = """
select f.ordinal from retry_operation o cross join lateral (
  (select i.ordinal from retry_head h join retry_item i using (operation_id, ordinal) where h.operation_id = o.id
    and h.waits_since is null and h.ordinal < o.released and i.status = 0 order by h.ordinal limit %(limit)s)
  union all (select i.ordinal from retry_head h join retry_item i using (operation_id, ordinal)
    where h.operation_id = o.id and h.waits_since <= %(now)s - make_interval(secs => o.wait_seconds)
    and h.ordinal < o.released and i.status = 0 order by h.waits_since limit %(limit)s)
  union all (select i.ordinal from retry_item i where i.operation_id = o.id and i.status = 0 and i.key_hash is null
    and i.ordinal < o.released order by i.ordinal limit %(limit)s)) f
where o.id = %(id)s and o.status = any(%(unfinished)s) order by f.ordinal limit %(limit)s
"""


def due(operation_id: int, *, limit: int, now: datetime) -> list[int]:
    """Ordinals of the next to send, one of each key: the next of a key comes after the one before was reported."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"id": operation_id, "unfinished": list(UNFINISHED), "limit": limit, "now": now})
        return [ordinal for (ordinal,) in cursor.fetchall()]


def waiting(operation_id: int, *, limit: int, now: datetime) -> list[Item]:
    """The next items to send, in order."""
    ordinals = due(operation_id, limit=limit, now=now)
    if not ordinals:
        return []
    return _items(
        "i.operation_id = %s and i.ordinal = any(%s) and i.status = 0 order by i.ordinal", [operation_id, ordinals]
    )


def held_back(operation_id: int, attempts: Collection[UUID]) -> dict[UUID, str]:
    """Which of these come behind an event of their key that did not get through, where that holds them back."""
    if not attempts:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select i.attempt_id from retry_item i join retry_operation o on o.id = i.operation_id and o.one_per_key"
            " where i.operation_id = %s and i.attempt_id = any(%s) and exists (select 1 from retry_item b"
            "  where b.operation_id = i.operation_id and b.key_hash = i.key_hash and b.ordinal < i.ordinal"
            "  and b.status in (2, 3, 6, 7, 8))",  # 8: a person took it back to the open ones
            [operation_id, list(attempts)],
        )
        return {attempt: "An earlier event of its key did not get through." for (attempt,) in cursor.fetchall()}


def rate(operation_id: int) -> float | None:
    """How many a second may be sent now; None when the operation must not send."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select rate_per_second from retry_operation where id = %s and status = any(%s)",
            [operation_id, list(UNFINISHED)],
        )
        row = cursor.fetchone()
        return float(row[0]) if row else None


def last_sent_at(operation_id: int) -> datetime | None:
    """When the last of it was sent, if any was."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select max(sent_at) from retry_item where operation_id = %s and sent_at is not null", [operation_id]
        )
        at: datetime | None = cursor.fetchone()[0]
        return at


def abandoned(operation_id: int, *, after: timedelta, limit: int) -> list[Item]:
    """Items whose sender died before it could say what became of them. The database's clock counts, as for the claim:
    one worker's clock may be minutes before another's.
    """
    return _items(
        "i.operation_id = %s and i.status = 1 and i.claimed_at < now() - %s::interval order by i.ordinal limit %s",
        [operation_id, after, limit],
    )


def claim(items: Sequence[Item], *, ends: Mapping[str, Mapping[int, int]], by: str, now: datetime) -> list[Item]:
    """Take these items for one send; `ends` are the targets' end offsets from before, where a search would start."""
    if not items:
        return []
    with transaction.atomic(), connection.cursor() as cursor:
        # The operation before its items, as everybody else who locks both.
        cursor.execute(
            "update retry_operation set status = 1, started_at = coalesce(started_at, %s) where id = %s"
            " and (status = 0 or (status = 1 and started_at is null))",
            [now, items[0].operation_id],
        )
        cursor.execute(
            "update retry_item i set status = 1, claimed_at = now(), claimed_by = %s, n_claims = n_claims + 1,"
            "  search_from = f.search_from::jsonb"
            " from (select * from unnest(%s::uuid[], %s::text[]) f(attempt_id, search_from)) f"
            " where i.attempt_id = f.attempt_id and i.status = 0 and (i.operation_id, i.ordinal) in"
            "  (select operation_id, ordinal from retry_item where attempt_id = any(%s) and status = 0"
            "   for update skip locked)"
            " and exists (select 1 from retry_operation o where o.id = i.operation_id and o.status = any(%s))"
            " returning i.attempt_id",
            [
                by,
                [item.attempt_id for item in items],
                [json.dumps(dict(ends[item.target])) for item in items],
                [item.attempt_id for item in items],
                list(UNFINISHED),
            ],
        )
        mine = {attempt for (attempt,) in cursor.fetchall()}
    return [item for item in items if item.attempt_id in mine]


def mark_sent(reports: Mapping[UUID, Position], *, now: datetime) -> None:
    """Kafka holds these; the position is where."""
    if not reports:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "update retry_item i set status = 2, sent_at = %s, sent_partition = f.p, sent_offset = f.o"
            " from unnest(%s::uuid[], %s::int[], %s::bigint[]) f(attempt_id, p, o)"
            " where i.attempt_id = f.attempt_id and i.status in (1, 3) returning i.dead_letter_id",
            [
                now,
                list(reports),
                [position.partition for position in reports.values()],
                [position.offset for position in reports.values()],
            ],
        )
        _moved(cursor, ItemStatus.SENT, now)


def mark_not_sent(reasons: Mapping[UUID, str], *, now: datetime) -> None:
    """These will not be sent, and never were: open again, with the reason."""
    _end(reasons, ItemStatus.NOT_SENT, now)


def mark_unknown(reasons: Mapping[UUID, str], *, now: datetime) -> None:
    """Nobody can say whether these were sent: only a person decides what happens now."""
    _end(reasons, ItemStatus.UNKNOWN, now)


def put_back(attempts: Collection[UUID], *, now: datetime) -> None:
    """These were claimed and certainly not sent: they wait again, or are cancelled with the rest of their operation."""
    if not attempts:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        _hold(cursor, attempts)
        cursor.execute(
            "update retry_item i set status = case when o.status = 4 then 8 else 0 end, claimed_by = null,"
            "  ended_at = case when o.status = 4 then %s::timestamptz end,"
            "  outcome = case when o.status = 4 then 'Cancelled before it was sent.' else '' end"
            " from retry_operation o where o.id = i.operation_id and i.attempt_id = any(%s) and i.status = 1"
            " returning i.dead_letter_id, i.status",
            [now, list(attempts)],
        )
        cancelled = [letter for letter, status in cursor.fetchall() if status == ItemStatus.CANCELLED]
        move(cursor, cancelled, LetterStatus.OPEN, out_of=[LetterStatus.RETRY_REQUESTED], now=now)


def _hold(cursor: CursorWrapper, attempts: Collection[UUID]) -> None:
    """The operations before their items, as everybody else who locks both."""
    cursor.execute(
        "select id from retry_operation where id in"
        " (select operation_id from retry_item where attempt_id = any(%s)) order by id for share",
        [list(attempts)],
    )


def _end(reasons: Mapping[UUID, str], status: ItemStatus, now: datetime) -> None:
    if not reasons:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        _hold(cursor, list(reasons))
        cursor.execute(
            "update retry_item i set status = %s, ended_at = %s, outcome = f.reason"
            " from unnest(%s::uuid[], %s::text[]) f(attempt_id, reason)"
            " where i.attempt_id = f.attempt_id and i.status in (0, 1) returning i.dead_letter_id",
            [int(status), now, list(reasons), list(reasons.values())],
        )
        _moved(cursor, status, now)


def _moved(cursor: CursorWrapper, status: ItemStatus, now: datetime) -> None:
    letters = [letter for (letter,) in cursor.fetchall()]
    out_of = (LetterStatus.RETRY_REQUESTED, LetterStatus.UNKNOWN)
    move(cursor, letters, LETTER_OF_ITEM[status], out_of=out_of, now=now)
    announce("retries")


def _items(condition: str, arguments: list[Any]) -> list[Item]:
    with connection.cursor() as cursor:
        cursor.execute(f"{_ITEMS} where {condition}", arguments)
        return [_item(row) for row in cursor.fetchall()]


def _item(row: tuple[Any, ...]) -> Item:
    (
        operation_id, ordinal, attempt_id, letter, number, lt, lp, lo, target, partition, verify, ot, op, oo,
        key, value, headers, search_from, n_claims, dialect, edited_value, edited_headers, cluster, is_gone, target_id,
        is_compacted, target_role,
    ) = row  # fmt: skip
    found = json.loads(search_from) if isinstance(search_from, str) else search_from or {}
    return Item(
        operation_id=operation_id,
        ordinal=ordinal,
        attempt_id=attempt_id,
        dead_letter_id=letter,
        number=number,
        dead_letter=Position(lt, lp, lo),
        target=target,
        target_partition=partition,
        origin=Position(ot, op, oo) if verify else None,
        key=key_for(target, dialect=dialect, key=key),
        value=value if edited_headers is None else edited_value,
        original_value=value,
        headers=readable(headers if edited_headers is None else edited_headers),
        search_from={int(number): offset for number, offset in found.items()},
        n_claims=n_claims,
        cluster=cluster,
        is_gone=is_gone,
        target_id=target_id,
        is_compacted=is_compacted,
        target_role=target_role,
    )
