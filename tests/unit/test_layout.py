"""The layout of the service graph."""

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.layout import place

CHAIN = [("orders", "t:orders"), ("t:orders", "billing"), ("billing", "t:payments"), ("t:payments", "mailer")]
NAMES = sorted({name for arrow in CHAIN for name in arrow})


def test_a_chain_stands_in_one_row_from_left_to_right() -> None:
    places, crossings = place.whole(NAMES, CHAIN)
    assert [places[a].column < places[b].column for a, b in CHAIN] == [True] * 4
    assert len({spot.y for spot in places.values()}) == 1
    assert crossings == 0


def test_a_cycle_is_drawn_with_one_arrow_back() -> None:
    places, _ = place.whole(NAMES, [*CHAIN, ("mailer", "t:orders")])
    back = [(a, b) for a, b in [*CHAIN, ("mailer", "t:orders")] if places[a].column >= places[b].column]
    assert len(back) == 1


def test_a_newcomer_moves_nobody_when_there_is_room() -> None:
    places, _ = place.whole(NAMES, CHAIN)
    grown = place.grown(places, ["t:receipts"], [*CHAIN, ("billing", "t:receipts")])
    moved = [node for node in places if grown[node].column != places[node].column]
    assert moved == []
    assert grown["t:receipts"].column == places["billing"].column + 1
    assert abs(grown["t:receipts"].y - grown["t:payments"].y) >= place.ROW_HEIGHT - 0.2


def test_newcomers_that_know_only_each_other_stand_beside_their_kin() -> None:
    places, _ = place.whole(NAMES, CHAIN)
    grown = place.grown(places, ["t:mails", "archive"], [*CHAIN, ("mailer", "t:mails"), ("t:mails", "archive")])
    assert grown["archive"].column == grown["mailer"].column + 2


def test_crossings_are_counted_as_the_nodes_stand() -> None:
    side_by_side = {"a": (0, 0.0), "b": (0, 72.0), "x": (1, 0.0), "y": (1, 72.0), "z": (2, 36.0)}
    places = {name: place.Place(column, column * 250.0, y) for name, (column, y) in side_by_side.items()}
    assert place.crossings(places, [("a", "x"), ("b", "y")]) == 0
    assert place.crossings(places, [("a", "y"), ("b", "x")]) == 1
    assert place.crossings(places, [("y", "a"), ("x", "b")]) == 1
    assert place.crossings(places, [("b", "z"), ("a", "y")]) == 1
    assert place.crossings(places, [("a", "b"), ("a", "gone")]) == 0


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_no_two_nodes_overlap_however_the_graph_grew(seed: int) -> None:
    draw = random.Random(seed)
    names = [f"n{index}" for index in range(draw.randint(1, 25))]
    arrows = [(draw.choice(names), draw.choice(names)) for _ in range(draw.randint(0, 40))]
    first = names[: draw.randint(0, len(names))]
    places, _ = place.whole(first, arrows)
    places = place.grown(places, names, arrows)
    assert set(places) == set(names)
    for column in {spot.column for spot in places.values()}:
        rows = sorted(spot.y for spot in places.values() if spot.column == column)
        assert all(b - a >= place.ROW_HEIGHT - 0.3 for a, b in itertools.pairwise(rows))


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30))
def test_spread_keeps_order_and_gap(wanted: list[float]) -> None:
    rows = place.spread(wanted, [1.0] * len(wanted), 10.0)
    assert all(b - a >= 10.0 - 1e-6 for a, b in itertools.pairwise(rows))
