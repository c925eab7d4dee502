"""The way from one node to another along the flow, and how long events take on it: waits and processing, hop by hop."""

import random
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collector.domain import histograms
from dashboard.queries.graph import Edge, Facts, Graph, edge_id
from dashboard.queries.latencies import Durations, durations

_DRAWS = 2000
_SHARES = (0.5, 0.95)
Percentiles = tuple[float | None, float | None]  # p50 and p95, in seconds


@dataclass(frozen=True, slots=True)
class Hop:
    """One edge of the way. Writing takes no time of its own: its event waits in the topic."""

    edge: Edge
    wait: Percentiles
    processing: Percentiles


@dataclass(frozen=True, slots=True)
class Way:
    """The shortest way. `whole`, `waits`, `processing`: over all readings of it, as if one hop knew nothing of another;

    None where a reading on the way tells neither its wait nor its processing. `n_unknown`: readings of that kind,
    `n_waits_unknown`, `n_works_unknown`: those that tell one of the two alone; then a sum lacks a part.
    """

    source: str
    target: str
    hops: tuple[Hop, ...]
    whole: Percentiles
    waits: Percentiles
    processing: Percentiles
    n_unknown: int
    n_waits_unknown: int
    n_works_unknown: int

    @property
    def n_parts_unknown(self) -> int:
        """What the sum of both lacks."""
        return self.n_waits_unknown + self.n_works_unknown

    @property
    def ids(self) -> tuple[str, ...]:
        """Every node and edge on the way."""
        nodes = [self.source, *(hop.edge.target for hop in self.hops)]
        return (*nodes, *(hop.edge.id for hop in self.hops))


def way(known: Facts, drawn: Graph, source: str, target: str) -> Way | None:
    """The shortest way along the flow, in the other direction where there is none; None where there is neither.

    One statement more than the graph.
    """
    edges = _shortest(drawn.edges, source, target)
    if edges is None:
        source, target = target, source
        edges = _shortest(drawn.edges, source, target)
    if edges is None:
        return None
    found = durations(known.window)
    keys = {edge_id(edge, known.names): (edge.kind, edge.service_id, edge.group_id, edge.topic_id)
            for edge in known.spans if edge.topic_id in known.names.topics}  # fmt: skip
    times = [found.get(keys[edge.id]) if edge.id in keys else None for edge in edges]
    hops = [Hop(edge, _spread([each.wait if each else {}]), _spread([each.processing if each else {}]))
            for edge, each in zip(edges, times, strict=True)]  # fmt: skip
    reads = [each for edge, each in zip(edges, times, strict=True) if edge.kind == "consume"]
    told = [each for each in reads if each is not None and (each.wait or each.processing)]
    n_unknown = len(reads) - len(told)
    waits, works = _each(told, "wait"), _each(told, "processing")
    none: Percentiles = (None, None)
    return Way(
        source,
        target,
        tuple(hops),
        _spread([*waits, *works]) if not n_unknown else none,
        _spread(waits) if not n_unknown else none,
        _spread(works) if not n_unknown else none,
        n_unknown,
        sum(not each.wait for each in told),
        sum(not each.processing for each in told),
    )


def _each(told: Sequence[Durations], part: str) -> list[Mapping[int, int]]:
    return [histogram for each in told if (histogram := getattr(each, part))]


def _spread(parts: Sequence[Mapping[int, int]]) -> Percentiles:
    """p50 and p95 of the sum of one duration of each, drawn independently; the same each time."""
    if not parts or not all(parts):
        return None, None
    if len(parts) == 1:
        milliseconds = [histograms.percentile(parts[0], share) or 0.0 for share in _SHARES]
        return milliseconds[0] / 1000, milliseconds[1] / 1000
    dice = random.Random(7)  # noqa: S311 - the same answer each time
    sums = [0.0] * _DRAWS
    for histogram in parts:
        bins = sorted(histogram)
        drawn = dice.choices(bins, weights=[histogram[number] for number in bins], k=_DRAWS)
        sums = [total + histograms.value_of(number) for total, number in zip(sums, drawn, strict=True)]
    sums.sort()
    return sums[_DRAWS // 2] / 1000, sums[int(_DRAWS * 0.95)] / 1000


def _shortest(edges: Sequence[Edge], source: str, target: str) -> list[Edge] | None:
    """The fewest edges from one node to another; of equals, the busiest."""
    out: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        out[edge.source].append(edge)
    came: dict[str, Edge] = {}
    waiting = deque([source])
    while waiting and target not in came:
        for edge in sorted(out[waiting.popleft()], key=lambda edge: (-(edge.messages or 0), edge.id)):
            if edge.target not in came and edge.target != source:
                came[edge.target] = edge
                waiting.append(edge.target)
    if target not in came:
        return None
    row = [came[target]]
    while row[0].source != source:
        row.insert(0, came[row[0].source])
    return row
