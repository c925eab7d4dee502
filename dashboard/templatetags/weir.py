"""What the templates say: formats, foreign text, statuses, icons, links that keep the time range."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf
from urllib.parse import urlencode

from django import template
from django.http import HttpRequest
from django.template import Context
from django.urls import reverse
from django.utils.encoding import escape_uri_path
from django.utils.html import format_html

from collector.clock import now
from collector.domain.identities import parts, tail
from collector.domain.trends import direction
from dashboard.access import Action, sentence
from dashboard.queries.people import who_can
from dashboard.templatetags import formats, states
from dashboard.templatetags.foreign import spelled
from dashboard.templatetags.frame import Frame, frame

register = template.Library()

register.filter("count", formats.count)
register.filter("exact", formats.exact)
register.filter("known", formats.known)
register.filter("rate", formats.rate)
register.filter("rate_of", formats.rate_of)
register.filter("events_of", formats.events_of)
register.filter("duration", formats.duration)
register.filter("binned", formats.binned)
register.filter("size", formats.size)
register.filter("percent", formats.percent)
register.filter("tail", tail)

STATUS_WORDS = {"ok": "OK", "degraded": "Degraded", "failing": "Failing", "idle": "Idle", "unknown": "Unknown"}
_CARRIED = ("from", "to", "cluster")


@register.filter
def shown(value: object) -> str:
    """Foreign text for the page: isolated from the text around it, invisible signs spelled out."""
    return formats.NONE if value is None else format_html("<bdi>{}</bdi>", spelled(str(value)))


@register.filter
def plain(value: object) -> str:
    """Foreign text for an attribute (title, aria-label): invisible signs spelled out, no element around it."""
    return "" if value is None else spelled(str(value))


@register.filter
def lines(value: object) -> str:
    """Foreign text of several lines, for `pre`: line ends and tabs stay."""
    return "" if value is None else format_html("<bdi>{}</bdi>", spelled(str(value), keep="\n\t"))


@register.filter
def copied(value: object) -> str:
    """Foreign text for an attribute that is copied from: line ends and tabs stay, what steers a terminal does not."""
    return "" if value is None else spelled(str(value), keep="\n\t")


@register.filter
def short(value: object, length: int = 28) -> str:
    """A foreign name cut in the middle, the whole name as its title."""
    if value is None:
        return formats.NONE
    text = spelled(str(value))
    cut = formats.cut(text, length=length)
    if cut == text:
        return format_html("<bdi>{}</bdi>", text)
    return format_html('<bdi title="{}">{}</bdi>', text, cut)


@register.filter
def moment(value: datetime | None) -> str:
    """A time with date, milliseconds and zone."""
    if value is None:
        return formats.NONE
    return format_html('<time datetime="{}">{}</time>', _iso(value), formats.moment(value, now=now()))


@register.simple_tag(takes_context=True, name="frame")
def frame_of(context: Context) -> Frame:
    """What the frame of the page knows."""
    return frame(context["request"])


@register.simple_tag
def ago(value: datetime | None) -> str:
    """How long before the page's moment, the absolute time as its title; kept current by lib/times.js."""
    if value is None:
        return formats.NONE
    text, title = formats.ago(value, now=now()), formats.moment(value, now=now())
    return format_html('<time datetime="{}" title="{}" data-ago>{}</time>', _iso(value), title, text)


@register.simple_tag
def leaves(value: datetime | None) -> str:
    """How soon a record leaves Kafka, the absolute time as its title."""
    if value is None:
        return formats.NONE
    seconds, title = (value - now()).total_seconds(), formats.moment(value, now=now())
    text = f"in {formats.duration(seconds)}" if seconds > 0 else "has left"
    return format_html('<time datetime="{}" title="{}">{}</time>', _iso(value), title, text)


@register.filter
def milliseconds(value: float | None) -> str:
    """A duration given in milliseconds."""
    return formats.duration(None if value is None else value / 1000)


@register.filter
def summed(seconds: float | None, n_unknown: int) -> str:
    """A sum of durations by histograms of which so many are not known."""
    return formats.summed(seconds, is_whole=not n_unknown)


@register.filter
def at_least(seconds: float, n_unknown: int) -> str:
    """A sum of exact durations of which so many are not known."""
    if not n_unknown:
        return formats.duration(seconds)
    return f"at least {formats.duration(seconds)}" if seconds else "not known"


@register.filter
def trend(value: float | None) -> str:
    """Events per second by which a lag grows (+) or falls (−)."""
    if value is None:
        return formats.NONE
    if not direction(value):
        return "steady"
    return f"{'+' if value > 0 else '−'}{formats.rate(abs(value))}"


