"""What ticks: the streams by name, who builds each, and over which windows."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple, Protocol
from urllib.parse import unquote

from dashboard.attention import as_plain, attention
from dashboard.queries.clusters import written
from dashboard.queries.counts import counts
from dashboard.queries.graph import drawn, facts
from dashboard.queries.ticks import Tick, graph_tick, groups_tick, live, topics_tick

WINDOWS = frozenset({300, 900, 3600, 21600, 86400})
"""Seconds: the live time ranges of the pages."""


class Builder(Protocol):
    """Reads the newest state of a stream; called in a thread with a database connection of its own."""

    def __call__(self, window_seconds: int, *, now: datetime, clusters: Collection[str] | None = None) -> Tick: ...


class Name(NamedTuple):
    """What a stream's name says: "graph:900", or of some clusters alone "graph:900:prod,prod-2"."""

    kind: str
    seconds: int
    clusters: frozenset[str] | None


def overview_tick(window_seconds: int, *, now: datetime, clusters: Collection[str] | None = None) -> Tick:
    """The graph, and the attention list above it."""
    known = facts(live(window_seconds, now=now), now=now, clusters=clusters)
    graph = drawn(known, idle=False)
    tick = graph_tick(graph)
    tick.body["attention"] = {"list": as_plain(attention(known, graph, now=now))}
    return tick


def _counted(build: Builder) -> Builder:
    """With the counts in the navigation: a page that stands open is not fetched whole for hours.

    `of`: the clusters that they are of, as a stream's name has them. A page may follow a stream of one cluster and
    show the counts of all.
    """

    def counted(window_seconds: int, *, now: datetime, clusters: Collection[str] | None = None) -> Tick:
        tick = build(window_seconds, now=now, clusters=clusters)
        tick.body["about"]["counts"] = {**asdict(counts(clusters)), "of": written(clusters)}
        return tick

    return counted


BUILDERS: dict[str, Builder] = {
    "graph": _counted(overview_tick),
    "groups": _counted(groups_tick),
    "topics": _counted(topics_tick),
}
WOKEN_BY = {
    "topology": ("graph",),
    "samples": ("graph", "groups", "topics"),
    "letters": ("graph",),
    "health": ("graph",),
    "names": ("graph", "groups", "topics"),
}
"""Which streams a hint makes worth a look."""
LED_BY = {"graph": "topology"}
"""The hint that is never kept waiting, where it comes as often as a stream may be looked at: others go with it."""
BELLS = {
    "letters": "letters",
    "retries": "retries",
    "layout": "layout",
    "health": "health",
    "topology": "events",
    "lookups": "lookups",
}
"""Which doorbell a hint rings on the pages."""
Build = Callable[[str], Tick]


def parse(name: object) -> Name | None:
    """The parts of a stream's name; None where there is no such stream. Clusters stand in order, each once, as pages
    write them: else one stream would have many names, and be read for each.
    """
    if not isinstance(name, str) or name.count(":") > 2:
        return None
    kind, _, rest = name.partition(":")
    seconds, colon, clusters = rest.partition(":")
    if kind not in BUILDERS or not (seconds.isascii() and seconds.isdigit()) or len(seconds) > 5:
        return None
    if int(seconds) not in WINDOWS or bool(colon) != bool(clusters):
        return None
    chosen = frozenset(map(unquote, clusters.split(","))) if colon else None
    if chosen is not None and written(chosen) != clusters:
        return None
    return Name(kind, int(seconds), chosen)


def bells_of(rest: Mapping[object, object]) -> frozenset[str] | None:
    """What stands beside the wanted streams, as bells: {"bells": ["letters"]}. {} is all of them; None: no sense."""
    if not rest:
        return frozenset(BELLS.values())
    names = rest.get("bells")
    if len(rest) > 1 or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return frozenset(names) if set(names) <= set(BELLS.values()) else None


def is_known(name: object) -> bool:
    """Whether there is such a stream."""
    return parse(name) is not None
