"""Series as charts: data for <time-chart>, and the sentence under each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from dashboard.queries.freshness import Freshness
from dashboard.queries.histories import MOST_PARTITIONS
from dashboard.queries.lines import GroupSeries, Line, Series
from dashboard.queries.marks import Marks
from dashboard.queries.service_series import ServiceSeries
from dashboard.queries.sums import LONGEST_DRAWN
from dashboard.queries.wire import ages, rounded
from dashboard.templatetags import formats
from dashboard.templatetags.setting_words import told

DELETED = " (deleted)"  # as names of topics end that live no more (dashboard/queries/catalogue.py)
FRESH_STEPS = 3  # the newest may not have been sampled yet


class Steps(Protocol):
    """What all series have: the ends of their steps."""

    @property
    def at(self) -> tuple[datetime, ...]: ...
    @property
    def step_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Limit:
    """A labelled line across a chart."""

    value: float
    words: str


def by_name(drawn: Sequence[Line]) -> list[Line]:
    """In an order that holds while they overtake each other: whoever looks knows a line by its colour."""
    return sorted(drawn, key=lambda line: line.name)


def chart(
    lines: Steps,
    drawn: Sequence[Line],
    unit: str,
    *,
    limit: Limit | None = None,
    first: int = 0,
    highest: bool = False,
    none: str = "no data in this window",
    over: str = "gone",
) -> dict[str, object]:
    """What one chart draws: times in seconds since 1970, a value or null per line and step.

    `first`: the place of its first line among the colours, where another chart of the page has more lines. `highest`:
    each value is the highest of its step. `none`: what stands there where there is no value, `over`: behind the name of
    a line that ends because somebody reads no more.
    """
    return {
        "at": [moment.timestamp() for moment in lines.at],
        "step": lines.step_seconds,
        "unit": unit,
        "first": first,
        "lines": [
            {
                "name": f"{line.name} ({over})" if line.is_over and not line.name.endswith(DELETED) else line.name,
                "values": [rounded(value) for value in line.values],
            }
            for line in drawn
        ],
        "limit": {"value": limit.value, "words": limit.words} if limit else None,
        "highest": highest,
        "none": none,
    }


def retention_limit(kept: Mapping[str, float | None]) -> Limit | None:
    """Where unread events begin to be deleted by age: the shortest of what topics keep, by name; None is for ever."""
    limits = {name: seconds for name, seconds in kept.items() if seconds is not None}
    if not limits:
        return None
    name = min(limits, key=lambda each: limits[each])
    of = f" of {name}" if len(kept) > 1 else ""
    return Limit(limits[name], f"retention limit{of} {formats.duration(limits[name])}")


def without_ages(lines: Series | GroupSeries) -> str:
    """What stands in place of lags in seconds."""
    return f"not drawn: more than {MOST_PARTITIONS} partitions" if lines.too_wide else "no data in this window"


def marks_on(marks: Marks) -> list[dict[str, object]]:
    """The marks of a page's charts, oldest first."""
    return [
        {
            "at": mark.at.timestamp(),
            "key": mark.key,
            "kind": mark.kind,
            "text": f"{mark.at.day} {mark.at:%b %H:%M:%S} {told(mark)}",
        }
        for mark in reversed(marks.items)
    ]


def renewed(drawn: Mapping[str, Any], fresh: Freshness) -> dict[str, Any]:
    """What a page that follows the samples fetches: its charts, marks and sentences, and how old all that is."""
    return {**drawn["charts"], "marks": drawn["shown_marks"], "captions": drawn["captions"], **ages(fresh)}


def rate_caption(lines: Series) -> str:
    """The sentence under the throughput chart."""
    told = _caption("Written", lines.rate_in, lines, formats.rate)
    if not lines.fell_at:
        return told
    more = f", and {len(lines.fell_at) - 1:,} times before," if len(lines.fell_at) > 1 else ""
    return f"{told} On {_moment(lines.fell_at[-1])}{more} an end fell: records were lost, how many came is not known."


