"""Series over time of one service, from its spans: rates in and out, processing, what failed."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from collector.domain import histograms
from dashboard.queries.edges import BUCKET, CONSUME, HOUR, LONGEST_MINUTES, MINUTE, PRODUCE, SETTLING, floor, tens_since
from dashboard.queries.freshness import LATE
from dashboard.queries.lines import Line
from dashboard.queries.window import Window

MOST_STEPS = 180
LONGEST_TENS = timedelta(minutes=30)
_LONGEST_FINE_HISTOGRAMS = timedelta(hours=6)
_OPEN = timedelta(minutes=10)
_STEPS = tuple(timedelta(minutes=n) for n in (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440, 2880, 5760))


@dataclass(frozen=True, slots=True)
class ServiceSeries:
    """Lines on one time axis; `at` are the ends of the steps. Rates are per second, times in seconds, `failed` shares.

    A step without events is 0 in the rates and None elsewhere; None is also what was not folded or not seen yet, and
    the time in which Weir itself was down.
    """

    at: tuple[datetime, ...]
    step_seconds: float
    rates: tuple[Line, ...]
    processing: tuple[Line, ...]
    failed: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which rollups a window is read from: `table` up to `fine_from`, from there ten seconds; None is neither."""

    step: timedelta
    table: str | None
    fine_from: datetime | None
    histograms: str


def plan(window: Window, *, now: datetime) -> Plan:
    """Steps of 10 s for windows up to 30 min, above at most 180 steps of whole minutes or hours."""
    length, tens = window.to_at - window.from_at, tens_since(now)
    minutes_kept = window.from_at >= now - settings.WEIR_KEEP_1M
    shape = "edge_1m" if length <= _LONGEST_FINE_HISTOGRAMS and minutes_kept else "edge_1h"
    if length <= LONGEST_TENS and window.from_at >= tens:
        return Plan(BUCKET, None, floor(window.from_at, BUCKET), shape)
    by_minutes = length <= LONGEST_MINUTES and minutes_kept
    least = MINUTE if by_minutes else HOUR
    step = next((each for each in _STEPS if each >= least and length / each <= MOST_STEPS), _STEPS[-1])
    fine_from = floor(window.to_at - _OPEN, least)
    return Plan(step, "edge_1m" if by_minutes else "edge_1h", fine_from if fine_from >= tens else None, shape)


def service_series(
    service_id: int, window: Window, *, first_at: datetime, as_of: datetime | None, now: datetime
) -> ServiceSeries:
    """Of a service that was first seen at `first_at`, as far as spans are folded. Three statements."""
    read = plan(window, now=now)
    begun, step = floor(window.from_at, read.step), read.step
    ends = [begun + step * number for number in range(1, int((window.to_at - begun) / step) + 1)]
    until = min(window.to_at, as_of - SETTLING) if as_of else begun
    awake = _awake(begun, len(ends), read)
    told = [end > first_at and end <= until and number in awake for number, end in enumerate(ends)]
    counts = _counts(service_id, window, read, begun)
    works = _works(service_id, window, read)
    return ServiceSeries(
        tuple(ends),
        step.total_seconds(),
        tuple(Line(name, "/s", _rates(counts[kind], told, step)) for kind, name in _SIDES),
        tuple(Line(name, "s", _percentiles(works, ends, read, share)) for share, name in ((0.5, "p50"), (0.95, "p95"))),
        tuple(Line(name, "", _shares(counts[kind], told)) for kind, name in _SIDES),
    )


_SIDES = ((CONSUME, "reads"), (PRODUCE, "writes"))
_Counts = Mapping[int, tuple[int, int, float]]  # step -> messages, failed ones, those whose spans were not kept
_NONE = (0, 0, 0.0)


def _rates(counts: _Counts, told: list[bool], step: timedelta) -> tuple[float | None, ...]:
    seconds = step.total_seconds()
    found = (counts.get(number, _NONE) if known else None for number, known in enumerate(told))
    return tuple(None if each is None else (each[0] + each[2]) / seconds for each in found)


def _shares(counts: _Counts, told: list[bool]) -> tuple[float | None, ...]:
    found = (counts.get(number, _NONE) if known else _NONE for number, known in enumerate(told))
    return tuple(failed / n if n else None for n, failed, _ in found)


