"""Which cluster a topic belongs to: by Kafka's own id, by token, by where there is such a topic."""

from django.db import connection

UNKNOWN = 0  # the cluster "?"


def known() -> tuple[dict[str, int], tuple[int, ...]]:
    """Kafka's id -> our id, and the ids of all clusters save "?"."""
    with connection.cursor() as cursor:
        cursor.execute("select id, kafka_cluster_id from cluster where id <> 0 order by id")
        rows = cursor.fetchall()
    return {kafka_id: number for number, kafka_id in rows if kafka_id}, tuple(number for number, _ in rows)


def named_by_spans(kafka_cluster_id: str) -> int:
    """Id of the row of a cluster that no configuration names; its Kafka id is its name until somebody gives one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into cluster (name, kafka_cluster_id) values (%s, %s) on conflict do nothing",
            [kafka_cluster_id, kafka_cluster_id],
        )
        cursor.execute("select id from cluster where kafka_cluster_id = %s", [kafka_cluster_id])
        row = cursor.fetchone()
    return UNKNOWN if row is None else int(row[0])


def of_tokens() -> dict[str, int]:
    """Public id of a token -> its default cluster, for those that have one."""
    with connection.cursor() as cursor:
        cursor.execute("select public_id, cluster_id from token where cluster_id is not null")
        return dict(cursor.fetchall())


def that_have(topics: list[str]) -> dict[str, int]:
    """Topic -> its cluster, for topics that exactly one known cluster has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select name, min(cluster_id) from topic where name = any(%s) and deleted_at is null and cluster_id <> 0"
            " group by name having count(*) = 1",
            [topics],
        )
        return dict(cursor.fetchall())
