"""The connection drops during an incident, the lag sampler stops, and somebody pauses (J7)."""

import json
import re
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.acceptance.running_demo import Demo, eventually
from tests.browser.browsing import visit

pytestmark = [pytest.mark.browser, pytest.mark.acceptance]
CHIP = "live-chip .chip-live"
HEARD = """
  window.__heard = [];
  new MutationObserver(() => window.__heard.push(document.getElementById("announcer").textContent))
    .observe(document.getElementById("announcer"), { childList: true, characterData: true, subtree: true });
"""
SAID = """
  window.__said = [];
  new MutationObserver(() => window.__said.push(document.querySelector("live-chip .chip-live").textContent.trim()))
    .observe(document.querySelector("live-chip"), { childList: true, characterData: true, subtree: true });
"""

NOTHING_OPENS = """() => {
  window.__WebSocket = WebSocket;
  window.WebSocket = class {
    static CONNECTING = 0;
    static OPEN = 1;
    readyState = 0;
    close() {
      this.readyState = 3;
      queueMicrotask(() => this.onclose({ code: 1006 }));
    }
  };
}"""


@dataclass(eq=False)
class Line:
    """One socket of the page, and how many messages it brought and saw acknowledged."""

    page: WebSocketRoute
    server: WebSocketRoute
    brought: int = 0
    acknowledged: int = 0
    is_dead: bool = False

    def bring(self, message: str | bytes) -> None:
        if not self.is_dead:
            self.brought += 1
            self.page.send(message)

    def answer(self, message: str | bytes) -> None:
        self.acknowledged += "ack" in json.loads(message)
        self.server.send(message)


