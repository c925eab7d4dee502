"""A small observed world, written straight into the tables, for tests of the read side."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection


class World:
    """Names on demand, samples and rollups at given times. Everything in one cluster."""

    def __init__(self, at: datetime, cluster: str = "demo") -> None:
        self.at = at
        self.cluster = self._one("insert into cluster (name) values (%s) returning id", cluster)
        self._run("update fold_state set as_of = %s, ran_at = %s", at, at)

    def topic(self, name: str, *, role: int = 0, first_at: datetime | None = None) -> int:
        return self._one(
            "insert into topic (cluster_id, name, role, n_partitions, first_at)"
            " values (%s, %s, %s, 2, %s) returning id",
            self.cluster, name, role, first_at or self.at - timedelta(days=1),
        )  # fmt: skip

    def group(self, name: str) -> int:
        return self._one(
            "insert into consumer_group (cluster_id, name) values (%s, %s) returning id", self.cluster, name
        )

    def service(self, name: str) -> int:
        return self._one("insert into service (name) values (%s) returning id", name)

    def edge(self, kind: int, service: int, topic: int, group: int | None = None) -> int:
        return self._one(
            "insert into edge (kind, service_id, topic_id, group_id) values (%s, %s, %s, %s) returning id",
            kind, service, topic, group,
        )  # fmt: skip

    def counted(
        self,
        edge: int,
        n: int,
        *,
        ago: float,
        errors: int = 0,
        evidence: int = 1,
        table: str = "edge_10s",
        more: float = 0.0,
    ) -> None:
        step = {"edge_10s": 10, "edge_1m": 60, "edge_1h": 3600}[table]
        bucket = datetime.fromtimestamp((self.at.timestamp() - ago) // step * step, self.at.tzinfo)
        self._run(
            f"insert into {table} (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence, sample_weight)"
            " values (%s, %s, %s, %s, 1, %s, %s, %s)", bucket, edge, n, errors, n, evidence, more,
        )  # fmt: skip

    def scanned(self, *, ago: float, ok: bool = True) -> None:
        self._run(
            "insert into scan (cluster_id, sampled_at, ok, n_topics, n_groups, wall_ms) values (%s, %s, %s, 1, 1, 5)",
            self.cluster, self._ago(ago), ok,
        )  # fmt: skip

    def watermarks(
        self, topic: int, high: list[int | None], *, ago: float, low: list[int | None] | None = None
    ) -> None:
        low = low if low is not None else [0] * len(high)
        self._run("insert into topic_sample values (%s, %s, %s, %s)", self._ago(ago), topic, high, low)
        self._run(
            "insert into topic_now values (%s, %s, %s, %s) on conflict (topic_id) do update"
            " set sampled_at = excluded.sampled_at, high = excluded.high, low = excluded.low",
            topic, self._ago(ago), high, low,
        )  # fmt: skip

    def committed(self, topic: int, group: int, offsets: list[int | None], *, ago: float, lag: int = 0) -> None:
        self._run("insert into group_sample values (%s, %s, %s, %s)", self._ago(ago), topic, group, offsets)
        self._run(
            "insert into group_now (topic_id, group_id, sampled_at, committed, lag, verdict)"
            " values (%s, %s, %s, %s, %s, 'OK') on conflict (topic_id, group_id) do update"
            " set sampled_at = excluded.sampled_at, committed = excluded.committed, lag = excluded.lag",
            topic, group, self._ago(ago), offsets, lag,
        )  # fmt: skip

    def hint(self, service: int, topic: int, group: int) -> None:
        self._run("insert into group_hint values (%s, %s, %s, 4, %s)", service, topic, group, self.at)

    def _ago(self, seconds: float) -> datetime:
        return self.at - timedelta(seconds=seconds)

    def _one(self, sql: str, *values: Any) -> int:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return int(cursor.fetchone()[0])

    def _run(self, sql: str, *values: str | int | float | bool | datetime | UUID | list[int | None] | None) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
