"""The clusters that pages speak of: which answer, and which were chosen."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from django.conf import settings
from django.db import connection

from dashboard.queries.freshness import LATE


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster. `state`: ok, silent (asked and did not answer), late (nobody asked), new, or traced (spans name it).

    `seen_at`: when its broker was last seen. `failure`: why the scans since saw nothing.
    """

    name: str
    state: str
    seen_at: datetime | None
    failure: str
    n_topics: int

    @property
    def is_partial(self) -> bool:
        """Whether what is shown of it are the last known values."""
        return self.state in {"silent", "late"}


@dataclass(frozen=True, slots=True)
class Scope:
    """All clusters by name, and the names of those that were chosen; None is all."""

    clusters: tuple[Cluster, ...]
    chosen: frozenset[str] | None

    @property
    def are_several(self) -> bool:
        """Whether they are shown and can be chosen."""
        return len(self.clusters) > 1

    def holds(self, name: str) -> bool:
        """Whether it was chosen."""
        return self.chosen is None or name in self.chosen

    def partial(self, about: Collection[str] | None = None) -> tuple[Cluster, ...]:
        """Those whose values are the last known, among `about`; None is what was chosen."""
        asked = self.chosen if about is None else about
        return tuple(each for each in self.clusters if each.is_partial and (asked is None or each.name in asked))

    def away(self, name: str) -> Cluster | None:
        """The cluster of this name, where no broker of it answers."""
        return next((each for each in self.clusters if each.name == name and each.state == "silent"), None)

    def without(self, name: str) -> list[str]:
        """What is chosen when this one is added, or taken out."""
        chosen = set(self.chosen or ())
        return sorted(chosen ^ {name})


def written(clusters: Collection[str] | None) -> str:
    """Clusters as the name of a live stream has them, in order, each once; "" for all."""
    return ",".join(quote(each, safe="") for each in sorted(set(clusters or ())))


def scope(asked: Collection[str], *, now: datetime) -> Scope:
    """Every cluster that is observed or has topics, narrowed to `asked`, as far as these exist. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT)
        found = tuple(_cluster(*row, now=now) for row in cursor.fetchall())
    names = {each.name for each in found}
    chosen = names.intersection(asked)
    return Scope(found, frozenset(chosen) if chosen and chosen != names else None)


_STATEMENT = """
    select c.name, c.is_observed, good.at, last.ok, last.reason, t.n from cluster c
    cross join lateral (select count(*) n from topic t where t.cluster_id = c.id and t.deleted_at is null
      and t.role <> 3 and t.id > 0) t
    left join lateral (select sampled_at at from scan s where s.cluster_id = c.id and s.ok
      order by sampled_at desc limit 1) good on true
    left join lateral (select ok, reason from scan s where s.cluster_id = c.id
      order by sampled_at desc limit 1) last on true
    where c.is_observed or t.n > 0 order by c.name
"""


def _cluster(
    name: str,
    is_observed: bool,  # noqa: FBT001  a column
    seen_at: datetime | None,
    last_ok: bool | None,  # noqa: FBT001
    reason: str | None,
    n_topics: int,
    *,
    now: datetime,
) -> Cluster:
    limit = timedelta(seconds=LATE * settings.WEIR_SAMPLE_SECONDS)
    if not is_observed:
        state = "traced"
    elif seen_at is not None and now - seen_at <= limit:
        state = "ok"
    elif last_ok is False:
        state = "silent"
    else:
        state = "new" if seen_at is None else "late"
    return Cluster(name, state, seen_at, (reason or "") if state == "silent" else "", n_topics)