class Wire:
    """The page's live socket, which may be cut: while it is, no new one comes up. Or it dies without a word."""

    def __init__(self, page: Page) -> None:
        self._open: list[Line] = []
        self._page = page
        self.is_cut = False
        page.route_web_socket(re.compile("/live/$"), self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        if self.is_cut:
            socket.close()
        else:
            line = Line(socket, socket.connect_to_server())
            line.server.on_message(line.bring)
            socket.on_message(line.answer)
            self._open.append(line)

    def die(self) -> None:
        """Nothing comes through any more, and nobody is told. What had come through was taken in by the page."""
        lines, self._open = self._open, []
        for line in lines:
            line.is_dead = True
        newest = lines[-1]
        self._wait(lambda: newest.acknowledged >= newest.brought, "did not take in its messages")

    def wait_for_another(self) -> None:
        self._wait(lambda: bool(self._open), "kept to a dead line")

    def _wait(self, is_so: Callable[[], bool], fault: str) -> None:
        until = time.monotonic() + 60
        while not is_so():
            assert time.monotonic() < until, f"the page {fault}"
            self._page.wait_for_timeout(100)

    def cut(self) -> None:
        self.is_cut = True
        for line in self._open:
            line.page.close()
        self._open.clear()

    def mend(self) -> None:
        self.is_cut = False


@pytest.fixture
def shop(running: Demo) -> Iterator[Demo]:
    """The shop, whole again in the end."""
    yield running
    running.command("stack", "start-part", "sample")


def test_the_page_says_what_it_knows_and_catches_up_once(shop: Demo, browser: Browser) -> None:
    with visit(browser, shop, "vera") as seen:
        page, wire = seen.page, Wire(seen.page)
        seen.open("/?label=lag&sel=topic:demo/orders.created&view=graph")
        chip = page.locator(CHIP)
        expect(chip).to_contain_text(re.compile(r"Live · as of \d"))
        with page.expect_request(lambda request: request.url == page.url and request.resource_type == "fetch"):
            page.evaluate("{ const before = Date.now; Date.now = () => before() + 3_600_000; }")  # from now on
        expect(chip).to_contain_text(re.compile(r"Live · as of \d+ s"))
        page.locator("#content").evaluate("element => element.ownerDocument.scrollingElement.scrollTo(0, 40)")
        scrolled = page.evaluate("document.scrollingElement.scrollTop")
        number = page.locator("[data-id='service:billing-svc'] .number")

        wire.die()
        page.evaluate("{ const before = Date.now; Date.now = () => before() + 61_000; }")  # a minute of silence
        wire.wait_for_another()
        expect(chip).to_contain_text(re.compile(r"Live · as of \d+ s"), timeout=30_000)

        page.evaluate(NOTHING_OPENS)
        wire.die()
        page.evaluate("{ const before = Date.now; Date.now = () => before() + 61_000; }")
        expect(chip).to_contain_text(re.compile("Reconnecting|Polling"), timeout=30_000)
        page.evaluate("() => { window.WebSocket = window.__WebSocket; }")
        expect(chip).to_contain_text(re.compile(r"Live · as of \d+ s"), timeout=60_000)

        page.evaluate(SAID)
        wire.cut()
        expect(number).to_have_text(re.compile(r"\d/s in"))
        expect(chip).to_have_text("Polling every 10 s")
        said = page.evaluate("window.__said")
        assert any(re.fullmatch(r"Reconnecting in \d+ s · as of \d+ s", text) for text in said), said
        wire.mend()
        expect(chip).to_contain_text("Live", timeout=30_000)

        shop.command("stack", "stop-part", "sample")
        expect(chip).to_contain_text("Delayed", timeout=20_000)
        expect(page.locator("#late")).to_contain_text(re.compile(r"As of \d+ s ago. The lag sampler has not reported."))
        expect(page.locator("#late").get_by_role("link", name="Health")).to_be_visible()
        labels = page.locator("service-graph .labels text")
        expect(labels.filter(has_text="◷").first).to_be_attached()
        page.get_by_label("Label").select_option("failed")
        expect(labels.filter(has_text="◷")).to_have_count(0)
        assert page.evaluate("getComputedStyle(document.querySelector('#table [data-field=lag]'), '::before').content")
        shop.command("stack", "start-part", "sample")
        expect(chip).to_contain_text("Live", timeout=30_000)
        expect(page.locator("#late")).to_be_hidden()
        assert page.evaluate("document.scrollingElement.scrollTop") == scrolled
        expect(page).to_have_url(re.compile("sel=topic"))
        assert seen.violations() == []


def test_a_pause_holds_everything_and_then_says_it_once(shop: Demo, browser: Browser) -> None:
    delivered(shop.stack, 4)
    with visit(browser, shop, "vera") as seen:
        page, chip = seen.page, seen.page.locator(CHIP)
        node = page.locator("[data-id='service:fragile-svc'] .health")
        expect(node).to_have_attribute("data-level", "ok", timeout=30_000)
        page.evaluate(HEARD)
        page.keyboard.press("p")
        expect(chip).to_contain_text(re.compile(r"Paused at \d\d:\d\d:\d\d · \d+ updates? held"))
        expect(page).to_have_url(re.compile("from=.*&to="))
        delivered(shop.stack, 4, failed=True)
        eventually(lambda: health(shop) == "failing", seconds=60, what="the failures to be counted")
        expect(chip).to_contain_text(re.compile(r"· [1-9]\d* updates held"))
        assert node.get_attribute("data-level") == "ok"
        page.get_by_role("link", name="Resume").click()
        expect(chip).to_contain_text("Live")
        expect(node).to_have_attribute("data-level", "failing")
        expect(page).not_to_have_url(re.compile("from="))
        page.wait_for_function(
            "() => window.__heard.some((text) => text.includes('fragile-svc is failing: 4 of 8 failed'))"
        )
        page.wait_for_timeout(3_500)  # longer than announcements wait for each other
        heard = [text for text in page.evaluate("window.__heard") if "fragile-svc is failing" in text]
        assert len(heard) == 1
        page.keyboard.press("p")
        page.locator("[data-id='service:fragile-svc']").click()
        expect(page).to_have_url(re.compile("from=.*sel="))
        page.keyboard.press("p")
        expect(page).to_have_url(re.compile(r"/\?sel=service%3Afragile-svc$"))  # what was selected meanwhile stays
        assert seen.complaints == []


def delivered(stack: dict[str, Any], n: int, *, failed: bool = False) -> None:
    """So many readings of orders.created by a service of its own."""
    now = time.time_ns()
    attributes = {
        "messaging.system": "kafka",
        "messaging.operation": "process",
        "messaging.destination.name": "orders.created",
    }
    spans = [
        {
            "traceId": secrets.token_hex(16),
            "spanId": secrets.token_hex(8),
            "name": "orders.created process",
            "kind": 5,
            "startTimeUnixNano": str(now - 1_000_000),
            "endTimeUnixNano": str(now),
            "status": {"code": 2 if failed else 1},
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
        }
        for _ in range(n)
    ]
    named = {"attributes": [{"key": "service.name", "value": {"stringValue": "fragile-svc"}}]}
    body = {"resourceSpans": [{"resource": named, "scopeSpans": [{"spans": spans}]}]}
    request = urllib.request.Request(
        f"{stack['otlp_http']}/v1/traces", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def health(running: Demo) -> str:
    nodes = running.get("graph")["nodes"]
    return str(next(node["health"] for node in nodes if node["id"] == "service:fragile-svc"))
