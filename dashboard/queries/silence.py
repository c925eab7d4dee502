"""Topics that bring far less than they usually do at this hour."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from collector.domain.silence import FAR, SECONDS, Usual, is_silent, usual
from dashboard.queries.catalogue import TopicName
from dashboard.queries.edges import MINUTE, floor
from dashboard.queries.graph import Facts

_DAYS = 14
_MINUTES = SECONDS // 60
_SETTLING = timedelta(seconds=30)  # a minute is counted once its spans had time to come
LOOKED_BACK = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class SilentTopic:
    """`n` events in the ten minutes up to `until`, and what is usual. `since`: when it was last as it should be."""

    topic: TopicName
    n: int
    usual: Usual
    until: datetime
    since: datetime | None


def silent_topics(known: Facts) -> tuple[SilentTopic, ...]:
    """None while spans are counted late. Two statements, one more where any is silent."""
    as_of = known.fresh.folded_at
    if as_of is None or known.fresh.fold_delayed:
        return ()
    until = floor(as_of - _SETTLING, MINUTE)
    usually = {topic: each for topic, each in _usual(until).items() if topic in known.names.topics}
    if not usually:
        return ()
    counts = _counts(until, list(usually))
    silent = {topic: each for topic, each in usually.items() if is_silent(counts.get(topic, 0), each)}
    since = _since(until, silent) if silent else {}
    return tuple(
        SilentTopic(known.names.topics[topic], counts.get(topic, 0), each, until, since.get(topic))
        for topic, each in silent.items()
    )


def _usual(until: datetime) -> dict[int, Usual]:
    """By topic: what was learned of this hour of the day, and of the hours before."""
    this = floor(until - MINUTE, timedelta(hours=1))
    same = [this - timedelta(days=day) for day in range(1, _DAYS + 1)]
    before = [this - timedelta(hours=number) for number in range(1, 25)]
    with connection.cursor() as cursor:
        cursor.execute("select topic_id, hour_at, least from usual_least where hour_at = any(%s)", [[*same, *before]])
        rows = cursor.fetchall()
    of_hour: dict[int, list[int]] = {}
    of_day: dict[int, list[int]] = {}
    for topic, at, least in rows:
        if at in same:
            of_hour.setdefault(topic, []).append(least)
        if at in before:
            of_day.setdefault(topic, []).append(least)
    found = {topic: usual(of_hour.get(topic, []), of_day.get(topic, [])) for topic in of_hour.keys() | of_day.keys()}
    return {topic: each for topic, each in found.items() if each is not None}


def _counts(until: datetime, topics: list[int]) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select e.topic_id, sum(r.n)::bigint from edge_1m r join edge e on e.id = r.edge_id and e.kind = 1"
            " where r.bucket_at >= %s and r.bucket_at < %s and e.topic_id = any(%s) group by 1",
            [until - timedelta(seconds=SECONDS), until, topics],
        )
        return dict(cursor.fetchall())


def _since(until: datetime, silent: Mapping[int, Usual]) -> dict[int, datetime]:
    """The end of the last ten minutes that brought at least half of the least, within a day."""
    since = until - LOOKED_BACK
    with connection.cursor() as cursor:
        cursor.execute(
            "select e.topic_id, r.bucket_at, sum(r.n)::bigint from edge_1m r"
            " join edge e on e.id = r.edge_id and e.kind = 1"
            " where r.bucket_at >= %s and r.bucket_at < %s and e.topic_id = any(%s) group by 1, 2",
            [since, until, list(silent)],
        )
        minutes: dict[int, dict[datetime, int]] = {}
        for topic, at, n in cursor.fetchall():
            minutes.setdefault(topic, {})[at.astimezone(UTC)] = n
    found = {}
    for topic, each in silent.items():
        at = until
        while at > since + _MINUTES * MINUTE:
            n = sum(minutes.get(topic, {}).get(at - number * MINUTE, 0) for number in range(1, _MINUTES + 1))
            if n >= each.least * FAR:
                found[topic] = at
                break
            at -= MINUTE
    return found
