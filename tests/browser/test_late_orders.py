"""On call, orders are late: from the group that is behind to the deploy that did it (J1), by mouse and by keyboard."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.running_demo import Demo, eventually
from tests.browser.browsing import visit

pytestmark = [pytest.mark.browser, pytest.mark.acceptance]
BEHIND = {"SLOW", "STALLED"}
LATE = re.compile(r"billing is .*behind on orders\.created, growing .+/s, since \d\d:\d\d UTC")
BORN = re.compile(r"first .* ago, .+ (after billing-svc 2\.8\.0|before billing-svc 2\.8\.0 was seen)")
ONE_MOMENT = (
    "() => new Set([...document.querySelectorAll('.chart-legend .when')].map((each) => each.textContent)).size === 1"
)


@pytest.fixture(scope="module")
def late(running: Demo) -> Iterator[Demo]:
    """Billing 2.8.0 was deployed, and is slower than the orders come in."""
    running.environment["DEMO_STATE_DIR"] = str(running.shop_folder)
    running.command("demo.control", "deploy")
    eventually(lambda: verdict(running) in BEHIND, seconds=150, what="billing to fall behind")
    yield running
    running.command("demo.control", "fix")


def verdict(running: Demo) -> str:
    group = running.get("groups/demo/billing")
    return str(next(row["verdict"] for row in group["topics"] if row["topic"] == "topic:demo/orders.created"))


def behind(page: Page) -> None:
    """What the group's page says before anybody clicks."""
    expect(page.get_by_role("heading", level=1)).to_have_text("billing")
    expect(page.locator("#verdict")).to_contain_text(re.compile("|".join(BEHIND)))
    expect(page.locator("#standing")).to_contain_text("never")
    for name in ("Lag, seconds", "Lag, offsets", "Commits, offsets/s"):
        expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.locator("time-chart#ages canvas")).to_be_visible()
    expect(page.locator("#changes")).to_contain_text("billing-svc 2.8.0 seen first")


def test_by_mouse(late: Demo, browser: Browser) -> None:
    with visit(browser, late, "vera") as seen:
        page = seen.page
        expect(page.locator("live-chip")).to_contain_text("Live")
        late_orders = page.locator("#attention li").filter(has_text=LATE)
        expect(late_orders).to_be_visible()
        late_orders.get_by_role("link").first.click()
        behind(page)
        mark = page.locator("#ages .mark", has_text="2.8.0 seen first").last
        mark.hover()
        expect(mark.locator(".told")).to_be_visible()
        expect(mark).to_have_attribute("aria-label", re.compile("2.8.0 seen first"))
        mark.click()
        expect(page.locator("#changes tr[data-chosen]", has_text="billing-svc 2.8.0 seen first")).to_be_visible()
        lag = page.locator("#ages .plot .u-over").bounding_box()
        assert lag is not None
        page.mouse.move(lag["x"] + 40, lag["y"] + lag["height"] - 20)
        page.mouse.move(lag["x"] + lag["width"] - 20, lag["y"] + lag["height"] - 20, steps=8)
        times = page.locator(".chart-legend .when")
        expect(times.nth(0)).to_contain_text("UTC")
        page.wait_for_function(ONE_MOMENT)  # one crosshair for all
        page.locator("#ages").get_by_text("Table", exact=True).click()
        expect(page.locator("#ages table")).to_contain_text("UTC")
        expect(page.locator("#ages tbody tr").nth(100)).to_be_attached()  # every step of the chart
        page.locator("#topics").get_by_role("link", name=re.compile("|".join(BEHIND))).first.click()
        expect(page.locator("#why")).to_contain_text(re.compile("Rule [67]"))
        expect(page.locator("#why tbody tr").nth(3)).to_be_attached()
        page.locator("#topics").get_by_role("link", name="billing-svc").first.click()
        expect(page.get_by_role("heading", name="billing-svc").first).to_be_visible()
        expect(page.locator("#took")).to_contain_text("before 2.8.0")
        page.locator("#failures").get_by_role("link", name="AmountRejected").click()
        expect(page.locator("main")).to_contain_text(BORN)
        assert seen.complaints == []
        assert seen.violations() == []


def test_by_keyboard_and_the_copied_link_shows_the_same_moment(late: Demo, browser: Browser) -> None:
    with visit(browser, late, "vera") as seen:
        page = seen.page
        expect(page.locator("#attention li").filter(has_text=LATE)).to_be_visible()
        tab_until(page, "document.activeElement.closest('#attention li')?.textContent.includes('billing is')")
        page.keyboard.press("Enter")
        behind(page)
        tab_to(page, "mark")
        expect(page.locator(".mark:focus .told")).to_be_visible()
        tab_to(page, "plot")
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".chart-legend .when").first).to_contain_text("UTC")
        page.wait_for_function(ONE_MOMENT)
        page.keyboard.press("p")
        expect(page.locator("live-chip")).to_contain_text("Paused")
        expect(page).to_have_url(re.compile("from=.*&to="))
        link = page.url
        page.keyboard.press("p")
        page.keyboard.press("v")
        expect(page.locator("#partitions")).to_be_visible()
        page.wait_for_load_state()  # before that nobody listens to keys
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.locator("#why")).to_contain_text("Rule")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.wait_for_load_state()
        page.keyboard.press("g")
        page.keyboard.press("d")
        page.wait_for_url("**/dead-letters/")
        tab_until(page, "document.activeElement.textContent.includes('AmountRejected')")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_contain_text(BORN)
        page.wait_for_load_state()
        page.keyboard.press("y")
        expect(page.locator("#note")).to_have_text("Link copied")
        failure = page.evaluate("navigator.clipboard.readText()")
        assert seen.complaints == []
    with visit(browser, late, "olga") as other:
        other.page.goto(failure)
        expect(other.page.locator("main")).to_contain_text(BORN)
        other.page.goto(link)
        expect(other.page.locator(".chip-live")).to_contain_text("Past")
        expect(other.page.get_by_role("heading", level=1)).to_have_text("billing")
        expect(other.page.locator("#changes")).to_contain_text("billing-svc 2.8.0 seen first")
        assert other.complaints == []


def tab_to(page: Page, name: str) -> None:
    """Press Tab until something of this class has the focus."""
    tab_until(page, f"document.activeElement.classList.contains('{name}')")


def tab_until(page: Page, condition: str) -> None:
    """Press Tab until this holds in the page."""
    for _ in range(160):
        page.keyboard.press("Tab")
        if page.evaluate(condition):
            return
    raise AssertionError(f"cannot be reached: {condition}")
