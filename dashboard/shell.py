"""The frame around every page: navigation, breadcrumb, time range, live chip, who is signed in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from collector.clock import now as clock_now
from collector.domain.sample_chunks import KEPT_AS_ROWS
from dashboard.queries.clusters import Scope, written
from dashboard.queries.clusters import scope as scope_of
from dashboard.queries.counts import counts
from dashboard.queries.freshness import Freshness, limit_seconds
from dashboard.queries.long_ago import extent, reaches_back
from dashboard.queries.offsets import by_minutes
from dashboard.queries.sums import LONGEST_FINE
from dashboard.queries.window import BadWindow, Window, parse
from dashboard.templatetags import formats

RANGES = (
    ("now-5m", "Last 5 min", 300),
    ("now-15m", "Last 15 min", 900),
    ("now-1h", "Last 1 h", 3_600),
    ("now-6h", "Last 6 h", 21_600),
    ("now-24h", "Last 24 h", 86_400),
    ("now-7d", "Last 7 d", 604_800),
    ("now-30d", "Last 30 d", 2_592_000),
)
LONGEST_STREAM = 86_400  # seconds; what is longer moves too little for a socket: those pages poll
PART_HEADER = "X-Weir-Part"
MOST_CHOSEN = 50  # clusters in an address
LIST_SECONDS = 25.0  # how old a list may be that is read anew when something changed, every ten seconds at least
_POLL_SECONDS = 10.0
_WHY = {
    "fold": "Spans are counted late.",
    "scan": "The lag sampler has not reported.",
    "fold scan": "Neither counts nor samples came since.",
}


@dataclass(frozen=True, slots=True)
class Crumb:
    """One part of the breadcrumb; the last one has no address."""

    title: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """What a page's numbers come from: "fold" counts of spans, "scan" samples of brokers, "page" its own reading."""

    name: str
    at: datetime | None
    limit_seconds: float
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Age:
    """How old a page is. `why`: what is late, as a sentence; empty where nothing is."""

    sources: tuple[Source, ...]
    late: str
    why: str

    @property
    def as_of(self) -> datetime | None:
        """The time of the oldest source that is known."""
        return min((source.at for source in self.sources if source.at), default=None)

    @property
    def late_as_of(self) -> datetime | None:
        """The same of those that are late."""
        return min((source.at for source in self.sources if source.at and source.is_late), default=None)


@dataclass(frozen=True, slots=True)
class Range:
    """The time range control: what is chosen, and where its buttons lead. Addresses are query strings.

    `phrase`: the label inside a sentence, "in the last 15 min". `keeps`: for how long the page's numbers are kept,
    where that leaves a range out. `kept`: what else is asked of the page.
    """

    label: str
    phrase: str
    live: bool
    seconds: float
    choices: Sequence[tuple[str, str, bool]]
    keeps: str
    earlier: str
    later: str
    pause: str
    back: str
    from_text: str
    to_text: str
    kept: Sequence[tuple[str, str]]


def window(request: HttpRequest) -> Window:
    """The page's stretch of time, from `from` and `to`. Raises BadRequest with a sentence that says the form."""
    try:
        return parse(request.GET.get("from"), request.GET.get("to"), now=clock_now())
    except BadWindow as error:
        raise BadRequest(str(error)) from error


def is_long_ago(request: HttpRequest) -> bool:
    """Whether the page's stretch is read from packed samples: an hour of a large topic takes long to unpack."""
    try:
        span = window(request)
    except BadRequest:
        return False  # the answer says so
    return not span.live and span.to_at < clock_now() - LONGEST_FINE


def scope(request: HttpRequest) -> Scope:
    """The clusters that there are, and those that `cluster` chooses. One statement."""
    return scope_of(request.GET.getlist("cluster")[:MOST_CHOSEN], now=clock_now())


def page(
    request: HttpRequest,
    template: str,
    facts: Mapping[str, object],
    *,
    section: str,
    crumbs: Sequence[Crumb],
    span: Window | None = None,
    fresh: Freshness | None = None,
    streams: str = "",
    source: Literal["scan", "all"] = "all",
    within: Scope | None = None,
    about: Collection[str] | None = None,
    keeps: timedelta | None = None,
    status: int = 200,
) -> HttpResponse:
    """A whole page in the frame. `span` brings the time range, `streams` names what the live socket shall send,
    `fresh` how old the numbers are, and `source` which of its sources they come from, `within` the clusters that it
    chooses from; `about` names those that it speaks of, where that is not what was chosen. `keeps`: for how long its
    numbers are kept (None: as counts by hour).
    """
    within = within or scope(request)
    return render(
        request,
        template,
        {
            **facts,
            "section": section,
            "crumbs": crumbs,
            "title": " · ".join([*(crumb.title for crumb in reversed(crumbs)), "Weir"]),
            "span": span,
            "range": time_range(request, span, keeps=keeps) if span else None,
            "age": _age(fresh, source, streams),
            "streams": streams,
            "counts": counts(within.chosen),
            "counted": written(within.chosen),
            **standing(within, span, about),
        },
        status=status,
    )


