"""Who reads what is sent to a topic, what they did with the originals, and what lies within two hops behind them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from collector.domain.frames import readable
from collector.domain.resending import removed
from collector.store.arrays import numbers

MOST_NAMES = 50


@dataclass(frozen=True, slots=True)
class Reading:
    """A group that reads a target. `n_did`: how many of the originals it has passed; None where that is not known."""

    topic_id: int
    group_id: int
    name: str
    lag: int | None
    lag_seconds: float | None
    n_did: int | None


_READERS = """
with f as (select * from unnest(%(letters)s::bigint[], %(topics)s::int[]) f(letter, topic_id)),
  reads as (select distinct f.topic_id, r.group_id from (select distinct topic_id from f) f
    join topic t on t.id = f.topic_id
    cross join lateral (select n.group_id from group_now n where n.topic_id = f.topic_id
      union select m.group_id from group_member m join consumer_group g on g.id = m.group_id
        where g.cluster_id = t.cluster_id and m.assignment @> jsonb_build_array(jsonb_build_array(t.name))) r),
  did as (select r.topic_id, r.group_id, count(*) filter (where n.committed[d.origin_partition + 1] > d.origin_offset
      and d.group_id is distinct from r.group_id) n
    from reads r join f using (topic_id) join dead_letter d on d.id = f.letter
    join group_now n on n.group_id = r.group_id and n.topic_id = d.origin_topic_id
    where d.origin_offset is not null group by 1, 2)
select r.topic_id, r.group_id, g.name, n.lag, n.lag_seconds, did.n
from reads r join consumer_group g on g.id = r.group_id
left join group_now n on n.group_id = r.group_id and n.topic_id = r.topic_id
left join did on did.group_id = r.group_id and did.topic_id = r.topic_id
where g.name not like 'weir-%%' order by r.topic_id, g.name
"""
# Services of these groups, what they write, who reads that; and the same once more.
_DOWNSTREAM = """
with recursive hop(depth, topic_id, group_id) as (
  select 0, t, g from unnest(%(topics)s::int[]) t, unnest(%(groups)s::int[]) g
  union
  select h.depth + 1, w.topic_id, r.group_id from hop h
    join edge c on c.kind = 2 and c.topic_id = h.topic_id and c.group_id = h.group_id and c.service_id is not null
    join edge w on w.kind = 1 and w.service_id = c.service_id
    left join edge r on r.kind = 2 and r.topic_id = w.topic_id
  where h.depth < 2)
select distinct t.name, g.name from hop join topic t on t.id = hop.topic_id
left join consumer_group g on g.id = hop.group_id and g.id > 0
where depth > 0 and t.role = 0 and t.id > 0 and t.id <> all(%(topics)s::int[]) order by 1, 2
"""


def readers(cursor: CursorWrapper, pairs: Sequence[tuple[int, int]]) -> list[Reading]:
    """The groups that will get these (letter, target topic), by topic and name."""
    cursor.execute(_READERS, _columns(pairs))
    return [Reading(*row) for row in cursor.fetchall()]


def _columns(pairs: Sequence[tuple[int, int]]) -> dict[str, str]:
    return {"letters": numbers(letter for letter, _ in pairs), "topics": numbers(topic for _, topic in pairs)}


def downstream(cursor: CursorWrapper, topics: Collection[int], groups: Collection[int]) -> tuple[str, ...]:
    """Topics and groups within two hops behind these groups of these topics, topics first."""
    cursor.execute(_DOWNSTREAM, {"topics": list(topics), "groups": sorted(set(groups))})
    found = cursor.fetchall()
    names = [*dict.fromkeys(topic for topic, _ in found), *dict.fromkeys(group for _, group in found if group)]
    return tuple(names[:MOST_NAMES])


def removed_headers(cursor: CursorWrapper, letters: Collection[int]) -> tuple[str, ...]:
    """Names of headers that will be taken off these letters, each once."""
    cursor.execute("select headers from dead_letter_body where dead_letter_id = any(%s)", [list(letters)])
    found = [removed(readable(headers) or ()) for (headers,) in cursor.fetchall()]
    return tuple(dict.fromkeys(name for names in found for name in names))


def n_keys(cursor: CursorWrapper, letters: Collection[int]) -> int:
    """How many different keys these letters have."""
    cursor.execute("select count(distinct key_hash) from dead_letter where id = any(%s::bigint[])", [numbers(letters)])
    return int(cursor.fetchone()[0])


def n_repeated(cursor: CursorWrapper, pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Target topic -> how many of these (letter, target topic) are of an event of which another one goes there, too."""
    cursor.execute(
        "select topic_id, sum(n - 1)::int from (select f.topic_id, count(*) n"
        "  from unnest(%(letters)s::bigint[], %(topics)s::int[]) f(letter, topic_id)"
        "  join dead_letter d on d.id = f.letter where d.origin_offset is not null"
        "  group by f.topic_id, d.origin_topic_id, d.origin_partition, d.origin_offset having count(*) > 1) r"
        " group by 1",
        _columns(pairs),
    )
    return dict(cursor.fetchall())


def n_too_large(
    cursor: CursorWrapper, pairs: Sequence[tuple[int, int]], most_bytes: Mapping[int, int]
) -> dict[int, int]:
    """Target topic -> how many of these (letter, target topic) are larger by key and value alone than it takes."""
    limited = [pair for pair in pairs if pair[1] in most_bytes]
    if not limited:
        return {}
    cursor.execute(
        "select f.topic_id, count(*) from unnest(%s::bigint[], %s::int[], %s::bigint[]) f(letter, topic_id, most)"
        " join dead_letter d on d.id = f.letter and d.size_bytes > f.most"
        " join dead_letter_body b on b.dead_letter_id = d.id"
        " where coalesce(octet_length(b.key), 0) + coalesce(octet_length(b.value), 0) > f.most group by 1",
        [
            numbers(letter for letter, _ in limited),
            numbers(topic for _, topic in limited),
            numbers(most_bytes[topic] for _, topic in limited),
        ],
    )
    return dict(cursor.fetchall())
