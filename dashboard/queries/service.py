"""One service: what it takes in, sends out and gets wrong, how long that takes, and under which version."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from collector.domain import identities
from collector.domain.texts import storable
from dashboard.queries import graph
from dashboard.queries.catalogue import TopicName
from dashboard.queries.conditions import Behind, Health
from dashboard.queries.coverage import coverage
from dashboard.queries.edges import BUCKET, CONSUME, PRODUCE, floor
from dashboard.queries.failure_groups import FailureGroup, failure_groups_of
from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Edge, Facts, facts
from dashboard.queries.keeping import record_bytes
from dashboard.queries.latencies import Latency
from dashboard.queries.readers import Share
from dashboard.queries.service_versions import Comparison, Took, VersionRow, comparison, version_rows
from dashboard.queries.services import IDLE, failed_share, open_letters
from dashboard.queries.window import Window

MOST_FAILURES = 10
MOST_SIDES = 200  # topics that it reads, and that it writes
LEAST_SILENCE = timedelta(minutes=2)
SILENT_TIMES = 20  # the usual time between two events
_UNTIMED = Latency(None, None, None, None)
_LEAST_USUAL = 20  # events that a usual pace is told from


@dataclass(frozen=True, slots=True)
class Side:
    """One topic that the service reads or writes. `edge` is None where nothing was seen of it in the window."""

    topic: TopicName
    group: str
    edge: Edge | None
    behind: Behind | None
    latency: Latency
    n_dead_letters: int
    record_bytes: float | None

    @property
    def bytes_per_second(self) -> float | None:
        """About: the rate, times the mean size of the topic's newest tapped records."""
        return None if self.rate is None or self.record_bytes is None else self.rate * self.record_bytes

    @property
    def rate(self) -> float | None:
        """Messages per second over the last minute."""
        return self.edge.rate if self.edge else None

    @property
    def messages(self) -> int | None:
        """In the window."""
        return self.edge.messages if self.edge else None

    @property
    def failed(self) -> float | None:
        """Share of its messages that failed."""
        return failed_share([self.edge]) if self.edge else None


@dataclass(frozen=True, slots=True)
class Silence:
    """No event since `last_at`; `usual_seconds` between two events over the day before, None where too few came."""

    last_at: datetime | None
    usual_seconds: float | None

    def is_odd(self, *, now: datetime) -> bool:
        """Whether it lasts much longer than usual, and two minutes at least."""
        if self.last_at is None or self.usual_seconds is None:
            return False
        return now - self.last_at > max(LEAST_SILENCE, timedelta(seconds=SILENT_TIMES * self.usual_seconds))


@dataclass(frozen=True, slots=True)
class ServicePage:
    """All facts of one service. Rates are of what spans say; `took` over all that it read in the window.

    `reads` and `writes`: the 200 busiest topics of each, of `n_reads` and `n_writes` in all.

    `coverage`: how much of what its groups committed has spans; None where no group of it is known. `failures`: at most
    ten of those that its groups had; `n_dead_letters` are open of all.
    """

    number: int
    id: str
    name: str
    namespace: str
    health: Health
    rate_in: float | None
    rate_out: float | None
    failed: float | None
    reads: tuple[Side, ...]
    n_reads: int
    writes: tuple[Side, ...]
    n_writes: int
    took: Took
    versions: tuple[VersionRow, ...]
    comparison: Comparison | None
    failures: tuple[FailureGroup, ...]
    n_dead_letters: int
    first_at: datetime
    silence: Silence
    coverage: Share | None
    is_silent: bool
    freshness: Freshness

    @property
    def running(self) -> tuple[VersionRow, ...]:
        """The versions that run, the newest first."""
        return tuple(row for row in self.versions if row.is_running)

    @property
    def last_at(self) -> datetime | None:
        """When it last sent any span, to about a minute."""
        return max((row.version.last_at for row in self.versions), default=None)

    @property
    def reads_estimated(self) -> bool:
        """Whether the rate of what it reads is told from sampled spans."""
        return any(side.edge.estimated for side in self.reads if side.edge)

    @property
    def writes_estimated(self) -> bool:
        """The same of what it writes."""
        return any(side.edge.estimated for side in self.writes if side.edge)

    @property
    def sampled_share(self) -> float | None:
        """The smallest share of its spans that is kept of any edge; None where nothing says that any are dropped."""
        shares = (side.edge.sampled_share for side in (*self.reads, *self.writes) if side.edge)
        return min((share for share in shares if share is not None), default=None)


def number_of(name: str) -> tuple[int, datetime, str, str] | None:
    """Number, first sighting, namespace and name of the service that an address names, or None. One statement."""
    found = identities.parts(f"service:{name}")
    if found is None:
        return None
    namespace, own = ("", *found[1])[-2:]
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, first_at, namespace, name from service where id > 0 and namespace = %s and name = %s",
            [storable(namespace), storable(own)],
        )
        row: tuple[int, datetime, str, str] | None = cursor.fetchone()
    return row


