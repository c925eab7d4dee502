"""The whole graph beside the truth log over a closed window, and what compare says of what the shop changed.

    python -m tests.acceptance.graph_truth [MINUTES [ORDERS_A_SECOND]]     (10 and 30 by default)

The shop is quiet before the window and after it, so that each event lies clearly inside or outside. Within it one
service is added, one removed and one deployed. Each deviation is a line; 1 where there is one.
"""

import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo import logs
from demo.logs import Delivery, Forgotten, Produced
from demo.parts import CATALOGUE, ON_AIOKAFKA, Part
from demo.truth import Truth
from stack.instance import MARKER
from tests.acceptance import screen
from tests.acceptance.running_demo import SENDERS, Demo, demo, eventually
from tests.acceptance.screen import EdgeKey

ADDED, REMOVED, SLOWER = "digest-svc", "loyalty-svc", "carrier-svc"
SLOWER_READS = "quotes.requested"
STEP, STILL_SECONDS, SETTLE_SECONDS, MINUTE = 10, 20.0, 12.0, 60


@dataclass(frozen=True, slots=True)
class Stretch:
    """Of a closed window, in seconds since 1970."""

    begins: float
    ends: float

    @property
    def window(self) -> dict[str, str]:
        """As the API is asked."""
        return {"from": text(self.begins), "to": text(self.ends)}


