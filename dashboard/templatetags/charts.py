"""The table under a chart: every value that is drawn."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils.html import format_html_join

from dashboard.templatetags import formats

register = template.Library()
_SAID = {
    "rate": formats.rate,
    "duration": formats.duration,
    "binned": formats.binned,
    "percent": formats.percent,
    "count": formats.count,
}


@register.simple_tag
def chart_rows(chart: Mapping[str, Any], kind: str) -> str:
    """A row for each step, the newest first. elements/chart/twin.js writes the same."""
    say, lines = _SAID[kind], [line["values"] for line in chart["lines"]]
    most = "≤ " if chart["highest"] else ""
    rows = []
    for index in range(len(chart["at"]) - 1, -1, -1):
        values = (line[index] for line in lines)
        cells = format_html_join(
            "", '<td class="number">{}{}</td>', ((most if value else "", say(value)) for value in values)
        )
        rows.append((_until(chart["at"][index]), cells))
    return format_html_join("", '<tr><td class="nowrap">{}</td>{}</tr>', rows)


def _until(second: float) -> str:
    at = datetime.fromtimestamp(second, UTC)
    return f"{at.day} {at:%b %H:%M:%S} UTC"