def lag_caption(lines: Series) -> str:
    """The sentence under the lag chart: the group furthest behind."""
    if not lines.lags:
        return "No group reads this topic."
    return _lag(f"Lag of {lines.lags[0].name}", lines.lags[0], lines, _offsets) + _over(lines.lags, "{} reads it")


def age_caption(lines: Series | GroupSeries) -> str:
    """The sentence under the chart of lag in seconds: the line furthest behind."""
    if not lines.ages:
        return "Nobody has committed here."
    if lines.too_wide:
        return (
            f"Not drawn for topics of more than {MOST_PARTITIONS} partitions in windows of up to"
            f" {formats.duration(LONGEST_DRAWN.total_seconds())}: choose a longer one. The tables tell it as of now."
        )
    return _lag(f"Lag of {lines.ages[0].name}", lines.ages[0], lines, formats.duration)


def pace_caption(lines: GroupSeries) -> str:
    """The sentence under the chart of commits."""
    if not lines.rates:
        return "It read no topic in this window."
    told = _caption(f"Commits on {lines.rates[0].name}", lines.rates[0], lines, formats.rate)
    return told + _over(lines.rates, "It reads {}")


def offsets_caption(lines: GroupSeries) -> str:
    """The sentence under a group's chart of lag in offsets."""
    if not lines.lags:
        return "It read no topic in this window."
    return _lag(f"Lag on {lines.lags[0].name}", lines.lags[0], lines, _offsets) + _over(lines.lags, "It reads {}")


def spans_caption(lines: ServiceSeries) -> str:
    """The sentence under a service's chart of what it reads, or else writes."""
    reads, writes = lines.rates
    busy = reads if any(reads.values) or not any(writes.values) else writes
    return _caption("Read" if busy is reads else "Written", busy, lines, formats.rate)


def processing_caption(lines: ServiceSeries) -> str:
    """The sentence under a service's chart of processing times."""
    if all(value is None for value in lines.processing[1].values):
        return "No span of this window times its processing."
    return _caption("Processing p95", lines.processing[1], lines, formats.binned)


def failed_caption(lines: ServiceSeries) -> str:
    """The sentence under a service's chart of failures."""
    reads, writes = lines.failed
    told = reads if any(value is not None for value in reads.values) else writes
    return _caption(
        "Failed of what it reads" if told is reads else "Failed of what it writes", told, lines, formats.percent
    )


def _lag(subject: str, line: Line, lines: Series | GroupSeries, said: formats.Said) -> str:
    """Of sums a point is the highest of its step: what it is now is not told by the last one."""
    if not lines.by_sums:
        return _caption(subject, line, lines, said)
    why = " Of so many partitions no single samples are unpacked for so long: choose a shorter window."
    if not lines.at:  # it begins and ends within what is summed up together
        return f"{subject}: nothing is summed up of so short a window." + (why if lines.too_many else "")
    since = lines.at[-1] - timedelta(seconds=lines.step_seconds) if len(lines.at) < 2 else lines.at[-2]
    length = formats.duration(lines.step_seconds)
    told = _caption(subject, line, lines, said, end=f"at most since {_moment(since)}")
    return f"{told} Each point is the highest of its {length}.{why if lines.too_many else ''}"


def _over(lines: Sequence[Line], reads: str) -> str:
    """Which lines end because somebody reads no more; `reads` with the name of one says who, or what."""
    return "".join(f" {reads.format(line.name)} no more." for line in by_name(lines) if line.is_over)


def _offsets(value: float) -> str:
    return f"{formats.count(value)} offsets"


def _caption(subject: str, line: Line, lines: Steps, said: formats.Said, *, end: str = "at the end") -> str:
    known = [(value, at) for value, at in zip(line.values, lines.at, strict=True) if value is not None]
    if not known:
        return f"{subject}: too few samples in this window."
    (last, last_at), (most, most_at), (least, _) = known[-1], max(known), min(known)
    end = end if last_at in lines.at[-FRESH_STEPS:] else f"on {_moment(last_at)}, no sample since"
    return f"{subject}: {said(last)} {end}; highest {said(most)} on {_moment(most_at)}, lowest {said(least)}."


def _moment(at: datetime) -> str:
    return f"{at.day} {at:%b %H:%M} UTC"
