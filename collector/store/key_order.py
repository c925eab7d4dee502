"""Whether newer events of a letter's key have been processed meanwhile: a letter sent now would come after them."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import OperationalError, transaction
from django.db.backends.utils import CursorWrapper

from collector.store.connection import is_out_of_time

LOOKING_SECONDS = 3.0
GLANCE_SECONDS = 1.0  # for a page that only tells of it: many may stand open
LATE = "5 min"  # metadata.max.age.ms of Kafka's clients
MOST_NEWER = 1_000  # events that are newer than one letter are counted up to here


@dataclass(frozen=True, slots=True)
class Order:
    """`newer`: letters whose key has newer events that the group has processed.

    `unknown`: letters of which nobody can say, for the events after them were not all seen; seen from `known_from`.
    Where not `in_time`, nothing was found out: that of all is unknown.
    """

    newer: tuple[int, ...]
    unknown: tuple[int, ...]
    known_from: datetime | None
    in_time: bool = True


# Events of the key behind the origin that the failed group has passed, without those that died and did not get through
# since, and without copies that failed, or that are of this event itself or of one before it.
_NEWER = """
from record_key k
    where k.value = d.key_text and k.name_id = 1 and k.topic_id = d.origin_topic_id
      and k.kafka_partition = d.origin_partition and k.kafka_offset > d.origin_offset and k.stored_at >= %(since)s
      and (d.group_id is null or k.kafka_offset < coalesce((select n.committed[d.origin_partition + 1] from group_now n
        where n.group_id = d.group_id and n.topic_id = d.origin_topic_id), 9223372036854775807))
      and not exists (select 1 from dead_letter x join letter_state s on s.dead_letter_id = x.id
        where x.origin_topic_id = k.topic_id and x.origin_partition = k.kafka_partition
        and x.origin_offset = k.kafka_offset and x.group_id is not distinct from d.group_id and s.status not in (3, 4))
      and not exists (select 1 from retry_item i join dead_letter x on x.id = i.dead_letter_id
        where i.target_topic_id = k.topic_id and i.sent_partition = k.kafka_partition and i.sent_offset = k.kafka_offset
        and (i.status = 6 or (x.origin_topic_id = d.origin_topic_id and x.origin_partition = d.origin_partition
          and x.origin_offset <= d.origin_offset)))
"""
_WITH_NEWER = f"""
select d.id from dead_letter d
where d.id = any(%(letters)s) and d.key_text is not null and d.origin_offset is not null and exists (select 1 {_NEWER})
"""  # noqa: S608  of constants
_N_NEWER = f"""
select (select count(*) from (select 1 {_NEWER} limit {MOST_NEWER}) n) from dead_letter d where d.id = any(%(letters)s)
"""  # noqa: S608
# Who saw the origin itself by its key has seen every event of the key behind it. A key that is no text, is masked, or
# is older than what is kept, was not seen; and where the topic got partitions since the event was written, whenever it
# was stored, its key may have moved to another. Producers know new partitions some minutes late.
_UNKNOWN = """
with grown as materialized (select topic_id, max(at) at from change_mark where kind = 3
    and topic_id in (select origin_topic_id from dead_letter where id = any(%(letters)s)) group by 1)
select d.id from dead_letter d left join grown g on g.topic_id = d.origin_topic_id
where d.id = any(%(letters)s) and d.key_hash is not null
  and (d.key_text is null or d.origin_offset is null or not exists
    (select 1 from record_key k where k.value = d.key_text and k.name_id = 1 and k.topic_id = d.origin_topic_id
      and k.kafka_partition = d.origin_partition and k.kafka_offset = d.origin_offset
      and (g.at is null or exists (select 1 from record r where r.topic_id = k.topic_id
        and r.kafka_partition = k.kafka_partition and r.kafka_offset = k.kafka_offset
        and r.produced_at > g.at + %(late)s::interval))))
"""
# From when on events behind these origins were stored: a partition's records are stored in their order.
_SINCE = """
with places as (select d.origin_topic_id t, d.origin_partition p, min(d.origin_offset) o from dead_letter d
    where d.id = any(%(letters)s) and d.origin_offset is not null group by 1, 2)
select min(f.stored_at), (select min(starts_at) from raw_partition where table_name = 'record') from places
left join lateral (select r.stored_at from record r where r.topic_id = t and r.kafka_partition = p
  and r.kafka_offset >= o order by r.kafka_offset limit 1) f on true
"""


def order_of(cursor: CursorWrapper, letters: Collection[int], *, seconds: float | None = None) -> Order:
    """The order of these letters, looked for during three seconds, or so many: after that, that of all is unknown."""
    wanted = sorted(letters)
    try:
        with _looking(cursor, LOOKING_SECONDS if seconds is None else seconds) as ask:
            ((since, known_from),) = ask(_SINCE, letters=wanted)
            newer = tuple(sorted(letter for (letter,) in ask(_WITH_NEWER, letters=wanted, since=since or _EVER)))
            unknown = tuple(sorted(letter for (letter,) in ask(_UNKNOWN, letters=wanted, late=LATE)))
    except _TimeIsUp:
        return Order((), tuple(wanted), None, in_time=False)
    return Order(newer, unknown, known_from if unknown else None)


def n_newer(cursor: CursorWrapper, letter: int) -> int | None:
    """How many newer events of this letter's key the group has processed, up to MOST_NEWER; None where a glance did
    not do.
    """
    try:
        with _looking(cursor, GLANCE_SECONDS) as ask:
            ((since, _),) = ask(_SINCE, letters=[letter])
            ((n,),) = ask(_N_NEWER, letters=[letter], since=since or _EVER)
    except _TimeIsUp:
        return None
    return int(n)


_EVER = datetime.min.replace(tzinfo=UTC)


class _TimeIsUp(Exception):
    """What was looked for was not found in time."""


@contextmanager
def _looking(cursor: CursorWrapper, seconds: float) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """Ask several statements, each of which gets what time is left of all. Raises _TimeIsUp."""
    until = time.monotonic() + seconds

    def ask(statement: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  of any type that columns have
        left = max(1, round((until - time.monotonic()) * 1000))
        cursor.execute(f"set local statement_timeout = {left}")
        cursor.execute(statement, values)
        return list(cursor.fetchall())

    try:
        with transaction.atomic():
            yield ask
            cursor.execute("set local statement_timeout to default")
    except OperationalError as error:
        if not is_out_of_time(error):
            raise
        raise _TimeIsUp from error
