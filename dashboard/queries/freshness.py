"""How old the numbers are: "as of" per source, and which source is late."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings
from django.db import connection

LATE = 2.5  # times a source's own cadence
_FOLD_LEAST_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Freshness:
    """Until when spans are counted, and when brokers were last scanned; None is never.

    `folded_at` is when the last collector stopped working where none does: what came since is in no batch yet.

    `scanned`: by cluster, of those that are observed. `late`: those whose last scan is. `scanned_at` is the oldest.
    """

    folded_at: datetime | None
    scanned_at: datetime | None
    fold_delayed: bool
    scan_delayed: bool
    seq: int
    scanned: Mapping[str, datetime] = field(default_factory=dict)
    late: frozenset[str] = frozenset()

    @property
    def as_of(self) -> datetime | None:
        """The older of the two, where both are known."""
        known = [at for at in (self.folded_at, self.scanned_at) if at is not None]
        return min(known) if known else None

    @property
    def delayed(self) -> bool:
        """Whether any source is later than 2.5 times its cadence."""
        return self.fold_delayed or self.scan_delayed

    def only(self, clusters: Collection[str] | None) -> "Freshness":
        """Of what concerns these clusters; None is all."""
        if clusters is None:
            return self
        scanned = {name: at for name, at in self.scanned.items() if name in clusters}
        late = self.late & scanned.keys()
        oldest = min(scanned.values(), default=None)
        return replace(self, scanned_at=oldest, scan_delayed=bool(late), scanned=scanned, late=late)


def freshness(*, now: datetime) -> Freshness:
    """One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_AGES, {"now": now, "late": LATE})
        folded_at, seq, text, collected_at = cursor.fetchone()
    if folded_at is not None and collected_at is not None:
        folded_at = min(folded_at, collected_at)
    scanned = {name: datetime.fromisoformat(at) for name, at in json.loads(text or "{}").items()}
    late = frozenset(name for name, at in scanned.items() if _late(at, settings.WEIR_SAMPLE_SECONDS, now))
    return Freshness(
        folded_at,
        min(scanned.values(), default=None),
        _late(folded_at, _fold_seconds(), now),
        bool(late),
        seq,
        scanned,
        late,
    )


# Null while a collector works, or where none ever said anything. One that cannot read the spool (its cluster is "")
# worked when something was last stored; one that is silent, or stopped in order, worked when it last spoke.
_COLLECTED = """
    select case when count(*) > 0 and bool_or(is_there and (ok or waits_for_spool is false)) is not true
      then greatest(max(case when is_there then newest_at else at end), (select max(stored_at) from batch)) end
    from (
      select at, ok,
        instance <> '' and at > %(now)s::timestamptz - %(late)s::float8 * every_seconds * interval '1 s' as is_there,
        (value->'waits_for') @> '""'::jsonb as waits_for_spool,
        (value->>'newest_stored_at')::timestamptz as newest_at
      from part_report where part = 'collect'
    ) r
"""

_AGES = f"""
    select as_of, seq, (select jsonb_object_agg(c.name, s.at)::text from cluster c cross join lateral
      (select sampled_at at from scan where cluster_id = c.id and ok order by sampled_at desc limit 1) s
      where c.is_observed), ({_COLLECTED}) from fold_state
"""  # noqa: S608


def limit_seconds(source: Literal["scan", "fold"]) -> float:
    """How old samples of the brokers, or counts of spans, may be before they are delayed."""
    return LATE * (settings.WEIR_SAMPLE_SECONDS if source == "scan" else _fold_seconds())


def _fold_seconds() -> float:
    return max(settings.WEIR_FOLD_SECONDS, _FOLD_LEAST_SECONDS)


def _late(at: datetime | None, cadence_seconds: float, now: datetime) -> bool:
    return at is not None and now - at > timedelta(seconds=LATE * cadence_seconds)
