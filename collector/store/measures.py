"""Both sides of a delivery: the spans that received or processed, and when what they read was sent.

Durations come out of Postgres as bins of histograms: the spans themselves would cost more to carry than to join.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from collector.domain.histograms import BIN_TOLERANCE, LAST_BIN, LOG_RATIO, SMALLEST_MS
from collector.domain.hops import EdgeKind, Op
from collector.store import rollups
from collector.store.rollups import Measured, counted_at, possible

MOST_UNPAIRED = 100_000  # deliveries that wait for their producer to come; more are given up at once, edge by edge
RETRIED_AT_ONCE = 10_000  # each is looked for in every leaf
MOST_CAUSES = 1_000  # of one batch span that wait

_WAIT, _PROCESSING, _GIVEN_UP = 0, 1, 2  # what a row of an answer tells


@dataclass(slots=True)
class Found:
    """Durations per (minute, edge id), and how many deliveries were given up."""

    durations: dict[tuple[datetime, int], Measured] = field(default_factory=dict)
    n_given_up: int = 0


def claimed(cursor: CursorWrapper, *, before: datetime, limit: int, most_spans: int) -> list[datetime]:
    """The oldest folded, unmeasured batches stored before then, locked: at least one, else about `most_spans` spans."""
    cursor.execute(
        "select stored_at, n_spans from batch where not measured and folded and stored_at < %s"
        " order by stored_at limit %s for update",
        [before, limit],
    )
    batches: list[datetime] = []
    n_spans = 0
    for stored_at, n in cursor.fetchall():
        n_spans += n
        if batches and n_spans > most_spans:
            break
        batches.append(stored_at)
    return batches


def mark_measured(cursor: CursorWrapper, batches: Sequence[datetime]) -> None:
    """Their durations are in the histograms. Never again."""
    cursor.execute("update batch set measured = true where stored_at = any(%s)", [list(batches)])


def paired(
    cursor: CursorWrapper,
    batches: Sequence[datetime],
    *,
    leaves: Mapping[str, Sequence[sql.Identifier]],
    now: datetime,
    kept_10s: timedelta,
) -> Found:
    """Pair the deliveries of these batches with what sent them; those that find nothing wait in `unpaired`.

    A delivery waited since each sending span that it links to, or is a child of, started; where there is none, since
    the record at its place was written. Where there are links, a parent that sent nothing (the poll around a delivery)
    is no cause to wait for. `leaves`: where to look, for each of PARENTS; by leaf, because a bound on stored_at would
    cost the trace index. Where more wait than may, the edges that wait with most give up what is above one same share.
    """
    statement = sql.SQL(_PAIRED).format(**{name: _rows_of(name, found) for name, found in leaves.items()})
    return _found(
        cursor, statement, {**rollups.batches(batches), "now": now, "most": MOST_UNPAIRED, **possible(kept_10s)}
    )


def paired_later(
    cursor: CursorWrapper, *, now: datetime, tried_before: datetime, came_since: datetime, kept_10s: timedelta
) -> Found:
    """Look again, everywhere, for what was not there, but not for what was tried after `tried_before`.

    What came before `came_since` and still finds nothing is given up.
    """
    statement = sql.SQL(_PAIRED_LATER).format(**{name: _rows_of(name, ()) for name in PARENTS})
    values = {"now": now, "tried_before": tried_before, "came_since": came_since, "most": RETRIED_AT_ONCE}
    return _found(cursor, statement, {**values, **possible(kept_10s)})


def count_given_up(cursor: CursorWrapper, n: int) -> None:
    """Deliveries whose producer never showed."""
    if n:
        cursor.execute("update fold_state set n_unpaired_dropped = n_unpaired_dropped + %s", [n])


def _found(cursor: CursorWrapper, statement: sql.Composed, values: Mapping[str, Any]) -> Found:
    # Joins by name are hashed: a nested loop reads a trace that never ends once for each of its deliveries, and the
    # newest leaf's statistics are too old to tell; a merge sorts both sides, for a fifth of the whole. Look-ups by
    # place are laterals with a limit, which always loop.
    cursor.execute("select set_config('enable_nestloop', 'off', true), set_config('enable_mergejoin', 'off', true)")
    cursor.execute(statement, {**values, **_NUMBERS})
    rows = cursor.fetchall()
    cursor.execute("select set_config('enable_nestloop', 'on', true), set_config('enable_mergejoin', 'on', true)")
    found = Found()
    for minute, edge_id, what, number, n, skewed in rows:
        if what == _GIVEN_UP:
            found.n_given_up += n
            continue
        measured = found.durations.setdefault((minute, edge_id), Measured())
        bins = measured.waits if what == _WAIT else measured.processings
        bins[number] = n
        measured.is_skewed |= skewed
    return found


def _rows_of(name: str, leaves: Iterable[sql.Identifier]) -> sql.Composable:
    some = [sql.SQL(_LOOKED_AT[name]).format(leaf=leaf) for leaf in leaves or (PARENTS[name],)]
    return sql.SQL(" union all ").join(some)


def _minute(row: str) -> str:
    return f"date_trunc('minute', {counted_at('started_at', row)})"


def _millis(later: str, earlier: str) -> str:
    return f"date_part('epoch', {later} - {earlier}) * 1000"


PARENTS: Mapping[str, sql.Identifier] = {name: sql.Identifier(name) for name in ("span", "span_link", "record")}
_LOOKED_AT = {
    "span": "select trace_id, span_id, started_at from {leaf} where op = %(send)s"
    " and trace_id = any((select ids from causes_named)::uuid[])",
    "span_link": "select trace_id, span_id, linked_trace_id, linked_span_id from {leaf}"
    " where trace_id = any((select ids from named)::uuid[])",
    "record": "select r.produced_at from {leaf} r where r.topic_id = d.topic_id"
    " and r.kafka_partition = d.kafka_partition and r.kafka_offset = d.kafka_offset and r.produced_at is not null",
}
_NUMBERS: Mapping[str, Any] = {
    "send": int(Op.SEND),
    "process": int(Op.PROCESS),
    "consume": int(EdgeKind.CONSUME),
    "smallest": SMALLEST_MS,
    "log_ratio": LOG_RATIO,
    "tolerance": BIN_TOLERANCE,
    "last_bin": LAST_BIN,
    "most_causes": MOST_CAUSES,
}
# The same bins as collector.domain.histograms.bin_of.
_BINNED = """
select bucket_at, edge_id, what, case when ms <= %(smallest)s::float8 then 0
    else least(%(last_bin)s::int, ceil(ln(ms / %(smallest)s::float8) / %(log_ratio)s::float8 - %(tolerance)s::float8))
  end::int bin, count(*)::int n, bool_or(skewed) skewed
