"""Events by the value of a header: by the index where that header is indexed, else by reading what was kept."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError, connection, transaction
from psycopg import sql
from psycopg.errors import QueryCanceled

from collector.domain.texts import storable
from dashboard.queries.event_lists import EventRow, event_rows
from dashboard.queries.search import MOST_FOUND, Found, with_name

BUDGET_SECONDS = 5.0
MOST_BYTES = 1_000
HOW = "Type header:NAME=VALUE, such as header:tenant=acme."


def with_header(text: str, *, elapsed: Callable[[], float]) -> Found:
    """Events whose header NAME is exactly VALUE; `text` is NAME=VALUE. `elapsed`: seconds since it was asked.

    Only records whose headers were kept, or whose header is a business key, can be found. Newest first, a leaf at a
    time, as far as five seconds reach.
    """
    text = storable(text)
    name, equals, value = text.partition("=")
    name, value = name.strip(), value.strip()
    if not (name and equals and value) or len(text.encode()) > MOST_BYTES:
        return Found("nothing", HOW, (), None, truncated=False)
    if indexed := with_name(name, value):
        read = f"Read as the value of the header {name}, by the index of business keys, complete."
        return _found(read, indexed, stopped=False)
    rows: dict[tuple[str, str, int, int], EventRow] = {}
    n_read, leaves = 0, _leaves()
    for leaf in leaves:
        left = BUDGET_SECONDS - elapsed()
        found = _in_leaf(leaf, name, value, seconds=left) if left > 0 else None
        if found is None or len(rows) > MOST_FOUND:
            break
        rows |= {(row.cluster, row.topic, row.partition, row.offset): row for row in found}
        n_read += 1
    read = f"Read as the value of the header {name}, in all headers that were kept"
    stopped = n_read < len(leaves) and len(rows) <= MOST_FOUND
    extent = f"; stopped after 5 s, {n_read} of {len(leaves)} parts read, the newest first." if stopped else "."
    return _found(read + extent, tuple(rows.values()), stopped=stopped)


def _found(read: str, rows: tuple[EventRow, ...], *, stopped: bool) -> Found:
    kept = rows[:MOST_FOUND]
    return Found("keys" if kept else "nothing", read, kept, None, truncated=len(rows) > MOST_FOUND, stopped=stopped)


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A table of bodies, and the time in which all of it was stored; of dead letters the bytes lie with the letter."""

    name: str
    starts_at: datetime
    ends_at: datetime


def _leaves() -> list[_Leaf]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select leaf, starts_at, ends_at from raw_partition where table_name = 'record_body' and state < 2"
            " and starts_at <= now() order by starts_at desc"
        )
        return [_Leaf(*row) for row in cursor.fetchall()]


def _in_leaf(leaf: _Leaf, name: str, value: str, *, seconds: float) -> tuple[EventRow, ...] | None:
    """The newest of one leaf; None where the time did not suffice, or the leaf is gone."""
    number = struct.Struct(">i").pack  # as collector.domain.frames writes a header
    raw_name, raw_value = name.encode(), value.encode()
    needle = number(len(raw_name)) + raw_name + number(len(raw_value)) + raw_value
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select set_config('statement_timeout', %s, true)", [f"{max(1, int(seconds * 1000))}ms"])
            cursor.execute(
                sql.SQL(_MATCHES).format(leaf=sql.Identifier(leaf.name)),
                {
                    "needle": needle,
                    "most": MOST_FOUND + 1,
                    "name": name,
                    "value": value,
                    "from_at": leaf.starts_at,
                    "to_at": leaf.ends_at,
                },
            )
            return event_rows(cursor.fetchall())
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return None


_MATCHES = """
with b as materialized (
  (select topic_id, kafka_partition, kafka_offset, stored_at from {leaf}
    where position(%(needle)s::bytea in headers) > 0 order by stored_at desc limit %(most)s)
  union all
  (select d.topic_id, d.kafka_partition, d.kafka_offset, d.seen_at from dead_letter d
    join dead_letter_body x on x.dead_letter_id = d.id where d.seen_at >= %(from_at)s and d.seen_at < %(to_at)s
    and position(%(needle)s::bytea in x.headers) > 0 order by d.seen_at desc limit %(most)s)
  order by stored_at desc limit %(most)s
)
select c.name, t.name, b.kafka_partition, b.kafka_offset, r.produced_at, r.key, r.size_bytes, r.trace_id,
  exists (select from span s where s.topic_id = b.topic_id and s.kafka_partition = b.kafka_partition
    and s.kafka_offset = b.kafka_offset and s.status = 2), %(name)s::text, %(value)s::text
from b join topic t on t.id = b.topic_id and t.deleted_at is null join cluster c on c.id = t.cluster_id
left join lateral (select * from record r where r.topic_id = b.topic_id and r.kafka_partition = b.kafka_partition
  and r.kafka_offset = b.kafka_offset limit 1) r on true
"""
