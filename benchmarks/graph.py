"""The service graph: our layout beside ELK's on the same seeded graphs, newcomers, and <service-graph> in Chromium.

    python -m benchmarks.graph [layout] [newcomers] [element]     (all three by default)

ELK (elkjs, pinned in graph_page/package-lock.json, installed by npm) is the measure of the layout: crossings as drawn,
and between the middles of nodes. It is never served by Weir.
"""

import http.server
import itertools
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.freshness import chromium
from benchmarks.load.graphs import Wiring, wiring
from dashboard.layout import place
from dashboard.layout.routes import routes

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "benchmarks" / "graph_page"
SIZES, KINDS = (50, 200, 500), ("modular", "dense")
MOST_CROSSINGS = 1.25
MOVED_PX, MOST_MOVED, MOST_MOVED_SMALL, LARGE = 13.0, 2.0, 6.0, 500
PAINT_MS, TICK_MS, LEAST_FPS = {200: 500, 500: 1000, 1000: 2000}, {200: 16, 500: 25, 1000: 40}, 50
N_TICKS, N_TICKS_HEAP = 20, 600
MOST_HEAP_GROWTH = 1.1


def main(words: Sequence[str]) -> int:
    """Print the tables; 1 when a target was missed."""
    parts = {"layout": _layouts, "newcomers": lambda _page: _newcomers(), "element": _element}
    chosen = words or tuple(parts)
    if not (PAGE / "node_modules" / "elkjs").exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=PAGE, check=True)
    with _page() as page:
        return 0 if all([parts[word](page) for word in chosen]) else 1


def _layouts(page: Any) -> bool:  # noqa: ANN401
    print("Layouts. Crossings: pairs of edges that cross as drawn / as straight lines between middles.")
    print(f"{'':14}{'edges':>7}{'ELK ms':>8}{'drawn':>9}{'straight':>9}   {'ours ms':>8}{'drawn':>9}{'straight':>9}"
          f"   {'ratio':>6}{'':>6}   {'over nodes: ELK':>15}{'ours':>6}")  # fmt: skip
    fine = True
    for kind in KINDS:
        for size in SIZES:
            wired = wiring(size, kind=kind)
            elk, ours = _elks(page, wired), _ours(page, wired)
            drawn, straight = ours["drawn"] / max(1, elk["drawn"]), ours["straight"] / max(1, elk["straight"])
            fine = fine and drawn <= MOST_CROSSINGS and straight <= MOST_CROSSINGS
            print(f"{size:>5} {kind:8}{len(wired.arrows):>7,}{elk['ms']:>8,.0f}{elk['drawn']:>9,}{elk['straight']:>9,}"
                  f"   {ours['ms']:>8,.0f}{ours['drawn']:>9,}{ours['straight']:>9,}   {drawn:>6.2f}{straight:>6.2f}"
                  f"   {elk['over']:>15,}{ours['over']:>6,}")  # fmt: skip
    print(f"target: both ratios at most {MOST_CROSSINGS}\n")
    return fine


def _elks(page: Any, wired: Wiring) -> dict[str, Any]:  # noqa: ANN401
    return dict(page.evaluate(
        """async (graph) => {
          const { places, lines, ms } = await elk(graph);
          const middles = straight({ places, arrows: graph.arrows });
          return { ms, drawn: crossings(lines, graph.arrows), straight: crossings(middles, graph.arrows),
            over: overNodes(lines, graph.arrows, places) };
        }""",
        {"nodes": wired.nodes, "arrows": wired.arrows},
    ))  # fmt: skip


def _ours(page: Any, wired: Wiring) -> dict[str, Any]:  # noqa: ANN401
    began = time.perf_counter()
    places = place.whole(wired.nodes, wired.arrows)
    spent = (time.perf_counter() - began) * 1000
    found = page.evaluate(
        """(graph) => {
          const lines = drawn(graph);
          return { drawn: crossings(lines, graph.arrows), straight: crossings(straight(graph), graph.arrows),
            over: overNodes(lines, graph.arrows, graph.places) };
        }""",
        {"arrows": wired.arrows, "places": _points(places), "routes": _ways(places, wired)},
    )
    return {**found, "ms": spent}


