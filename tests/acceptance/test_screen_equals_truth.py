"""The screen equals the truth: every edge and count, every dead letter, any path, although a collector was killed."""

import os
import random
import time
from collections.abc import Collection, Iterator
from dataclasses import astuple
from typing import Any

import pytest

from demo.records import Position
from demo.topics import ORDERS, ORDERS_DEAD, ORDERS_RETRY
from demo.truth import Truth
from tests.acceptance import graph_truth, screen
from tests.acceptance.graph_truth import Stretch
from tests.acceptance.running_demo import Demo, demo, eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]  # the first one waits for the shop
SHOP_SECONDS = float(os.environ.get("SHOP_SECONDS", "60"))
N_PATHS, N_OF_EACH = 100, 20
WINDOW = {"from": "now-1h"}


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, Truth]]:
    """A shop that ran for a minute with a collector killed half-way, was stopped, and of which all was taken in."""
    with demo(tmp_path_factory.mktemp("truth") / "data", RATE="40") as running:
        time.sleep(SHOP_SECONDS / 2)
        running.kill("collect")
        time.sleep(SHOP_SECONDS / 2)
        running.stop_shop()
        eventually(lambda: _is_still(running), seconds=90, what="the last spans to be counted")
        yield running, Truth.load(running.shop_folder)


def test_every_edge_and_its_count(settled: tuple[Demo, Truth]) -> None:
    running, truth = settled
    shown, true = screen.shown_edges(running.get("graph", **WINDOW)), screen.true_edges(truth)
    assert len(true) >= 18
    assert min(true.values()) > 0
    assert _differences(shown, true) == {}


def test_how_each_edge_is_known_and_nobody_is_named_by_a_copied_traceparent(settled: tuple[Demo, Truth]) -> None:
    running, truth = settled
    true = screen.true_evidence(truth)
    assert [key.group for key, traced in true.items() if not traced] != []
    assert screen.shown_evidence(running.get("graph", **WINDOW)) == true
    copied = {edge.topic for edge in truth.edges() if edge.kind == "produce" and not edge.traced}
    assert copied == {"partner.notices"}


def test_nodes_edges_evidence_and_counts_over_the_closed_window(settled: tuple[Demo, Truth]) -> None:
    running, _ = settled
    whole = Stretch(graph_truth.next_step(time.time() - 1800, graph_truth.STEP), time.time() // 1)
    true = graph_truth.truth_of(running.shop_folder, whole)
    assert graph_truth.deviations(running.get("graph", **whole.window), true) == []


def test_every_node(settled: tuple[Demo, Truth]) -> None:
    running, truth = settled
    joined, alone = screen.shown_nodes(running.get("graph", **WINDOW))
    assert joined == screen.true_nodes(screen.true_edges(truth))
    assert alone <= {("topic", at.topic) for at in truth.positions()}


def test_an_edge_that_is_dropped_from_the_answer_is_noticed(settled: tuple[Demo, Truth]) -> None:
    running, truth = settled
    graph, true = running.get("graph", **WINDOW), screen.true_edges(truth)
    for index in range(len(graph["edges"])):
        rest = {**graph, "edges": graph["edges"][:index] + graph["edges"][index + 1 :]}
        assert _differences(screen.shown_edges(rest), true) != {}


def test_every_dead_letter(settled: tuple[Demo, Truth]) -> None:
    running, truth = settled
    shown = screen.shown_letters(_all(running, "dead-letters"))
    true = screen.true_letters(truth)
    assert len(true) > 10
    assert shown == true


def test_a_hundred_orders_hop_by_hop_dead_lettered_and_retried_ones_among_them(settled: tuple[Demo, Truth]) -> None:
    _, truth = settled
    orders = [at for at in truth.positions() if at.topic == ORDERS]
    through = {at: {hop.position.topic for hop in truth.path(*astuple(at))} for at in orders}
    chosen: set[Position] = set()
    for topic in (ORDERS_DEAD, ORDERS_RETRY):
        some = [at for at in orders if topic in through[at]][:N_OF_EACH]
        assert len(some) > 2, topic
        chosen |= set(some)
    rest = [at for at in orders if at not in chosen]
    chosen |= set(random.Random(5).sample(rest, N_PATHS - len(chosen)))
    assert sum(len(through[at]) >= 5 for at in chosen) > N_PATHS // 2
    _compare(settled, chosen)


def test_fifty_paths_of_any_event(settled: tuple[Demo, Truth]) -> None:
    _compare(settled, random.Random(7).sample(settled[1].positions(), N_PATHS // 2))


def _compare(settled: tuple[Demo, Truth], places: Collection[Position]) -> None:
    running, truth = settled
    wrong = {}
    for at in places:
        event = running.get(f"events/{screen.CLUSTER}/{at.topic}/{at.partition}/{at.offset}", limit="5000")
        shown, true = screen.shown_path(event), screen.true_path(truth, at.topic, at.partition, at.offset)
        if shown != true:
            wrong[str(at)] = {"missing": sorted(true - shown), "invented": sorted(shown - true)}
    assert wrong == {}, f"{len(wrong)} of {len(places)} paths differ"


def _is_still(running: Demo) -> bool:
    """Whether nothing more comes in: two looks, two scans apart, see the same, and no batch waits."""
    before = screen.shown_edges(running.get("graph", **WINDOW))
    time.sleep(6)
    health = running.get("health")
    return health["n_waiting_batches"] == 0 and before == screen.shown_edges(running.get("graph", **WINDOW))


def _all(running: Demo, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page = running.get(path, limit="500", **({"after": after} if after else {}))
        items += page["items"]
        after = page["next"]
    return items


def _differences(shown: dict[screen.EdgeKey, int], true: dict[screen.EdgeKey, int]) -> dict[str, tuple[Any, Any]]:
    return {
        str(key): (shown.get(key), true.get(key))
        for key in sorted(shown.keys() | true.keys())
        if shown.get(key) != true.get(key)
    }
