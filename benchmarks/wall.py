"""An hour on the wall: the shop at 200 orders a second with the overview open; memory, CPU, freshness by the minute.

The whole of `make demo` runs in a folder of its own. Chromium has the overview open as a wall would (the page), and in
a second tab its table, where events of one more traced service are timed from produce() to the number (the meter).

    python -m benchmarks.wall [MINUTES [ORDERS_A_SECOND]]     (3 minutes, 200; 60 are meant)

An answer that does not come is said and asked again a minute later; rates are then those of both minutes. It fails when
a process of Weir or the page grew by more than 15 % after the first ten minutes, when the p99 of all timed events is
above two seconds or one was never seen, when a process of Weir ended and was started again, when the shop sent less
than 95 % of its orders, or when a minute was not read.
"""

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import freshness
from benchmarks.freshness import OBSERVE, at, chromium, number, sign_in
from benchmarks.load.watch import OTHERS, PARTS, SERVERS, Minute, Page, Reading, Unread, Watch
from benchmarks.load.whole import running

MINUTE, EVENTS_A_MINUTE, SETTLE_SECONDS = 60.0, 10, 30.0
LAST_SECONDS = 20.0  # for events that are still on their way when the last minute ends
PATIENCE_MS = 120_000  # a machine that is busy with its start answers late
MOST_GROWTH, MOST_MS, LEAST_ORDERS = 1.15, 2_000.0, 0.95
GROWN_MINUTES, EDGE_MINUTES = 10, 5  # memory of the minutes after the tenth, against the last five
TAKE = "() => { const all = [...(window.seen ?? [])]; window.seen?.splice(0, all.length - 1); return all; }"


HEAD = (
    "minute orders/s spans/s   PSS, MB: "
    + " ".join((*PARTS, *SERVERS))
    + "   page: heap MB, elements, listeners   CPU, % of a core: "
    + " ".join((*PARTS, *SERVERS, *OTHERS))
    + "; of all cores   spool records unread, folder s behind   produce() to page ms: p50, max"
)


def main(words: Sequence[str]) -> int:
    """Print a line each minute; 1 where something was missed."""
    minutes, orders = (*words, *("3", "200")[len(words) :])
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name, ExitStack() as open_:
        stack = open_.enter_context(running(Path(name), "demo", {"RATE": orders}))
        wall, meter = open_.enter_context(pages(stack))
        print(HEAD, flush=True)
        seen = minutes_of(Watch(Path(name) / "data" / "stack.json", stack), wall, meter, int(minutes))
        time.sleep(LAST_SECONDS)
        meter.taken()
    return verdict(seen, meter, n_minutes=int(minutes), orders=float(orders))


def minutes_of(watch: Watch, wall: Any, meter: "Meter", n_minutes: int) -> list[Minute]:  # noqa: ANN401
    """The minutes that were read, each printed, with the meter's events spread over it."""
    seen: list[Minute] = []
    before: Reading | None = None
    began = time.monotonic()
    for nth in range(1, n_minutes + 1):
        try:
            before = before or watch.reading()
            meter.send_until(began + nth * MINUTE)
            after = watch.reading()
            one = watch.minute(before, after, page_of(wall))
        except Unread as why:
            print(f"{nth:6} not read: {why}", flush=True)
            continue
        finally:
            arrived = meter.taken()
        one.delays, before = arrived, after
        seen.append(one)
        print(f"{nth:6}{one}", flush=True)
    return seen


class Meter:
    """Events of one more traced service, timed until their number stands in the overview's table."""

    def __init__(self, page: Any, produce: Callable[[], float], *, url: str, edge: str) -> None:  # noqa: ANN401
        self._page, self._produce, self._url, self._edge = page, produce, url, edge
        self._sent: list[float] = []
        self.delays: list[float] = []
        self._look()
        self._base = number(page.evaluate("window.seen.at(-1)[1]"))

    @property
    def n_lost(self) -> int:
        """Events that were sent and not seen so far."""
        return len(self._sent) - len(self.delays)

    def send_until(self, end: float) -> None:
        """Events up to eight seconds before the end, then nothing."""
        began, last = time.monotonic(), end - 8
        for nth in range(EVENTS_A_MINUTE):
            self._sent.append(self._produce())
            time.sleep(max(0.0, began + (nth + 1) * (last - began) / EVENTS_A_MINUTE - time.monotonic()))
        time.sleep(max(0.0, end - time.monotonic()))

    def taken(self) -> list[float]:
        """Delays in ms of the events that were seen since the last look; a page that lost its table is opened anew."""
        from playwright.sync_api import Error

        n_before = len(self.delays)
        try:
            numbers = self._page.evaluate(TAKE)
            if not numbers:
                print("       the meter's page is opened anew", flush=True)
                self._look()
                numbers = self._page.evaluate(TAKE)
        except Error as error:
            print(f"       the meter's page was not read: {error.message}", flush=True)
            return []
        for when, text in numbers:
            while len(self.delays) < min(len(self._sent), number(text) - self._base):
                self.delays.append(when - self._sent[len(self.delays)])
        return self.delays[n_before:]

    def _look(self) -> None:
        self._page.goto(self._url)
        self._page.locator(f'tr[data-edge="{self._edge}"]').wait_for()
        self._page.evaluate(OBSERVE, self._edge)


