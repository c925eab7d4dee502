"""Differences between two stretches of time as people read them: sentences with both numbers, units and windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.queries.comparing import Compared, marks
from dashboard.queries.differences import Difference, Line, Untold
from dashboard.templatetags.formats import binned, duration, percent, rate, stretch, two_digits

GLYPHS = {"new": "+", "gone": "−", "changed": "Δ"}
MOST = 500
_MEASURES = {
    "flow": ("rate", rate),
    "rate": ("rate", rate),
    "failed": ("failed", percent),
    "wait": ("wait p95", binned),
    "processing": ("processing p95", binned),
}
_UNTOLD = {"flow": "events", "rate": "events", "wait": "measured waits", "processing": "measured readings"}


@dataclass(frozen=True, slots=True)
class Told:
    """One difference. `title`, `sentence`: together one sentence; `change`: as factor or share.

    `carried`: further things of the graph that it tells of, as `sel`.
    """

    id: str
    sel: str
    what: str
    title: str
    measure: str
    before: str
    after: str
    change: str
    sentence: str
    carried: frozenset[str] = frozenset()

    @property
    def glyph(self) -> str:
        """+ new, − gone, Δ changed."""
        return GLYPHS[self.what]

    @property
    def on_graph(self) -> str:
        """Behind the sign, on the drawing: there is room for little."""
        if self.what != "changed" or self.measure in {"rate", "version", "known by"}:
            return self.change
        return f"{self.measure.removesuffix(' p95')} {self.change}"


@dataclass(frozen=True, slots=True)
class Unsure:
    """What cannot be told, and why."""

    id: str
    sel: str
    title: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Words:
    """The whole comparison. `before`, `after`: the two windows; `n_more`: differences beyond 500."""

    heading: str
    before: str
    after: str
    told: tuple[Told, ...]
    unsure: tuple[Unsure, ...]
    n_quiet: int
    n_more: int
    gaps: tuple[str, ...]


def words(found: Compared, *, now: datetime) -> Words:
    """What `found` says."""
    spans = found.before.window, found.after.window
    is_one_day = len({at.date() for span in spans for at in (span.from_at, span.to_at)}) == 1
    before, after = (stretch(span.from_at, span.to_at, now=now, day=not is_one_day) for span in spans)
    day = f" on {spans[0].from_at.day} {spans[0].from_at:%b}" if is_one_day else ""
    names = {node.id: node.shown_name or node.name for node in found.union.nodes}
    told = [_told(each, names, before, after) for each in found.found.found]
    unsure = [_unsure(each, names, before, after) for each in found.found.untold]
    gaps = [
        f"Nobody looked for {duration(sum((end - start).total_seconds() for start, end in line.gaps))} of {text}"
        for line, text in zip(found.seen, (before, after), strict=True)
        if line.gaps
    ]
    n_quiet = sum(each.why in {"quiet", "short"} for each in found.found.untold)
    return Words(
        _heading(found, f"between {before} and {after}{day}", n_quiet),
        before,
        after,
        tuple(told[:MOST]),
        tuple(unsure[:MOST]),
        n_quiet,
        max(0, len(told) - MOST),
        tuple(gaps),
    )


def differing(found: Compared, told: Words) -> dict[str, dict[str, Any]]:
    """By the id of a node or an edge what the drawing shows: `diff` (new, gone, changed) and `said`."""
    said = {each.id: each.on_graph for each in told.told}
    return {
        identity: {"diff": what, "said": _first([said[each.id] for each in own if each.id in said])}
        for identity, (what, own) in marks(found.found, found.union).items()
    }


def _first(said: Sequence[str]) -> str:
    """The most telling, and how many there are beside it."""
    return said[0] + (f" +{len(said) - 1}" if len(said) > 1 else "") if said else ""


def change_words(before: float | None, after: float | None) -> str:
    """×3.1 from twice on, else the sign: +45 %, −68 %."""
    if not before or after is None:
        return "from none" if after else ""
    factor = after / before
    if factor >= 2:
        return f"×{two_digits(factor)}"
    share = percent(abs(factor - 1))
    return f"{'+' if factor > 1 else '−'}{share}"


def _heading(found: Compared, windows: str, n_quiet: int) -> str:
    between = f"{windows}, {duration(found.after.window.seconds)} each"
    if not found.found.is_known:
        return f"Nothing can be told {between}: nobody looked in one of them."
    n = len(found.found.found)
    if not n:
        quiet = f" {n_quiet:,} too quiet to tell." if n_quiet else ""
        return f"No differences {between}.{quiet}"
    counts = [
        f"{many:,} {word}"
        for what, word in (("new", "new"), ("gone", "gone"), ("changed", "changed"))
        if (many := sum(each.what == what for each in found.found.found))
    ]
    if n_quiet:
        counts.append(f"{n_quiet:,} too quiet to tell")
    return f"{n:,} difference{'s' if n != 1 else ''} {between}: {', '.join(counts)}."


def _told(each: Difference, names: Mapping[str, str], before: str, after: str) -> Told:
    title = _title(each, names)
    measure, old, new, change, said = _said(each, names, before, after)
    carried = frozenset(_sel(line.id) for line in each.carries)
    return Told(each.id, _sel(each.about), each.what, title, measure, old, new, change, said, carried)


def _said(each: Difference, names: Mapping[str, str], before: str, after: str) -> tuple[str, str, str, str, str]:
    """Measure, value before, value after, change, and the rest of the sentence."""
    if each.measure == "version":
        old, new = (text.replace(", ", " and ") for text in each.texts)
        return "version", old, new, new, f"runs {new} at the end of {after}, {old} at the end of {before}"
    if each.measure == "known":
        old, new = (_known(text, names) for text in each.texts)
        return "known by", old, new, "known otherwise", f"is {new} in {after}, {old} in {before}"
    measure, form = _MEASURES[each.measure]
    old, new = form(each.before), form(each.after)
    if each.measure == "flow":
        many = f" on {len(each.carries):,} edges" if len(each.carries) > 1 else ""
        if each.what == "new":
            return measure, "none", new, "new", f"is new: {new}{many} in {after}, nothing in {before}"
        return measure, old, "none", "gone", f"is gone: nothing in {after}, {old}{many} in {before}"
    change = change_words(each.before, each.after)
    slower = {True: " slower", False: " faster"}[(each.after or 0) > (each.before or 0)]
    how = slower if measure.endswith("p95") else ""
    return measure, old, new, change, f"{measure}{how} {change}: {new} in {after}, {old} in {before}"


def _known(identity: str, names: Mapping[str, str]) -> str:
    kind = identity.partition(":")[0]
    name = names.get(identity, identity)
    return f"the group {name}, known from offsets alone" if kind == "group" else f"the service {name}, by its spans"


def _title(each: Difference, names: Mapping[str, str]) -> str:
    line = each.carries[0] if each.carries else None
    if line is None or each.about in names:
        return names.get(each.about, each.about)
    return _line(line, names)


def _line(line: Line, names: Mapping[str, str]) -> str:
    if line.kind == "topic":
        return names.get(line.id, line.id)
    return f"{names.get(line.source, line.source)} → {names.get(line.target, line.target)}"


def _sel(about: str) -> str:
    return f"edge:{about}" if ">" in about else about


def _unsure(each: Untold, names: Mapping[str, str], before: str, after: str) -> Unsure:
    counted = f"{each.n_after:,} {_UNTOLD[each.measure]} in {after}, {each.n_before:,} in {before}"
    together = " together" if each.measure in {"flow", "rate"} else " in each"
    why = {
        "quiet": f"too quiet to tell: {counted}; {each.least:,} are needed{together}",
        "short": f"too short to tell {each.measure} p95 from its own up and down: {each.n_after:,} full minutes in"
        f" {after}, {each.n_before:,} in {before}; {each.least:,} are needed in each",
        "unseen": f"unknown: {counted}, where not all was seen",
    }[each.why]
    sel = each.about.id if each.about.kind == "topic" else f"edge:{each.about.id}"
    return Unsure(f"{each.measure} {each.about.id}", sel, _line(each.about, names), why)
