"""What stands beside the graph for what is selected: a node, an edge, a group of nodes, the way between two nodes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from collector.domain.identities import tail
from dashboard import charts
from dashboard.edge_table import Row, rows_of
from dashboard.queries import event_lists, service_events
from dashboard.queries import service as one_service
from dashboard.queries.graph import Edge, Facts, Graph, Node
from dashboard.queries.group_series import group_series
from dashboard.queries.grouping import GROUPINGS, Box, boxes
from dashboard.queries.marks import Mark, Marks, marks_of_group, marks_of_service, marks_of_topic
from dashboard.queries.owners import owners_of
from dashboard.queries.series import series
from dashboard.queries.service_series import service_series
from dashboard.queries.tidiness import pinned_by
from dashboard.queries.topics import number_of
from dashboard.queries.ways import way
from dashboard.queries.window import Window
from dashboard.templatetags.sorting import badness

N_EVENTS, N_CHANGES, N_MEMBERS = 5, 3, 12


@dataclass(frozen=True, slots=True)
class Picture:
    """One chart, and the sentence under it."""

    title: str
    format: str
    caption: str
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class Seen:
    """One event: where it is, and whether it failed."""

    address: str
    url: str
    at: datetime | None
    failed: bool


@dataclass(frozen=True, slots=True)
class Beside:
    """Of one node. `marks` are all changes of the window, `changes` the newest of them."""

    picture: Picture
    events: tuple[Seen, ...]
    changes: tuple[Mark, ...]
    marks: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Inside:
    """A group of nodes: its worst members first, and what flows in and out of it.

    `about_in`, `about_out`: ≈ before a rate that is estimated, ≥ before one that lacks edges of unknown rates.
    """

    box: Box
    health: str
    sentence: str
    rate_in: float | None
    rate_out: float | None
    about_in: str
    about_out: str
    n_dead_letters: int
    members: tuple[Node, ...]
    n_more: int


@dataclass(frozen=True, slots=True)
class Panel:
    """What the side panel shows: a node with its edges, or one edge."""

    id: str
    node: Node | None
    row: Row | None
    into: tuple[Row, ...]
    out: tuple[Row, ...]
    url: str


def selected(drawn: Graph, known: Facts, ids: Sequence[str], *, now: datetime) -> dict[str, object]:
    """What the panel shows: `pair` and `way` of two nodes, `inside` of a group, else `panel`, for a node with more."""
    first = ids[0] if ids else ""
    if len(ids) == 2:
        named = {node.id: node.shown_name for node in drawn.nodes}
        found = way(known, drawn, *ids) if named.keys() >= set(ids) else None
        ends = (found.source, found.target) if found else ids
        return {"pair": [named.get(each, each) for each in ends], "way": found}
    by, _, _ = first.partition(":")
    if by in GROUPINGS:
        box = next((box for box in boxes(drawn, by) if box.id == first), None)
        return {"inside": inside(box, drawn) if box else None}
    panel = _panel(first, drawn, rows_of(drawn))
    if panel is None or panel.node is None:
        return {"panel": panel}
    return {
        "panel": panel,
        "owners": owners_of(panel.node.id),
        "beside": beside(panel.node, known, now=now),
        "pinned_by": pinned_by(panel.node.id),
    }


def beside(node: Node, known: Facts, *, now: datetime) -> Beside | None:
    """Chart, events and changes of a node; None where it is not known any more."""
    span = known.window
    if node.kind == "topic":
        number = number_of(node.cluster, node.name)
        return _topic(node, number, span, now=now) if number is not None else None
    if node.kind == "service":
        return _service(node, known, now=now)
    number = next((key for key, group in known.names.groups.items() if group.id == node.id), None)
    return _group(node, number, span, now=now) if number is not None else None


def inside(box: Box, drawn: Graph) -> Inside:
    """What a group of nodes holds, and what crosses its border."""
    own = frozenset(box.members)
    members = sorted((node for node in drawn.nodes if node.id in own), key=lambda n: (-badness(n.health), n.name))
    into, about_in = _flow([edge for edge in drawn.edges if edge.target in own and edge.source not in own])
    out, about_out = _flow([edge for edge in drawn.edges if edge.source in own and edge.target not in own])
    return Inside(
        box,
        *_state(members),
        into,
        out,
        about_in,
        about_out,
        sum(node.n_dead_letters for node in members),
        tuple(members[:N_MEMBERS]),
        max(0, len(members) - N_MEMBERS),
    )


def _panel(chosen: str, drawn: Graph, rows: list[Row]) -> Panel | None:
    if chosen.startswith("edge:"):
        row = next((row for row in rows if row.edge.id == chosen.removeprefix("edge:")), None)
        return Panel(chosen, None, row, (), (), "") if row else None
    node = next((node for node in drawn.nodes if node.id == chosen), None)
    if node is None:
        return None
    url = reverse(node.kind, args=[tail(node.id)] if node.kind == "service" else [node.cluster, node.name])
    into = tuple(row for row in rows if row.target.id == node.id)
    out = tuple(row for row in rows if row.source.id == node.id)
    return Panel(chosen, node, None, into, out, url)


def _state(members: Sequence[Node]) -> tuple[str, str]:
    """Of a group, worst first; unknown where most of it is. As static/js/overview/fold.js has it."""
    n, levels = len(members), Counter(node.health for node in members)
    bad, unknown = levels["failing"] + levels["degraded"], levels["unknown"]
    if bad:
        return members[0].health, f"{bad:,} of {n:,} are not well"
    health = "ok" if levels["ok"] and unknown <= n / 2 else "unknown" if unknown or not n else "idle"
    return health, f"{n - unknown:,} of {n:,} are within limits, {unknown:,} unknown" if unknown else (
        f"all {n:,} are within limits"
    )


def _topic(node: Node, number: int, span: Window, *, now: datetime) -> Beside:
    lines = series(node.cluster, number, span, now=now)
    data = charts.chart(lines, [lines.rate_in, *charts.by_name(lines.rates_out)], "/s")
    found = event_lists.recent_events(node.cluster, node.name, since=span.from_at, until=span.to_at, limit=N_EVENTS)
    seen = tuple(
        Seen(
            row.address, reverse("event", args=[row.cluster, row.topic, row.partition, row.offset]), row.at, row.failed
        )
        for row in found
    )
    return _beside(
        Picture("Written and read", "rate", charts.rate_caption(lines), data), seen, marks_of_topic(number, span)
    )


def _service(node: Node, known: Facts, *, now: datetime) -> Beside | None:
    found = one_service.number_of(tail(node.id))
    if found is None:
        return None
    number, first_at, _, _ = found
    span = known.window
    lines = service_series(number, span, first_at=first_at, as_of=known.fresh.folded_at, now=now)
    newest = service_events.newest(service_events.sightings(number, span))[:N_EVENTS]
    seen = tuple(Seen(each.address, each.url, each.at, each.failed) for each in newest)
    picture = Picture("Reads and writes", "rate", charts.spans_caption(lines), charts.chart(lines, lines.rates, "/s"))
    return _beside(picture, seen, marks_of_service(number, span))


def _group(node: Node, number: int, span: Window, *, now: datetime) -> Beside:
    lines = group_series(node.cluster, number, span, now=now)
    picture = Picture(
        "Lag, seconds", "duration", charts.age_caption(lines), charts.chart(lines, charts.by_name(lines.ages), "s")
    )
    return _beside(picture, (), marks_of_group(number, span))


def _beside(picture: Picture, seen: Sequence[Seen], marks: Marks) -> Beside:
    return Beside(picture, tuple(seen), marks.items[:N_CHANGES], charts.marks_on(marks))


def _flow(edges: Sequence[Edge]) -> tuple[float | None, str]:
    """Their rate together, and what is said before it. As static/js/overview/fold.js has it."""
    told = [edge.rate for edge in edges if edge.rate is not None]
    if not told:
        return None, ""
    return sum(told), "≥ " if len(told) < len(edges) else "≈ " if any(edge.estimated for edge in edges) else ""
