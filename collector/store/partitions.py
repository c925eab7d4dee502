"""Leaves of the partitioned tables: which there are, how long each is, and making those that are missing.

A leaf is made aside and attached (LIKE, CHECK, ATTACH): PARTITION OF would lock the parent against all readers.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
N_AHEAD = 2
MOST_LEAVES = 32  # each look-up probes all of them
RAW_LENGTHS = (timedelta(minutes=15), HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR)
LOCK = 0x57454952_0001  # one maker or closer at a time, in this database
LOCK_TIMEOUT = "2s"


@dataclass(frozen=True, slots=True)
class Partitioned:
    """One partitioned table. `length` None: chosen by how long its rows are kept, never more than 32 leaves."""

    table: str
    column: str
    keep_setting: str
    length: timedelta | None
    storage: str  # of an open leaf
    longer: timedelta = timedelta()

    @property
    def kept(self) -> timedelta:
        """How long rows stay. Of counters `longer` than is set: what held as the longest window began came before."""
        found: timedelta = getattr(settings, self.keep_setting)
        return found + self.longer

    def length_for(self, held: timedelta) -> timedelta:
        """The length of a new leaf where rows are held for so long."""
        if self.length is not None:
            return self.length
        return next((length for length in RAW_LENGTHS if length * MOST_LEAVES >= held), RAW_LENGTHS[-1])


# Open raw leaves are not vacuumed: it would block the folder's BRIN summaries. Closing vacuums them once.
_RAW = "autovacuum_enabled = false"
_UPSERTED = "fillfactor = 50"
TABLES: dict[str, Partitioned] = {
    each.table: each
    for each in (
        Partitioned("span", "stored_at", "WEIR_KEEP_RAW", None, _RAW),
        Partitioned("span_link", "stored_at", "WEIR_KEEP_RAW", None, _RAW),
        Partitioned("span_error", "stored_at", "WEIR_KEEP_RAW", None, _RAW),
        Partitioned("span_detail", "stored_at", "WEIR_KEEP_DETAILS", None, _RAW),
        Partitioned("span_detail_kept", "stored_at", "WEIR_KEEP_RAW", None, _RAW),
        Partitioned("record", "stored_at", "WEIR_KEEP_RAW", None, _RAW),
        Partitioned("record_body", "stored_at", "WEIR_KEEP_RAW", None, _RAW),
        Partitioned("record_key", "stored_at", "WEIR_KEEP_RAW", None, _RAW),
        Partitioned("undecodable", "stored_at", "WEIR_KEEP_RAW", None, _RAW),
        Partitioned("edge_10s", "bucket_at", "WEIR_KEEP_10S", 2 * HOUR, _UPSERTED),
        Partitioned("edge_1m", "bucket_at", "WEIR_KEEP_1M", DAY, _UPSERTED),
        Partitioned("edge_1h", "bucket_at", "WEIR_KEEP_1H", 32 * DAY, _UPSERTED),
        Partitioned("sample_chunk", "from_at", "WEIR_KEEP_CHUNKS", DAY, "fillfactor = 100"),
        Partitioned("topic_10m", "bucket_at", "WEIR_KEEP_1M", DAY, "fillfactor = 100"),
        Partitioned("group_10m", "bucket_at", "WEIR_KEEP_1M", DAY, "fillfactor = 100"),
        Partitioned("topic_1h", "bucket_at", "WEIR_KEEP_CHUNKS", 2 * DAY, _UPSERTED, longer=3 * DAY),
        Partitioned("group_1h", "bucket_at", "WEIR_KEEP_CHUNKS", 2 * DAY, _UPSERTED, longer=3 * DAY),
    )
}
RAW_TABLES = tuple(name for name, each in TABLES.items() if each.length is None)


class Leaves:
    """Makes leaves and remembers which there are, so that asking costs nothing. One per thread."""

    def __init__(self) -> None:
        self._covered: dict[str, list[tuple[datetime, datetime]]] = {}

    def ensure(self, table: str, at: datetime) -> None:
        """A leaf of `table` that takes rows of `at`. Not inside a transaction: it makes its own."""
        covered = self._covered.setdefault(table, [])
        if not any(starts <= at < ends for starts, ends in covered):
            covered.append(make(table, at))

    def ensure_ahead(self, now: datetime) -> None:
        """For every table the leaf of now and the next two."""
        for name in TABLES:
            at = now
            for _ in range(N_AHEAD + 1):
                self.ensure(name, at)
                at = next(ends for starts, ends in self._covered[name] if starts <= at < ends)
                if at == LAST:
                    break

    def forget(self) -> None:
        """Look again: a leaf was dropped by somebody else."""
        self._covered.clear()


def make(table: str, at: datetime) -> tuple[datetime, datetime]:
    """Bounds of the leaf of `table` that takes rows of `at`, made if missing. Who comes second waits and finds it."""
    spec = TABLES[table]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, true), pg_advisory_xact_lock(%s)", [LOCK_TIMEOUT, LOCK])
        there = attached(cursor, table)
        if found := next(((starts, ends) for starts, ends in there if starts <= at < ends), None):
            return found
        length = spec.length_for(_held(cursor, spec))
        starts, ends = bounds(at, length=length, there=there)
        leaf = f"{table}_{starts:%Y%m%d_%H%M}"
        names = {
            "leaf": sql.Identifier(leaf),
            "table": sql.Identifier(table),
            "column": sql.Identifier(spec.column),
            "starts": sql.Literal(starts.isoformat()),
            "ends": sql.Literal(ends.isoformat()),
            "storage": sql.SQL(spec.storage),
            "owner": sql.Identifier(_owner(cursor, table)),
        }
        for statement in _MAKE:
            cursor.execute(sql.SQL(statement).format(**names))
        cursor.execute(
            "insert into raw_partition (table_name, leaf, starts_at, ends_at) values (%s, %s, %s, %s)",
            [table, leaf, starts, ends],
        )
        return starts, ends


def _owner(cursor: CursorWrapper, table: str) -> str:
    cursor.execute("select pg_get_userbyid(relowner) from pg_class where oid = %s::regclass", [table])
    return str(cursor.fetchone()[0])


def _held(cursor: CursorWrapper, spec: Partitioned) -> timedelta:
    """How long rows will really be held: what the disk budget has room for at the rate of the last leaves.

    Under a budget the first leaves are the shortest: nobody knows yet how fast they fill.
    """
    if spec.length is not None or not settings.WEIR_DISK_BUDGET:
        return spec.kept
    cursor.execute(_BYTES_PER_SECOND, {"tables": list(RAW_TABLES), "latest": 4 * len(RAW_TABLES), "some": _SOME_BYTES})
    rates = [rate for rate in cursor.fetchone() if rate]
    if not rates:
        return timedelta()
    return min(spec.kept, timedelta(seconds=min(settings.WEIR_DISK_BUDGET / max(rates), 10**9)))


_SOME_BYTES = 64 * 1024**2  # less says nothing of a rate: empty leaves have their pages, too
_BYTES_PER_SECOND = """
select (select sum(n_bytes)::float8 / nullif(extract(epoch from max(ends_at) - min(starts_at)), 0)::float8
    from (select * from raw_partition where table_name = any(%(tables)s) and n_bytes is not null
      order by starts_at desc limit %(latest)s) closed),
  (select case when sum(n_bytes) > %(some)s then sum(n_bytes)::float8 / extract(epoch from max(lasted))::float8 end
    from (select pg_total_relation_size(to_regclass(leaf)) n_bytes, clock_timestamp() - starts_at lasted
      from raw_partition where table_name = any(%(tables)s) and n_bytes is null
      and starts_at < clock_timestamp() and ends_at > clock_timestamp()) opened)
