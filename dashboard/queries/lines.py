"""What charts draw: lines on one time axis."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

MOST_LINES = 5  # of groups, or of topics, in one chart


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a value per step, None where there was no sample (the chart breaks there).

    `is_over`: the group reads the topic no more; no value comes after its end.
    """

    name: str
    unit: str
    values: tuple[float | None, ...]
    is_over: bool = False

    def until(self, end: datetime, at: Sequence[datetime]) -> "Line":
        """The same with no value after `end`; `at` are the ends of the steps."""
        known = zip(at, self.values, strict=True)
        return replace(self, values=tuple(value if moment <= end else None for moment, value in known))

    def over(self, end: datetime | None, at: Sequence[datetime]) -> "Line":
        """The same of a group that read no more from `end` on; None: it still does."""
        return self if end is None else replace(self.until(end, at), is_over=True)


@dataclass(frozen=True, slots=True)
class Series:
    """Lines of a topic. `at` are the ends of the steps; `n_more_groups` were left out, smallest lag first.

    `by_sums`: lags are the highest of each step, from sums by ten minutes or hour; else those at its end.
    """

    at: tuple[datetime, ...]
    step_seconds: float
    rate_in: Line
    rates_out: tuple[Line, ...]
    lags: tuple[Line, ...]
    ages: tuple[Line, ...]
    n_more_groups: int
    by_sums: bool
    too_wide: bool = False  # it has too many partitions for lags in seconds
    too_many: bool = False  # and for samples of days ago to be unpacked: therefore by sums
    fell_at: tuple[datetime, ...] = ()  # ends of the steps in which an end of the topic fell

    def until(self, end: datetime) -> "Series":
        """The same with no value after `end`: scans that no longer saw the topic carry nothing forward."""
        rate_in, *rates_out = (line.until(end, self.at) for line in (self.rate_in, *self.rates_out))
        lags, ages = (tuple(line.until(end, self.at) for line in lines) for lines in (self.lags, self.ages))
        return replace(self, rate_in=rate_in, rates_out=tuple(rates_out), lags=lags, ages=ages)


@dataclass(frozen=True, slots=True)
class GroupSeries:
    """Lines of a group, one a topic that it read in the window; those that it still reads come first.

    `n_more_topics` were left out, smallest lag first; `by_sums` as in Series.
    """

    at: tuple[datetime, ...]
    step_seconds: float
    ages: tuple[Line, ...]
    lags: tuple[Line, ...]
    rates: tuple[Line, ...]
    n_more_topics: int
    by_sums: bool
    too_wide: bool = False  # the topic furthest behind has too many partitions for lags in seconds
    too_many: bool = False  # as in Series