@register.filter
def done_in(seconds: float | None) -> str:
    """Time until a lag is gone; never when it does not fall."""
    return "never" if seconds == inf else formats.duration(seconds)


@register.filter
def identity(text: str) -> str:
    """The name in an id: service:shop/orders-svc is shop/orders-svc."""
    kind, names = parts(text) or ("", (text,))
    return names[-1] if kind in {"topic", "group"} else "/".join(names)


@register.inclusion_tag("parts/status.html")
def status(health: str, word: str = "", *, chip: bool = False) -> Mapping[str, object]:
    """A status: colour, shape and word, always the three."""
    known = health if health in STATUS_WORDS else "unknown"
    return {"health": known, "word": word or STATUS_WORDS[known], "chip": chip}


_RESULTS = {
    "ok": ("ok", "OK"),
    "failed": ("failing", "Failed"),
    "received": ("passed", "Received"),
    "passed": ("passed", "Passed"),
    "waiting": ("waiting", "Waiting"),
}


@register.inclusion_tag("parts/status.html")
def result(name: str, word: str = "") -> Mapping[str, object]:
    """What came of a hop. "Received" and "Passed" are weaker than "OK": nothing tells that it was processed."""
    health, usual = _RESULTS.get(name, ("unknown", name))
    return {"health": health, "word": word or usual, "chip": False}


@register.inclusion_tag("parts/status.html")
def letter_state(name: str) -> Mapping[str, object]:
    """Where a dead letter stands."""
    return _state(states.LETTER, name)


@register.inclusion_tag("parts/status.html")
def item_state(name: str) -> Mapping[str, object]:
    """Where one send of an operation stands."""
    return _state(states.ITEM, name)


@register.inclusion_tag("parts/status.html")
def operation_state(name: str) -> Mapping[str, object]:
    """Where a retry operation stands."""
    return _state(states.OPERATION, name)


@register.inclusion_tag("parts/who_can.html", takes_context=True)
def who_may(context: Context, action: str) -> Mapping[str, object]:
    """The line that stands where an action is not offered, who may do it, and a text that asks them."""
    request: HttpRequest = context["request"]
    wanted = Action(action)
    text = f"{request.user} asks: {wanted.value}, {request.build_absolute_uri()}"
    return {"sentence": sentence(wanted), "people": who_can(wanted), "request_text": text}


@register.inclusion_tag("parts/icon.html")
def icon(name: str, title: str = "") -> Mapping[str, object]:
    """One sign of the sprite; without a title it is decoration."""
    return {"name": name, "title": title}


@register.simple_tag(takes_context=True)
def link(context: Context, name: str, *args: object, **query: object) -> str:
    """Address of a page that keeps the time range. Further words are its query parameters."""
    return _with_range(context["request"], reverse(name, args=args), query)


@register.simple_tag(takes_context=True)
def carry(context: Context, url: str, **query: object) -> str:
    """An address of our own, with the page's time range."""
    return _with_range(context["request"], url, query)


@register.simple_tag(takes_context=True)
def here(context: Context, **changes: object) -> str:
    """This page with some query parameters changed; None takes one out."""
    request: HttpRequest = context["request"]
    wanted = {name.rstrip("_"): value for name, value in changes.items()}
    query = [(name, each) for name, values in request.GET.lists() if name not in wanted for each in values]
    query += [(name, str(value)) for name, value in wanted.items() if value is not None]
    path, text = escape_uri_path(request.path), urlencode(query)
    return f"{path}?{text}" if text else path


@register.inclusion_tag("parts/column.html", takes_context=True)
def column(
    context: Context, title: str, name: str, kind: str = "", first: str = "-", *, lead: str = ""
) -> Mapping[str, object]:
    """A header cell that sorts. `first` is the direction of the first click: "-" for numbers, "" for names.

    `lead` stands before the title.
    """
    request: HttpRequest = context["request"]
    now_sorted = request.GET.get("sort") or context.get("default_sort", "")
    up, down = now_sorted == name, now_sorted == f"-{name}"
    wanted = f"-{name}" if up else name if down else f"{first}{name}"
    aria = "ascending" if up else "descending" if down else ""
    return {"title": title, "lead": lead, "kind": kind, "aria": aria, "url": here(context, sort=wanted, after=None)}


def _state(words: Mapping[str, tuple[str, str]], name: str) -> Mapping[str, object]:
    health, word = words.get(name, ("unknown", name))
    return {"health": health, "word": word, "chip": False}


def _with_range(request: HttpRequest, url: str, query: Mapping[str, object]) -> str:
    kept: dict[str, object] = {name: request.GET.getlist(name) for name in _CARRIED if request.GET.get(name)}
    kept |= {name.rstrip("_"): str(value) for name, value in query.items() if value not in (None, "")}
    if not kept:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(kept, doseq=True)}"


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
