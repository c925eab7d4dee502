"""The past as the overview shows it: how finely a moment is kept, when nobody looked, and the track to move along."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings

from dashboard.queries.edges import BUCKET, HOUR, MINUTE, extent, floor, steps
from dashboard.queries.marks import Mark, marks_within
from dashboard.queries.replay import step_of
from dashboard.queries.timeline import Timeline, earliest, timeline
from dashboard.queries.window import Window, moment, parse
from dashboard.templatetags.formats import duration, rate, stretch

TRACKS = {BUCKET: timedelta(hours=6), MINUTE: timedelta(days=1), HOUR: timedelta(days=30)}
WIDTH, HEIGHT = 1_000, 40  # of the picture over the track, in its own units
MOST_MARKS, MOST_GAPS = 6, 3


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the track, in the picture's units."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Changed:
    """A change within the track: where it stands, and the windows before and after it."""

    mark: Mark
    x: float
    from_text: str
    to_text: str
    vs_text: str


@dataclass(frozen=True, slots=True)
class Track:
    """What the scrubber moves along, in steps. `line`, `failed`, `unseen`: the picture over it.

    `earlier`, `later`: the windows (from and to) that lead to the tracks beside it; empty where there is none.
    """

    from_text: str
    to_text: str
    step_seconds: int
    n_steps: int
    position: int
    label: str
    line: str
    most: str
    failed: tuple[Bar, ...]
    unseen: tuple[Bar, ...]
    changes: tuple[Changed, ...]
    earlier: tuple[str, str]
    later: tuple[str, str]

    @property
    def speeds(self) -> tuple[tuple[int, bool], ...]:
        """How many times faster than it was; the second is the usual one."""
        return tuple((factor * self.step_seconds // 10, factor == 10) for factor in (1, 10, 60))


@dataclass(frozen=True, slots=True)
class Past:
    """A window that is over. `missing`: a sentence where it lies before all that is kept; `begins`: the way there."""

    label: str
    reading: str
    gaps: tuple[str, ...]
    missing: str
    begins: tuple[str, str]
    track: Track
    is_unseen: bool  # nobody looked in all of it


def settled(query: Mapping[str, str], *, now: datetime) -> dict[str, str] | None:
    """The words of an address that move with the clock, as moments: what is past, or compared, stands still.

    None where there are none, or where the window is live. Raises BadWindow.
    """
    if not query.get("vs") and query.get("to", "now") == "now":
        return None
    span = parse(query.get("from"), query.get("to"), now=now)
    words = {"from": (query.get("from") or "now-15m", span.from_at), "to": (query.get("to") or "now", span.to_at)}
    if query.get("vs"):
        words["vs"] = (query["vs"], moment(query["vs"], now=now))
    if not any(word.startswith("now") for word, _ in words.values()):
        return None
    return {name: text(at) for name, (_, at) in words.items()}


def past(span: Window, *, now: datetime) -> Past:
    """Of this window. Six statements."""
    since, seen = earliest(), timeline(span, now=now)
    missing, begins = _missing(span, since)
    return Past(
        stretch(span.from_at, span.to_at, now=now),
        reading(span, now=now),
        _gaps(seen, now=now) if not missing else (),
        missing,
        begins,
        track(span, since, now=now),
        not seen.seen_seconds,
    )


def beside_live(span: Window) -> dict[str, object]:
    """Where the buttons Replay and Compare lead: words of an address, which `settled` makes stand still."""
    length = int(span.seconds)
    others = (
        [("With the window before", f"now-{length}s")]
        if span.live
        else [("With the window before", text(span.from_at))]
    )
    for word, seconds in _BACK:
        if seconds >= length:
            vs = f"now-{seconds}s" if span.live else text(span.to_at - timedelta(seconds=seconds))
            others.append((f"With {word} before", vs))
    return {"replay_from": f"now-{length + 10}s", "compare_with": others}


_BACK = (("an hour", 3_600), ("a day", 86_400), ("a week", 604_800))


def reading(span: Window, *, now: datetime) -> str:
    """How finely a window is read, for how long that is kept, and where steps are long, of when its counts are."""
    read = steps(span, now=now)
    if read.table is None:
        return f"10-second resolution, kept {duration(settings.WEIR_KEEP_10S.total_seconds())}"
    whole = extent(span, now=now)
    counted = f"counted {stretch(whole.from_at, whole.to_at, now=now)}"
    if read.table == "edge_1m":
        return f"1-minute resolution, kept {duration(settings.WEIR_KEEP_1M.total_seconds())}, {counted}"
    kept = duration(settings.WEIR_KEEP_1H.total_seconds())
    return f"1-hour resolution, kept {kept}, {counted}" + ("" if read.fine_from else "; rates are not known")


def track(span: Window, since: datetime | None, *, now: datetime) -> Track:
    """The track on which a window's end lies. Four statements."""
    step = step_of(span, now=now)
    from_at, to_at = _ends(span, step, since, now=now)
    whole = Window(from_at, to_at, live=False)
    seen = timeline(whole, now=now)
    n_steps = int((to_at - from_at) / step)
    most = max((beat.rate for beat in seen.beats if beat.rate is not None), default=0.0)
    length = span.to_at - span.from_at
    has_earlier = since is not None and since < from_at
    return Track(
        text(from_at),
        text(to_at),
        int(step.total_seconds()),
        n_steps,
        min(n_steps, max(0, round((span.to_at - from_at) / step))),
        stretch(from_at, to_at, now=now),
        _line(seen, most, whole) if most else "",
        rate(most) if most else "",
        tuple(_bar(beat.at, beat.at + seen.step, whole) for beat in seen.beats if beat.failed),
        tuple(_bar(start, end, whole) for start, end in seen.gaps),
        _changes(whole, length, now=now),
        (text(from_at - length), text(from_at)) if has_earlier else ("", ""),
        _later(to_at, step, length, now),
    )


