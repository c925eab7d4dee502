"""The graph through time: frames of a replay, two moments compared, and when anybody looked. GET only."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router

from collector import clock
from dashboard.access import Action, needs
from dashboard.api import time_schemas as schemas
from dashboard.api.listing import Clusters, From, To
from dashboard.crowding import heavy
from dashboard.difference_words import Told, words
from dashboard.past import reading
from dashboard.queries import wire
from dashboard.queries.comparing import compared, versus
from dashboard.queries.graph import facts
from dashboard.queries.replay import MOST_FRAMES, as_plain, frames, step_of
from dashboard.queries.timeline import earliest, timeline
from dashboard.queries.window import Window, moment, parse

router = Router(tags=["topology"])
Number = Annotated[int, Query(ge=1, le=MOST_FRAMES)]
Moment = Annotated[str, Query(max_length=40)]


@router.get("graph/frames", response=schemas.FramesAnswer, by_alias=True, exclude_unset=True)
@needs(Action.VIEW)
@heavy
def read_frames(
    request: HttpRequest,
    from_: From = None,
    to: To = None,
    n: Number = MOST_FRAMES,
    idle: bool = False,  # noqa: FBT001, FBT002
    clusters: Clusters = None,
) -> dict[str, Any]:
    """The graph of a window and of those after it, a step later each, as far as a second of work goes."""
    now, first = _asked(from_, to)
    step = step_of(first, now=now)
    return as_plain(list(frames(first, step, n, now=now, clusters=clusters, idle=idle)), step)


@router.get("graph/comparison", response=schemas.ComparisonAnswer, by_alias=True)
@needs(Action.VIEW)
@heavy
def read_comparison(
    request: HttpRequest, from_: From = None, to: To = None, vs: Moment = "", clusters: Clusters = None
) -> dict[str, Any]:
    """What differs between a window and the equally long one that ends at `vs`, and what is too quiet to tell."""
    now, window = _asked(from_, to)
    then = versus(moment(vs, now=now), window, now=now)
    found = compared(facts(window, now=now, clusters=clusters), then, now=now, clusters=clusters)
    told = words(found, now=now)
    return {
        "before": _span(then, found.seen[0].seen_seconds),
        "after": _span(window, found.seen[1].seen_seconds),
        "is_known": found.found.is_known,
        "heading": told.heading,
        "differences": [_told(each) for each in told.told],
        "untold": [{"id": each.id, "title": each.title, "sentence": each.sentence} for each in told.unsure],
        "truncated": bool(told.n_more),
    }


@router.get("graph/timeline", response=schemas.TimelineAnswer, by_alias=True)
@needs(Action.VIEW)
def read_timeline(request: HttpRequest, from_: From = None, to: To = None) -> dict[str, Any]:
    """How much flowed in a window, in at most 240 steps, and when nobody looked; since when anything is kept."""
    now, window = _asked(from_, to)
    found, since = timeline(window, now=now), earliest()
    return {
        "from": wire.iso(found.from_at),
        "to": wire.iso(found.to_at),
        "kept_since": wire.iso(since),
        "resolution": reading(window, now=now),
        "step_seconds": found.step.total_seconds(),
        "beats": [{"at": wire.iso(beat.at), "rate": beat.rate, "failed": beat.failed} for beat in found.beats],
        "gaps": [{"from": wire.iso(start), "to": wire.iso(end)} for start, end in found.gaps],
    }


def _asked(from_text: str | None, to_text: str | None) -> tuple[datetime, Window]:
    """A window that ends now is taken as over: what is asked about it stands still."""
    now = clock.now()
    found = parse(from_text, to_text, now=now)
    return now, Window(found.from_at, found.to_at, live=False)


def _span(window: Window, seen_seconds: float) -> dict[str, Any]:
    return {"from": wire.iso(window.from_at), "to": wire.iso(window.to_at), "seen_seconds": seen_seconds}


def _told(each: Told) -> dict[str, Any]:
    names = ("id", "what", "title", "measure", "before", "after", "change", "sentence")
    return {name: getattr(each, name) for name in names}
