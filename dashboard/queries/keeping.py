"""How long topics keep what a group has not read: settings, and how large records are where a size limit counts."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection

from collector.domain.lag import Pace
from collector.domain.retention import Keeps, by_size, by_time, keeps, sooner
from dashboard.queries.conditions import Behind


@dataclass(frozen=True, slots=True)
class Keeping:
    """What a topic keeps; `record_bytes` is the mean size of its newest tapped records, None where none is known."""

    keeps: Keeps
    record_bytes: float | None
    n_partitions: int


@dataclass(frozen=True, slots=True)
class Risk:
    """Seconds until the first unread event may be deleted, by age and by size. Infinity: never; None: unknown."""

    by_time: float | None
    by_size: float | None

    @property
    def seconds(self) -> float | None:
        """The sooner of the two."""
        return sooner(self.by_time, self.by_size)


def keeping(topic_ids: Collection[int] | None = None) -> dict[int, Keeping]:
    """By topic id; topics whose settings the broker did not tell are missing. One statement, two with size limits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, configs ->> 'cleanup.policy', configs ->> 'retention.ms', configs ->> 'retention.bytes',"
            " coalesce(n_partitions, 1) from topic where configs is not null and deleted_at is null"
            " and (%s::int[] is null or id = any(%s))",
            [None if topic_ids is None else list(topic_ids)] * 2,
        )
        found = {}
        for number, policy, milliseconds, size, n_partitions in cursor.fetchall():
            configs = {"cleanup.policy": policy, "retention.ms": milliseconds, "retention.bytes": size}
            if (kept := keeps(configs)) is not None:
                found[number] = (kept, n_partitions)
    sizes = record_bytes([number for number, (kept, _) in found.items() if kept.size_bytes is not None])
    return {number: Keeping(kept, sizes.get(number), n) for number, (kept, n) in found.items()}


def record_bytes(topic_ids: Collection[int]) -> dict[int, float]:
    """Mean size of the newest tapped records, up to a hundred of the first partition. One statement."""
    if not topic_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select n.id, avg(r.size_bytes)::float8 from unnest(%s::int[]) n (id) cross join lateral"
            " (select size_bytes from record where topic_id = n.id and kafka_partition = 0"
            "   order by kafka_offset desc limit 100) r group by 1",
            [list(topic_ids)],
        )
        return dict(cursor.fetchall())


def risk(behind: Behind | None, pace: Pace, kept: Keeping | None) -> Risk | None:
    """When a group on a topic loses unread data at this pace; None where the topic's settings are unknown.

    A group that keeps up, or has nothing to read, loses nothing.
    """
    if kept is None:
        return None
    if behind is None or behind.lag == 0 or behind.verdict == "OK":
        never = float("inf")
        return Risk(never, never) if behind is not None else Risk(None, None)
    n = kept.n_partitions
    unread = None if behind.lag is None else round(behind.lag / n)
    each = Pace(
        None if pace.produced is None else pace.produced / n, None if pace.consumed is None else pace.consumed / n
    )
    limit = kept.keeps.size_bytes
    if limit is None:
        of_size: float | None = by_size(unread, each, keeps_offsets=None)
    elif kept.record_bytes:
        of_size = by_size(unread, each, keeps_offsets=limit / kept.record_bytes)
    else:
        of_size = None
    return Risk(by_time(behind.lag_seconds, pace, keeps_seconds=kept.keeps.seconds), of_size)
