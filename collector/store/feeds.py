"""Topics of the observed cluster that can be tapped, as the sampler found them."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

DEAD_LETTER, INTERNAL = 1, 3  # as stored in topic.role


@dataclass(frozen=True, slots=True)
class Feed:
    """A living topic that the broker confirmed."""

    topic_id: int
    name: str
    kafka_id: UUID
    n_partitions: int
    holds_dead_letters: bool
    had_dead_letters: bool = False  # some that came from it


def feeds(cluster_id: int) -> list[Feed]:
    """All topics of the cluster but internal ones. Asked for each second or two.

    The order makes Postgres look the first letter of a topic up: where many letters come from one topic it would
    otherwise read all of them for each topic that none came from.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, name, kafka_id, n_partitions, role = %s,"
            " (select x.origin_topic_id from dead_letter x where x.origin_topic_id = topic.id"
            "  order by x.origin_topic_id, x.origin_partition, x.origin_offset limit 1) is not null"
            " from topic where cluster_id = %s"
            " and deleted_at is null and kafka_id is not null and n_partitions is not null and role <> %s"
            " order by name",
            [DEAD_LETTER, cluster_id, INTERNAL],
        )
        return [Feed(*row) for row in cursor.fetchall()]
