"""A part of a layout, drawn on its own: who is left keeps column and row order, and what stood empty closes up."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dashboard.layout.layers import Arrow, Node
from dashboard.layout.place import COLUMN_WIDTH, Place
from dashboard.layout.rows import ROW_HEIGHT, heights, spread

FRAME_PAD = 10.0  # between a frame and the edge of its columns
FRAME_TITLE = 28.0  # height of what stands above the members


@dataclass(frozen=True, slots=True)
class Frame:
    """A box around members: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


def packed(places: Mapping[Node, Place], arrows: Iterable[Arrow]) -> dict[Node, Place]:
    """These nodes alone, in the order in which they stand, from column 0 and y 0 on."""
    if not places:
        return {}
    number = {column: index for index, column in enumerate(sorted({place.column for place in places.values()}))}
    columns: list[list[Node]] = [[] for _ in number]
    for node in sorted(places, key=lambda node: (places[node].y, node)):
        columns[number[places[node].column]].append(node)
    known = [arrow for arrow in arrows if arrow[0] != arrow[1] and places.keys() >= set(arrow)]
    rows = heights(columns, known)
    return {
        node: Place(index, index * COLUMN_WIDTH, round(rows[node], 1))
        for index, column in enumerate(columns)
        for node in column
    }


def composed(
    outer: Mapping[Node, Place], inside: Mapping[Node, Mapping[Node, Place]]
) -> tuple[dict[Node, Place], dict[Node, Frame]]:
    """Groups as `outer` places them, those in `inside` opened: their members (from column 0, y 0 on) in a frame.

    A group that opens moves the columns to its right, and in its own column the others up and down; nobody changes
    order.
    """
    places: dict[Node, Place] = {}
    frames: dict[Node, Frame] = {}
    columns: dict[int, list[Node]] = defaultdict(list)
    for group in sorted(outer, key=lambda group: (outer[group].y, group)):
        columns[outer[group].column].append(group)
    start = 0
    for column in sorted(columns):
        groups = columns[column]
        width = max(_width(inside.get(group)) for group in groups)
        tall = [_height(inside.get(group)) for group in groups]
        gaps = [(a + b) / 2 for a, b in itertools.pairwise(tall)]
        rows = spread([outer[group].y for group in groups], [1.0] * len(groups), gaps)
        for group, y, height in zip(groups, rows, tall, strict=True):
            members = inside.get(group)
            if members:
                first = start + (width - _width(members)) // 2
                places.update(_moved(members, first, y - height / 2 + FRAME_TITLE + ROW_HEIGHT / 2))
                frames[group] = _framed(first, y, _width(members), height)
            else:
                at = start + (width - 1) // 2
                places[group] = Place(at, at * COLUMN_WIDTH, round(y, 1))
        start += width
    return places, frames


def _moved(members: Mapping[Node, Place], columns: int, top: float) -> dict[Node, Place]:
    return {
        node: Place(columns + place.column, (columns + place.column) * COLUMN_WIDTH, round(top + place.y, 1))
        for node, place in members.items()
    }


def _framed(first: int, y: float, width: int, height: float) -> Frame:
    left = (first - 0.5) * COLUMN_WIDTH + FRAME_PAD
    return Frame(left, round(y - height / 2 + FRAME_PAD, 1), width * COLUMN_WIDTH - 2 * FRAME_PAD, height - FRAME_TITLE)


def _width(members: Mapping[Node, Place] | None) -> int:
    return 1 + max((place.column for place in members.values()), default=0) if members else 1


def _height(members: Mapping[Node, Place] | None) -> float:
    """From the middle of the row above to that of the row below, halved: what keeps neighbours apart."""
    if not members:
        return ROW_HEIGHT
    return max(place.y for place in members.values()) + ROW_HEIGHT + 2 * FRAME_TITLE