"""


_MAKE = (
    "create table {leaf} (like {table} including defaults including constraints) with ({storage})",
    "alter table {leaf} add constraint bounds check ({column} >= {starts} and {column} < {ends})",
    "alter table {table} attach partition {leaf} for values from ({starts}) to ({ends})",
    "alter table {leaf} drop constraint bounds",  # it only spared ATTACH the scan
    "alter table {leaf} owner to {owner}",  # whoever of its members made it: collector and worker both do
)


def attached(cursor: CursorWrapper, table: str) -> list[tuple[datetime, datetime]]:
    """Bounds of the leaves there are, from Postgres' own catalogue."""
    cursor.execute(
        "select pg_get_expr(c.relpartbound, c.oid) from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " where i.inhparent = %s::regclass and not i.inhdetachpending",
        [table],
    )
    found = [_BOUNDS.fullmatch(text) for (text,) in cursor.fetchall()]
    return [(_edge(match[1], FIRST), _edge(match[2], LAST)) for match in found if match]


_BOUNDS = re.compile(r"FOR VALUES FROM \((MINVALUE|'.+')\) TO \((MAXVALUE|'.+')\)")


def _edge(text: str, beyond: datetime) -> datetime:
    return datetime.fromisoformat(text.strip("'")).astimezone(UTC) if text.startswith("'") else beyond


def bounds(at: datetime, *, length: timedelta, there: list[tuple[datetime, datetime]]) -> tuple[datetime, datetime]:
    """Bounds of a new leaf around `at`: whole multiples of `length`, cut where neighbours of another length lie."""
    starts = EPOCH + (at - EPOCH) // length * length
    ends = starts + length
    starts = max([starts, *(other for _, other in there if other <= at)])
    ends = min([ends, *(other for other, _ in there if other > at)])
    return starts, ends
