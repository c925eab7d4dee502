"""How long events waited and were processed, per edge, from the histograms of the rollups."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from collector.domain import histograms
from dashboard.queries import days
from dashboard.queries.edges import ceiling, floor
from dashboard.queries.window import Window

EdgeKey = tuple[int, int, int | None, int]  # kind, service, group, topic
_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)
_MOST_MINUTES = timedelta(minutes=16, seconds=30)
MOST_STEPS = 15


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds; None where no span told. The worst error of a value is 4.8 %."""

    wait_p50: float | None
    wait_p95: float | None
    processing_p50: float | None
    processing_p95: float | None


@dataclass(frozen=True, slots=True)
class Durations:
    """How long events waited and were processed: counts by the bins of `collector.domain.histograms`."""

    wait: dict[int, int]
    processing: dict[int, int]


def told_from(window: Window) -> datetime:
    """Where the stretch begins that `latencies` reads: whole minutes, or whole hours."""
    hours = _by_hours(window) and floor(window.to_at, _HOUR) > window.from_at
    return floor(window.from_at, _HOUR if hours else _MINUTE)


def latencies(window: Window) -> dict[EdgeKey, Latency]:
    """By edge. One statement. Up to 15 min whole minutes, above whole hours and the minutes of the open one."""
    return {key: _latency(times) for key, times in durations(window).items()}


def durations(window: Window) -> dict[EdgeKey, Durations]:
    """The same as histograms, in milliseconds. One statement."""
    minutes_from = floor(window.from_at, _MINUTE)
    if _by_hours(window):
        minutes_from = max(minutes_from, floor(window.to_at, _HOUR))
    with connection.cursor() as cursor:
        cursor.execute(
            _BODIES,
            {
                "minutes_from": minutes_from,
                "to": window.to_at,
                **days.bounds(floor(window.from_at, _HOUR), floor(minutes_from, _HOUR)),
            },
        )
        waits: dict[EdgeKey, list[dict[int, int]]] = defaultdict(list)
        works: dict[EdgeKey, list[dict[int, int]]] = defaultdict(list)
        for kind, service, group, topic, wait, processing in cursor.fetchall():
            key = (kind, service, group, topic)
            if wait is not None:
                waits[key].append(histograms.decoded(bytes(wait)))
            if processing is not None:
                works[key].append(histograms.decoded(bytes(processing)))
    keys = waits.keys() | works.keys()
    return {
        key: Durations(histograms.merged(waits.get(key, [])), histograms.merged(works.get(key, []))) for key in keys
    }


def minutes(window: Window, *, now: datetime) -> dict[EdgeKey, list[Durations]]:
    """The same of single minutes that lie within the window, in their order: evenly spread ones, at most about fifteen.
    Where no minutes are kept any more, of hours. One statement.
    """
    table, step = ("edge_1m", _MINUTE) if window.from_at >= now - settings.WEIR_KEEP_1M else ("edge_1h", _HOUR)
    first = ceiling(window.from_at, step)
    each = max(1, round((window.to_at - first) / step / MOST_STEPS))
    parameters: dict[str, datetime | str] = {
        "from": first,
        "to": floor(window.to_at, step),
        "every": f"{(each * step).total_seconds()} s",
    }
    found: dict[EdgeKey, list[Durations]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_STEPS[table], parameters)
        for kind, service, group, topic, wait, processing in cursor.fetchall():
            times = [
                histograms.merged(histograms.decoded(bytes(body)) for body in own if body) for own in (wait, processing)
            ]
            found[kind, service, group, topic].append(Durations(*times))
    return found


def _by_hours(window: Window) -> bool:
    return window.seconds > _MOST_MINUTES.total_seconds()


_BODIES = f"""
    select e.kind, e.service_id, coalesce(e.group_id, h.group_id), e.topic_id, b.wait, b.processing
    from (
      {days.hours("edge_id, wait, processing")}
      union all
      select edge_id, wait, processing from edge_1m where bucket_at >= %(minutes_from)s and bucket_at < %(to)s
    ) b join edge e on e.id = b.edge_id and (b.wait is not null or b.processing is not null)
    left join group_hint h on e.kind = 2 and h.service_id = e.service_id and h.topic_id = e.topic_id
"""  # noqa: S608 our own names


_STEPS = {
    table: f"""
    select e.kind, e.service_id, coalesce(e.group_id, h.group_id), e.topic_id,
      array_agg(b.wait), array_agg(b.processing)
    from {table} b join edge e on e.id = b.edge_id and (b.wait is not null or b.processing is not null)
    left join group_hint h on e.kind = 2 and h.service_id = e.service_id and h.topic_id = e.topic_id
    where b.bucket_at = any(array(
      select generate_series(%(from)s::timestamptz, %(to)s::timestamptz - interval '1 s', %(every)s::interval)
    )) group by 1, 2, 3, 4, b.bucket_at order by b.bucket_at
"""  # noqa: S608
    for table in ("edge_1m", "edge_1h")
}


def _latency(times: Durations) -> Latency:
    wait, work = times.wait, times.processing
    return Latency(_seconds(wait, 0.5), _seconds(wait, 0.95), _seconds(work, 0.5), _seconds(work, 0.95))


def _seconds(histogram: dict[int, int], share: float) -> float | None:
    milliseconds = histograms.percentile(histogram, share)
    return None if milliseconds is None else milliseconds / 1000
