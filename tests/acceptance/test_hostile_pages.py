"""S11: a page that somebody has open in a browser posts spans to a receiver on the same machine; none comes in."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, sync_playwright

from tests.acceptance.test_receive import Running, running, spooled
from tests.browser.browsing import browser
from tests.unit.test_otlp import JSON_SPAN, json_body

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance, pytest.mark.browser]
NAME = "evil.example"
HERE = f"MAP {NAME} 127.0.0.1"  # what a name server of the page's would say the second time it is asked

# What a page can do without asking the receiver first, what needs its leave, and a form.
POSTS = """
async ([url, body]) => {
  const sent = (options) => fetch(url, {method: "POST", body, ...options}).catch(() => null);
  await sent({mode: "no-cors"});
  await sent({mode: "no-cors", body: new Blob([body])});
  await sent({mode: "no-cors", headers: {"Content-Type": "text/plain"}});
  await sent({headers: {"Content-Type": "application/json"}});
  navigator.sendBeacon(url, new Blob([body], {type: "application/json"}));
  navigator.sendBeacon(url, body);
}
"""
FORM = """
([url, body]) => {
  const form = document.createElement("form");
  form.method = "POST"; form.enctype = "text/plain"; form.action = url;
  const field = document.createElement("input");
  field.name = body;
  form.append(field); document.body.append(form); form.submit();
}
"""


class Site(BaseHTTPRequestHandler):
    """A page with nothing on it."""

    def do_GET(self) -> None:
        """Any address."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>a page</title><p>Nothing here.")

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[int]:
    """Its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright, browser(playwright, f"--host-resolver-rules={HERE}") as started:
        yield started


@pytest.fixture
def receiver(kafka_bootstrap: str, tmp_path: Path) -> Iterator[Running]:
    with running(kafka_bootstrap, tmp_path) as started:
        yield started


def test_s11_no_page_in_a_browser_gets_a_span_in(
    receiver: Running, kafka_bootstrap: str, chromium: Browser, site: int
) -> None:
    held = len(spooled(kafka_bootstrap))
    url, body = f"http://127.0.0.1:{receiver.http_port}/v1/traces", json_body(JSON_SPAN).decode()
    page = chromium.new_page()
    answers = watched(page)
    page.goto(f"http://127.0.0.1:{site}/")
    page.evaluate(POSTS, [url, body])
    page.evaluate(FORM, [url, body])
    page.wait_for_url(url)
    page.goto(f"http://{NAME}:{receiver.http_port}/")  # the page's own name, which leads to us now
    page.evaluate(POSTS, ["/v1/traces", body])
    page.close()
    refused = {status for _, status in answers}
    assert refused <= {403, 405, 415, 421}
    assert {403, 421} <= refused
    assert len([host for host, _ in answers if host == NAME]) >= 4
    assert len(spooled(kafka_bootstrap)) == held


def watched(page: Page) -> list[tuple[str, int]]:
    """Host and status of all that the receiver answers, as it comes; also what the page itself may not see."""
    answers: list[tuple[str, int]] = []

    def note(answer: Response) -> None:
        if "/v1/traces" in answer.url:
            answers.append((answer.url.split("/")[2].partition(":")[0], answer.status))

    page.on("response", note)
    return answers
