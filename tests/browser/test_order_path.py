"""J2 on the running shop: an order that failed in billing, found by its key and followed."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance import screen
from tests.acceptance.running_demo import Demo, eventually
from tests.browser.browsing import visit

pytestmark = [pytest.mark.browser, pytest.mark.acceptance]


def test_j2_a_failed_order_of_the_shop_is_found_by_its_key_and_followed(running: Demo, browser: Browser) -> None:
    letter = eventually(lambda: _declined(running), seconds=60, what="a declined card")
    with visit(browser, running, "olga") as seen:
        page = seen.page
        page.keyboard.press("Control+k")
        page.keyboard.type(letter["key"])
        page.keyboard.press("Enter")
        flow = page.get_by_role("link", name=re.compile(r"Flow of \d+ events")).first
        expect(page.locator("#results")).to_contain_text("Failed in billing-svc")
        flow.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("/")
        path = page.locator("event-path")
        expect(path.locator(".step.failed").first).to_contain_text("billing-svc")
        failed = page.locator("[data-hops] tbody tr.failed-row").first.get_by_role("link", name="Hop")
        number = failed.inner_text()
        failed.click()
        expect(page).to_have_url(re.compile(f"sel=hop(:|%3A){number}"))
        for said in ("Wait", "Processing", "billing-svc", "CardDeclined"):
            expect(page.locator("#panel")).to_contain_text(said)
        page.keyboard.press("v")
        expect(page.locator("event-timeline .lane").first).to_be_visible()
        expect(page.locator("#panel")).to_contain_text(f"Hop {number}:")
        seen.picture("shop-timeline")
        assert seen.wrong() == []
        page.get_by_role("searchbox").first.fill("order-never-made")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_contain_text("Nothing called")
        assert seen.complaints == []


def _declined(running: Demo) -> dict[str, Any] | None:
    """A dead letter of billing whose order has a key, and whose failed reading has been seen."""
    for each in running.get("dead-letters", limit="200")["items"]:
        if each["key"] and each["exception"]["class"].endswith("CardDeclined"):
            hops = running.get(f"events/{screen.CLUSTER}/{place(each['original'])}")["path"]["hops"]
            if any(hop["result"] == "failed" and hop["service_name"] == "billing-svc" for hop in hops):
                return dict(each)
    return None


def place(at: dict[str, Any]) -> str:
    """As addresses have it."""
    return f"{at['topic'].rpartition('/')[2]}/{at['partition']}/{at['offset']}"
