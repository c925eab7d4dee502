"""Clusters: which are observed, and which one a topic belongs to: by Kafka's own id, by sender, by where it is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.changes import announce
from collector.store import broker_names, samples

UNKNOWN = 0  # the cluster "?"


@dataclass(frozen=True, slots=True)
class Known:
    """Kafka's id -> our id, and the ids of the clusters that a topic without one may be of.

    `all_named`: whether the broker of each of these has said its id; while one has not, an unknown id may be its.
    `default`: the one that people declared for what nobody can say.
    """

    by_kafka_id: Mapping[str, int] = field(default_factory=dict)
    candidates: tuple[int, ...] = ()
    all_named: bool = True
    default: int = UNKNOWN


def known() -> Known:
    """Candidates are observed, or hold a living topic that spans named. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, kafka_cluster_id, is_observed or exists (select from topic t where t.cluster_id = c.id"
            " and t.deleted_at is null), is_observed and exists (select from declared d where d.kind = 'clusters'"
            " and d.name = c.name and d.body @> '{\"default\": true}') from cluster c where id <> 0 order by id"
        )
        rows = cursor.fetchall()
    return Known(
        {kafka_id: number for number, kafka_id, _, _ in rows if kafka_id},
        tuple(number for number, _, counts, _ in rows if counts),
        all(kafka_id for _, kafka_id, counts, _ in rows if counts),
        next((number for number, _, _, is_default in rows if is_default), UNKNOWN),
    )


def named_by_spans(kafka_cluster_id: str) -> int:
    """Id of the row of a cluster that no configuration names; its Kafka id is its name until somebody gives one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into cluster (name, kafka_cluster_id, is_observed) values (%s, %s, false) on conflict do nothing",
            [kafka_cluster_id, kafka_cluster_id],
        )
        cursor.execute("select id from cluster where kafka_cluster_id = %s", [kafka_cluster_id])
        row = cursor.fetchone()
    return UNKNOWN if row is None else int(row[0])


def of_senders() -> dict[str, int]:
    """What a request's source may be -> the cluster of its spans: a token's public id, or input:NAME. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select public_id, cluster_id from token where cluster_id is not null union all"
            " select 'input:' || d.name, c.id from declared d join cluster c on c.name = d.body ->> 'spans_of'"
            " where d.kind = 'inputs'"
        )
        return dict(cursor.fetchall())


def that_have(topics: list[str]) -> dict[str, int]:
    """Topic -> its cluster, for topics that exactly one broker has: that spans named one elsewhere proves little."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select name, min(cluster_id) from topic where name = any(%s) and deleted_at is null and cluster_id <> 0"
            " and kafka_id is not null group by name having count(*) = 1",
            [topics],
        )
        return dict(cursor.fetchall())


# Observed --------------------------------------------------------------------------------------------------------


def observe(names: Collection[str], *, version: int, now: datetime) -> dict[str, int]:
    """Name -> id of the clusters that are observed as of this version of the declaration: these and no others.

    The sampler's word, which looks at all of them. The topics and groups of one that is observed no more end; what was
    seen of them stays. A process that read an older declaration changes nothing: it begins anew at once.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select version from declaration for share")
        is_newest = cursor.fetchone()[0] == version
        found = numbers(names)
        if is_newest:
            kept = list(found.values())
            cursor.execute("update cluster set is_observed = true where id = any(%s) and not is_observed", [kept])
            _leave(cursor, keep=kept, now=now)
    return found


def numbers(names: Collection[str]) -> dict[str, int]:
    """Name -> id of these clusters, made where missing."""
    with connection.cursor() as cursor:
        return {name: broker_names.cluster_row(cursor, name) for name in sorted(names)}


def _leave(cursor: CursorWrapper, *, keep: list[int], now: datetime) -> None:
    cursor.execute("update cluster set is_observed = false where is_observed and id <> all(%s) returning id", [keep])
    left = [number for (number,) in cursor.fetchall()]
    if not left:
        return
    cursor.execute("select id from topic where cluster_id = any(%s) and deleted_at is null", [left])
    topics = [number for (number,) in cursor.fetchall()]
    broker_names.end_topics(cursor, topics, now=now)
    samples.forget_topics_now(cursor, topics, now=now)
    broker_names.end_groups(cursor, left, now=now)
    announce("names")
    announce("samples")