def service(name: str, window: Window, *, now: datetime) -> ServicePage | None:
    """Facts of the service that an address names, or None. Seventeen statements, one more for who writes."""
    found = number_of(name)
    if found is None:
        return None
    number, first_at, namespace, own = found
    known = facts(window, now=now)
    drawn = graph.drawn(known, idle=True)
    identity = identities.service_id(namespace, own)
    node = next((node for node in drawn.nodes if node.id == identity), None)
    edges = [edge for edge in drawn.edges if identity in {edge.source, edge.target}]
    pairs = _pairs(number)
    sides = _sides(pairs, edges, number, known)
    reads = tuple(side for kind, side in sides if kind == CONSUME)
    writes = tuple(side for kind, side in sides if kind != CONSUME)
    versions, took = version_rows(number, window, now=now)
    silence = _silence(number, until=window.to_at)
    fresh = known.fresh.only({side.topic.cluster for _, side in sides} or None)
    return ServicePage(
        number,
        identity,
        own,
        namespace,
        Health(node.health, node.sentence) if node else IDLE,
        node.rate_in if node else None,
        node.rate_out if node else None,
        failed_share(edges),
        reads[:MOST_SIDES],
        len(reads),
        writes[:MOST_SIDES],
        len(writes),
        took,
        versions,
        comparison(versions),
        failure_groups_of({group for _, _, group in pairs if group}, limit=MOST_FAILURES),
        open_letters(None, only=number).get(number, 0),
        first_at,
        silence,
        coverage(known).get(number),
        window.live and not fresh.fold_delayed and silence.is_odd(now=now),
        fresh,
    )


def _pairs(service_id: int) -> tuple[tuple[int, int, int | None], ...]:
    """Kind, topic and group of all that it ever read or wrote. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct e.kind, e.topic_id, coalesce(e.group_id, h.group_id) from edge e left join group_hint h"
            " on e.kind = 2 and h.service_id = e.service_id and h.topic_id = e.topic_id where e.service_id = %s",
            [service_id],
        )
        return tuple(cursor.fetchall())


def _sides(
    pairs: Sequence[tuple[int, int, int | None]], edges: Sequence[Edge], number: int, known: Facts
) -> list[tuple[int, Side]]:
    """The busiest first. Topics that are gone, and Weir's own, are left out. One statement, none for who only reads."""
    names, found = known.names, []
    sizes = record_bytes({topic_id for kind, topic_id, _ in pairs if kind == PRODUCE})
    by_ends = {_ends(edge): edge for edge in edges}
    for kind, topic_id, group_id in pairs:
        topic = names.topics.get(topic_id)
        if topic is None or topic.role == "internal":
            continue
        group = names.groups.get(group_id) if group_id else None
        ends = (topic.id, group.id if group else None)
        edge = by_ends.get((kind, *ends))
        side = Side(
            topic,
            group.name if group else "",
            edge,
            names.behind(topic_id, group_id),
            known.spent.get((kind, number, group_id, topic_id), _UNTIMED),
            names.open_letters.get(topic_id, 0),
            sizes.get(topic_id),
        )
        found.append((kind, side))
    return sorted(found, key=lambda each: (-(each[1].edge.messages or 0) if each[1].edge else 1, each[1].topic.id))


def _ends(edge: Edge) -> tuple[int, str, str | None]:
    return (CONSUME, edge.source, edge.group) if edge.kind == "consume" else (PRODUCE, edge.target, None)


def _silence(service_id: int, *, until: datetime) -> Silence:
    """When it last read or wrote, and how often it used to. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST, {"service": service_id, "to": until, "tens": floor(until, BUCKET)})
        last_at, n, since = cursor.fetchone()
    if last_at is None or n is None or n < _LEAST_USUAL:
        return Silence(last_at, None)
    return Silence(last_at, (last_at - since).total_seconds() / int(n) or None)


_LAST = """
    with own as (select id from edge where service_id = %(service)s),
    last as (
      select max(at) at from (
        select (select bucket_at from edge_1m where edge_id = own.id and bucket_at < %(to)s and n > 0
          order by bucket_at desc limit 1) at from own
        union all
        select r.bucket_at from own cross join generate_series(0, 17) s(number)
          join edge_10s r on r.edge_id = own.id and r.bucket_at = %(tens)s - s.number * interval '10 s' and r.n > 0
      ) b
    )
    select last.at, sum(r.n), min(r.bucket_at) from last left join edge_1h r on r.edge_id in (select id from own)
      and r.bucket_at <= last.at and r.bucket_at > last.at - interval '24 h' and r.n > 0
    group by last.at
"""