def standing(within: Scope, span: Window | None, about: Collection[str] | None = None) -> dict[str, object]:
    """What a page, or a fragment of it, needs to say of clusters: all of them, those that do not answer now, and which
    stretch their numbers are of.
    """
    is_now = span.live if span else about is not None
    partial = within.partial(about) if is_now else ()
    return {"clusters": within, "partial": partial, "stretch_words": told_of(span, now=clock_now()) if span else ""}


def told_of(span: Window, *, now: datetime) -> str:
    """What stretch numbers of the brokers are of, as a sentence, where it is not just `span`; else empty."""
    exact = extent(span, now=now)
    if (exact.from_at, exact.to_at) == (span.from_at, span.to_at):
        return ""
    if reaches_back(span, now=now):
        kept = "a day sums by ten minutes are kept, and later by the hour"
    else:
        kept = f"{formats.duration(KEPT_AS_ROWS.total_seconds())} one sample a minute is kept"
    if span.live:
        counted = f"Offsets are counted since {formats.moment(exact.from_at, now=now, seconds=False)}"
    else:
        lag_at = exact.to_at if span.to_at < now - LONGEST_FINE else by_minutes(span, now=now).to_at
        counted_in = f"counted over {formats.stretch(exact.from_at, exact.to_at, now=now)}"
        as_of = formats.moment(lag_at, now=now, seconds=False)
        counted = f"Lag is as of {as_of}, and offsets are {counted_in if exact.seconds else 'not counted'}"
    return f"{counted}: of what is older than {kept}."


def wants_part(request: HttpRequest, part: str) -> bool:
    """Whether the page's script asks for this part alone."""
    return request.headers.get(PART_HEADER) == part


def time_range(request: HttpRequest, span: Window, *, keeps: timedelta | None = None) -> Range:
    """The time range control of a page that speaks of `span`. What is longer than `keeps` is not offered."""
    kept_seconds = (keeps or settings.WEIR_KEEP_1H).total_seconds()
    chosen = next((label for text, label, _ in RANGES if span.live and text == span.from_text), "")
    length = span.to_at - span.from_at
    return Range(
        label=chosen
        or (f"Since {span.from_text}" if span.live else formats.stretch(span.from_at, span.to_at, now=clock_now())),
        phrase=f"in the {chosen.lower()}"
        if chosen
        else f"since {span.from_text}"
        if span.live
        else f"in {formats.stretch(span.from_at, span.to_at, now=clock_now())}",
        live=span.live,
        seconds=span.seconds,
        choices=[
            (_query(request, text, "now"), label, label == chosen)
            for text, label, seconds in RANGES
            if seconds <= kept_seconds
        ],
        keeps="" if kept_seconds >= RANGES[-1][2] else formats.duration(kept_seconds),
        earlier=_absolute(request, span.from_at - length, span.from_at),
        later="" if span.live else _absolute(request, span.to_at, span.to_at + length),
        pause=_absolute(request, span.from_at, span.to_at),
        back=_query(request, "now-15m", "now", without=("vs",)),
        from_text=span.from_text,
        to_text=span.to_text,
        kept=[(name, value) for name, values in request.GET.lists() if name not in {"from", "to"} for value in values],
    )


def _age(fresh: Freshness | None, source: Literal["scan", "all"], streams: str) -> Age:
    """Of a page that only polls, sources may be as much older."""
    if not streams:  # what is over does not grow old
        return Age((), "", "")
    if fresh is None:
        return Age((Source("page", clock_now(), LIST_SECONDS),), "", "")
    more = 0.0 if streams.strip() else _POLL_SECONDS
    sources = [Source("scan", fresh.scanned_at, limit_seconds("scan") + more, fresh.scan_delayed)]
    if source == "all":
        sources.insert(0, Source("fold", fresh.folded_at, limit_seconds("fold") + more, fresh.fold_delayed))
    late = " ".join(each.name for each in sources if each.is_late)
    return Age(tuple(sources), late, _WHY.get(late, ""))


def stream(name: str, span: Window, clusters: Collection[str] | None = None) -> str:
    """Name of the live stream for this window ("graph:900"), a blank where the page polls, nothing in the past."""
    if not span.live:
        return ""
    seconds = {text: seconds for text, _, seconds in RANGES}.get(span.from_text)
    of = f":{written(clusters)}" if clusters else ""
    return f"{name}:{seconds}{of}" if seconds and seconds <= LONGEST_STREAM else " "


def _absolute(request: HttpRequest, from_at: datetime, to_at: datetime) -> str:
    if to_at - from_at < timedelta(seconds=1):
        to_at = from_at + timedelta(seconds=1)
    return _query(request, f"{from_at:%Y-%m-%dT%H:%M:%SZ}", f"{to_at:%Y-%m-%dT%H:%M:%SZ}")


def _query(request: HttpRequest, from_text: str, to_text: str, *, without: Sequence[str] = ()) -> str:
    query = request.GET.copy()
    for name in without:
        query.pop(name, None)
    for name, value, default in (("from", from_text, "now-15m"), ("to", to_text, "now")):
        query.pop(name, None)
        if value != default:
            query[name] = value
    return f"?{urlencode(list(query.lists()), doseq=True)}"
