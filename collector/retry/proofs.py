"""What must be known before a record is sent: its target is there, and where only its origin allows it, is the origin
what it claims to be, byte for byte (security: S40).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import zip_longest

from collector.domain.positions import Position
from collector.domain.records import Record
from collector.domain.resending import unsendable
from collector.ports import Lookup, Unreadable
from collector.store.retries import Item

Ends = Mapping[int, tuple[int, int]]
"""Partition -> first and next offset, as of a moment ago; empty where there is no such topic."""

MOST_BETWEEN = 50  # records are read in one go, where so few of others lie between two that are wanted


def refusals(items: Sequence[Item], ends_of: Callable[[str], Ends], lookup: Lookup) -> Iterator[tuple[Item, str]]:
    """The items that must not be sent, with the reason."""
    to_prove = []
    for item in items:
        if not ends_of(item.target):
            yield item, f"{item.target} does not exist. Weir never creates topics."
        elif why := unsendable(item.headers):
            yield item, why
        elif item.origin is not None:
            to_prove.append((item, item.origin))
    if to_prove:
        yield from _unproven(to_prove, ends_of, lookup)


def _unproven(
    items: Sequence[tuple[Item, Position]], ends_of: Callable[[str], Ends], lookup: Lookup
) -> Iterator[tuple[Item, str]]:
    found = _originals([origin for _, origin in items], ends_of, lookup)
    for item, origin in items:
        original = found[origin]
        if isinstance(original, Unreadable):
            yield item, str(original)
        elif original is None:
            yield item, f"The original at {origin} is gone, so nothing proves the target. An admin may allow it."
        elif (original.key, original.value) != (item.key, item.original_value):
            yield item, f"The record at {origin} has another key or value, so the target is not proven."


def _originals(
    wanted: Sequence[Position], ends_of: Callable[[str], Ends], lookup: Lookup
) -> dict[Position, Record | Unreadable | None]:
    """The records there; None for those that are gone. One stretch of each partition of a topic is read at a time."""
    places: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for at in sorted(set(wanted), key=lambda at: (at.topic, at.partition, at.offset)):
        places[at.topic][at.partition].append(at.offset)
    found: dict[Position, Record | Unreadable | None] = dict.fromkeys(wanted)
    for topic, offsets in places.items():
        ends = ends_of(topic)
        stretches = [
            [(number, run) for run in _runs([each for each in its if low <= each < high])]
            for number, its in offsets.items()
            for low, high in [ends.get(number, (0, 0))]
        ]
        for some in zip_longest(*stretches):
            found |= _read(topic, dict(each for each in some if each), found.keys(), lookup)
    return found


def _read(
    topic: str, spans: Mapping[int, tuple[int, int]], wanted: Collection[Position], lookup: Lookup
) -> dict[Position, Record | Unreadable | None]:
    """What is wanted of these stretches (partition -> first and last offset)."""
    found: dict[Position, Record | Unreadable | None] = {}
    try:
        for record in lookup.between(topic, {number: (first, last + 1) for number, (first, last) in spans.items()}):
            at = Position(record.topic, record.partition, record.offset)
            if at in wanted:
                found[at] = record
    except Unreadable as error:
        if len(spans) > 1:  # one partition's trouble is none of the others'
            alone = [_read(topic, {number: span}, wanted, lookup) for number, span in spans.items()]
            return {at: record for each in alone for at, record in each.items()}
        ((number, (first, last)),) = spans.items()
        asked = [at for at in wanted if (at.topic, at.partition) == (topic, number) and first <= at.offset <= last]
        found |= dict.fromkeys(asked, error)
    return found


def _runs(offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each stretch that is worth reading in one go."""
    at = 0
    while at < len(offsets):
        end = at
        while end + 1 < len(offsets) and offsets[end + 1] - offsets[end] <= MOST_BETWEEN:
            end += 1
        yield offsets[at], offsets[end]
        at = end + 1
