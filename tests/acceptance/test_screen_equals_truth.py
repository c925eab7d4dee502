"""The screen equals the truth: every edge and count, every dead letter, any path, although a collector was killed."""

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from demo.truth import Truth
from tests.acceptance import screen
from tests.acceptance.running_demo import Demo, demo, eventually

pytestmark = pytest.mark.acceptance
SHOP_SECONDS = 60
N_PATHS = 100
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


def test_a_hundred_paths(settled: tuple[Demo, Truth]) -> None:
    running, truth = settled
    wrong = {}
    for at in random.Random(7).sample(truth.positions(), N_PATHS):
        event = running.get(f"events/{screen.CLUSTER}/{at.topic}/{at.partition}/{at.offset}", limit="5000")
        shown, true = screen.shown_path(event), screen.true_path(truth, at.topic, at.partition, at.offset)
        if shown != true:
            wrong[str(at)] = {"missing": sorted(true - shown), "invented": sorted(shown - true)}
    assert wrong == {}, f"{len(wrong)} of {N_PATHS} paths differ"


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
