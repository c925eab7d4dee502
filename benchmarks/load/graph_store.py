"""Writes a service graph into a real store, as folder and sampler leave it, and keeps it alive second by second.

One reader in eight sends no spans and is known by its offsets alone. Of the readings 2 % stand still, 3 % are slow, 2 %
fail on one event in ten; one dead-letter topic in two holds open dead letters. The same each time.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from benchmarks.load.graphs import Wiring
from collector.domain import histograms

MINUTES = 15
_STEP = timedelta(seconds=10)
_UNTRACED, _STALLED, _SLOW, _FAILING = 0.125, 0.02, 0.03, 0.02
_PARTITIONS = 2
_CLUSTER, _ROLES = "prod", {"business": 0, "dead_letter": 1}


@dataclass(frozen=True)
class Flow:
    """One edge that flows: its number in the store, None for a reader without spans, and how it does."""

    edge: int | None
    topic: int
    group: int | None
    a_step: int
    failing: bool = False
    verdict: str = "OK"


@dataclass
class Store:
    """What was written, and what goes on being written."""

    cluster: int = 0
    topics: dict[str, int] = field(default_factory=dict)
    flows: list[Flow] = field(default_factory=list)
    high: dict[int, int] = field(default_factory=dict)
    committed: dict[tuple[int, int], int] = field(default_factory=dict)
    told_until: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    def pulse(self, now: datetime) -> None:
        """What happened up to `now`: counts in steps of ten seconds, one sample of the brokers."""
        begun = max(self.told_until, now - timedelta(minutes=MINUTES))
        steps = _steps(begun, now)
        for at in steps:
            self._count(at)
        if steps:
            self.told_until = steps[-1] + _STEP
        self._sample(now)
        _run("update fold_state set as_of = %s, ran_at = %s, seq = seq + 1", now, now)

    def _count(self, at: datetime) -> None:
        rows = [
            (at, flow.edge, flow.a_step, flow.a_step // 10 if flow.failing else 0, flow.a_step)
            for flow in self.flows
            if flow.edge is not None and flow.a_step
        ]
        _many(
            "insert into edge_10s (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence)"
            " values (%s, %s, %s, %s, 1, %s, 1) on conflict do nothing",
            rows,
        )
        for flow in self.flows:
            if flow.group is None:
                self.high[flow.topic] = self.high.get(flow.topic, 0) + flow.a_step
        for flow in self.flows:
            if flow.group is not None and flow.verdict != "STALLED":
                self.committed[flow.topic, flow.group] = self.high.get(flow.topic, 0)

    def _sample(self, now: datetime) -> None:
        halves = [(topic, [high // 2, high - high // 2]) for topic, high in sorted(self.high.items())]
        _many("insert into topic_sample values (%s, %s, %s, %s)", [(now, t, h, [0, 0]) for t, h in halves])
        _many(
            "insert into topic_now (topic_id, sampled_at, high, low) values (%s, %s, %s, %s) on conflict (topic_id)"
            " do update set sampled_at = excluded.sampled_at, high = excluded.high",
            [(t, now, h, [0, 0]) for t, h in halves],
        )
        verdicts = {(flow.topic, flow.group): flow.verdict for flow in self.flows if flow.group is not None}
        rows, standing = [], []
        for (topic, group), offset in sorted(self.committed.items()):
            offsets, lag = [offset // 2, offset - offset // 2], self.high.get(topic, 0) - offset
            verdict = verdicts[topic, group]
            behind = lag + (4_000 if verdict == "SLOW" else 0)
            rows.append((now, topic, group, offsets))
            standing.append((topic, group, now, offsets, behind, behind / 40, verdict, now - timedelta(minutes=3)))
        _many("insert into group_sample values (%s, %s, %s, %s)", rows)
        _many(
            "insert into group_now (topic_id, group_id, sampled_at, committed, lag, lag_seconds, verdict, verdict_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict (topic_id, group_id) do update set"
            " sampled_at = excluded.sampled_at, committed = excluded.committed, lag = excluded.lag,"
            " lag_seconds = excluded.lag_seconds",
            standing,
        )
        _run("insert into scan values (%s, %s, true, %s, 1, 5, '')", self.cluster, now, len(self.high))


def filled(wired: Wiring, *, now: datetime, seed: int = 7) -> Store:
    """The graph's names, and the last 15 minutes of its traffic."""
    dice = random.Random(seed)
    store = Store(cluster=_one("insert into cluster (name) values (%s) returning id", _CLUSTER))
    first_at = now - timedelta(days=9)
    for party in wired.topics:
        role = _ROLES["dead_letter" if party.name in wired.dead_letters else "business"]
        store.topics[party.name] = _one(
            "insert into topic (cluster_id, name, role, n_partitions, first_at) values (%s, %s, %s, %s, %s)"
            " returning id", store.cluster, party.name, role, _PARTITIONS, first_at,
        )  # fmt: skip
    services = {party.name: _service(party.name, first_at) for party in wired.services}
    rates = {name: max(1, int(10 ** dice.uniform(0, 3.2))) for name in store.topics}
    for service, topic in wired.writes:
        n_writers = sum(each == topic for _, each in wired.writes)
        number = _edge(1, services[service], store.topics[topic], None)
        store.flows.append(Flow(number, store.topics[topic], None, max(1, rates[topic] // n_writers)))
    for topic, service in wired.reads:
        store.flows.append(_reading(store.topics[topic], service, services[service], rates[topic], store, dice))
    at = now - timedelta(minutes=MINUTES)
    while at < now:
        at = min(now, at + timedelta(seconds=30))
        store.pulse(at)
    _latencies(store, now, dice)
    _letters(wired, store, now, dice)
    return store


def _reading(topic: int, name: str, service: int, rate: int, store: Store, dice: random.Random) -> Flow:
    chance = dice.random()
    verdict = "STALLED" if chance < _STALLED else "SLOW" if chance < _STALLED + _SLOW else "OK"
    traced = dice.random() >= _UNTRACED
    group = _one(
        "insert into consumer_group (cluster_id, name, state) values (%s, %s, 'Stable') on conflict (cluster_id, name)"
        " do update set state = excluded.state returning id", store.cluster, name if traced else f"{name}.audit",
    )  # fmt: skip
    number = _edge(2, service, topic, group) if traced else None
    store.committed[topic, group] = 0
    n = 0 if verdict == "STALLED" else rate
    return Flow(number, topic, group, n, failing=dice.random() < _FAILING, verdict=verdict)


def _latencies(store: Store, now: datetime, dice: random.Random) -> None:
    rows = []
    for flow in store.flows:
        if flow.edge is None or flow.group is None:
            continue
        wait, work = 10 ** dice.uniform(0.3, 3), 10 ** dice.uniform(0, 2.5)
        bodies = [
            histograms.encoded(histograms.counted(middle * dice.lognormvariate(0, 0.6) for _ in range(60)))
            for middle in (wait, work)
        ]
        for minutes in (2, 8):
            at = (now - timedelta(minutes=minutes)).replace(second=0, microsecond=0)
            rows.append((at, flow.edge, flow.a_step, flow.a_step, flow.a_step, 60, *bodies))
    _many(
        "insert into edge_1m (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence, n_wait, wait,"
        " processing) values (%s, %s, %s, 0, %s, %s, 1, %s, %s, %s)",
        rows,
    )


def _letters(wired: Wiring, store: Store, now: datetime, dice: random.Random) -> None:
    for number, topic in enumerate(sorted(wired.dead_letters)):
        if number % 2:
            continue
        group = _one(
            "insert into failure_group (title, first_at, last_at) values ('CardDeclined', %s, %s) returning id",
            now - timedelta(hours=2), now,
        )  # fmt: skip
        _run(
            "insert into failure_count (failure_group_id, topic_id, status, n) values (%s, %s, 0, %s)",
            group, store.topics[topic], dice.randrange(1, 900),
        )  # fmt: skip


def _service(name: str, first_at: datetime) -> int:
    return _one("insert into service (name, first_at) values (%s, %s) returning id", name, first_at)


def _edge(kind: int, service: int, topic: int, group: int | None) -> int:
    return _one(
        "insert into edge (kind, service_id, topic_id, group_id) values (%s, %s, %s, %s) returning id",
        kind, service, topic, group,
    )  # fmt: skip


def _steps(begun: datetime, until: datetime) -> Sequence[datetime]:
    """Whole steps of ten seconds that are over."""
    first = int(begun.timestamp() // 10) * 10
    return [datetime.fromtimestamp(at, UTC) for at in range(first, int(until.timestamp() // 10) * 10, 10)]


def _one(sql: str, *values: Any) -> int:  # noqa: ANN401
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.fetchone()[0])


def _run(sql: str, *values: Any) -> None:  # noqa: ANN401
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def _many(sql: str, rows: Iterable[Sequence[Any]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(sql, list(rows))
