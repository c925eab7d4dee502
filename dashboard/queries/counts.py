"""The numbers beside the navigation: dead letters that wait, retries that run."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection

from collector.domain.dead_letters import LetterStatus


@dataclass(frozen=True, slots=True)
class Counts:
    """`open`: dead letters that wait for a person. `running`: retry operations that are not done."""

    open: int
    running: int


def counts(clusters: Collection[str] | None = None) -> Counts:
    """Of these clusters alone where that is not None. One statement."""
    wanted = None if clusters is None else sorted(clusters)
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"open": [int(LetterStatus.OPEN), int(LetterStatus.UNKNOWN)], "clusters": wanted})
        n_open, n_running = cursor.fetchone()
    return Counts(n_open, n_running)


# Operations of these states have an index of their own.
_COUNTS = """
select (select coalesce(sum(f.n), 0)::bigint from failure_count f where f.status = any(%(open)s)
    and (%(clusters)s::text[] is null or exists (select from topic t join cluster c on c.id = t.cluster_id
      where t.id = f.topic_id and c.name = any(%(clusters)s::text[])))),
  (select count(*) from retry_operation o where o.status in (0, 1) and (%(clusters)s::text[] is null
    or o.cluster_id in (select c.id from cluster c where c.name = any(%(clusters)s::text[]))))
"""
