"""What is wrong now, as facts: groups that fall behind, edges that fail, dead letters, silence, Weir itself."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

from django.db import connection

from collector.domain.dead_letters import LetterStatus
from collector.domain.lag import Pace
from dashboard.queries.catalogue import GroupName, TopicName
from dashboard.queries.conditions import Behind, Health, of_behind, of_failures
from dashboard.queries.edges import CONSUME, PRODUCE, TracedEdge
from dashboard.queries.failure_facts import Expiring, expiring
from dashboard.queries.graph import Facts
from dashboard.queries.health import Part, parts
from dashboard.queries.keeping import keeping, risk
from dashboard.queries.silence import SilentTopic, silent_topics

BAD = frozenset({"failing", "degraded"})
SOON_SECONDS = 86_400.0  # what is lost later is no news of today
INTAKE = frozenset({"receive", "collect", "fold", "sample"})
_LOOKED_BACK = timedelta(hours=24)
_AT_THE_RIM = timedelta(minutes=10)  # what began in the first minutes that are looked at may be older
NEW_WITHIN = timedelta(minutes=15)
MOST_NEW = 2_000  # newest letters that are looked at


@dataclass(frozen=True, slots=True)
class LateGroup:
    """A group that falls behind on a topic, or loses what it has not read. `growth`: offsets per second, above 0 worse.

    `loses_in_seconds` None: not within a day, or unknown. `seen_at`: when its broker was last seen.
    """

    group: GroupName
    topic: TopicName
    behind: Behind
    health: Health
    growth: float | None
    loses_in_seconds: float | None
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class FailingEdge:
    """A service that fails on too much of a topic. `since`: a day ago at most; None: it has stopped at `last_at`.

    `is_older`: so long ago that it may have begun before.
    """

    edge: TracedEdge
    topic: TopicName
    health: Health
    since: datetime | None
    last_at: datetime | None
    is_older: bool = False


@dataclass(frozen=True, slots=True)
class Letters:
    """Open dead letters of a dead-letter topic; `n_new` came within the last fifteen minutes.

    `is_capped`: more came, of all topics, than are looked at: `n_new` is at least so many, and 0 says nothing.
    """

    topic: TopicName
    n_open: int
    n_new: int
    first_at: datetime | None
    last_at: datetime | None
    is_capped: bool = False


@dataclass(frozen=True, slots=True)
class Noticed:
    """How often something happened lately, and when first."""

    n: int = 0
    first_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Troubles:
    """All of it. `undecodable`: records of the last hour; `gaps`: of the last day."""

    groups: tuple[LateGroup, ...]
    edges: tuple[FailingEdge, ...]
    letters: tuple[Letters, ...]
    silent: tuple[SilentTopic, ...]
    parts: tuple[Part, ...]
    undecodable: Noticed
    gaps: Noticed
    expiring: Expiring


def troubles(known: Facts, *, now: datetime) -> Troubles:
    """From the facts of a graph, and at most ten statements more. Of the past only what failed then is known."""
    if not known.window.live:
        then = known.window.to_at
        return Troubles((), _failing(known, now=then), (), (), (), Noticed(), Noticed(), Expiring(0, timedelta()))
    undecodable, gaps = _intake(now)
    broken = _broken(now)
    return Troubles(
        _late(known),
        _failing(known, now=now),
        _letters(known, now=now),
        () if any(map(_hides_events, broken)) else silent_topics(known),
        broken,
        undecodable,
        gaps,
        expiring(now=now, clusters=known.clusters),
    )


def _hides_events(broken: Part) -> bool:
    """Whether what services sent may wait where it is not counted: then no event counted is not no event.

    A receiver that nobody ever started hides nothing, for spans then come by a topic; nor does a collector that waits
    for observed clusters alone: the spool has none.
    """
    if broken.name != "collect":
        return broken.name == "receive" and broken.state != "missing"
    waits_for = broken.numbers.get("waits_for")
    return not (broken.state == "failing" and isinstance(waits_for, list) and waits_for and "" not in waits_for)


def _late(known: Facts) -> tuple[LateGroup, ...]:
    """One statement, one more where topics have size limits."""
    pairs = {
        pair: behind
        for pair, behind in known.names.standing.items()
        if pair[0] in known.names.topics and pair[1] in known.names.groups and behind.verdict not in {"", "OK"}
    }
    kept = keeping({topic_id for topic_id, _ in pairs}) if pairs else {}
    found = []
    for (topic_id, group_id), behind in pairs.items():
        health = of_behind(behind, as_of=known.scanned_at(topic_id))
        written, read = known.topics.get(topic_id), known.groups.get((topic_id, group_id))
        pace = Pace(written.rate if written else None, read.rate if read else None)
        danger = risk(behind, pace, kept.get(topic_id))
        seconds = danger.seconds if danger else None
        soon = seconds if seconds is not None and seconds < inf and seconds <= SOON_SECONDS else None
        if health.level in BAD or soon is not None:
            names = known.names.groups[group_id], known.names.topics[topic_id]
            found.append(LateGroup(*names, behind, health, pace.growth, soon, known.scanned_at(topic_id)))
    return tuple(found)


def _failing(known: Facts, *, now: datetime) -> tuple[FailingEdge, ...]:
    """One statement where any edge fails. `now`: the end of what is looked at."""
    bad = [
        (edge, health)
        for edge in known.spans
        if edge.topic_id in known.names.topics and (health := of_failures(edge.messages, edge.errors)) is not None
    ]
    times = _since([edge for edge, _ in bad], now=now) if bad else {}
    found = []
    for edge, health in bad:
        since, last_at = times.get(_ends(edge), (None, None))
        is_older = since is not None and since < now - _LOOKED_BACK + _AT_THE_RIM
        found.append(FailingEdge(edge, known.names.topics[edge.topic_id], health, since, last_at, is_older))
    return tuple(found)


def _ends(edge: TracedEdge) -> tuple[int, int, int]:
    return edge.kind, edge.service_id, edge.topic_id


def _since(
    edges: Sequence[TracedEdge], *, now: datetime
) -> dict[tuple[int, int, int], tuple[datetime | None, datetime]]:
    """The first minute with a failure after the last that had messages and no failure, at most a day back; and the last
    minute with a failure.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _SINCE,
            {
                "kinds": [edge.kind for edge in edges],
                "services": [edge.service_id for edge in edges],
                "topics": [edge.topic_id for edge in edges],
                "from": now - _LOOKED_BACK,
                "to": now,
            },
        )
        return {(kind, service, topic): (since, last) for kind, service, topic, since, last in cursor.fetchall()}


