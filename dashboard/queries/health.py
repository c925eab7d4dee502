"""Whether Weir itself keeps up: what each part last said of itself."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from dashboard.queries.clusters import scope
from dashboard.queries.freshness import LATE, Freshness, freshness

MOST_DROPS = 10
MOST_FOLDED = 20
MOST_KEPT_SHARE = 0.8  # of the disk budget (collector.store.budget)
STOPPED = ""  # the instance of the row that tells when one of a part stopped in order (collector.store.reports)
ENDS_SOON = timedelta(days=14)
CHECKED_EVERY = timedelta(minutes=1)  # the disk, by the schedule of the worker
FOLDED_KINDS = {  # as collector.store.guard numbers them
    1: "services",
    2: "versions",
    3: "instances",
    4: "topics",
    5: "groups",
    6: "span names",
    7: "attribute sets",
    8: "edges",
    9: "client ids",
    10: "clusters",
}
PARTS = ("receive", "collect", "fold", "sample", "worker", "web")
MEANS = {
    "receive": "Traces are refused while it is down; services keep and resend them for a while.",
    "collect": "What came in waits in Kafka; every page lags behind.",
    "fold": "The graph, rates and counts from spans stand still.",
    "sample": "Rates, lag and offsets on Overview, Topics and Topic stand still.",
    "worker": "Retries are accepted and not sent; their outcomes are not noticed.",
    "web": "Pages do not update by themselves.",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One process of Weir. `state` is ok, failing, delayed or missing."""

    name: str
    instance: str
    state: str
    at: datetime | None
    sentence: str
    limit_seconds: float | None
    meaning: str
    numbers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """What the last scans of a cluster brought. `state` as in queries.clusters."""

    name: str
    state: str
    last_ok_at: datetime | None
    last_failure: str
    n_topics: int | None
    n_groups: int | None
    wall_ms: int | None


@dataclass(frozen=True, slots=True)
class Drop:
    """Data that went because of its age or the disk budget."""

    at: datetime
    kind: str
    reason: str
    from_at: datetime
    to_at: datetime
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Disk:
    """What the last look at the disk found, each minute. `budget_bytes` None: none was set."""

    checked_at: datetime
    budget_bytes: int | None
    used_bytes: int
    kept_bytes: int
    problem: str
    drops: tuple[Drop, ...]


@dataclass(frozen=True, slots=True)
class Folded:
    """Names that were not kept apart in the last day, because one owner brought too many. `n` since `first_at`."""

    kind: str
    owner: str
    example: str
    n: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class EndingToken:
    """A token that is used, and ends within two weeks."""

    public_id: str
    kind: str
    name: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class HealthPage:
    """Everything on the Health page; `sentence` is the answer to "does Weir keep up?".

    `n_unpaired`: deliveries whose producer was not found, since the install.
    """

    ok: bool
    sentence: str
    parts: tuple[Part, ...]
    clusters: tuple[ClusterHealth, ...]
    database_bytes: int
    n_waiting_batches: int
    n_undecodable_hour: int
    n_gaps_day: int
    n_repeated: int
    n_unpaired: int
    freshness: Freshness
    disk: Disk | None
    folded: tuple[Folded, ...]
    ending: tuple[EndingToken, ...]