def _percentiles(
    works: Mapping[datetime, histograms.Histogram], ends: list[datetime], read: Plan, share: float
) -> tuple[float | None, ...]:
    """Of what began in each step; a step shorter than a rollup has the value of the whole rollup."""
    length = MINUTE if read.histograms == "edge_1m" else HOUR
    values: list[float | None] = []
    for end in ends:
        at, parts = floor(end - read.step, length), []
        while at < end:
            parts.append(works.get(at, {}))
            at += length
        milliseconds = histograms.percentile(histograms.merged(parts), share)
        values.append(None if milliseconds is None else milliseconds / 1000)
    return tuple(values)


def _awake(begun: datetime, n_steps: int, read: Plan) -> set[int]:
    """The steps in which Weir ran: it looked at a cluster (and be it in vain), or counted spans of anybody."""
    with connection.cursor() as cursor:
        cursor.execute(
            _AWAKE.format(table=read.table or "edge_10s"),
            {
                "begun": begun,
                "n": n_steps,
                "step": f"{read.step.total_seconds()} s",
                "patience": f"{LATE * settings.WEIR_SAMPLE_SECONDS} s",
            },
        )
        return {number for (number,) in cursor.fetchall()}


_AWAKE = """
    select number from generate_series(0, %(n)s - 1) number
    cross join lateral (select %(begun)s::timestamptz + number * %(step)s::interval as starts_at) step
    where exists (select from cluster c join scan s on s.cluster_id = c.id
        and s.sampled_at >= starts_at - %(patience)s::interval and s.sampled_at < starts_at + %(step)s::interval)
      or exists (select from {table} r where r.bucket_at >= starts_at and r.bucket_at < starts_at + %(step)s::interval)
"""


def _counts(service_id: int, window: Window, read: Plan, begun: datetime) -> Mapping[int, _Counts]:
    """By kind of edge."""
    parts = [] if read.table is None else [_COARSE.format(table=read.table)]
    parts += [] if read.fine_from is None else [_FINE]
    found: dict[int, dict[int, tuple[int, int, float]]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNTS.format(rows=" union all ".join(parts)),
            {
                "service": service_id,
                "begun": begun,
                "fine_from": read.fine_from or window.to_at,
                "to": window.to_at,
                "step": read.step.total_seconds(),
            },
        )
        for number, kind, n, n_error, more in cursor.fetchall():
            found[kind][number] = (n, n_error, more)
    return found


_COARSE = (
    "select r.bucket_at, own.kind, r.n, r.n_error, r.sample_weight from own join {table} r on r.edge_id = own.id"
    " and r.bucket_at >= %(begun)s and r.bucket_at < %(fine_from)s"
)
_FINE = (  # each ten seconds are looked up by their key: an index over time alone would read those of all services
    "select r.bucket_at, own.kind, r.n, r.n_error, r.sample_weight from own"
    " cross join generate_series(%(fine_from)s::timestamptz, %(to)s::timestamptz, interval '10 s') at"
    " join edge_10s r on r.edge_id = own.id and r.bucket_at = at and r.bucket_at < %(to)s"
)
_COUNTS = """
    with own as (select id, kind from edge where service_id = %(service)s)
    select floor(extract(epoch from bucket_at - %(begun)s) / %(step)s)::int, kind, sum(n)::bigint, sum(n_error)::bigint,
      sum(sample_weight)::float8
    from ({rows}) r group by 1, 2
"""


def _works(service_id: int, window: Window, read: Plan) -> Mapping[datetime, histograms.Histogram]:
    """How long readings took, by rollup."""
    length = MINUTE if read.histograms == "edge_1m" else HOUR
    found: dict[datetime, list[dict[int, int]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select r.bucket_at, r.processing from edge e join {read.histograms} r on r.edge_id = e.id"  # noqa: S608
            " and r.bucket_at >= %(from)s and r.bucket_at < %(to)s and r.processing is not null"
            " where e.kind = 2 and e.service_id = %(service)s",
            {"from": floor(window.from_at, max(read.step, length)), "to": window.to_at, "service": service_id},
        )
        for at, body in cursor.fetchall():
            found[at].append(histograms.decoded(bytes(body)))
    return {at: histograms.merged(bodies) for at, bodies in found.items()}
