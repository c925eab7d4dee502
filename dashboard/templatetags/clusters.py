"""What the templates say of clusters: the menu that chooses them, and what is only the last known value."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from django import template
from django.template import Context
from django.utils.encoding import escape_uri_path
from django.utils.html import format_html

from collector.clock import now
from dashboard.queries.clusters import Scope
from dashboard.templatetags.weir import moment as shown_moment
from dashboard.templatetags.weir import short

register = template.Library()


@register.simple_tag(takes_context=True)
def with_clusters(context: Context, *names: str, toggled: str | None = None) -> str:
    """This page for these clusters; none is all. `toggled`: for what is chosen now, with this one added or left out."""
    request = context["request"]
    query = request.GET.copy()
    query.setlist("cluster", context["clusters"].without(toggled) if toggled is not None else list(names))
    path, text = escape_uri_path(request.path), query.urlencode()
    return f"{path}?{text}" if text else path


@register.filter
def chosen_words(scope: Scope) -> str:
    """Which clusters a page speaks of, as its menu says it."""
    if scope.chosen is None:
        return "All clusters"
    n = len(scope.chosen)
    return short(next(iter(scope.chosen))) if n == 1 else f"{n} of {len(scope.clusters)} clusters"


@register.filter
def counted_of(scope: Scope | Literal[""]) -> str:
    """What stands behind a count: which clusters it is of, where there are several. Plain text, for an attribute.

    A page of an error knows of no clusters.
    """
    if not scope or not scope.are_several:
        return ""
    return f", {', '.join(sorted(scope.chosen))}" if scope.chosen else ", all clusters"


@register.filter
def since(moment: datetime) -> str:
    """When the silence began: the time of day, with the day where that was another."""
    if now() - moment > timedelta(hours=12):
        return shown_moment(moment)
    return format_html('<time datetime="{}">{} UTC</time>', moment.isoformat(), f"{moment:%H:%M:%S}")


@register.inclusion_tag("parts/stale.html")
def stale(scope: Scope | None, cluster: str) -> Mapping[str, object]:
    """The clock beside what is only the last known value, with the reason as its title."""
    partial = scope.partial([cluster]) if scope else ()
    return {"cluster": partial[0] if partial else None}


@register.simple_tag
def of_cluster(scope: Scope | None, cluster: str) -> str:
    """The cluster behind a name, where there are several; nothing for what is of none."""
    if not cluster or not scope or not scope.are_several:
        return ""
    return format_html(' <span class="muted nowrap">{}</span>', short(cluster))
