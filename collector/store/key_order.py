"""Whether newer events of a letter's key have been processed meanwhile: a letter sent now would come after them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import OperationalError, transaction
from django.db.backends.utils import CursorWrapper

LOOKING_SECONDS = 3
_CANCELLED = "57014"  # SQLSTATE of a statement whose time was up


@dataclass(frozen=True, slots=True)
class Order:
    """`newer`: letters whose key has newer events that the group has processed; `n_keys` so many keys.

    `n_unknown`: letters of which nobody can say, for the events after them were not all seen; seen from `known_from`.
    """

    newer: tuple[int, ...]
    n_keys: int
    n_unknown: int
    known_from: datetime | None


# Events of the key behind the origin that the failed group has passed, that did not die, and that are not this letter's
# own earlier copies.
_NEWER = """
select d.id, d.key_hash from dead_letter d
where d.id = any(%(letters)s) and d.key_text is not null and d.origin_offset is not null
  and exists (select 1 from record_key k
    where k.value = d.key_text and k.name_id = 1 and k.topic_id = d.origin_topic_id
      and k.kafka_partition = d.origin_partition and k.kafka_offset > d.origin_offset and k.stored_at >= %(since)s
      and (d.group_id is null or k.kafka_offset < coalesce((select n.committed[d.origin_partition + 1] from group_now n
        where n.group_id = d.group_id and n.topic_id = d.origin_topic_id), 9223372036854775807))
      and not exists (select 1 from dead_letter x where x.origin_topic_id = k.topic_id
        and x.origin_partition = k.kafka_partition and x.origin_offset = k.kafka_offset
        and x.group_id is not distinct from d.group_id)
      and not exists (select 1 from retry_item i where i.target_topic_id = k.topic_id
        and i.sent_partition = k.kafka_partition and i.sent_offset = k.kafka_offset
        and (i.dead_letter_id = d.id or i.status = 6)))
"""
# Who saw the origin itself by its key has seen every event of the key behind it. A key that is no text, is masked, or
# is older than what is kept, was not seen.
_UNKNOWN = """
select count(*) filter (where d.key_hash is not null and (d.key_text is null or d.origin_offset is null or not exists
  (select 1 from record_key k where k.value = d.key_text and k.name_id = 1 and k.topic_id = d.origin_topic_id
    and k.kafka_partition = d.origin_partition and k.kafka_offset = d.origin_offset)))
from dead_letter d where d.id = any(%(letters)s)
"""
# From when on events behind these origins were stored: a partition's records are stored in their order.
_SINCE = """
with places as (select d.origin_topic_id t, d.origin_partition p, min(d.origin_offset) o from dead_letter d
    where d.id = any(%(letters)s) and d.origin_offset is not null group by 1, 2)
select min(f.stored_at), (select min(starts_at) from raw_partition where table_name = 'record') from places
left join lateral (select r.stored_at from record r where r.topic_id = t and r.kafka_partition = p
  and r.kafka_offset >= o order by r.kafka_offset limit 1) f on true
"""


def order_of(cursor: CursorWrapper, letters: Collection[int]) -> Order:
    """The order of these letters, looked for during at most three seconds: after that, that of all is unknown."""
    wanted = {"letters": sorted(letters)}
    try:
        with transaction.atomic():
            cursor.execute(f"set local statement_timeout = {LOOKING_SECONDS * 1000}")
            cursor.execute(_SINCE, wanted)
            since, known_from = cursor.fetchone()
            cursor.execute(_NEWER, {**wanted, "since": since or datetime.min.replace(tzinfo=UTC)})
            found = cursor.fetchall()
            cursor.execute(_UNKNOWN, wanted)
            n_unknown = int(cursor.fetchone()[0])
            cursor.execute("set local statement_timeout to default")
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != _CANCELLED:
            raise
        return Order((), 0, len(wanted["letters"]), None)
    newer = tuple(sorted(letter for letter, _ in found))
    return Order(newer, len({key for _, key in found}), n_unknown, known_from if n_unknown else None)
