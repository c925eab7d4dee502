"""The search box of every page: decides by shape what a text means, and goes there."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.http import urlencode

from collector.domain.identities import tail
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.crowding import heavy
from dashboard.queries.events import search
from dashboard.queries.names import MOST, Name, names_with

_NAMED = ("topic", "service", "group")
_FORCED = (*_NAMED, "key", "event", "trace")
LONGEST = 400


@needs(Action.VIEW)
@heavy
def search_page(request: HttpRequest) -> HttpResponse:
    """An address, a trace or an exact name leads to its page; anything else to what contains it, then keys."""
    text = request.GET.get("q", "").strip()[:LONGEST]
    if text.startswith("header:"):  # values of headers are searched where it is asked who may
        return HttpResponseRedirect(f"{reverse('events')}?{urlencode({'q': text})}")
    kind, wanted = _forced(text)
    found = search(wanted, only=kind) if kind not in _NAMED else None
    if found and (there := found.url):
        return HttpResponseRedirect(there)
    names = _names(wanted, kind)
    exact = [name for name in names if name.exact]
    if len(exact) == 1:
        return HttpResponseRedirect(address_of(exact[0]))
    if found and found.kind in {"keys", "event"} and not names:
        return HttpResponseRedirect(f"{reverse('events')}?{urlencode({'q': wanted})}")
    facts = {
        "query": text,
        "names": [(name, address_of(name)) for name in names[:MOST]],
        "more_names": len(names) > MOST,
        "found": found,
        "rows": found.rows if found else (),
    }
    return shell.page(request, "search/search.html", facts, section="events", crumbs=[shell.Crumb("Search")])


def address_of(name: Name) -> str:
    """The page of something with a name."""
    return reverse(name.kind, args=[tail(name.id)] if name.kind == "service" else [name.cluster, name.name])


def _forced(text: str) -> tuple[str, str]:
    kind, colon, rest = text.partition(":")
    return (kind, rest.strip()) if colon and kind in _FORCED else ("", text)


def _names(wanted: str, kind: str) -> list[Name]:
    if kind and kind not in _NAMED:
        return []
    return [name for name in names_with(wanted) if not kind or name.kind == kind]


urlpatterns = [
    path("search", search_page, name="search"),
]
