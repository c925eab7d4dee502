"""Dead-letter topics that no dialect reads, and records of one, so that an admin can say what they mean."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from collector.domain import dialects, json_values
from collector.domain.dead_letters import UNKNOWN_DIALECT, DeadLetter
from collector.domain.dialects import LetterMapping
from collector.domain.frames import readable
from collector.domain.json_values import NotJson
from collector.domain.records import Record
from dashboard.queries import hiding
from dashboard.queries.hiding import Veil

MOST_SAMPLES = 20
MOST_PLACES = 200
MOST_TOPICS = 500
_MOST_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A dead-letter topic with letters that say neither where they came from nor why."""

    cluster: str
    topic: str
    n: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A stored letter, and what may be seen of it."""

    id: int
    record: Record
    veil: Veil


@dataclass(frozen=True, slots=True)
class Preview:
    """How a sample would be read. Texts are what rules leave to be seen; None and "" are what it does not tell."""

    id: int
    address: str
    origin: str | None
    group: str | None
    exception_class: str
    message: str
    is_complete: bool


def unexplained(clusters: Collection[str] | None = None) -> tuple[Unexplained, ...]:
    """Topics with open letters of that kind, most first, at most 20; of `clusters` alone where that is not None. One
    statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.name, t.name, sum(n.n)::bigint from failure_group g join failure_count n"
            " on n.failure_group_id = g.id and n.topic_id = g.topic_id and n.status = 0 and n.n > 0"
            " join topic t on t.id = n.topic_id join cluster c on c.id = t.cluster_id"
            " where g.group_id is null and g.exception_class = '' and t.role = 1 and t.deleted_at is null"
            " and (%(clusters)s::text[] is null or c.name = any(%(clusters)s::text[]))"
            " group by 1, 2 order by 3 desc, 1, 2 limit 20",
            {"clusters": None if clusters is None else sorted(clusters)},
        )
        return tuple(Unexplained(*row) for row in cursor.fetchall())


def nameable() -> tuple[str, ...]:
    """Living topics that can hold dead letters, as cluster/name, dead-letter topics first; at most 500."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.name || '/' || t.name from topic t join cluster c on c.id = t.cluster_id"
            " where t.deleted_at is null and t.kafka_id is not null and t.role in (0, 1)"
            " order by t.role desc, t.name, c.name limit %s",
            [MOST_TOPICS],
        )
        return tuple(address for (address,) in cursor.fetchall())


def is_known(cluster: str, topic: str) -> bool:
    """Whether there is such a living topic, which is not internal. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from topic t join cluster c on c.id = t.cluster_id where c.name = %s"
            " and t.name = %s and t.deleted_at is null and t.role <> 3)",
            [cluster, topic],
        )
        return bool(cursor.fetchone()[0])


def samples(cluster: str, topic: str) -> tuple[Sample, ...]:
    """The newest letters of a topic, at most 20. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select d.id, d.kafka_partition, d.kafka_offset, d.failed_at, b.key, b.value, b.headers, o.name"
            " from topic t join cluster c on c.id = t.cluster_id join lateral (select * from dead_letter d"
            "   where d.topic_id = t.id order by d.kafka_offset desc limit %s) d on true"
            " join dead_letter_body b on b.dead_letter_id = d.id left join topic o on o.id = d.origin_topic_id"
            " where c.name = %s and t.name = %s and t.deleted_at is null order by d.id desc",
            [MOST_SAMPLES, cluster, topic],
        )
        rows = cursor.fetchall()
    return tuple(sample for row in rows if (sample := _sample(topic, row)))


def _sample(topic: str, row: tuple[Any, ...]) -> Sample | None:
    number, partition, offset, at, key, value, framed, origin = row
    headers = readable(framed)
    if headers is None:
        return None
    veil = hiding.veil(hiding.aim_for(topic, origin), key=key, value=value, headers=framed)
    return Sample(number, Record(topic, partition, offset, at, 0, key, value, headers), veil)


def places(found: Sequence[Sample]) -> tuple[str, ...]:
    """Where values can be found in the samples: header names, then paths into JSON values."""
    headers = {f"header:{name}" for sample in found for name, _ in sample.record.headers}
    paths = {path for sample in found for path in _paths(sample.record.value)}
    return (*sorted(headers), *sorted(paths))[:MOST_PLACES]


def _paths(value: bytes | None) -> list[str]:
    if not value or not json_values.may_be_json(value):
        return []
    try:
        waiting = [("$", json_values.loads(value), 0)]
    except NotJson:
        return []
    found: list[str] = []
    while waiting and len(found) < MOST_PLACES:
        path, tree, depth = waiting.pop()
        if isinstance(tree, dict) and depth < _MOST_DEPTH:
            waiting += [(_member(path, name), held, depth + 1) for name, held in tree.items()]
        elif not isinstance(tree, dict | list):
            found.append(path)
    return found


def _member(path: str, name: str) -> str:
    return f"{path}.{name}" if name.replace("_", "").replace("-", "").isalnum() else f"{path}['{name}']"


def previews(found: Sequence[Sample], mapping: LetterMapping | None) -> tuple[Preview, ...]:
    """The samples, read by the mapping."""
    return tuple(
        _preview(sample, letter) for sample in found if (letter := dialects.read(sample.record, mapping)) is not None
    )


def _preview(sample: Sample, letter: DeadLetter) -> Preview:
    record, origin = sample.record, letter.origin
    parts = [str(part) for part in (origin.topic, origin.partition, origin.offset) if part is not None]
    return Preview(
        id=sample.id,
        address=f"{record.topic}/{record.partition}/{record.offset}",
        origin=sample.veil.text("/".join(parts)) or None,
        group=sample.veil.text(letter.group),
        exception_class=sample.veil.text(letter.exception_class) or "",
        message=sample.veil.text(letter.message) or "",
        is_complete=letter.dialect != UNKNOWN_DIALECT and len(parts) == 3 and bool(letter.group),
    )
