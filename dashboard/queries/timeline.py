"""A stretch of kept history in steps: how much flowed, what failed, and when nobody looked."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection

from dashboard.queries.edges import BUCKET, floor, steps
from dashboard.queries.freshness import LATE
from dashboard.queries.window import Window

MOST_BEATS = 240
_STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800)
)
_SUMMED = timedelta(minutes=10)  # scans are counted by so much


@dataclass(frozen=True, slots=True)
class Beat:
    """One step from `at` on. `rate`: sends and readings per second, by spans; None where nobody looked."""

    at: datetime
    rate: float | None
    failed: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """Steps in order. Whether anybody looked in a step: a broker was seen, or a span of then was counted."""

    step: timedelta
    beats: tuple[Beat, ...]
    from_at: datetime
    to_at: datetime

    @property
    def gaps(self) -> tuple[tuple[datetime, datetime], ...]:
        """Stretches in which nobody looked."""
        found: list[tuple[datetime, datetime]] = []
        for beat in self.beats:
            if beat.rate is not None:
                continue
            start, end = max(beat.at, self.from_at), min(beat.at + self.step, self.to_at)
            if found and found[-1][1] == start:
                start = found.pop()[0]
            found.append((start, end))
        return tuple(found)

    @property
    def seen_seconds(self) -> float:
        """For how long somebody looked."""
        missed = sum((end - start).total_seconds() for start, end in self.gaps)
        return (self.to_at - self.from_at).total_seconds() - missed


def timeline(window: Window, *, now: datetime) -> Timeline:
    """At most 240 steps of a window; its end is cut at `now`. Two statements."""
    to_at = min(window.to_at, now)
    step = step_of(window, now=now)
    counted, looked = _counted(window, step, now=now), _looked(window.from_at, to_at, step)
    beats, at = [], floor(window.from_at, step)
    patience = timedelta(seconds=LATE * settings.WEIR_SAMPLE_SECONDS)
    while at < to_at:
        n, failed = counted.get(at, (0, 0))
        seconds = (min(at + step, to_at) - max(at, window.from_at)).total_seconds()
        is_seen = n > 0 or _any(looked, max(at, window.from_at) - patience, min(at + step, to_at))
        beats.append(Beat(at, n / seconds if is_seen else None, failed))
        at += step
    return Timeline(step, tuple(beats), window.from_at, max(to_at, window.from_at))


def step_of(window: Window, *, now: datetime) -> timedelta:
    """The length of a step: no finer than what is kept, and at most 240 of them."""
    read = steps(window, now=now)
    least = max(BUCKET if read.table is None else read.coarse, (window.to_at - window.from_at) / MOST_BEATS)
    return next((step for step in _STEPS if step >= least), _STEPS[-1])


def was_seen(from_at: datetime, to_at: datetime) -> bool:
    """Whether a broker was seen: where nobody looked, no event counted is not no event. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from cluster c join scan s on s.cluster_id = c.id and s.ok"
            " and s.sampled_at >= %s and s.sampled_at < %s)",
            [from_at - timedelta(seconds=LATE * settings.WEIR_SAMPLE_SECONDS), to_at],
        )
        return bool(cursor.fetchone()[0])


def earliest() -> datetime | None:
    """Since when anything is kept; None where nothing is. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_EARLIEST)
        (since,) = cursor.fetchone()
    return None if since is None else datetime.fromtimestamp(since.timestamp(), UTC)


def _any(moments: list[datetime], start: datetime, end: datetime) -> bool:
    """Whether one of them is from `start` (included) to `end` (excluded)."""
    index = bisect_left(moments, start)
    return index < len(moments) and moments[index] < end


def _counted(window: Window, step: timedelta, *, now: datetime) -> dict[datetime, tuple[int, int]]:
    read = steps(window, now=now)
    parts = [] if read.table is None else [_COARSE[read.table]]
    parts += [] if read.fine_from is None else [_FINE]
    values: dict[str, datetime | float] = {
        "coarse_from": floor(window.from_at, read.coarse),
        "fine_from": read.fine_from or window.to_at,
        "to": window.to_at,
        "step": step.total_seconds(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_BY_STEP.format(counts=" union all ".join(parts)), values)
        return {at: (n, failed) for at, n, failed in cursor.fetchall()}


def _looked(from_at: datetime, to_at: datetime, step: timedelta) -> list[datetime]:
    """The last scan of each step; of steps of ten minutes and more, when ten minutes began that had any."""
    sums = step >= _SUMMED
    values: dict[str, datetime | float] = {
        "from": from_at - max(step, _SUMMED),
        "scans_from": max(from_at - step, to_at - 2 * _SUMMED) if sums else from_at - step,
        "to": to_at,
        "step": step.total_seconds(),
    }
    with connection.cursor() as cursor:
        cursor.execute(f"{_SCANS} union {_SUMS} order by 1" if sums else f"{_SCANS} order by 1", values)
        return [at for (at,) in cursor.fetchall()]


_ROWS = "select bucket_at, sum(n)::bigint n, sum(n_error)::bigint n_error from {table} where {span} group by 1"
_FINE = _ROWS.format(table="edge_10s", span="bucket_at >= %(fine_from)s and bucket_at < %(to)s")
_COARSE = {
    table: _ROWS.format(table=table, span="bucket_at >= %(coarse_from)s and bucket_at < %(fine_from)s")
    for table in ("edge_1m", "edge_1h")
}
_BY_STEP = """
    select to_timestamp(floor(extract(epoch from bucket_at) / %(step)s) * %(step)s), sum(n)::bigint,
      sum(n_error)::bigint
    from ({counts}) b group by 1
"""
_SCANS = """
    select max(s.sampled_at) from cluster c join scan s on s.cluster_id = c.id and s.ok
      and s.sampled_at >= %(scans_from)s and s.sampled_at < %(to)s
    group by floor(extract(epoch from s.sampled_at) / %(step)s)
"""
_SUMS = "select bucket_at from scan_10m where n_scans > 0 and bucket_at >= %(from)s and bucket_at < %(to)s"
_EARLIEST = """
    select least((select min(bucket_at) from edge_10s), (select min(bucket_at) from edge_1m),
      (select min(bucket_at) from edge_1h), (select min(m.at) from cluster c cross join lateral
        (select min(sampled_at) at from scan where cluster_id = c.id) m))
"""
