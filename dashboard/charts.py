"""Series as charts: data for <time-chart>, and the sentence under each."""

from collections.abc import Sequence

from dashboard.queries.series import Line, Series
from dashboard.queries.wire import iso
from dashboard.templatetags import formats

MOST_ROWS = 24


def chart(lines: Series, drawn: Sequence[Line], unit: str) -> dict[str, object]:
    """What one chart draws: times in seconds since 1970, a value or null per line and step."""
    return {
        "at": [moment.timestamp() for moment in lines.at],
        "step": lines.step_seconds,
        "unit": unit,
        "lines": [{"name": line.name, "values": [_rounded(value) for value in line.values]} for line in drawn],
        "table": _table(lines, drawn),
    }


def rate_caption(lines: Series) -> str:
    """The sentence under the throughput chart."""
    return _caption("Written", lines.rate_in, lines, formats.rate)


def lag_caption(lines: Series) -> str:
    """The sentence under the lag chart: the group furthest behind."""
    if not lines.lags:
        return "No group reads this topic."
    return _caption(
        f"Lag of {lines.lags[0].name}", lines.lags[0], lines, lambda value: f"{formats.count(value)} events"
    )


def _caption(subject: str, line: Line, lines: Series, said: formats.Said) -> str:
    known = [(value, at) for value, at in zip(line.values, lines.at, strict=True) if value is not None]
    if not known:
        return f"{subject}: no samples in this window."
    (last, _), (most, most_at), (least, _) = known[-1], max(known), min(known)
    when = f"{most_at.day} {most_at:%b %H:%M} UTC"
    return f"{subject}: {said(last)} at the end, highest {said(most)} on {when}, lowest {said(least)}."


def _table(lines: Series, drawn: Sequence[Line]) -> list[dict[str, object]]:
    every = max(1, len(lines.at) // MOST_ROWS)
    rows = range(len(lines.at) - 1, -1, -every)
    return [{"at": iso(lines.at[index]), "values": [_rounded(line.values[index]) for line in drawn]} for index in rows]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
