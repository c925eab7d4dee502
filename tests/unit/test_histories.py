"""The stitched path equals the history, however it was told; what was lost is lost, and nothing else is invented."""

from collections import defaultdict
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.domain.lineage import path_of_event
from collector.domain.paths import Path, PathHop
from collector.domain.weaving import Loom
from tests.unit.histories import STYLES, Key, Step, Told, tell

Ties = dict[Key, set[Key]]
NOBODY = -1  # the number of an event that nothing tells


def steps(styles: list[str]) -> st.SearchStrategy[list[Step]]:
    """Histories of these styles, in any order; every one begins with something from outside."""
    step = st.builds(
        Step,
        st.sampled_from(styles),
        st.lists(st.integers(0, 30), min_size=1, max_size=4).map(tuple),
        st.integers(0, 2),
        st.integers(1, 3),
    )
    return st.lists(step, min_size=1, max_size=14).map(lambda rest: [Step("root", (), 1, 1), *rest])


WIDE, NARROW = settings(max_examples=60, deadline=None), settings(max_examples=15, deadline=None)


@pytest.mark.parametrize("style", sorted(STYLES))
@NARROW
@given(data=st.data())
def test_a_history_of_one_shape_is_stitched_as_it_was(style: str, data: st.DataObject) -> None:
    compare(tell(data.draw(steps(["root", style])), tapped=True), data.draw(st.randoms(use_true_random=False)))


@WIDE
@given(steps(sorted(STYLES)), st.booleans(), st.randoms(use_true_random=False))
def test_a_mixed_history_is_stitched_as_it_was(history: list[Step], tapped: bool, random: Random) -> None:
    compare(tell(history, tapped=tapped), random)


@WIDE
@example(
    [
        Step("root", (), 1, 1),
        Step("aiokafka", (0,), 1, 1),
        Step("batch", (0, 1), 2, 1),  # its second event is known by no place, so only as what came of the first
        Step("aiokafka", (2,), 0, 1),
    ],
    False,
    0,
)
@given(steps(sorted(STYLES)), st.booleans(), st.integers(0, 200))
def test_a_lost_span_loses_what_hung_on_it_and_says_so(history: list[Step], tapped: bool, which: int) -> None:
    told = tell(history, tapped=tapped)
    del told.spans[which % len(told.spans)]
    hops, found = whole(told)
    above = {key: _reached({key}, told.expected) for key in told.expected}
    invented = {(effect, cause) for effect, causes in found.items() for cause in causes - above.get(effect, set())}
    assert {(effect, cause) for effect, cause in invented if NOBODY not in {effect[1], cause[1]}} == set()
    unsaid = {
        effect: lost
        for effect, causes in found.items()
        if (lost := told.expected.get(effect, set()) - causes)
        and not hops[effect].missing
        and hops[effect].n_causes < len(told.expected[effect])  # else the hop counts what lies beside the path
        and not _excused(lost, causes, hops)
    }
    assert unsaid == {}


def _excused(lost: set[Key], causes: set[Key], hops: dict[Key, PathHop]) -> bool:
    """The event stands for a reading of it that is gone; or a reading of something unknown is there, which says so; or
    one of a batch left no trace, and the others are there."""
    stands_for = any(cause[0] == "wrote" or (cause[1] == NOBODY and hops[cause].missing) for cause in causes)
    return stands_for or bool(causes and not lost & hops.keys())


def compare(told: Told, random: Random) -> None:
    """Shuffled and doubled, the path of every event is the part of the history that leads there and comes from it."""
    for seen in (told.spans, told.links, told.records, told.letters):
        seen.extend(list(seen))  # type: ignore[arg-type]
        random.shuffle(seen)
    cloth = loom(told)
    effects: Ties = defaultdict(set)
    for effect, causes in told.expected.items():
        for cause in causes:
            effects[cause].add(effect)
    for event in told.events:
        start = {key for key in told.expected if key[1] == event.number}
        wanted = _reached(start, told.expected) | _reached(start, effects)
        path = path_of_event(cloth, event.place)
        if not path.hops and not told.tapped:
            continue  # nobody tells where it lies
        names = named(path, told)
        assert sorted(names) == sorted(wanted)
        assert ties(path, names) == {key: told.expected[key] & wanted for key in wanted}


def whole(told: Told) -> tuple[dict[Key, PathHop], Ties]:
    """All paths together."""
    cloth, hops, found = loom(told), dict[Key, PathHop](), dict[Key, set[Key]]()
    for event in told.events:
        path = path_of_event(cloth, event.place)
        names = named(path, told)
        hops |= dict(zip(names, path.hops, strict=True))
        for effect, causes in ties(path, names).items():
            found.setdefault(effect, set()).update(causes)
    return hops, found


def loom(told: Told) -> Loom:
    return Loom(spans=told.spans, links=told.links, records=told.records, letters=told.letters)


def named(path: Path, told: Told) -> list[Key]:
    """Each hop by the names of the history."""
    numbers = {event.place: event.number for event in told.events}
    found: list[Key] = []
    for hop in path.hops:
        node = hop.place
        number = numbers[node] if node else told.senders.get(hop.context, -1) if hop.context else -1
        if hop.kind == "produce":
            found.append(("wrote", number, 0))
        else:
            step = int(hop.service[1].removeprefix("step-")) if hop.service else (hop.group or 0) - 100
            found.append(("read", _read_by(path, hop, found) if node is None else number, step))
    return found


def _read_by(path: Path, hop: PathHop, found: list[Key]) -> int:
    """The event of a reading that knows no place: the one it comes from."""
    return found[hop.causes[0]][1] if hop.causes else -1


def ties(path: Path, names: list[Key]) -> Ties:
    return {names[index]: {names[cause] for cause in hop.causes} for index, hop in enumerate(path.hops)}


def _reached(start: set[Key], step: Ties) -> set[Key]:
    found, waiting = set(start), list(start)
    while waiting:
        for key in step.get(waiting.pop(), set()) - found:
            found.add(key)
            waiting.append(key)
    return found