@contextmanager
def pages(stack: dict[str, Any]) -> Iterator[tuple[Any, Meter]]:
    """The overview, and the meter."""
    from playwright.sync_api import sync_playwright

    produce, flush = freshness.probe(stack)
    produce()
    edge = f"service:{freshness.SERVICE}>topic:{stack['cluster']}/{freshness.TOPIC}"
    url = stack["url"].rstrip("/")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        wall, table = context.new_page(), context.new_page()
        sign_in(table, stack)
        meter = Meter(table, produce, url=f"{url}/?view=table&from=now-6h", edge=edge)
        wall.goto(f"{url}/")
        wall.locator("service-graph").wait_for()
        time.sleep(SETTLE_SECONDS)
        yield wall, meter
        browser.close()
    flush(10)


def page_of(wall: Any) -> Page:  # noqa: ANN401
    """What the browser says of the overview. Raises Unread."""
    from playwright.sync_api import Error

    try:
        session = wall.context.new_cdp_session(wall)
        session.send("HeapProfiler.collectGarbage")
        session.send("Performance.enable")
        found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        session.detach()
    except Error as error:
        raise Unread(f"the page: {error.message}") from error
    return Page(found["JSHeapUsedSize"] / 1e6, int(found["Nodes"]), int(found["JSEventListeners"]))


def verdict(seen: Sequence[Minute], meter: Meter, *, n_minutes: int, orders: float) -> int:
    """What the targets say of it; 1 where one is missed."""
    if not seen:
        print("MISSED: no minute was read")
        return 1
    warm = seen[min(GROWN_MINUTES, len(seen) // 3) :]
    missed = [f"memory of {name} grew" for name in grown(warm)]
    sent = statistics.fmean(one.orders for one in seen)
    print(f"orders/s {sent:.1f} of {orders:.0f}, spans/s {statistics.fmean(one.spans for one in seen):,.0f}")
    if sent < orders * LEAST_ORDERS:
        missed.append(f"the shop sent {sent:.0f} of {orders:.0f} orders a second")
    for name in (*PARTS, *SERVERS, *OTHERS):
        print(f"CPU of {name}: {statistics.fmean(one.cores.get(name, 0.0) for one in seen):.1%} of a core")
    print(f"CPU of everything: {statistics.fmean(one.busy for one in seen):.1%} of all cores")
    ranked = sorted(meter.delays) or [math.inf]
    print(
        f"produce() to the number on the page, {len(meter.delays)} events, ms: p50 {at(ranked, 0.5):.0f}, "
        f"p99 {at(ranked, 0.99):.0f}, max {ranked[-1]:.0f}; never seen: {meter.n_lost}"
    )
    if at(ranked, 0.99) > MOST_MS or meter.n_lost:
        missed.append("the page was late")
    restarted = [name for one in seen for name in one.restarted]
    print(f"processes of Weir that ended: {len(restarted)}; minutes not read: {n_minutes - len(seen)}")
    missed += [f"{name} ended and was started again" for name in restarted]
    if len(seen) < n_minutes:
        missed.append(f"{n_minutes - len(seen)} minutes were not read")
    for words in missed:
        print(f"MISSED: {words}")
    print(f"{len(missed)} targets missed" if missed else "all targets met")
    return 1 if missed else 0


def grown(warm: Sequence[Minute]) -> Iterator[str]:
    """Print the memory of each part at both ends of these minutes; those that took more than they may."""
    series = {name: [one.mb[name] for one in warm if name in one.mb] for name in (*PARTS, *SERVERS)}
    series["page's heap"] = [one.page.heap_mb for one in warm]
    for name, values in series.items():
        if not values:
            yield name  # it never ran
            continue
        first, last = statistics.median(values[:EDGE_MINUTES]), statistics.median(values[-EDGE_MINUTES:])
        print(f"memory of {name}: {first:.1f} MB, at the end {last:.1f} MB, at most {max(values):.1f} MB")
        if last > first * MOST_GROWTH and name not in SERVERS:
            yield name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