def health(*, now: datetime) -> HealthPage:
    """State of all parts. Ten statements."""
    fresh = freshness(now=now)
    found = parts(now)
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_database_size(current_database()), n_waiting, n_repeated, n_unpaired_dropped,"
            " (select coalesce(sum(n_undecodable), 0)::bigint from batch where stored_at > %s),"
            " (select count(*) from intake_gap where noticed_at > %s)"
            " from fold_state",
            [now - timedelta(hours=1), now - timedelta(days=1)],
        )
        size, waiting, repeated, unpaired, undecodable, gaps = cursor.fetchone()
        cursor.execute(
            "select max(stored_at), coalesce(sum(n_spans), 0), (select min(stored_at) from batch)"
            " from batch where stored_at > %s",
            [now - timedelta(minutes=1)],
        )
        newest, n_spans, first = cursor.fetchone()
    bad, clusters = [part for part in found if part.state != "ok"], _clusters(now)
    silent = [each for each in clusters if each.state == "silent"]
    others = [part for part in bad if not _waits_for(part, {each.name for each in silent})]
    disk = _disk()
    problem = " ".join(filter(None, (_standstill(disk, first, now), disk.problem if disk else "")))
    said = (
        problem if problem and not others else _sentence(others, fresh.only(_answering(clusters)), newest, n_spans, now)
    )
    return HealthPage(
        not bad and not fresh.delayed and not problem,
        " ".join([*map(_silence, silent), said]),
        found,
        clusters,
        size,
        waiting,
        undecodable,
        gaps,
        repeated,
        unpaired,
        fresh,
        disk,
        _folded(now),
        _ending(now),
    )


def _waits_for(part: Part, silent: set[str]) -> bool:
    """Whether nothing is wrong with a part but that clusters do not answer."""
    waits_for = part.numbers.get("waits_for")
    return part.state == "failing" and isinstance(waits_for, list) and bool(waits_for) and silent.issuperset(waits_for)


def _answering(clusters: Iterable[ClusterHealth]) -> set[str]:
    return {each.name for each in clusters if each.state != "silent"}


def _silence(cluster: ClusterHealth) -> str:
    since = f" not answered since {cluster.last_ok_at:%H:%M:%S} UTC." if cluster.last_ok_at else " never answered."
    return f"Cluster {cluster.name} has{since}"


def _standstill(disk: Disk | None, first: datetime | None, now: datetime) -> str:
    """What the schedule asks for each minute was not done; "" where it was. The schedule itself reports nothing.

    `first`: when the oldest batch that is known was stored; the schedule should have begun by then.
    """
    since = disk.checked_at if disk else first
    if since is None or now - since <= LATE * CHECKED_EVERY:
        return ""
    minutes = round((now - since) / timedelta(minutes=1))
    last = f"was last done {minutes:,} min ago" if disk else f"was never done, in {minutes:,} min"
    return f"What is done each minute {last}. Start beat, or see what holds up the worker."


def _disk() -> Disk | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select checked_at, budget_bytes, used_bytes, kept_bytes,"
            " concat_ws(' ', nullif(d.problem, ''), nullif(a.problem, ''))"
            " from disk_check d left join age_check a on true"
        )
        row = cursor.fetchone()
        if row is None:
            return None
        cursor.execute(
            "select at, kind, reason, from_at, to_at, n_bytes from dropped_data order by at desc, id desc limit %s",
            [MOST_DROPS],
        )
        drops = tuple(Drop(*drop) for drop in cursor.fetchall())
        checked_at, budget_bytes, used_bytes, kept_bytes, problem = row
        return Disk(checked_at, budget_bytes, used_bytes, kept_bytes, problem, drops)


def kept_too_much() -> str:
    """Why nothing more can be kept for good, as the last check of the disk budget said; "" where it can."""
    with connection.cursor() as cursor:
        cursor.execute("select problem from disk_check where kept_bytes > budget_bytes * %s", [MOST_KEPT_SHARE])
        row = cursor.fetchone()
    return row[0] if row else ""


def _folded(now: datetime) -> tuple[Folded, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select f.kind,"
            " coalesce(case when f.kind = 3 then vs.name when f.kind = 5 then c.name else s.name end, ''),"
            " f.example, f.n, f.first_at, f.last_at from folded_name f"
            " left join service s on s.id = f.owner_id and f.owner_id > 0"
            " left join service_version v on v.id = f.owner_id left join service vs on vs.id = v.service_id"
            " left join cluster c on c.id = f.owner_id where f.last_at > %s order by f.n desc limit %s",
            [now - timedelta(days=1), MOST_FOLDED],
        )
        return tuple(Folded(FOLDED_KINDS.get(kind, "names"), *rest) for kind, *rest in cursor.fetchall())


