"""What a partition holds, by the broker's last answer: for whoever asks for an event that was not seen."""

from dataclasses import dataclass

from django.db import connection

from collector.domain.texts import storable


@dataclass(frozen=True, slots=True)
class Held:
    """Offsets of the oldest event that Kafka still has, and of the newest. `newest` < `oldest`: it is empty."""

    oldest: int
    newest: int


def held(cluster: str, topic: str, partition: int) -> Held | None:
    """None where the broker did not tell, or knows no such partition. One statement."""
    if not 0 <= partition < 2**31 - 1:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "select n.low[%(number)s], n.high[%(number)s] - 1 from topic_now n join topic t on t.id = n.topic_id"
            " join cluster c on c.id = t.cluster_id"
            " where c.name = %(cluster)s and t.name = %(topic)s and t.deleted_at is null",
            {"number": partition + 1, "cluster": storable(cluster), "topic": storable(topic)},
        )
        row = cursor.fetchone()
    return None if row is None or row[0] is None or row[1] is None else Held(*row)
