"""Groups of failures: all dead letters that died alike."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import connection

from collector.domain.dead_letters import LetterStatus
from collector.domain.fingerprints import short_class
from collector.domain.masking import MASK
from dashboard.queries import hiding

MOST_GROUPS = 500
_OPEN = (LetterStatus.OPEN, LetterStatus.RETRY_REQUESTED, LetterStatus.SENT, LetterStatus.UNKNOWN)


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """All letters with one fingerprint. `n_open` wait for a person, `n_unresolved` also those under way.

    `versions`: "billing-svc 2.8.0", of the newest letters; empty where no span says so.
    """

    id: int
    title: str
    exception_class: str
    group: str | None
    topic: str | None
    cluster: str | None
    first_at: datetime
    last_at: datetime
    n_open: int
    n_unresolved: int
    n_all: int
    n_keys: int
    versions: tuple[str, ...]


def failure_groups(clusters: Collection[str] | None = None) -> tuple[FailureGroup, ...]:
    """The groups that wait for somebody first, then by the newest death; at most 500. One statement.

    Of `clusters` alone where that is not None.
    """
    wanted = None if clusters is None else list(clusters)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_GROUPS} where g.merged_into is null and g.emptied_into is null"
            " and (%(clusters)s::text[] is null or c.name = any(%(clusters)s))"
            " order by coalesce(n.open, 0) > 0 desc, g.last_at desc, g.id desc limit %(limit)s",
            {"open": list(_OPEN), "limit": MOST_GROUPS, "clusters": wanted},
        )
        return tuple(_group(row) for row in cursor.fetchall())


def failure_groups_of(groups: Collection[int], *, limit: int) -> tuple[FailureGroup, ...]:
    """What failed in some consumer groups, what waits for somebody first, then the newest. One statement."""
    where = " where g.merged_into is null and g.emptied_into is null and g.group_id = any(%(groups)s)"
    order = " order by coalesce(n.open, 0) > 0 desc, g.last_at desc, g.id desc limit %(limit)s"
    with connection.cursor() as cursor:
        cursor.execute(_GROUPS + where + order, {"open": list(_OPEN), "groups": list(groups), "limit": limit})
        return tuple(_group(row) for row in cursor.fetchall())


def failure_group(number: int) -> FailureGroup | None:
    """One group, also one that the list has no room for, or None. One statement."""
    if not 0 < number < 2**63:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_GROUPS} where g.merged_into is null and g.emptied_into is null and g.id = %(id)s",
            {"open": list(_OPEN), "id": number},
        )
        row = cursor.fetchone()
    return _group(row) if row else None


def _group(row: tuple[Any, ...]) -> FailureGroup:
    """A title may hold what one of its letters said: of masked topics it is the class alone."""
    *own, versions, topics = row
    found = FailureGroup(*(*own, tuple(versions)))
    if not hiding.aim_for(found.topic, *topics):
        return found
    return replace(found, title=short_class(found.exception_class) or MASK)


_GROUPS = (
    "select g.id, g.title, g.exception_class, cg.name, t.name, c.name, g.first_at, g.last_at,"
    "  coalesce(n.open, 0), coalesce(n.unresolved, 0), coalesce(n.n, 0), g.n_keys, g.versions,"
    "  coalesce(n.topics, '{}')"
    " from failure_group g left join consumer_group cg on cg.id = g.group_id left join topic t on t.id = g.topic_id"
    " left join cluster c on c.id = t.cluster_id"
    " left join lateral (select sum(n)::bigint n, array_agg(distinct lt.name) topics,"
    "   (sum(n) filter (where status = 0))::bigint open,"
    "   (sum(n) filter (where status = any(%(open)s)))::bigint unresolved"
    "   from failure_count f join topic lt on lt.id = f.topic_id where f.failure_group_id = g.id) n on true"
)