def _newcomers() -> bool:
    """A graph that grows from 80 % of its nodes one by one."""
    print("Newcomers. From 80 % of the nodes to all, one at a time.")
    print(
        f"{'':14}{'ms each':>9}{'moved > 13 px, mean':>21}{'worst':>8}{'order changed':>15}{'crossings':>11}{'anew':>8}"
    )
    fine = True
    for kind in KINDS:
        for size in (*SIZES, 1000):
            wired = wiring(size, kind=kind)
            row = random.Random(7).sample(wired.nodes, size)
            standing = place.whole(row[: size * 4 // 5], wired.arrows)
            spent, moved, turned = [], [], 0
            for newcomer in row[size * 4 // 5 :]:
                began = time.perf_counter()
                after = place.grown(standing, [newcomer], wired.arrows)
                spent.append((time.perf_counter() - began) * 1000)
                far = [node for node in standing if abs(after[node].y - standing[node].y) > MOVED_PX
                       or after[node].x != standing[node].x]  # fmt: skip
                moved.append(100 * len(far) / len(standing))
                turned += _turned(standing, after)
                standing = after
            limit = MOST_MOVED if size >= LARGE else MOST_MOVED_SMALL
            fine = fine and statistics.fmean(moved) <= limit and not turned
            now, anew = (
                place.crossings(standing, wired.arrows),
                place.crossings(place.whole(row, wired.arrows), wired.arrows),
            )
            print(f"{size:>5} {kind:8}{statistics.fmean(spent):>9.2f}{statistics.fmean(moved):>19.2f} %"
                  f"{max(moved):>6.1f} %{turned:>15}{now:>11,}{anew:>8,}")  # fmt: skip
    print(f"target: mean at most {MOST_MOVED} % from {LARGE} nodes on, {MOST_MOVED_SMALL} % below; no order changed\n")
    return fine


def _turned(before: dict[str, place.Place], after: dict[str, place.Place]) -> int:
    """Pairs of neighbours in a column that changed their order."""
    columns: dict[int, list[str]] = {}
    for node in sorted(before, key=lambda node: before[node].y):
        columns.setdefault(before[node].column, []).append(node)
    return sum(after[a].y > after[b].y for column in columns.values() for a, b in itertools.pairwise(column))


def _element(page: Any) -> bool:  # noqa: ANN401
    print("<service-graph>, all drawn, fit to 1,440 x 900; every rate and one health in a hundred change each tick.")
    print(f"{'':8}{'edges':>7}{'first paint ms':>16}{'target':>8}{'main thread ms a tick':>23}{'target':>8}"
          f"{'pan fps':>9}{'target':>8}{'heap MB':>9}{'after':>7}")  # fmt: skip
    fine = True
    for size, paint_ms in PAINT_MS.items():
        wired = wiring(size)
        places = place.whole(wired.nodes, wired.arrows)
        paint = page.evaluate("(data) => mount(data)", _data(wired, places))
        busy = _busy(page, N_TICKS)
        fps = _panned(page)
        first, last = _heaps(page)
        good = paint <= paint_ms and busy <= TICK_MS[size] and fps >= LEAST_FPS and last <= first * MOST_HEAP_GROWTH
        fine = fine and good
        print(f"{size:>8,}{len(wired.arrows):>7,}{paint:>16.0f}{paint_ms:>8}{busy:>23.1f}{TICK_MS[size]:>8}"
              f"{fps:>9.0f}{LEAST_FPS:>8}{first:>9.1f}{last:>7.1f}")  # fmt: skip
    print(f"heap after {N_TICKS} and after {N_TICKS_HEAP} ticks, garbage collected; at most {MOST_HEAP_GROWTH} times\n")
    return fine


def _busy(page: Any, n_ticks: int) -> float:  # noqa: ANN401
    """CPU milliseconds of the page's main thread a tick, painting included; other work on the machine adds none."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    for _ in range(3):
        page.evaluate("async () => { tick(); await frames(2); }")
    idle = _task_ms(session)
    page.evaluate("async (n) => { for (let i = 0; i < n; i += 1) { await frames(4); } }", n_ticks)
    idle = _task_ms(session) - idle
    before = _task_ms(session)
    page.evaluate("async (n) => { for (let i = 0; i < n; i += 1) { tick(); await frames(4); } }", n_ticks)
    return (_task_ms(session) - before - idle) / n_ticks


def _task_ms(session: Any) -> float:  # noqa: ANN401
    found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return float(found["TaskDuration"]) * 1000


def _panned(page: Any) -> float:  # noqa: ANN401
    """Pictures a second while the mouse drags the drawing about."""
    page.mouse.move(700, 450)
    page.mouse.down()
    page.evaluate("() => { window.counted = pictures(2500); }")
    until = time.monotonic() + 2.5
    step = 0
    while time.monotonic() < until:
        step += 1
        page.mouse.move(700 + 200 * ((step // 20) % 2 * 2 - 1) * (step % 20) / 20, 450 + 5 * (step % 30))
    page.mouse.up()
    return float(page.evaluate("() => window.counted"))


def _heaps(page: Any) -> tuple[float, float]:  # noqa: ANN401
    session = page.context.new_cdp_session(page)
    page.evaluate("async (n) => { for (let i = 0; i < n; i += 1) { tick(); await frames(1); } }", N_TICKS)
    first = _heap_mb(session)
    page.evaluate("async (n) => { for (let i = 0; i < n; i += 1) { tick(); await frames(1); } }", N_TICKS_HEAP)
    return first, _heap_mb(session)


def _heap_mb(session: Any) -> float:  # noqa: ANN401
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def _data(wired: Wiring, places: dict[str, place.Place]) -> dict[str, Any]:
    dice = random.Random(7)
    services = {party.name for party in wired.services}

    def node(name: str) -> dict[str, Any]:
        kind = "service" if name in services else "topic"
        role = "dead_letter" if name in wired.dead_letters else "business"
        letters = dice.randrange(500) if role == "dead_letter" else 0
        return {"id": f"{kind}:{name}", "kind": kind, "name": name, "role": role, "n_dead_letters": letters,
                "health": "ok", "sentence": "keeping up", "rate_in": dice.random() * 500,
                "rate_out": dice.random() * 500,
                "rate": 1.0, "guessed": False, "x": places[name].x, "y": places[name].y}  # fmt: skip

    def edge(source: str, target: str) -> dict[str, Any]:
        ends = _identity(source, services), _identity(target, services)
        return {"id": ">".join(ends), "source": ends[0], "target": ends[1], "health": "ok", "sentence": "keeping up",
                "kind": "produce" if source in services else "consume", "evidence": ["traced"],
                "lag": dice.randrange(90),
                "rate": dice.random() * 500, "errors": 0, "messages": 900, "wait_p95_seconds": 0.2}  # fmt: skip

    ways = {">".join(_identity(end, services) for end in arrow): points
            for arrow, points in routes(places, wired.arrows).items()}  # fmt: skip
    return {"nodes": [node(name) for name in wired.nodes], "edges": [edge(*arrow) for arrow in wired.arrows],
            "routes": ways}  # fmt: skip


def _identity(name: str, services: set[str]) -> str:
    return f"{'service' if name in services else 'topic'}:{name}"


def _points(places: dict[str, place.Place]) -> dict[str, list[float]]:
    return {node: [spot.x, spot.y] for node, spot in places.items()}


def _ways(places: dict[str, place.Place], wired: Wiring) -> dict[str, Any]:
    return {">".join(arrow): points for arrow, points in routes(places, wired.arrows).items()}


class _Files(http.server.SimpleHTTPRequestHandler):
    """`static/` and `graph_page/`, without a word in the log."""

    def translate_path(self, path: str) -> str:
        name = path.split("?")[0].lstrip("/")
        return str(PAGE / name.removeprefix("graph_page/") if name.startswith("graph_page/") else ROOT / name)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def _page() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(ROOT)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.on("pageerror", lambda error: print(json.dumps(str(error)), file=sys.stderr))
        page.goto(f"http://127.0.0.1:{server.server_port}/graph_page/page.html")
        page.wait_for_function("window.ready")
        yield page
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