def text(moment: datetime) -> str:
    """As addresses have it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _ends(span: Window, step: timedelta, since: datetime | None, *, now: datetime) -> tuple[datetime, datetime]:
    """The newest track, where the window's end lies on it, else one around it; of history that is kept alone."""
    length = TRACKS[step]
    newest = floor(now, step)
    to_at = newest if span.to_at > newest - length else min(newest, floor(span.to_at + length / 2, step))
    from_at = to_at - length
    if since is not None:
        from_at = max(from_at, min(floor(since, step), floor(span.to_at, step), to_at - step))
    return from_at, to_at


def _later(to_at: datetime, step: timedelta, length: timedelta, now: datetime) -> tuple[str, str]:
    if to_at >= floor(now, step):
        return "", ""
    end = min(to_at + TRACKS[step] / 2, now)
    return text(end - length), text(end)


def _line(seen: Timeline, most: float, whole: Window) -> str:
    """The rate as a path, broken where nobody looked; from zero on."""
    found, pen = [], "M"
    for beat in seen.beats:
        if beat.rate is None:
            pen = "M"
            continue
        y = HEIGHT - 2 - (beat.rate / most if most else 0.0) * (HEIGHT - 6)
        bar = _bar(beat.at, beat.at + seen.step, whole)
        found.append(f"{pen}{bar.x:g} {y:.1f}H{bar.x + bar.width:g}")
        pen = "L"
    return "".join(found)


def _bar(start: datetime, end: datetime, whole: Window) -> Bar:
    first, last = max(start, whole.from_at), min(end, whole.to_at)
    return Bar(_x(first, whole), round((last - first) / (whole.to_at - whole.from_at) * WIDTH, 1))


def _x(moment: datetime, whole: Window) -> float:
    return round((moment - whole.from_at) / (whole.to_at - whole.from_at) * WIDTH, 1)


def _changes(whole: Window, length: timedelta, *, now: datetime) -> tuple[Changed, ...]:
    """The newest changes: behind each the window from it on, compared with the one up to it."""
    return tuple(
        Changed(mark, _x(mark.at, whole), text(mark.at), text(min(mark.at + length, now)), text(mark.at))
        for mark in marks_within(whole).items[:MOST_MARKS]
    )


def _gaps(seen: Timeline, *, now: datetime) -> tuple[str, ...]:
    found = [f"Nobody looked {stretch(start, end, now=now)}: what flowed then is unknown." for start, end in seen.gaps]
    more = [f"And {len(found) - MOST_GAPS:,} more gaps."] if len(found) > MOST_GAPS else []
    return (*found[:MOST_GAPS], *more)


def _missing(span: Window, since: datetime | None) -> tuple[str, tuple[str, str]]:
    if since is None:
        return "Weir keeps nothing yet.", ("", "")
    if span.to_at > since:
        return "", ("", "")
    begins = f"{since.day} {since:%b %Y %H:%M} UTC"
    length = span.to_at - span.from_at
    return f"This is before what Weir keeps: its history begins on {begins}.", (text(since), text(since + length))
