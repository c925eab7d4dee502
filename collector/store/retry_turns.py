"""Whose turn it is to send: one session an operation, few operations at once, and the places go round."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from django.db import connection

from collector.domain.dead_letters import OperationStatus
from collector.store.leadership import Lead, locked

CLUSTER_AT_ONCE, OPERATIONS_AT_ONCE = 3, 6  # of a cluster, of all: the rest waits for its turn
UNFINISHED = (OperationStatus.REQUESTED, OperationStatus.RUNNING)
# Those with something to send, or to look for after a crash, that nobody sends now. Who waits for something that a
# person must mend, waits a little longer for a turn.
_WAITING = """
with sent_now as (select l.objid::bigint id from pg_locks l join pg_database b on b.oid = l.database
    where l.locktype = 'advisory' and l.classid = %(sends)s and l.objsubid = 2 and b.datname = current_database()),
  waiting as (select o.id, o.cluster_id, coalesce(o.turn_at, o.confirmed_at, o.created_at)
      + case when o.trouble <> '' then interval '20 s' else interval '0' end since from retry_operation o
    where mod(o.id, 2147483648) not in (select id from sent_now)
      and (o.status = any(%(unfinished)s) and exists (select from retry_item i where i.operation_id = o.id
          and i.status = 0 and i.ordinal < o.released)
        or o.id in (select operation_id from retry_item where status = 1)))
"""
_FEW: dict[str, int | list[int]] = {
    "sends": int(Lead.RETRY),
    "unfinished": [int(status) for status in UNFINISHED],
    "few": CLUSTER_AT_ONCE,
    "most": OPERATIONS_AT_ONCE,
}


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An operation with something to send, or to look for after a crash, and its cluster by shown name."""

    id: int
    cluster: str
    cluster_id: int


def unfinished() -> list[Unfinished]:
    """Who comes next: few of each cluster, no cluster's before all of another's; none that is being sent."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_WAITING} select w.id, c.name, c.id from (select id, cluster_id,"  # noqa: S608  of constants
            "   row_number() over (partition by cluster_id order by since, id) turn from waiting) w"
            " join cluster c on c.id = w.cluster_id where turn <= %(few)s order by turn, w.id limit %(most)s",
            _FEW,
        )
        return [Unfinished(*row) for row in cursor.fetchall()]


def unfinished_one(operation_id: int) -> Unfinished | None:
    """This one, or None where nothing of it is to be done."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_WAITING} select w.id, c.name, c.id from waiting w join cluster c on c.id = w.cluster_id"  # noqa: S608
            " where w.id = %(id)s",
            {**_FEW, "id": operation_id},
        )
        row = cursor.fetchone()
    return Unfinished(*row) if row else None


def kept_waiting(operation_id: int) -> list[int]:
    """Operations that got no place since this one's turn began, and would get it if this one left."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_WAITING} select w.id from waiting w join retry_operation m on m.id = %(id)s"  # noqa: S608
            " where w.since < m.turn_at and (w.cluster_id = m.cluster_id or %(few)s > (select count(*)"
            "  from sent_now s join retry_operation o on o.id = s.id and o.cluster_id = w.cluster_id))"
            " order by w.since limit %(most)s",
            {**_FEW, "id": operation_id},
        )
        return [number for (number,) in cursor.fetchall()]


@contextmanager
def turn(operation: Unfinished) -> Iterator[bool]:
    """True inside for the one session that may send this operation now, while there is a place for it."""
    with ExitStack() as held:
        its_own = held.enter_context(locked(Lead.RETRY, [operation.id % 2**31]))
        first = operation.cluster_id * CLUSTER_AT_ONCE
        has_place = (
            its_own
            and held.enter_context(locked(Lead.RETRY_PLACE, range(first, first + CLUSTER_AT_ONCE)))
            and held.enter_context(locked(Lead.RETRY_PLACE, range(-OPERATIONS_AT_ONCE, 0)))
        )
        if has_place:
            begin_turn(operation.id)
        yield has_place


def begin_turn(operation_id: int) -> None:
    """From now on it is behind all who wait."""
    with connection.cursor() as cursor:
        cursor.execute("update retry_operation set turn_at = now() where id = %s", [operation_id])
