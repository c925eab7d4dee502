"""What spans say of who writes to and reads from which topic, from the rollups."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from dashboard.queries.window import RATE_SECONDS, Window

BUCKET = timedelta(seconds=10)
SETTLING = timedelta(seconds=5)  # spans come in a little after they ended: the rate ends at a bucket that is full
LONGEST_FINE = timedelta(hours=2)
LONGEST_MINUTES = timedelta(days=13)
_OPEN = timedelta(minutes=10)

PRODUCE, CONSUME = 1, 2
TRACED, OFFSETS, MEMBERSHIP, DECLARED = 1, 2, 4, 8
EVIDENCE = {TRACED: "traced", OFFSETS: "offsets", MEMBERSHIP: "membership", DECLARED: "declared"}


@dataclass(frozen=True, slots=True)
class TracedEdge:
    """One service and one topic over the window. `group` is None where nothing tells which group reads."""

    kind: int
    namespace: str
    service: str
    service_id: int
    topic_id: int
    group_id: int | None
    messages: int
    errors: int
    n_rate: int
    evidence: int


def traced_edges(window: Window, *, as_of: datetime | None) -> list[TracedEdge]:
    """Every edge with spans in the window, groups filled in from what the broker knows of members. One statement.

    Windows up to 2 h are read in steps of 10 s, up to 13 d in minutes, longer ones in hours, always with the newest
    ten minutes in steps of 10 s. The window's ends are widened to whole steps.
    """
    with connection.cursor() as cursor:
        cursor.execute(_statement(window), _parameters(window, as_of))
        return [TracedEdge(*row) for row in cursor.fetchall()]


def rate_span(window: Window, *, as_of: datetime | None) -> tuple[datetime, datetime]:
    """From and to of the stretch that rates are taken over: whole buckets, the last minute that can be complete."""
    newest = window.to_at if as_of is None else min(window.to_at, as_of)
    end = floor(newest - SETTLING if window.live else newest, BUCKET)
    return max(floor(window.from_at, BUCKET), end - timedelta(seconds=RATE_SECONDS)), end


def floor(moment: datetime, step: timedelta) -> datetime:
    """The last multiple of `step` since 1970 that is not after `moment`."""
    seconds = step.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def evidence_names(bits: int) -> tuple[str, ...]:
    """Evidence bits as words, strongest first."""
    return tuple(name for bit, name in EVIDENCE.items() if bits & bit)


def _parameters(window: Window, as_of: datetime | None) -> dict[str, datetime]:
    coarse = timedelta(minutes=1) if window.to_at - window.from_at <= LONGEST_MINUTES else timedelta(hours=1)
    rate_from, rate_to = rate_span(window, as_of=as_of)
    fine_from = floor(window.to_at - _OPEN, coarse)
    return {
        "from": floor(window.from_at, BUCKET),
        "coarse_from": floor(window.from_at, coarse),
        "fine_from": fine_from,
        "to": window.to_at,
        "rate_from": rate_from,
        "rate_to": rate_to,
    }


_COUNTS = "sum(n)::bigint n, sum(n_error)::bigint n_error, bit_or(evidence) evidence"
_RATE = "coalesce(sum(n) filter (where bucket_at >= %(rate_from)s and bucket_at < %(rate_to)s), 0)::bigint n_rate"
_FINE = (
    f"select edge_id, {_COUNTS}, {_RATE} from edge_10s "  # noqa: S608
    "where bucket_at >= {start} and bucket_at < %(to)s group by edge_id"
)
_COARSE = (
    f"select edge_id, {_COUNTS}, 0::bigint n_rate from {{table}} "  # noqa: S608
    "where bucket_at >= %(coarse_from)s and bucket_at < %(fine_from)s group by edge_id"
)
_NAMED = """
    select e.kind, s.namespace, s.name, e.service_id, e.topic_id, coalesce(e.group_id, h.group_id),
      sum(b.n)::bigint, sum(b.n_error)::bigint, sum(b.n_rate)::bigint,
      bit_or(b.evidence | case when e.group_id is null and h.group_id is not null then h.evidence else 0 end)
    from ({counts}) b join edge e on e.id = b.edge_id join service s on s.id = e.service_id
    join topic t on t.id = e.topic_id and t.role <> 3
    left join group_hint h on e.kind = 2 and h.service_id = e.service_id and h.topic_id = e.topic_id
    group by 1, 2, 3, 4, 5, 6 having sum(b.n) > 0
"""


def _statement(window: Window) -> str:
    length = window.to_at - window.from_at
    if length <= LONGEST_FINE:
        return _NAMED.format(counts=_FINE.format(start="%(from)s"))
    table = "edge_1m" if length <= LONGEST_MINUTES else "edge_1h"
    coarse = _COARSE.format(table=table)
    return _NAMED.format(counts=f"{coarse} union all {_FINE.format(start='%(fine_from)s')}")
