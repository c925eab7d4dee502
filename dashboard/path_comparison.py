"""Two paths side by side: which steps both took, and in what those differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from dashboard.queries.paths import Hop, Lineage
from dashboard.templatetags.formats import duration

MOST_HOPS = 300
FACTOR, LEAST_SECONDS = 2.0, 0.05  # times that differ by less look alike


@dataclass(frozen=True, slots=True)
class Pair:
    """One step: here, there or in both. `differences`: in words; empty where both are alike."""

    here: Hop | None
    there: Hop | None
    differences: tuple[str, ...]

    @property
    def one(self) -> Hop:
        """The hop that names the step."""
        found = self.here or self.there
        if found is None:
            raise ValueError("a step of neither path")
        return found

    @property
    def side(self) -> str:
        """only here, only there, or both."""
        return "both" if self.here and self.there else "here" if self.here else "there"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The steps of both in order. `is_cut`: only the first hops of longer paths were compared."""

    pairs: tuple[Pair, ...]
    n_differences: int
    is_cut: bool


def compared(one: Lineage, other: Lineage) -> Comparison:
    """The first 300 hops of both, put side by side where the same party does the same with the same topic."""
    here, there = one.hops[:MOST_HOPS], other.hops[:MOST_HOPS]
    pairs = tuple(_pairs(here, there))
    return Comparison(
        pairs,
        sum(bool(pair.differences) for pair in pairs),
        is_cut=max(len(one.hops), len(other.hops)) > MOST_HOPS,
    )


def _pairs(here: Sequence[Hop], there: Sequence[Hop]) -> Iterator[Pair]:
    matcher = SequenceMatcher(None, [_step(hop) for hop in here], [_step(hop) for hop in there], autojunk=False)
    for tag, begin, end, begin_there, end_there in matcher.get_opcodes():
        if tag == "equal":
            for left, right in zip(here[begin:end], there[begin_there:end_there], strict=True):
                yield Pair(left, right, tuple(_differences(left, right)))
            continue
        yield from (Pair(hop, None, ("only here",)) for hop in here[begin:end])
        yield from (Pair(None, hop, ("only there",)) for hop in there[begin_there:end_there])


def _step(hop: Hop) -> tuple[str, str | None, str | None]:
    return hop.kind, hop.service or hop.group, hop.topic


def _differences(left: Hop, right: Hop) -> Iterator[str]:
    if left.result != right.result:
        yield f"{left.result}, there {right.result}"
    elif left.exception_class != right.exception_class:
        yield "another failure"
    if left.version != right.version and left.version and right.version:
        yield f"version {left.version}, there {right.version}"
    if left.n_attempts != right.n_attempts:
        yield f"{left.n_attempts} tries, there {right.n_attempts}"
    yield from _slower("wait", left.wait_seconds, right.wait_seconds)
    yield from _slower("processing", left.processing_seconds, right.processing_seconds)


def _slower(what: str, left: float | None, right: float | None) -> Iterator[str]:
    if left is None or right is None or abs(left - right) < LEAST_SECONDS:
        return
    if max(left, right) >= FACTOR * min(left, right):
        sign = "+" if left > right else "−"
        yield f"{what} {sign}{duration(abs(left - right))}"