def text(moment: float) -> str:
    """As addresses write it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def truth_of(folder: Path, stretch: Stretch) -> Truth:
    """What the shop did in the stretch."""
    produced, deliveries, complete = list[Produced](), list[Delivery](), True
    for entry in logs.read(folder):
        match entry:
            case Produced() if stretch.begins <= entry.at < stretch.ends:
                produced.append(entry)
            case Delivery() if stretch.begins <= entry.at < stretch.ends:
                deliveries.append(entry)
            case Forgotten():
                complete = False
    return Truth(produced, deliveries, complete=complete)


# -- the graph


def deviations(graph: dict[str, Any], truth: Truth) -> list[str]:
    """Every node, edge, evidence and number of the answer that the truth log does not bear out, as sentences."""
    if not truth.complete:
        return ["the truth logs were turned over: raise DEMO_TRUTH_MB"]
    return [*_counts(graph, truth), *_evidence(graph), *_nodes(graph, truth), *_labels(graph)]


def _counts(graph: dict[str, Any], truth: Truth) -> Iterable[str]:
    shown, true = screen.shown_edges(graph), screen.true_edges(truth)
    for key in sorted(shown.keys() | true.keys()):
        if shown.get(key) != true.get(key):
            yield f"{_named(key)}: shown {shown.get(key, 'nothing')}, true {true.get(key, 'nothing')}"
    failed = {_key_of(edge): edge.errors for edge in truth.edges() if edge.kind == "consume" and edge.traced}
    for edge in graph["edges"]:
        key = screen.edge_key(edge)
        if key in failed and edge["errors"] != failed[key]:
            yield f"{_named(key)}: shown {edge['errors']} failed, true {failed[key]}"


def _key_of(edge: Any) -> EdgeKey:
    return EdgeKey(edge.kind, edge.service, edge.topic, edge.group or "")


def _evidence(graph: dict[str, Any]) -> Iterable[str]:
    true = {key: known for part in CATALOGUE for key, known in _known_by(part)}
    for edge in graph["edges"]:
        key = screen.edge_key(edge)
        if key in true and set(edge["evidence"]) != true[key]:
            yield f"{_named(key)}: known by {sorted(edge['evidence'])}, should be {sorted(true[key])}"


def _known_by(part: Part) -> Iterable[tuple[EdgeKey, set[str]]]:
    """How each edge of a service can be known at all: what it exports, and what the broker has of its group."""
    if part.traced:
        yield from ((EdgeKey("produce", part.name, topic, ""), {"traced"}) for topic in part.writes)
    named = part.names_its_group or part.name in ON_AIOKAFKA
    for topic in part.reads:
        known = ({"traced"} if named else {"traced", "membership"}) if part.traced else set()
        yield EdgeKey("consume", part.name if part.traced else "", topic, part.group or ""), known | {"offsets"}


def _nodes(graph: dict[str, Any], truth: Truth) -> Iterable[str]:
    moved = {("topic", at.topic) for at in truth.positions()}
    true = screen.true_nodes(screen.true_edges(truth)) | moved
    shown = {(node["kind"], node["name"]) for node in graph["nodes"]}
    yield from (f"{kind} {name}: not shown" for kind, name in sorted(true - shown))
    yield from (f"{kind} {name}: shown, though nothing of it flowed" for kind, name in sorted(shown - true))
    if len(shown) != len(graph["nodes"]):
        yield "a node is shown twice"


def _labels(graph: dict[str, Any]) -> Iterable[str]:
    for edge in graph["edges"]:
        if edge["sampled_share"] is not None or edge["estimated"]:
            yield f"{edge['id']}: labelled sampled, but all spans were kept"
        if (edge["messages_from"] == "offsets") == ("traced" in edge["evidence"]):
            yield f"{edge['id']}: counted from {edge['messages_from']}, known by {edge['evidence']}"


def _named(key: EdgeKey) -> str:
    party = key.service or f"({key.group})"
    return f"{party} > {key.topic}" if key.kind == "produce" else f"{key.topic} > {party} as {key.group}"


# -- compare


def expected(*, timed: bool) -> set[str]:
    """The differences that follow from what was changed, by id; `timed`: with that of the p95."""
    slower = f"topic:demo/{SLOWER_READS}>service:{SLOWER}@group:demo/carrier"
    found = {f"flow service:{ADDED}", f"flow service:{REMOVED}", f"version service:{SLOWER}"}
    return found | {f"processing {slower}"} if timed else found


ALSO = f"wait topic:demo/{SLOWER_READS}>service:{SLOWER}@group:demo/carrier"  # a slower reader lets events wait


def wrongly_told(
    answer: dict[str, Any], graph: dict[str, Any], truths: tuple[Truth, Truth], *, timed: bool
) -> list[str]:
    """What compare told and should not, or the other way, as sentences. `truths`: of its two windows."""
    told = {each["id"]: each for each in answer["differences"]}
    wanted = expected(timed=timed)
    missing = [f"compare does not tell: {each}" for each in sorted(wanted - told.keys())]
    really = _rates_that_changed(graph, truths)
    return missing + [
        f"compare tells: {each['title']} {each['sentence']}"
        for id_, each in told.items()
        if id_ not in {*wanted, ALSO, *really}
    ]


def _rates_that_changed(graph: dict[str, Any], truths: tuple[Truth, Truth]) -> set[str]:
    """Ids of the rates that were others in truth: warehouse-svc rests 15 s a minute, which divides short windows."""
    edges = [screen.true_edges(truth) for truth in truths]
    found = {f"rate {edge['id']}": [each[screen.edge_key(edge)] for each in edges] for edge in graph["edges"]}
    for topic in (node["name"] for node in graph["nodes"] if node["kind"] == "topic"):
        sent = [sum(e.messages for e in truth.edges() if (e.kind, e.topic) == ("produce", topic)) for truth in truths]
        found[f"rate topic:{screen.CLUSTER}/{topic}"] = sent
    return {id_ for id_, counts in found.items() if max(counts) > 1.25 * min(counts)}


# -- the ten minutes


def without_added(data: Path) -> None:
    """Before the shop starts for the first time: one service is not there yet."""
    shop = data / "demo"
    shop.mkdir(parents=True)
    (data / MARKER).touch(0o600)
    (shop / "state.json").write_text(f'{{"stopped": ["{ADDED}"]}}')


def control(running: Demo, *words: str) -> None:
    """`python -m demo.control`."""
    running.environment["DEMO_STATE_DIR"] = str(running.shop_folder)
    running.command("demo.control", *words)


def change(running: Demo) -> None:
    """A service added, one removed, one that is slower from now on."""
    control(running, "start", ADDED)
    control(running, "stop", REMOVED)
    control(running, "deploy", SLOWER)


def quiet(running: Demo) -> float:
    """Nobody sends any more, all that was under way is done and counted; a moment in that quiet."""
    for name in SENDERS:
        control(running, "stop", name)

    def still() -> bool:
        return running.is_calm(STILL_SECONDS) and running.get("health")["n_waiting_batches"] == 0

    eventually(still, seconds=240, what="the shop to fall quiet")
    moment = next_step(time.time(), STEP)
    until(moment + SETTLE_SECONDS)
    return moment


def next_step(moment: float, step: int) -> float:
    """The first multiple of `step` after a moment."""
    return (moment // step + 1) * step


def until(moment: float) -> None:
    """Sleep to a moment of the clock."""
    time.sleep(max(0.0, moment - time.time()))


def watched(running: Demo, *, minutes: int) -> list[str]:
    """The whole course on a shop that runs, but for the added service; all deviations."""
    half = (minutes - 2) // 2
    begins = quiet(running)
    for name in SENDERS:
        control(running, "start", name)
    changed_at = next_step(time.time() + MINUTE, MINUTE) + half * MINUTE
    before = Stretch(changed_at - half * MINUTE, changed_at)
    until(changed_at)
    change(running)
    after = Stretch(changed_at + MINUTE, changed_at + MINUTE + half * MINUTE)
    until(after.ends + SETTLE_SECONDS)
    told = running.get("graph/comparison", **after.window, vs=text(before.ends))
    _say(told["heading"])
    for each in (*told["differences"], *told["untold"]):
        _say(f"  {each['title']} {each['sentence']}")
    whole = Stretch(begins, quiet(running))
    graph, truth = running.get("graph", **whole.window), truth_of(running.shop_folder, whole)
    n_edges, n = len(screen.true_edges(truth)), sum(screen.true_edges(truth).values())
    seconds = whole.ends - whole.begins
    _say(f"{whole.window}: {seconds:.0f} s, {len(graph['nodes'])} nodes, {len(graph['edges'])} edges shown;")
    _say(f"true: {n_edges} edges with {n:,} messages, {len(truth.positions()):,} events")
    truths = truth_of(running.shop_folder, before), truth_of(running.shop_folder, after)
    return [*deviations(graph, truth), *wrongly_told(told, graph, truths, timed=True)]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(words: list[str]) -> int:
    """Run it; 1 where the screen and the truth differ."""
    minutes = int(words[0]) if words else 10
    with tempfile.TemporaryDirectory(prefix="weir-truth-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        without_added(folder / "data")
        with demo(folder / "data", RATE=words[1] if len(words) > 1 else "30", DEMO_TRUTH_MB="256") as running:
            wrong = watched(running, minutes=minutes)
    _say("\n".join(wrong) or "no deviation")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
