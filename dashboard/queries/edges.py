"""What spans say of who writes to and reads from which topic, from the rollups."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection

from dashboard.queries import days
from dashboard.queries.window import RATE_SECONDS, Window

BUCKET, MINUTE, HOUR = timedelta(seconds=10), timedelta(minutes=1), timedelta(hours=1)
SETTLING = timedelta(seconds=5)  # spans come in a little after they ended: the rate ends at a bucket that is full
LONGEST_FINE = timedelta(hours=2)
LONGEST_MINUTES = timedelta(days=13)
LEAST_HOURS = timedelta(hours=6)  # of a longer window whole hours are read as such, but for the last ones
_OPEN = timedelta(minutes=10)

PRODUCE, CONSUME = 1, 2
TRACED, OFFSETS, MEMBERSHIP, DECLARED, SAMPLED = 1, 2, 4, 8, 64
EVIDENCE = {TRACED: "traced", OFFSETS: "offsets", MEMBERSHIP: "membership", DECLARED: "declared", SAMPLED: "sampled"}


@dataclass(frozen=True, slots=True)
class TracedEdge:
    """One service and one topic over the window. `group` is None where nothing tells which group reads.

    `more`: messages whose spans were dropped by sampling, as those that were kept say; `n_rate_more` those of the rate.
    """

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
    more: float
    n_rate_more: float

    @property
    def sampled_share(self) -> float | None:
        """The share of messages whose spans were kept; None where nothing says that any were dropped."""
        return self.messages / (self.messages + self.more) if self.more > 0 else None


@dataclass(frozen=True, slots=True)
class Steps:
    """Which rollups a window is read from: `table` in steps of `coarse` up to `fine_from`, from there ten seconds.

    `table` None: ten seconds throughout. `fine_from` None: of that time the ten seconds are no longer kept.
    """

    table: str | None
    coarse: timedelta
    fine_from: datetime | None

    @property
    def last(self) -> timedelta:
        """The length of the newest steps, which rates are taken from."""
        return self.coarse if self.fine_from is None else BUCKET


def steps(window: Window, *, now: datetime) -> Steps:
    """Windows up to 2 h in steps of 10 s, up to 13 d in minutes, longer ones in hours, with the newest ten minutes in
    steps of 10 s; each as far as it is still kept at `now`.
    """
    length, tens = window.to_at - window.from_at, tens_since(now)
    if length <= LONGEST_FINE and window.from_at >= tens:
        return Steps(None, BUCKET, floor(window.from_at, BUCKET))
    minutes = length <= LONGEST_MINUTES and window.from_at >= now - settings.WEIR_KEEP_1M
    coarse = MINUTE if minutes else HOUR
    fine_from = floor(window.to_at - _OPEN, coarse)
    return Steps("edge_1m" if minutes else "edge_1h", coarse, fine_from if fine_from >= tens else None)


def tens_since(now: datetime) -> datetime:
    """Since when counts by ten seconds are all there. One statement where a disk budget is set, else none: for the
    budget some may have gone before their age.
    """
    by_age = now - settings.WEIR_KEEP_10S
    if not settings.WEIR_DISK_BUDGET:
        return by_age
    with connection.cursor() as cursor:
        cursor.execute("select greatest(max(tens_since), %s) from fold_state where tens_since <= %s", [by_age, now])
        found: datetime = cursor.fetchone()[0]
        return found


def extent(window: Window, *, now: datetime) -> Window:
    """The stretch that `traced_edges` counts: the window widened to whole steps, none beyond `now`."""
    read = steps(window, now=now)
    first, last = BUCKET if read.table is None else read.coarse, read.last
    return Window(floor(window.from_at, first), min(now, ceiling(window.to_at, last)), live=False)


def traced_edges(window: Window, *, as_of: datetime | None, now: datetime) -> list[TracedEdge]:
    """Every edge with spans in the window, groups filled in from what the broker knows of members. One statement.

    The window's ends are widened to whole steps.
    """
    read = steps(window, now=now)
    with connection.cursor() as cursor:
        cursor.execute(_statement(window, read), _parameters(window, read, as_of))
        return [TracedEdge(*row) for row in cursor.fetchall()]


def rate_span(window: Window, *, as_of: datetime | None, step: timedelta = BUCKET) -> tuple[datetime, datetime]:
    """From and to of the stretch that rates are taken over: whole steps, the last minute that can be complete.

    Empty where the steps are longer than a minute: then no rate is known.
    """
    newest = window.to_at if as_of is None else min(window.to_at, as_of)
    end = floor(newest - SETTLING if window.live else newest, step)
    length = timedelta(seconds=RATE_SECONDS) if step <= MINUTE else timedelta(0)
    return max(floor(window.from_at, step), end - length), end


def floor(moment: datetime, step: timedelta) -> datetime:
    """The last multiple of `step` since 1970 that is not after `moment`."""
    seconds = step.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def ceiling(moment: datetime, step: timedelta) -> datetime:
    """The first multiple of `step` since 1970 that is not before `moment`."""
    down = floor(moment, step)
    return down if down == moment else down + step


def evidence_names(bits: int) -> tuple[str, ...]:
    """Evidence bits as words, strongest first."""
    return tuple(name for bit, name in EVIDENCE.items() if bits & bit)


def _parameters(window: Window, read: Steps, as_of: datetime | None) -> dict[str, datetime]:
    rate_from, rate_to = rate_span(window, as_of=as_of, step=read.last)
    coarse_from, fine_from = floor(window.from_at, read.coarse), read.fine_from or window.to_at
    hours_from, hours_to = ceiling(coarse_from, HOUR), ceiling(fine_from, HOUR)
    if read.table == "edge_1m":  # what the rate is of stays minutes, and so does an hour that may not be summed up yet
        hours_to = floor(min(fine_from, rate_from), HOUR) - HOUR
    return {
        "coarse_from": coarse_from,
        "fine_from": fine_from,
        "to": window.to_at,
        "rate_from": rate_from,
        "rate_to": rate_to,
        **days.bounds(hours_from, hours_to),
    }


_COUNTS = (
    "select edge_id, sum(n)::bigint n, sum(n_error)::bigint n_error, bit_or(evidence) evidence,"
    " coalesce(sum(n) filter (where bucket_at >= %(rate_from)s and bucket_at < %(rate_to)s), 0)::bigint n_rate,"
    " sum(sample_weight)::float8 more, coalesce(sum(sample_weight) filter (where bucket_at >= %(rate_from)s"
    " and bucket_at < %(rate_to)s), 0)::float8 n_rate_more"
)
_FINE = f"{_COUNTS} from edge_10s where bucket_at >= %(fine_from)s and bucket_at < %(to)s group by edge_id"
_MINUTES = f"{_COUNTS} from edge_1m where bucket_at >= %(coarse_from)s and bucket_at < %(fine_from)s group by edge_id"
_HOURS = f"{_COUNTS} from ({days.hours('bucket_at, edge_id, n, n_error, evidence, sample_weight')}) h group by edge_id"
_AROUND = " union all ".join(
    f"{_COUNTS} from edge_1m where bucket_at >= %({start})s and bucket_at < %({end})s group by edge_id"
    for start, end in (("coarse_from", "hours_from"), ("hours_to", "fine_from"))
)
_NAMED = """
    select e.kind, s.namespace, s.name, e.service_id, e.topic_id, coalesce(e.group_id, h.group_id),
      sum(b.n)::bigint, sum(b.n_error)::bigint, sum(b.n_rate)::bigint,
      bit_or(b.evidence | case when e.group_id is null and h.group_id is not null then h.evidence else 0 end),
      sum(b.more)::float8, sum(b.n_rate_more)::float8
    from ({counts}) b join edge e on e.id = b.edge_id join service s on s.id = e.service_id
    left join group_hint h on e.kind = 2 and h.service_id = e.service_id and h.topic_id = e.topic_id
    group by 1, 2, 3, 4, 5, 6 having sum(b.n) > 0
"""


def _statement(window: Window, read: Steps) -> str:
    parts = [] if read.fine_from is None else [_FINE]
    if read.table == "edge_1h":
        parts.append(_HOURS)
    elif read.table is not None:
        parts += [_AROUND, _HOURS] if window.to_at - window.from_at > LEAST_HOURS else [_MINUTES]
    return _NAMED.format(counts=" union all ".join(parts))
