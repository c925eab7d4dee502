"""A trend as a row of bars, one an hour, with the words for it."""

from collections.abc import Mapping

from django import template

from dashboard.queries.failure_trends import Trend

register = template.Library()
BAR, HEIGHT = 4, 16


@register.inclusion_tag("dead_letters/trend.html")
def hourly(found: Trend | None) -> Mapping[str, object]:
    """Bars to scale, the tallest full; whatever is not 0 is drawn."""
    if not found:  # also where a group came between two questions, and has no facts
        return {"trend": None}
    tall = [-(-n * HEIGHT // found.most) if n else 0 for n in found.by_hour]
    bars = [f"M{index * BAR} {HEIGHT}v-{height}h{BAR - 1}v{height}z" for index, height in enumerate(tall) if height]
    return {
        "trend": found,
        "bars": "".join(bars),
        "newest": found.by_hour[-1],
        "n_hours": len(found.by_hour),
        "width": len(found.by_hour) * BAR,
        "height": HEIGHT,
    }
