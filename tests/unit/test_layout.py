"""The layout of the service graph."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.load.graphs import wiring
from dashboard.layout import order, pack, place
from dashboard.layout.layers import components
from dashboard.layout.routes import CLEAR, routes
from dashboard.layout.rows import ROW_HEIGHT, spread

CHAIN = [("orders", "t:orders"), ("t:orders", "billing"), ("billing", "t:payments"), ("t:payments", "mailer")]
NAMES = sorted({name for arrow in CHAIN for name in arrow})


def test_a_chain_stands_in_one_row_from_left_to_right() -> None:
    places = place.whole(NAMES, CHAIN)
    assert [places[a].column < places[b].column for a, b in CHAIN] == [True] * 4
    assert len({spot.y for spot in places.values()}) == 1
    assert place.crossings(places, CHAIN) == 0


def test_who_has_no_time_left_gets_a_whole_layout_all_the_same() -> None:
    found = wiring(80)
    names = sorted({name for arrow in found.arrows for name in arrow})
    hasty = place.whole(names, found.arrows, enough=lambda: True)
    assert set(hasty) == set(names)
    assert len({(spot.column, spot.y) for spot in hasty.values()}) == len(names)
    assert place.crossings(place.whole(names, found.arrows), found.arrows) <= place.crossings(hasty, found.arrows)


def test_arrows_that_pass_more_columns_than_can_be_kept_in_order_are_left_to_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(order, "MOST_WAYPOINTS", 10)
    column = {f"n{index}": index for index in range(9)}
    chain = list(itertools.pairwise(column))
    rows, short = order.with_waypoints(column, [("n0", "n8"), *chain, ("n1", "n4"), ("n2", "n6")])
    passing = {name.split("\0")[1] for row in rows for name in row if order.is_waypoint(name)}
    assert passing == {"n1", "n2"}
    assert set(chain) <= set(short)


def test_a_cycle_is_drawn_with_one_arrow_back() -> None:
    places = place.whole(NAMES, [*CHAIN, ("mailer", "t:orders")])
    back = [(a, b) for a, b in [*CHAIN, ("mailer", "t:orders")] if places[a].column >= places[b].column]
    assert len(back) == 1


def test_a_newcomer_moves_nobody_when_there_is_room() -> None:
    places = place.whole(NAMES, CHAIN)
    grown = place.grown(places, ["t:receipts"], [*CHAIN, ("billing", "t:receipts")])
    moved = [node for node in places if grown[node].column != places[node].column]
    assert moved == []
    assert grown["t:receipts"].column == places["billing"].column + 1
    assert abs(grown["t:receipts"].y - grown["t:payments"].y) >= ROW_HEIGHT - 0.2


def test_newcomers_that_know_only_each_other_stand_beside_their_kin() -> None:
    places = place.whole(NAMES, CHAIN)
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
    places = place.whole(first, arrows)
    places = place.grown(places, names, arrows)
    assert set(places) == set(names)
    for column in {spot.column for spot in places.values()}:
        rows = sorted(spot.y for spot in places.values() if spot.column == column)
        assert all(b - a >= ROW_HEIGHT - 0.3 for a, b in itertools.pairwise(rows))


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30))
def test_spread_keeps_order_and_gap(wanted: list[float]) -> None:
    rows = spread(wanted, [1.0] * len(wanted), [10.0] * (len(wanted) - 1))
    assert all(b - a >= 10.0 - 1e-6 for a, b in itertools.pairwise(rows))


def test_parts_that_do_not_hang_together_stand_apart() -> None:
    other = [("x", "t:x"), ("t:x", "y")]
    places = place.whole([*NAMES, "x", "t:x", "y", "alone"], [*CHAIN, *other])
    assert [len(part) for part in components(list(places), [*CHAIN, *other])] == [5, 3, 1]
    boxes = [_around(places, names) for names in (NAMES, ["x", "t:x", "y"], ["alone"])]
    assert all(not _overlap(a, b) for a, b in itertools.combinations(boxes, 2))


def test_a_layout_is_the_same_each_time() -> None:
    wired = wiring(200)
    assert place.whole(wired.nodes, wired.arrows) == place.whole(list(reversed(wired.nodes)), wired.arrows[::-1])


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_long_arrows_and_arrows_back_run_beside_the_nodes(seed: int) -> None:
    wired = wiring(60, seed=seed)
    places = place.whole(wired.nodes, wired.arrows)
    for (source, target), points in routes(places, wired.arrows).items():
        ahead = places[source].column < places[target].column
        columns = range(places[source].column + 1, places[target].column)
        if not ahead:
            columns = range(places[target].column, places[source].column + 1)
        assert len(points) == (len(columns) if ahead else 2)
        for index, column in enumerate(columns):
            y = points[index if ahead else 0][1]
            near = [spot.y for spot in places.values() if spot.column == column]
            assert all(abs(y - row) >= CLEAR - 0.2 for row in near)


def test_neighbours_in_adjoining_columns_need_no_way_around() -> None:
    assert routes(place.whole(NAMES, CHAIN), CHAIN) == {}


@given(st.integers(0, 10_000))
@settings(max_examples=10)
def test_a_part_of_a_layout_keeps_the_order_of_columns_and_rows(seed: int) -> None:
    wired = wiring(80, seed=seed)
    places = place.whole(wired.nodes, wired.arrows)
    kept = random.Random(seed).sample(wired.nodes, 25)
    part = pack.packed({node: places[node] for node in kept}, wired.arrows)
    assert {spot.column for spot in part.values()} == set(range(len({places[node].column for node in kept})))
    for a, b in itertools.combinations(kept, 2):
        assert (places[a].column < places[b].column) == (part[a].column < part[b].column)
        if places[a].column == places[b].column:
            assert (places[a].y < places[b].y) == (part[a].y < part[b].y)
            assert abs(part[a].y - part[b].y) >= ROW_HEIGHT - 0.3


def test_a_group_that_opens_frames_its_members_and_covers_nobody() -> None:
    outer = place.whole(["a", "b", "c", "d"], [("a", "b"), ("a", "d"), ("b", "c")])
    inside = place.whole(NAMES, CHAIN)
    places, frames = pack.composed(outer, {"b": inside})
    frame = frames["b"]
    assert set(places) == {"a", "c", "d", *NAMES}
    for node, spot in places.items():
        is_in = frame.x < spot.x < frame.x + frame.width and frame.y < spot.y < frame.y + frame.height
        assert is_in == (node in NAMES)
    assert places["a"].column < min(places[node].column for node in NAMES)
    assert places["c"].column > max(places[node].column for node in NAMES)


def test_a_pin_holds_and_the_others_make_room() -> None:
    places = place.whole(["a", "x", "y", "z"], [("a", "x"), ("a", "y"), ("a", "z")])
    pin = place.Place(places["x"].column, places["x"].x, places["y"].y + 20)
    after = place.pinned(places, {"x": pin})
    assert after["x"] == pin
    rows = sorted(after[node].y for node in "xyz")
    assert all(b - a >= ROW_HEIGHT - 0.3 for a, b in itertools.pairwise(rows))


def test_newcomers_move_hardly_anybody_and_nobody_past_another() -> None:
    wired = wiring(200)
    row = random.Random(3).sample(wired.nodes, 200)
    standing, shares = place.whole(row[:170], wired.arrows), []
    for newcomer in row[170:]:
        after = place.grown(standing, [newcomer], wired.arrows)
        shares.append(sum(abs(after[node].y - standing[node].y) > 13 for node in standing) / len(standing))
        for a, b in itertools.combinations(standing, 2):
            if standing[a].column == standing[b].column:
                assert (standing[a].y < standing[b].y) == (after[a].y < after[b].y)
        standing = after
    assert sum(shares) / len(shares) <= 0.06


def _around(places: dict[str, place.Place], names: list[str]) -> tuple[float, float, float, float]:
    xs, ys = [places[name].x for name in names], [places[name].y for name in names]
    return min(xs) - 86, min(ys) - 23, max(xs) + 86, max(ys) + 23


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