from durations group by 1, 2, 3, 4
"""
# Of the edges in the order of how many wait, each may have an even share of what those before it left. The first that
# wants more than that sets the bound for itself and for all behind it.
_SHARED = """
there as materialized (
  select edge_id, count(*) n from unpaired where exists (select from missed) group by 1
), wanted as (
  select edge_id, coalesce(t.n, 0) n_there, coalesce(t.n, 0) + coalesce(m.n, 0) n
  from there t full join (select edge_id, count(*) n from missed group by 1) m using (edge_id)
), offered as (
  select *, greatest(0, %(most)s::bigint - (sum(n) over by_n)::bigint + n)
    / (count(*) over () - row_number() over by_n + 1) even
  from wanted window by_n as (order by n, edge_id)
), share as materialized (
  select edge_id, n_there, n, least(n, coalesce((select max(even) from offered where n > even), n))::bigint most
  from offered
), taken_back as (
  delete from unpaired where ctid = any(array(
    select u.ctid from (select ctid, edge_id, row_number() over (partition by edge_id order by stored_at desc) nth
      from unpaired where edge_id = any(array(select edge_id from share where n_there > most))) u
    join share s on s.edge_id = u.edge_id where u.nth > s.most))
)"""
_PAIRED = f"""
with d as materialized (
  select row_number() over () id, s.trace_id, s.span_id, s.parent_id, s.started_at, s.stored_at, s.duration_ms,
    s.edge_id, s.op, s.topic_id, s.kafka_partition, s.kafka_offset, {_minute("s.")} bucket_at
  from span s join edge e on e.id = s.edge_id and e.kind = %(consume)s
  where s.n_messages > 0 and {rollups.is_of_batches("s.")}
), named as materialized (
  select array(select trace_id from d) ids
), causes as materialized (
  select d.id, k.linked_trace_id trace_id, k.linked_span_id span_id, true is_link
  from d join ({{span_link}}) k on k.trace_id = d.trace_id and k.span_id = d.span_id
  union all select id, trace_id, parent_id, false from d where parent_id is not null
), causes_named as materialized (
  select array(select distinct trace_id from causes) ids
), sent as materialized (
  select c.id, min(k.started_at) at from causes c
  join ({{span}}) k on k.trace_id = c.trace_id and k.span_id = c.span_id group by c.id, c.trace_id, c.span_id
), waited as materialized (
  select id, at from sent union all
  select d.id, r.produced_at from d cross join lateral ({{record}} limit 1) r
  where d.kafka_offset is not null and not exists (select from sent where sent.id = d.id)
), durations as (
  select d.bucket_at, d.edge_id, {_WAIT} what, {_millis("d.started_at", "w.at")} ms, d.started_at < w.at skewed
  from waited w join d using (id)
  union all select bucket_at, edge_id, {_PROCESSING}, duration_ms::float8, false from d where op = %(process)s
), alone as materialized (
  select d.*, topic_id is not null and kafka_partition is not null and kafka_offset is not null placed
  from d where not exists (select from waited where waited.id = d.id)
), missed as materialized (
  select a.stored_at, a.started_at, a.edge_id, c.trace_id, c.span_id, case when placed then topic_id end topic_id,
    case when placed then kafka_partition end kafka_partition, case when placed then kafka_offset end kafka_offset
  from alone a left join (
    select *, bool_or(is_link) over of_one has_links, row_number() over (partition by id order by is_link desc) nth
    from (select id, trace_id, span_id, bool_or(is_link) is_link from causes
      where id in (select id from alone) group by 1, 2, 3) its window of_one as (partition by id)
  ) c on c.id = a.id and c.is_link = c.has_links and c.nth <= %(most_causes)s
  where c.id is not null or a.placed
), {_SHARED}, put as (
  insert into unpaired (stored_at, started_at, edge_id, trace_id, span_id, topic_id, kafka_partition, kafka_offset,
    tried_at)
  select stored_at, started_at, edge_id, trace_id, span_id, topic_id, kafka_partition, kafka_offset, %(now)s from (
    select m.*, 0 nth, 0 room from missed m join share s using (edge_id) where s.n <= s.most
    union all select m.*, row_number() over (partition by edge_id), s.most - s.n_there
    from missed m join share s using (edge_id) where s.n > s.most and s.most > s.n_there
  ) m where nth <= room
), binned as ({_BINNED})
select bucket_at, edge_id, what, bin, n, skewed from binned
union all select null, null, {_GIVEN_UP}, null, sum(n - most)::int, false from share where n > most having count(*) > 0
"""  # noqa: S608  # constants of ours only
_PAIRED_LATER = f"""
with d as materialized (
  delete from unpaired where ctid = any(array(select ctid from unpaired where tried_at < %(tried_before)s
    order by tried_at limit %(most)s for update skip locked))
  returning gen_random_uuid() id, stored_at, started_at, edge_id, trace_id, span_id, topic_id, kafka_partition,
    kafka_offset
), causes_named as materialized (
  select array(select distinct trace_id from d where trace_id is not null) ids
), sent as materialized (
  select d.id, min(k.started_at) at from d
  join ({{span}}) k on k.trace_id = d.trace_id and k.span_id = d.span_id group by d.id
), waited as materialized (
  select id, at from sent union all
  select d.id, r.produced_at from d cross join lateral ({{record}} limit 1) r
  where d.kafka_offset is not null and not exists (select from sent where sent.id = d.id)
), durations as (
  select {_minute("d.")} bucket_at, d.edge_id, {_WAIT} what, {_millis("d.started_at", "w.at")} ms,
    d.started_at < w.at skewed from waited w join d using (id)
), missed as materialized (
  select d.* from d where not exists (select from waited where waited.id = d.id)
), put as (
  insert into unpaired (stored_at, started_at, tried_at, edge_id, trace_id, span_id, topic_id, kafka_partition,
    kafka_offset)
  select stored_at, started_at, %(now)s, edge_id, trace_id, span_id, topic_id, kafka_partition, kafka_offset
  from missed where stored_at >= %(came_since)s
), binned as ({_BINNED})
select bucket_at, edge_id, what, bin, n, skewed from binned
union all select null, null, {_GIVEN_UP}, null, count(*)::int, false from missed
where stored_at < %(came_since)s having count(*) > 0
"""  # noqa: S608  # constants of ours only
