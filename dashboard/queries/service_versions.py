"""The versions of a service: which of them runs, and how long its readings took under each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from collector.domain import histograms
from dashboard.queries.edges import HOUR, MINUTE, ceiling, floor
from dashboard.queries.window import Window

MOST = 10
LEAST = 20  # measured readings: from fewer, no percentile is told
LOOKED_BACK, LOOKED_BACK_BY_HOURS = timedelta(hours=1), timedelta(hours=24)
NOTED_EVERY = timedelta(seconds=150)  # that a version still runs is written down about once a minute
_MOST_MINUTES = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Version:
    """A version that sent spans. `name` is empty where the service names none."""

    id: int
    name: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole minutes or whole hours of time, from (included) to (excluded)."""

    from_at: datetime
    to_at: datetime
    by_hours: bool


@dataclass(frozen=True, slots=True)
class Took:
    """How long `n` readings took to process, in seconds; None where fewer than 20 were measured."""

    n: int
    p50: float | None
    p95: float | None


NOTHING = Took(0, None, None)


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version and what its readings took, from the rollups of `stretch`.

    `beside`: other versions that were seen in that stretch, too, so that the numbers are not this version's alone.
    """

    version: Version
    is_running: bool
    stretch: Stretch
    took: Took
    beside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The newest version, if it runs, against the time right before it came."""

    now: VersionRow
    before: VersionRow


def running(versions: Sequence[Version], *, at: datetime) -> tuple[Version, ...]:
    """Those that were still seen when the service was last seen up to `at`, the newest first."""
    there = [each for each in versions if each.first_at < at]
    newest = max((min(each.last_at, at) for each in there), default=at)
    return tuple(
        sorted((each for each in there if each.last_at >= newest - NOTED_EVERY), key=lambda each: each.first_at)[::-1]
    )


def stretches(versions: Sequence[Version], window: Window, *, now: datetime) -> tuple[Stretch, ...]:
    """One for each of `versions`, the newest first: of the newest what lies in the window, of each other the hour
    before the next one came (a day, where minutes are no longer kept).

    The minute in which a version came and the one before it belong to none: a span is counted when it began, a
    version is noted when its first span came in.
    """
    found, until = [], None
    for version in versions:
        if until is None:
            hours = window.to_at - window.from_at > _MOST_MINUTES or _is_old(window.from_at, now)
            step = HOUR if hours else MINUTE
            start = max(floor(window.from_at, step), ceiling(version.first_at, step))
            found.append(Stretch(start, window.to_at, hours))
        else:
            hours = _is_old(until - LOOKED_BACK, now)
            step, length = (HOUR, LOOKED_BACK_BY_HOURS) if hours else (MINUTE, LOOKED_BACK)
            end = floor(until, step) - (timedelta(0) if hours else MINUTE)
            found.append(Stretch(max(end - length, ceiling(version.first_at, step)), end, hours))
        until = version.first_at
    return tuple(found)


def beside(versions: Sequence[Version], own: Version, stretch: Stretch) -> tuple[str, ...]:
    """Names of the other versions that were seen within the stretch."""
    return tuple(
        each.name
        for each in versions
        if each.id != own.id and each.first_at < stretch.to_at and each.last_at > stretch.from_at
    )


def comparison(rows: Sequence[VersionRow]) -> Comparison | None:
    """Of the newest version with the one before, if the newest runs. None where there is nothing to compare."""
    return Comparison(rows[0], rows[1]) if len(rows) > 1 and rows[0].is_running else None


def took(counts: histograms.Histogram) -> Took:
    """The percentiles of a histogram of milliseconds."""
    n = sum(counts.values())
    if n < LEAST:
        return Took(n, None, None)
    return Took(n, *(_seconds(counts, share) for share in (0.5, 0.95)))


def versions_of(service_id: int, *, before: datetime) -> tuple[Version, ...]:
    """The newest ten that came before a moment, the newest first. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, version, first_at, last_at from service_version where service_id = %s and first_at < %s"
            " order by first_at desc limit %s",
            [service_id, before, MOST],
        )
        return tuple(Version(*row) for row in cursor.fetchall())


def version_rows(service_id: int, window: Window, *, now: datetime) -> tuple[tuple[VersionRow, ...], Took]:
    """The versions, and what readings took over the whole window. Two statements."""
    versions = versions_of(service_id, before=window.to_at)
    alive = {each.id for each in running(versions, at=window.to_at)}
    hours = window.to_at - window.from_at > _MOST_MINUTES or _is_old(window.from_at, now)
    whole = Stretch(floor(window.from_at, HOUR if hours else MINUTE), window.to_at, hours)
    spans = stretches(versions, window, now=now)
    told = _took(service_id, [whole, *spans])
    rows = tuple(
        VersionRow(version, version.id in alive, stretch, each, beside(versions, version, stretch))
        for version, stretch, each in zip(versions, spans, told[1:], strict=True)
    )
    return rows, told[0]


def _took(service_id: int, spans: Sequence[Stretch]) -> list[Took]:
    """For each stretch, from the histograms of all that the service reads. One statement."""
    parameters: dict[str, int | list[datetime] | list[bool]] = {
        "service": service_id,
        "from": [each.from_at for each in spans],
        "to": [each.to_at for each in spans],
        "hours": [each.by_hours for each in spans],
    }
    found: list[list[dict[int, int]]] = [[] for _ in spans]
    with connection.cursor() as cursor:
        cursor.execute(_HISTOGRAMS, parameters)
        for number, body in cursor.fetchall():
            found[number - 1].append(histograms.decoded(bytes(body)))
    return [took(histograms.merged(each)) for each in found]


_HISTOGRAMS = """
    select k.number, b.processing
    from unnest(%(from)s::timestamptz[], %(to)s::timestamptz[], %(hours)s::boolean[])
      with ordinality k (from_at, to_at, by_hours, number)
    join edge e on e.kind = 2 and e.service_id = %(service)s
    cross join lateral (
      select processing from edge_1m r where not k.by_hours and r.edge_id = e.id and r.bucket_at >= k.from_at
        and r.bucket_at < k.to_at and processing is not null
      union all
      select processing from edge_1h r where k.by_hours and r.edge_id = e.id and r.bucket_at >= k.from_at
        and r.bucket_at < k.to_at and processing is not null
    ) b
"""


def _is_old(moment: datetime, now: datetime) -> bool:
    return moment < now - settings.WEIR_KEEP_1M


def _seconds(counts: histograms.Histogram, share: float) -> float | None:
    milliseconds = histograms.percentile(counts, share)
    return None if milliseconds is None else milliseconds / 1000
