"""Which of these events are dead letters."""

from collections.abc import Iterable

from django.db import connection

Address = tuple[str, str, int, int]
"""Cluster, topic, partition, offset."""


def letters_at(addresses: Iterable[Address]) -> dict[Address, int]:
    """Number of the dead letter at each address that is one. One statement."""
    wanted = sorted(set(addresses))
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.name, t.name, d.kafka_partition, d.kafka_offset, d.id"
            " from unnest(%s::text[], %s::text[], %s::int[], %s::bigint[]) w (cluster, topic, partition, kafka_offset)"
            " join cluster c on c.name = w.cluster join topic t on t.cluster_id = c.id and t.name = w.topic"
            "   and t.deleted_at is null"
            " join dead_letter d on d.topic_id = t.id and d.kafka_partition = w.partition"
            "   and d.kafka_offset = w.kafka_offset",
            [list(column) for column in zip(*wanted, strict=True)],
        )
        return {(row[0], row[1], row[2], row[3]): row[4] for row in cursor.fetchall()}