def _ending(now: datetime) -> tuple[EndingToken, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select public_id, kind, name, expires_at from token where expires_at > %(now)s and expires_at <= %(soon)s"
            " and revoked_at is null and last_used_at > %(now)s - interval '30 days' order by expires_at limit 20",
            {"now": now, "soon": now + ENDS_SOON},
        )
        return tuple(EndingToken(*row) for row in cursor.fetchall())


def _sentence(bad: list[Part], fresh: Freshness, newest: datetime | None, n_spans: int, now: datetime) -> str:
    if not bad and fresh.delayed:
        late = [word for word, is_late in (("counting", fresh.fold_delayed), ("scans", fresh.scan_delayed)) if is_late]
        return f"Weir does not keep up: {' and '.join(late)} late."
    if bad:
        names = ", ".join(sorted({part.name for part in bad}))
        return f"Weir does not keep up: {names}."
    if newest is None:
        return "Weir keeps up: nothing came in during the last minute."
    pace, age = n_spans / 60, max(0.0, (now - newest).total_seconds())
    return f"Weir keeps up: {pace:,.{0 if pace >= 10 else 1}f} spans/s in (last 60 s), newest stored {age:.1f} s ago."


def parts(now: datetime) -> tuple[Part, ...]:
    """What each process of Weir last said of itself, and those that say nothing. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select part, instance, at, every_seconds, ok, sentence, value from part_report where at > %s"
            " order by part, at desc",
            [now - timedelta(hours=1)],
        )
        rows = cursor.fetchall()
    found = [_part(*row, now=now) for row in rows if row[1] != STOPPED]
    stopped = {part: at for part, instance, at, *_ in rows if instance == STOPPED}
    alive = {part.name for part in found if part.state in {"ok", "failing"}}
    shown = [part for part in found if part.state in {"ok", "failing"} or part.name not in alive]
    silent = [name for name in PARTS if name not in {part.name for part in shown}]
    shown += [_missing(name, stopped.get(name)) for name in silent]
    return tuple(sorted(shown, key=lambda part: (PARTS.index(part.name) if part.name in PARTS else 99, part.instance)))


def is_working(now: datetime) -> bool:
    """Whether a worker runs that could take something up. One statement."""
    return any(part.name == "worker" and part.state in {"ok", "failing"} for part in parts(now))


def _missing(name: str, stopped_at: datetime | None) -> Part:
    said = "was stopped" if stopped_at else "has not reported in the last hour"
    return Part(name, "", "missing", stopped_at, said, None, MEANS[name], {})


def _part(
    name: str,
    instance: str,
    at: datetime,
    every_seconds: float,
    ok: bool,  # noqa: FBT001
    sentence: str,
    value: str,  # jsonb comes as text on Django's connections
    *,
    now: datetime,
) -> Part:
    limit = LATE * every_seconds
    state = "delayed" if now - at > timedelta(seconds=limit) else "ok" if ok else "failing"
    return Part(name, instance, state, at, sentence, limit, MEANS.get(name, ""), json.loads(value))


def _clusters(now: datetime) -> tuple[ClusterHealth, ...]:
    states = {each.name: each.state for each in scope((), now=now).clusters}
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.name, good.sampled_at, coalesce(bad.reason, ''), good.n_topics, good.n_groups, good.wall_ms"
            " from cluster c"
            " left join lateral (select sampled_at, n_topics, n_groups, wall_ms from scan s where s.cluster_id = c.id"
            "   and s.ok order by sampled_at desc limit 1) good on true"
            " left join lateral (select reason from scan s where s.cluster_id = c.id and not s.ok"
            "   and s.sampled_at > coalesce(good.sampled_at, '-infinity') order by sampled_at desc limit 1) bad on true"
            " where c.is_observed order by 1"
        )
        return tuple(ClusterHealth(name, states.get(name, "new"), *rest) for name, *rest in cursor.fetchall())
