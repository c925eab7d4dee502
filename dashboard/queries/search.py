"""What a search text means: an address, a trace, an id, a key."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.urls import reverse
from psycopg.errors import QueryCanceled

from collector.domain import positions
from collector.domain.texts import storable
from dashboard.queries.event_lists import MOST_READ, EventRow, event_rows

MOST_FOUND = 200
HINT = "Type an address such as orders.created/7/88123, a trace id, or a key."
_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}", re.ASCII)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_AFTER_ALL = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Found:
    """What a search text is: one event, one trace, events with a key or an id, or nothing.

    `read` says how the text was taken and what was looked through. `stopped`: the search took too long.
    `n_read`: where not all matches were looked at, how many were: the first in the order of their keys.
    """

    kind: Literal["event", "trace", "keys", "nothing"]
    read: str
    rows: tuple[EventRow, ...]
    trace_id: str | None
    truncated: bool
    stopped: bool = False
    n_read: int | None = None

    @property
    def url(self) -> str:
        """The page of the one event or trace that it is; "" where it is neither."""
        if self.kind == "trace" and self.trace_id:
            return reverse("trace", args=[self.trace_id])
        if self.kind == "event" and len(self.rows) == 1:
            row = self.rows[0]
            return reverse("event", args=[row.cluster, row.topic, row.partition, row.offset])
        return ""


def search(text: str, *, only: str = "") -> Found:
    """What `text` means: an address, a trace id or traceparent, else an id or a key: whole, and then as its beginning.

    `only`: event, trace or key, where the person says which. At most seven statements, none longer than 5 s.
    """
    text = storable(text.strip())
    if only in {"", "event"} and (position := positions.parse(text)):
        rows = _at(position)
        return _found("event", f"Read as an address: topic, partition, offset ({position}).", rows)
    if only in {"", "trace"} and (trace_id := _trace_id(text)):
        with connection.cursor() as cursor:
            cursor.execute(
                "select exists (select from span where trace_id = %(trace)s)"
                " or exists (select from record where trace_id = %(trace)s)",
                {"trace": trace_id},
            )
            if cursor.fetchone()[0]:
                return Found("trace", "Read as a trace id.", (), trace_id.hex, truncated=False)
    if not text or only == "trace":
        return Found("nothing", HINT, (), None, truncated=False)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select set_config('statement_timeout', '5s', true)")
            return _by_key(text)
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return Found("nothing", "Stopped after 5 s. Type more of it.", (), None, truncated=False, stopped=True)


def with_name(name: str, text: str) -> tuple[EventRow, ...]:
    """Events that carry this business key by this name, capitals or not, the newest first. One statement."""
    rows, _ = _with_key(_NAMED, text, name=name)
    return tuple(row for row in rows if row.matched and row.matched[0].lower() == name.lower())


def indexed_names() -> tuple[str, ...]:
    """The names of business keys that were seen, the record's own key aside; at most 20. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("select name from key_name where id > 1 order by name limit 20")
        return tuple(name for (name,) in cursor.fetchall())


def _by_key(text: str) -> Found:
    whole, _ = _with_key(_WHOLE, text)
    if whole:
        return _found("keys", f"Read as a key or an id, the whole of it, the newest first; {_EXTENT}.", whole)
    begun, n_read = _with_key(_BEGUN, text)
    all_read = n_read < MOST_READ
    extent = _EXTENT if all_read else f"the first {MOST_READ:,} matches in the order of their keys"
    found = _found("keys", f"Read as the beginning of a key: no key and no id is exactly this; {extent}.", begun)
    return found if all_read else replace(found, truncated=True, n_read=n_read)


_EXTENT = "the indexes of all topics over all that is stored, complete"
_AT = """
select c.name, t.name, %(partition)s, %(offset)s, coalesce(r.produced_at, s.started_at), r.key, r.size_bytes,
  coalesce(r.trace_id, s.trace_id), coalesce(s.failed, false), null, null
from topic t join cluster c on c.id = t.cluster_id
left join lateral (select * from record r where r.topic_id = t.id and r.kafka_partition = %(partition)s
  and r.kafka_offset = %(offset)s limit 1) r on true
left join lateral (
  select min(s.started_at) started_at, (array_agg(s.trace_id))[1] trace_id, bool_or(s.status = 2) failed
  from span s where s.topic_id = t.id and s.kafka_partition = %(partition)s and s.kafka_offset = %(offset)s) s on true
where t.name = %(topic)s and t.deleted_at is null and (r.stored_at is not null or s.started_at is not null)
order by c.name limit 50
"""
_WITH_KEY = """
with k as materialized ({keys})
select c.name, t.name, x.kafka_partition, x.kafka_offset, r.produced_at, r.key, r.size_bytes, r.trace_id,
  exists (select from span s where s.topic_id = x.topic_id and s.kafka_partition = x.kafka_partition
    and s.kafka_offset = x.kafka_offset and s.status = 2),
  x.name, x.value, (select count(*) from k)
from (select * from (
    (select k.stored_at, kn.name, k.value, k.topic_id, k.kafka_partition, k.kafka_offset
      from k join key_name kn on kn.id = k.name_id)
    union all
    (select e.stored_at, 'event id', e.event_id, e.topic_id, e.kafka_partition, e.kafka_offset
      from record e where e.event_id = %(text)s order by e.stored_at desc limit %(most)s)
  ) k order by k.stored_at desc limit %(most)s) x
join topic t on t.id = x.topic_id and t.deleted_at is null join cluster c on c.id = t.cluster_id
left join lateral (select * from record r where r.topic_id = x.topic_id and r.kafka_partition = x.kafka_partition
  and r.kafka_offset = x.kafka_offset limit 1) r on true
"""


_WHOLE = "select * from record_key where value = %(text)s order by stored_at desc limit %(most)s"
_NAMED = (
    "select * from record_key where value = %(text)s and name_id in"
    " (select id from key_name where lower(name) = lower(%(name)s)) order by stored_at desc limit %(most)s"
)
_BEGUN = "select * from record_key where value ~>=~ %(text)s and value ~<~ %(end)s limit %(read)s"


def _at(position: positions.Position) -> tuple[EventRow, ...]:
    parameters: dict[str, str | int] = {
        "topic": position.topic,
        "partition": position.partition,
        "offset": position.offset,
    }
    with connection.cursor() as cursor:
        cursor.execute(_AT, parameters)
        return event_rows(cursor.fetchall())


def _with_key(keys: str, text: str, name: str = "") -> tuple[tuple[EventRow, ...], int]:
    """Events, and how many keys were read for them."""
    parameters: dict[str, str | int] = {
        "text": text,
        "end": text + _AFTER_ALL,
        "read": MOST_READ,
        "most": MOST_FOUND + 1,
    }
    if name:
        parameters["name"] = name
    with connection.cursor() as cursor:
        cursor.execute(_WITH_KEY.format(keys=keys), parameters)
        rows = cursor.fetchall()
        return event_rows([row[:-1] for row in rows]), rows[0][-1] if rows else 0


def _found(kind: Literal["event", "keys"], read: str, rows: Sequence[EventRow]) -> Found:
    kept = tuple(rows[:MOST_FOUND])
    return Found(kind if kept else "nothing", read, kept, None, truncated=len(rows) > MOST_FOUND)


def _trace_id(text: str) -> UUID | None:
    if found := _TRACEPARENT.fullmatch(text.lower()):
        return UUID(found.group(1))
    return UUID(text) if _TRACE_ID.fullmatch(text) else None
