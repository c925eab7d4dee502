"""Links of the graph that open or close a group of nodes beside those that are open."""

from django import template
from django.http import HttpRequest
from django.template import Context
from django.utils.encoding import escape_uri_path

register = template.Library()


@register.simple_tag(takes_context=True)
def opened(context: Context, box: str, sel: str | None = None) -> str:
    """This page with one more group open; `sel` is selected then, or nothing."""
    return _with(context["request"], box, wanted=True, sel=sel)


@register.simple_tag(takes_context=True)
def closed(context: Context, box: str) -> str:
    """This page with a group closed."""
    return _with(context["request"], box, wanted=False, sel=None)


def _with(request: HttpRequest, box: str, *, wanted: bool, sel: str | None) -> str:
    query = request.GET.copy()
    others = [each for each in query.getlist("open") if each != box]
    query.setlist("open", [*others, box] if wanted else others)
    query.setlist("sel", [sel] if sel else [])
    text = query.urlencode()
    path = escape_uri_path(request.path)
    return f"{path}?{text}" if text else path