_SINCE = """
    with asked as (select distinct * from unnest(%(kinds)s::int[], %(services)s::int[], %(topics)s::int[])
      n (kind, service_id, topic_id)),
    minutes as (
      select a.kind, a.service_id, a.topic_id, r.bucket_at, sum(r.n_error) n_error
      from asked a join edge e on e.kind = a.kind and e.service_id = a.service_id and e.topic_id = a.topic_id
      join edge_1m r on r.edge_id = e.id and r.bucket_at >= %(from)s and r.bucket_at < %(to)s and r.n > 0
      group by 1, 2, 3, 4
    ), fine as (
      select kind, service_id, topic_id, max(bucket_at) at from minutes where n_error = 0 group by 1, 2, 3
    )
    select m.kind, m.service_id, m.topic_id,
      min(m.bucket_at) filter (where m.bucket_at > coalesce(f.at, '-infinity')), max(m.bucket_at) from minutes m
    left join fine f using (kind, service_id, topic_id) where m.n_error > 0 group by 1, 2, 3
"""


def _letters(known: Facts, *, now: datetime) -> tuple[Letters, ...]:
    """Two statements where letters are open."""
    n_open = {topic: n for topic, n in known.names.open_letters.items() if n and topic in known.names.topics}
    if not n_open:
        return ()
    times, new = _times(n_open), _new(now)
    is_capped = sum(new.values()) >= MOST_NEW
    return tuple(
        Letters(known.names.topics[topic], n, new.get(topic, 0), first_at, last_at, is_capped)
        for topic, n in n_open.items()
        for first_at, last_at in [times.get(topic, (None, None))]
    )


def _times(topics: Collection[int]) -> dict[int, tuple[datetime, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.topic_id, min(g.first_at), max(g.last_at) from failure_count c"
            " join failure_group g on g.id = c.failure_group_id"
            " where c.topic_id = any(%s) and c.status = %s and c.n > 0 group by 1",
            [list(topics), int(LetterStatus.OPEN)],
        )
        return {topic: (first, last) for topic, first, last in cursor.fetchall()}


def _new(now: datetime) -> dict[int, int]:
    """Of the newest letters, those that came lately, whatever became of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select topic_id, count(*) from (select topic_id, seen_at from dead_letter order by id desc limit %s) n"
            " where seen_at > %s group by 1",
            [MOST_NEW, now - NEW_WITHIN],
        )
        return dict(cursor.fetchall())


def _broken(now: datetime) -> tuple[Part, ...]:
    """Parts of the intake that do not work. Nothing is said where no part ever reported: then none is expected."""
    found = parts(now)
    if all(part.state == "missing" for part in found):
        return ()
    return tuple(part for part in found if part.name in INTAKE and part.state != "ok")


def _intake(now: datetime) -> tuple[Noticed, Noticed]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select * from (select coalesce(sum(n_undecodable), 0)::bigint, min(stored_at) from batch"
            "  where stored_at > %s and n_undecodable > 0) u,"
            " (select count(*), min(noticed_at) from intake_gap where noticed_at > %s) g",
            [now - timedelta(hours=1), now - timedelta(days=1)],
        )
        n_undecodable, undecodable_at, n_gaps, gaps_at = cursor.fetchone()
    return Noticed(n_undecodable, undecodable_at), Noticed(n_gaps, gaps_at)


KINDS = {PRODUCE: "writes", CONSUME: "reads"}
