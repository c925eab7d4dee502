"""What differs between two stretches of time, and what is too quiet to tell: numbered rules over counts and durations.

1. Nobody looked in one of them: nothing can be told.
2. In one of them alone, with too few events to be sure: too quiet. Where nobody looked for all of the other: unseen.
3. In one of them alone, otherwise: new, or gone; what only a new (or gone) service or group does is told with it.
4. In both: rate, failed share, p95 of waiting and of processing, each beyond 25 % and beyond chance; a p95 also beyond
   its own up and down from minute to minute.
5. In both, with so few events that not even their end would tell: too quiet. So is a p95 of too few readings; one of
   too few minutes is too short.
6. A group that spans explain now is known otherwise: neither new nor gone.
7. Another version runs at the end.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, log

from collector.domain import significance
from collector.domain.histograms import Histogram, percentile

LEAST_CHANGE = 0.25  # of a rate, a share or a duration; less is the daily up and down
LEAST_EVENTS = 5
P95 = 0.95


@dataclass(frozen=True, slots=True)
class Line:
    """What is compared: an edge, or a topic whose writers send no spans. `party`: the service or group at its end."""

    id: str
    source: str
    target: str
    kind: str  # produce | consume | topic
    group: str | None = None

    @property
    def party(self) -> str:
        """The id of its service or group; "" of a topic alone."""
        return {"produce": self.source, "consume": self.target}.get(self.kind, "")

    @property
    def topic(self) -> str:
        """The id of its topic."""
        return self.source if self.kind == "consume" else self.target


@dataclass(frozen=True, slots=True)
class Flow:
    """What one line carried in one stretch: counts of what was seen; durations in ms.

    `share`: of what the stretch is taken for; less where spans were sampled, more where counters count for longer.
    `wait_levels`, `processing_levels`: the p95 of each minute, or of several where few events flow.
    """

    n: int
    errors: int = 0
    share: float = 1.0
    wait: Histogram = field(default_factory=dict)
    processing: Histogram = field(default_factory=dict)
    wait_levels: tuple[float, ...] = ()
    processing_levels: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """One of the two. `seconds`: for how long somebody looked; `has_gaps`: not all of the time.

    `unknown`: lines of which it is not known how much they carried.
    """

    seconds: float
    has_gaps: bool
    flows: Mapping[str, Flow]
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by service, at its end
    unknown: frozenset[str] = frozenset()

    def n(self, line: Line) -> int:
        """How many events a line carried."""
        flow = self.flows.get(line.id)
        return flow.n if flow else 0

    def parties(self, lines: Mapping[str, Line]) -> set[str]:
        """Services and groups that did something."""
        return {line.party for line in lines.values() if self.n(line)}


@dataclass(frozen=True, slots=True)
class Difference:
    """`what`: new, gone, changed. `measure`: flow and rate (per second), failed (share), wait and processing (seconds),
    version, known. `carries`: the lines it tells of; of a service or a group that is new or gone all that it does.
    """

    about: str
    what: str
    measure: str
    before: float | None = None
    after: float | None = None
    texts: tuple[str, str] = ("", "")
    carries: tuple[Line, ...] = ()

    @property
    def id(self) -> str:
        """One and the same for one and the same address."""
        return f"{self.measure} {self.about}"

    @property
    def factor(self) -> float | None:
        """After as a multiple of before."""
        return self.after / self.before if self.before and self.after is not None else None


@dataclass(frozen=True, slots=True)
class Untold:
    """What cannot be told of a line. `why`: quiet (so many events, `least` are needed), short (minutes), or unseen."""

    about: Line
    measure: str
    why: str
    n_before: int
    n_after: int
    least: int


@dataclass(frozen=True, slots=True)
class Differences:
    """The outcome. `is_known`: False where nobody looked in one of the two stretches at all."""

    found: tuple[Difference, ...]
    untold: tuple[Untold, ...]
    is_known: bool = True


def differences(lines: Mapping[str, Line], before: Stretch, after: Stretch) -> Differences:
    """All of them, the most telling first."""
    if not before.seconds or not after.seconds:
        return Differences((), (), is_known=False)
    known = _explained(lines, before, after)
    explained = {line.id for each in known for line in each.carries}
    found, untold = list(known), list[Untold]()
    apart: dict[str, list[Line]] = {"new": [], "gone": []}
    for line in (line for line in lines.values() if line.id not in explained):
        if before.n(line) and after.n(line):
            was, now = before.flows[line.id], after.flows[line.id]
            found += _changes(line, was, now, before, after)
            untold += _too_quiet(line, was, now, before, after)
        elif before.n(line) or after.n(line):
            doubt = _doubt(line, before, after)
            if doubt:
                untold.append(doubt)
            else:
                apart["new" if after.n(line) else "gone"].append(line)
    found += _told(apart["new"], "new", before.parties(lines), after)
    found += _told(apart["gone"], "gone", after.parties(lines), before)
    found += _versions(before, after)
    return Differences(tuple(sorted(found, key=_rank)), tuple(sorted(untold, key=lambda each: each.about.id)))


_MEASURES = ("flow", "known", "version", "failed", "processing", "wait", "rate")


def _rank(each: Difference) -> tuple[int, int, float, str]:
    of = ("new", "gone", "changed").index(each.what)
    factor = each.factor
    return of, _MEASURES.index(each.measure), -abs(log(factor)) if factor else -inf, each.about


def _explained(lines: Mapping[str, Line], before: Stretch, after: Stretch) -> list[Difference]:
    """Rule 6: a topic read by a group, in one stretch by a service that is that group, in the other by nobody named."""
    readers: dict[tuple[str, str | None], list[Line]] = defaultdict(list)
    for line in lines.values():
        if line.kind == "consume" and line.group:
            readers[line.source, line.group].append(line)
    found = []
    for own in readers.values():
        alone = next((line for line in own if line.target == line.group), None)
        for other in own if alone else ():
            if alone is None or other is alone:
                continue
            for one, two, texts in (
                (before, after, (alone.target, other.target)),
                (after, before, (other.target, alone.target)),
            ):
                if one.n(alone) and not one.n(other) and two.n(other) and not two.n(alone):
                    found.append(Difference(other.id, "changed", "known", texts=texts, carries=(other, alone)))
    return found


def _doubt(line: Line, before: Stretch, after: Stretch) -> Untold | None:
    """Rule 2, of a line that is in one of them alone."""
    n_before, n_after = before.n(line), after.n(line)
    empty = before if n_after else after
    least = significance.least_to_tell(before.seconds, after.seconds) or 0
    if empty.has_gaps or line.id in empty.unknown:
        return Untold(line, "flow", "unseen", n_before, n_after, least)
    if significance.rates_differ(n_before, before.seconds, n_after, after.seconds):
        return None
    return Untold(line, "flow", "quiet", n_before, n_after, least)


def _told(lines: Iterable[Line], what: str, others: Collection[str], having: Stretch) -> list[Difference]:
    """Rule 3. `others`: who does something in the other stretch, too."""
    found, whole = [], defaultdict[str, list[Line]](list)
    for line in lines:
        if line.party and line.party not in others:
            whole[line.party].append(line)
        else:
            found.append(_one(line.id, what, (line,), having))
    found += [_one(party, what, tuple(own), having) for party, own in whole.items()]
    return found


def _one(about: str, what: str, carries: tuple[Line, ...], having: Stretch) -> Difference:
    rate = sum(having.flows[line.id].n / having.flows[line.id].share for line in carries) / having.seconds
    before, after = (None, rate) if what == "new" else (rate, None)
    return Difference(about, what, "flow", before, after, carries=carries)


def _changes(line: Line, was: Flow, now: Flow, before: Stretch, after: Stretch) -> list[Difference]:
    """Rule 4."""
    seconds = (before.seconds * was.share, after.seconds * now.share)
    found = []
    pairs = (
        ("rate", was.n, seconds[0], now.n, seconds[1]),
        ("failed", was.errors, was.n, now.errors, now.n),
    )
    for measure, n_before, of_before, n_after, of_after in pairs:
        values = (n_before / of_before, n_after / of_after)
        if not _far(*values) or max(n_before, n_after) < LEAST_EVENTS:
            continue
        if significance.rates_differ(n_before, of_before, n_after, of_after):
            found.append(Difference(line.id, "changed", measure, *values, carries=(line,)))
    for measure in ("wait", "processing"):
        one, two = getattr(was, measure), getattr(now, measure)
        slow = (_p95(one), _p95(two))
        if _far(*slow) and _clear(one, two) and significance.levels_differ(*_levels(measure, was, now)):
            found.append(Difference(line.id, "changed", measure, *slow, carries=(line,)))
    return found


def _too_quiet(line: Line, was: Flow, now: Flow, before: Stretch, after: Stretch) -> list[Untold]:
    """Rule 5."""
    least = significance.least_to_tell(before.seconds * was.share, after.seconds * now.share)
    if least is not None and was.n + now.n < least:
        return [Untold(line, "rate", "quiet", was.n, now.n, least)]
    needed, found = significance.least_measured(P95), []
    for measure in ("wait", "processing"):
        one, two = getattr(was, measure), getattr(now, measure)
        n_one, n_two = sum(one.values()), sum(two.values())
        if n_one and n_two and min(n_one, n_two) < needed and _far(_p95(one), _p95(two)) and not _clear(one, two):
            found.append(Untold(line, measure, "quiet", n_one, n_two, needed))
        n_was, n_now = (len(each) for each in _levels(measure, was, now))
        least = significance.LEAST_LEVELS
        if min(n_was, n_now) < least and _far(_p95(one), _p95(two)) and _clear(one, two):
            found.append(Untold(line, measure, "short", n_was, n_now, least))
    return found


def _levels(measure: str, was: Flow, now: Flow) -> tuple[tuple[float, ...], tuple[float, ...]]:
    name = f"{measure}_levels"
    return getattr(was, name), getattr(now, name)


def _far(before: float | None, after: float | None) -> bool:
    """Whether one is more than 25 % beyond the other."""
    if before is None or after is None:
        return False
    least, most = sorted((before, after))
    return most > least * (1 + LEAST_CHANGE)


def _p95(histogram: Histogram) -> float | None:
    milliseconds = percentile(histogram, P95)
    return None if milliseconds is None else milliseconds / 1000


def _clear(before: Histogram, after: Histogram) -> bool:
    """Whether the bounds of the two percentiles do not meet."""
    (low_before, high_before), (low_after, high_after) = (significance.bounds(each, P95) for each in (before, after))
    slower = high_before is not None and low_after is not None and low_after > high_before
    return slower or (high_after is not None and low_before is not None and low_before > high_after)


def _versions(before: Stretch, after: Stretch) -> list[Difference]:
    """Rule 7. Of who has none in one of the stretches nothing is said: it is new, gone, or names none."""
    return [
        Difference(service, "changed", "version", texts=(", ".join(was), ", ".join(now)))
        for service, was in before.versions.items()
        if (now := after.versions.get(service)) and was and set(now) != set(was)
    ]
