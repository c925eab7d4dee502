"""The path of one event as people see it: searched, drawn, timed, opened; by mouse and by keyboard.

WEIR_PICTURES names a folder for screenshots of everything that is drawn here.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

import pytest
from django.db import transaction
from playwright.sync_api import Browser, Page, expect

from collector.clock import now
from collector.config import declared
from tests.browser.browsing import Visit, visit_at
from tests.browser.own_server import beside_a_loop, browser, running
from tests.integration.path_world import PROCESS, SEND, PathWorld
from tests.integration.people import PASSWORD, person
from tests.integration.web_process import Web

__all__ = ["beside_a_loop", "browser", "running"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOUR = 3_600


@pytest.fixture
def world(clean_tables: None) -> PathWorld:
    """An empty shop; times are seconds before now."""
    found = PathWorld()
    found.begin(now())
    return found


@contextmanager
def seen_by(browser: Browser, running: Web, name: str, *, scheme: str = "light", width: int = 1440) -> Iterator[Visit]:
    """What the overview complains of after signing in is not of here: its charts' library comes with the stack."""
    with visit_at(browser, running.origin, name, password=PASSWORD, scheme=scheme, width=width) as seen:
        seen.complaints.clear()
        yield seen


def order(world: PathWorld) -> None:
    """Journey J2: an order of six events; billing reads it after three minutes and declines it, the rest is shipped."""
    world.span((1, 1), SEND, "orders.created", "orders-svc", at=-900)
    world.record("orders.created", (7, 88123), by=(1, 1), at=-900, key="order-123")
    world.span((2, 1), PROCESS, "orders.created", "shipping-svc", at=-899.6, place=(7, 88123), group="shipping",
               links=[((1, 1), None)])  # fmt: skip
    world.span((2, 3), 0, None, "shipping-svc", at=-899.5, parent=1)
    sent = [(2, "shipping-svc", "shipments.planned"), (3, "packing-svc", "parcels.packed"),
            (4, "carrier-svc", "parcels.sent"), (5, "mailer", "mails.sent")]  # fmt: skip
    for number, (trace, service, topic) in enumerate(sent):
        at = -899.3 + 1.2 * number
        world.span((trace, 2), SEND, topic, service, at=at, parent=1)
        world.record(topic, (2, 411), by=(trace, 2), at=at, key="order-123")
        if number + 1 < len(sent):
            reader = sent[number + 1][1]
            world.span((trace + 1, 1), PROCESS, topic, reader, at=at + 0.3, place=(2, 411), group=reader,
                       links=[((trace, 2), None)])  # fmt: skip
    world.span((9, 1), PROCESS, "orders.created", "billing-svc", at=-710, place=(7, 88123), group="billing",
               links=[((1, 1), None)], error=("shop.billing.CardDeclined", "issuer declined the card"))  # fmt: skip
    world.span((9, 2), SEND, "orders.created.dlq", "billing-svc", at=-709.8, parent=1)
    world.record("orders.created.dlq", (7, 12), by=(9, 2), at=-709.8, key="order-123")
    world.letter("orders.created.dlq", (7, 12), ("orders.created", 7, 88123), "billing")
    for place in (("orders.created", (7, 88123)), ("orders.created.dlq", (7, 12))):
        value = b'{"order_id":"order-123","card":{"number":"4111111111111111"}}'
        world.body(*place, value, headers=(("tenant", b"acme"), ("traceparent", b"00-" + b"1" * 32 + b"-02-01")))
    world.usually("billing-svc", "orders.created", "payments.captured", within=4.0)
    world.committed("orders.created", "audit", [None] * 7 + [88124], at=-880)
    world.committed("shipments.planned", "warehouse", [None, None, 400], at=-890)
    with transaction.atomic():
        rule = {"topics": ["orders.created"], "paths": ["$..card.number"]}
        declared.replace({"mask": {"cards": rule}}, by="a test", now=now())


def test_j2_an_order_is_found_and_followed_with_the_mouse(world: PathWorld, running: Web, browser: Browser) -> None:
    order(world)
    person("olga", "operator")
    with seen_by(browser, running, "olga") as seen:
        page = seen.page
        page.get_by_role("searchbox").first.fill("order-123")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="6 events in 1 flow")).to_be_visible()
        expect(page.locator("main")).to_contain_text("Failed in billing-svc")
        seen.picture("flows")
        assert seen.wrong() == []
        page.get_by_role("link", name="Flow of 6 events").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("orders.created/7/88123")
        path = page.locator("event-path")
        expect(path.locator(".step.failed")).to_have_count(1)
        for said in ("CardDeclined", "warehouse", "shipments.planned", "payments.captured", "missing"):
            expect(path).to_contain_text(said)
        seen.picture("order")
        billing = page.locator("[data-hops] tbody tr.failed-row").get_by_role("link", name="Hop")
        number = billing.inner_text()
        billing.click()
        expect(page).to_have_url(re.compile(f"sel=hop(:|%3A){number}"))
        panel = page.locator("#panel")
        expect(panel).to_contain_text("3 min 10 s")
        expect(panel).to_contain_text("Processing")
        panel.get_by_role("link", name="Show payload and headers").click()
        expect(page.locator("#panel pre")).to_contain_text("order-123")
        expect(page.locator("#panel pre")).not_to_contain_text("4111")
        expect(page.locator("#panel")).to_contain_text("Masked by cards")
        expect(page.locator("#panel").get_by_role("link", name="Download")).to_have_count(0)
        seen.picture("hop")
        assert seen.wrong() == []
        page.get_by_role("link", name="Timeline").click()
        expect(page.locator("event-timeline")).to_contain_text("folded")
        seen.picture("timeline")
        page.get_by_role("button", name="True scale").click()
        expect(page.locator("event-timeline .lane").first).to_be_visible()
        expect(page.locator("event-timeline")).not_to_contain_text("folded")
        assert seen.wrong() == []
        for typed, says in (("orders.created/7/88123", "orders.created/7/88123"), ("order-999", "Nothing called")):
            page.get_by_role("searchbox").first.fill(typed)
            with page.expect_navigation():
                page.keyboard.press("Enter")
            expect(page.locator("main")).to_contain_text(says)
        assert seen.wrong() == []


def test_two_orders_are_compared_and_a_limit_is_set(world: PathWorld, running: Web, browser: Browser) -> None:
    order(world)
    world.span((30, 1), SEND, "orders.created", "orders-svc", at=-300)
    world.record("orders.created", (3, 9), by=(30, 1), at=-300, key="order-124")
    world.span((31, 1), PROCESS, "orders.created", "billing-svc", at=-299, place=(3, 9), group="billing",
               links=[((30, 1), None)])  # fmt: skip
    person("olga", "operator")
    with seen_by(browser, running, "olga") as seen:
        page = seen.page
        seen.open("/events/demo/orders.created/7/88123/")
        page.locator("summary", has_text="Compare…").click()
        page.get_by_label("With the event at").fill("orders.created/3/9")
        page.get_by_role("button", name="Compare", exact=True).click()
        expect(page.locator("#compare")).to_contain_text("failed, there ok")
        page.locator("#compare").scroll_into_view_if_needed()
        seen.picture("compare")
        assert seen.wrong() == []
        seen.open("/events/?view=stuck")
        page.locator("#limits summary").first.click()
        page.get_by_label("Stuck after").first.fill("30 s")
        page.get_by_role("button", name="Set", exact=True).first.click()
        expect(page.locator("#limits")).to_contain_text("set by olga")
        seen.picture("limits")
        assert seen.wrong() == []


def test_j2_the_same_with_the_keyboard(world: PathWorld, running: Web, browser: Browser) -> None:
    order(world)
    person("olga", "operator")
    with seen_by(browser, running, "olga", scheme="dark") as seen:
        page = seen.page
        page.keyboard.press("Control+k")
        page.keyboard.type("order-123")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="6 events in 1 flow")).to_be_visible()
        expect(page.locator("#results a:focus")).to_contain_text("Flow of 6 events")
        page.keyboard.press("Enter")
        expect(page.locator("event-path .step.failed")).to_have_count(1)
        expect(page.locator("event-path .step.ghost.late")).to_contain_text("payments.captured")
        seen.picture("order-dark")
        page.keyboard.press("v")
        expect(page.locator("event-timeline")).to_contain_text("3 min 6 s folded")
        seen.picture("timeline-dark")
        tab_to(page, "True scale")
        page.keyboard.press("Enter")
        expect(page.locator("event-timeline .lane").first).to_be_visible()
        expect(page.locator("event-timeline")).not_to_contain_text("folded")
        tab_to(page, "Hop 3")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("sel=hop(:|%3A)3"))
        expect(page.locator("#panel")).to_contain_text("Hop 3")
        page.keyboard.press("Escape")
        seen.open("/events/demo/orders.created/7/88123/?sel=hop:10")
        tab_to(page, "Show payload and headers")
        page.keyboard.press("Enter")
        expect(page.locator("#panel pre")).to_contain_text("order-123")
        expect(page.locator("#panel pre")).not_to_contain_text("4111")
        expect(page.locator("#panel")).to_contain_text("Masked by cards")
        expect(page.locator("#panel")).to_contain_text("Unmasking needs the admin role.")
        assert seen.wrong() == []
        page.keyboard.press("Control+k")
        page.keyboard.type("orders.created/7/88123")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/88123/$"))
        page.wait_for_load_state()  # before that nobody listens to keys
        page.keyboard.press("Control+k")
        page.keyboard.type("order-999")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_contain_text("Nothing called")
        expect(page.locator("main")).to_contain_text("order-999")
        assert seen.wrong() == []


def test_an_admin_unmasks_a_field_for_a_reason_with_the_keyboard(
    world: PathWorld, running: Web, browser: Browser
) -> None:
    order(world)
    person("ada", "admin")
    with seen_by(browser, running, "ada") as seen:
        page = seen.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        seen.open("/events/demo/orders.created/7/88123/?tab=payload")
        tab_to(page, "Unmask…")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Unmask values of")
        assert seen.wrong() == []
        page.get_by_label("$..card.number").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.type("PAY-311, asked by the customer")
        seen.picture("unmask")
        page.keyboard.press("Enter")
        payload = page.locator("#payload")
        expect(payload.locator("pre")).to_contain_text("4111111111111111")
        expect(payload).to_contain_text("PAY-311, asked by the customer")
        seen.picture("unmasked")
        assert seen.wrong() == []
        payload.get_by_role("link", name="Hex").click()
        expect(page.locator("#payload pre")).to_contain_text("7b 22 6f 72")
        page.wait_for_load_state()
        tab_to(page, "Copy the value of tenant")
        page.keyboard.press("Enter")
        page.wait_for_function("async () => (await navigator.clipboard.readText()) === 'acme'")
        page.locator("#payload").get_by_role("button", name="Mask again").click()
        expect(page.locator("#payload pre")).not_to_contain_text("4111")


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is on the control of that name."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("(document.activeElement.ariaLabel ?? document.activeElement.textContent).trim()") == name:
            return
    raise AssertionError(f"Tab never came to {name}")


def test_a_viewer_sees_the_path_and_no_bytes(world: PathWorld, running: Web, browser: Browser) -> None:
    order(world)
    person("vera", "viewer")
    with seen_by(browser, running, "vera") as seen:
        seen.open("/events/demo/orders.created/7/88123/?sel=hop:2")
        expect(seen.page.locator("#panel")).to_contain_text("Payloads need the operator role.")
        expect(seen.page.locator("#panel pre")).to_have_count(0)
        assert seen.wrong() == []


def test_a_hop_that_comes_while_one_looks_is_added(world: PathWorld, running: Web, browser: Browser) -> None:
    order(world)
    person("vera", "viewer")
    with seen_by(browser, running, "vera") as seen:
        seen.open("/events/demo/orders.created/7/88123/")
        expect(seen.page.locator("[data-hops] tbody tr")).to_have_count(12)
        world.span((19, 1), PROCESS, "shipments.planned", "warehouse-svc", at=-10, place=(2, 411), group="warehouse",
                   links=[((2, 2), None)])  # fmt: skip
        world.ring("topology")
        expect(seen.page.locator("[data-hops] tbody tr")).to_have_count(13)
        expect(seen.page.locator("event-path")).to_contain_text("warehouse-svc")
        assert seen.complaints == []


def fan_out(world: PathWorld) -> str:
    world.span((1, 1), SEND, "prices.changed", "pricing-svc", at=-60)
    world.record("prices.changed", (0, 7), by=(1, 1), at=-60)
    for number in range(40):
        error = ("shop.Stale", "version 3 is older than 4") if number in {11, 30} else None
        world.span((10 + number, 1), PROCESS, "prices.changed", f"shop-{number:02d}", at=-59 + number / 10,
                   place=(0, 7), group=f"shop-{number:02d}", links=[((1, 1), None)], error=error)  # fmt: skip
        if number % 9 == 0:
            world.span((10 + number, 2), SEND, "labels.printed", f"shop-{number:02d}", at=-58 + number / 10, parent=1)
    return "/events/demo/prices.changed/0/7/"


def eight_hours(world: PathWorld) -> str:
    at = -8.5 * HOUR
    for number, (topic, waits) in enumerate(
        [("claims.opened", 2), ("claims.checked", 3 * HOUR), ("claims.approved", 4 * HOUR), ("claims.paid", 40)]
    ):
        world.span((number + 1, 9), SEND, topic, f"desk-{number}", at=at, parent=1 if number else None)
        world.record(topic, (0, number), by=(number + 1, 9), at=at)
        at += waits
        world.span((number + 2, 1), PROCESS, topic, f"desk-{number + 1}", at=at, place=(0, number),
                   group=f"desk-{number + 1}", links=[((number + 1, 9), None)])  # fmt: skip
        at += 0.2
    return "/events/demo/claims.checked/0/1/"


def retry_loop(world: PathWorld) -> str:
    world.topic("orders.created.retry", role=2)
    world.topic("orders.created.dlq", role=1)
    world.span((1, 1), SEND, "orders.created", "orders-svc", at=-300)
    world.record("orders.created", (0, 5), by=(1, 1), at=-300, key="order-7")
    world.span((2, 1), PROCESS, "orders.created", "billing-svc", at=-299, place=(0, 5), group="billing",
               links=[((1, 1), None)], error=("GatewayTimeout", "no answer"))  # fmt: skip
    world.span((2, 2), SEND, "orders.created.retry", "billing-svc", at=-298, parent=1)
    world.record("orders.created.retry", (0, 1), by=(2, 2), at=-298)
    world.span((3, 1), PROCESS, "orders.created.retry", "billing-svc", at=-280, place=(0, 1), group="billing",
               links=[((2, 2), None)], error=("CardDeclined", "no"))  # fmt: skip
    world.span((3, 2), SEND, "orders.created.dlq", "billing-svc", at=-279, parent=1)
    world.record("orders.created.dlq", (0, 0), by=(3, 2), at=-279)
    letter = world.letter("orders.created.dlq", (0, 0), ("orders.created.retry", 0, 1), "billing")
    world.record("orders.created", (0, 9), by=(1, 1), at=-60)
    world.resent(letter, "orders.created", (0, 9), at=-60)
    world.span((5, 1), PROCESS, "orders.created", "billing-svc", at=-59, place=(0, 9), group="billing",
               links=[((1, 1), None)])  # fmt: skip
    world.span((5, 2), SEND, "payments.captured", "billing-svc", at=-58.8, parent=1)
    world.record("payments.captured", (0, 3), by=(5, 2), at=-58.8)
    return "/events/demo/orders.created/0/5/"


def gaps(world: PathWorld) -> str:
    world.span((1, 1), SEND, "orders.created", "orders-svc", at=-100)
    world.record("orders.created", (0, 5), by=(1, 1), at=-100)
    world.committed("orders.created", "audit", [5], at=-101)
    world.committed("orders.created", "audit", [6], at=-97)
    world.record("partner.notices", (0, 2), by=(1, 1), at=-95)
    world.span((2, 1), PROCESS, "partner.notices", "crm", at=-100.4, parent=None, place=(0, 2), links=[((1, 1), None)])
    world.span((2, 2), SEND, "crm.updates", "crm", at=-93, parent=1)
    world.record("crm.updates", (0, 8), by=(2, 2), at=-93, event_id="e-1")
    world.record("crm.exports", (0, 4), at=-90, event_id="e-2", cause_id="e-1")
    world.span((7, 1), PROCESS, "crm.exports", "lake", at=-89, place=(0, 4), links=[((6, 6), None)])
    world.committed("crm.exports", "archive", [4], at=-80)
    return "/events/demo/orders.created/0/5/"


def thousand(world: PathWorld) -> str:
    for number in range(500):
        world.span((1, 2 * number + 1), SEND, "steps", f"walker-{number % 7}", at=-900 + number,
                   parent=2 * number or None, place=(0, number))  # fmt: skip
        world.span((1, 2 * number + 2), PROCESS, "steps", f"walker-{(number + 1) % 7}", at=-899.5 + number,
                   parent=2 * number + 1, place=(0, number), group=f"walkers-{(number + 1) % 7}")  # fmt: skip
    return "/events/demo/steps/0/250/"


DRAWN: list[tuple[str, Callable[[PathWorld], str], str]] = [
    ("fan-out", fan_out, "shop-11"),
    ("eight-hours", eight_hours, "desk-4"),
    ("retry-loop", retry_loop, "payments.captured"),
    ("gaps", gaps, "by the id of its cause"),
    ("thousand", thousand, "show them"),
]


@pytest.mark.parametrize(("name", "make", "says"), DRAWN, ids=[each[0] for each in DRAWN])
def test_every_shape_is_drawn_in_light_and_dark(
    name: str, make: Callable[[PathWorld], str], says: str, world: PathWorld, running: Web, browser: Browser
) -> None:
    address = make(world)
    person("vera", "viewer")
    for scheme in ("light", "dark"):
        with seen_by(browser, running, "vera", scheme=scheme) as seen:
            seen.open(address)
            seen.page.locator("event-path .step").first.wait_for()
            seen.picture(f"{name}-{scheme}")
            seen.page.locator("event-path").evaluate("element => { element.scrollLeft = element.scrollWidth }")
            expect(seen.page.locator("event-path")).to_contain_text(says)
            seen.open(f"{address}?view=timeline")
            seen.page.locator("event-timeline .bar").first.wait_for()
            seen.picture(f"{name}-timeline-{scheme}")
            if scheme == "dark":
                assert seen.wrong() == []
                seen.page.set_viewport_size({"width": 390, "height": 844})
                seen.open(address)
                seen.page.locator("event-path .step").first.wait_for()
                seen.picture(f"{name}-narrow")
                assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_is_folded_opens_in_place_and_a_thousand_hops_pan_smoothly(
    world: PathWorld, running: Web, browser: Browser
) -> None:
    address = thousand(world)
    person("vera", "viewer")
    with seen_by(browser, running, "vera") as seen:
        begun = perf_counter()
        seen.open(address)
        path = seen.page.locator("event-path")
        path.locator(".step").first.wait_for()
        drawn_ms = 1000 * (perf_counter() - begun)
        assert path.evaluate(OPEN_ALL) >= 1_000 * 300
        assert path.evaluate("element => element.querySelectorAll('.step').length") < 60
        frames = path.evaluate(PAN)
        seen.picture("thousand-open")
        seen.note("thousand", {**frames, "drawn_ms": drawn_ms})
        assert frames["middle_ms"] < 300
        assert seen.complaints == []


OPEN_ALL = """
  async (element) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    for (let open = true; open; ) {
      open = false;
      for (const end of [0, element.scrollWidth]) {
        element.scrollLeft = end;
        await frame();
        const fold = element.querySelector("[data-fold]");
        if (fold) fold.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
        open ||= fold !== null;
      }
    }
    return element.querySelector("svg").width.baseVal.value;
  }
"""
PAN = """
  async (element) => {
    const times = [];
    for (let index = 0; index < 120; index += 1) {
      element.scrollLeft = index * 200;
      times.push(await new Promise((resolve) => requestAnimationFrame(resolve)));
    }
    const gaps = times.slice(1).map((time, index) => time - times[index]); // the longest may be others' doing
    const inOrder = [...gaps].sort((one, other) => one - other);
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    return { fps: 1000 / mean, middle_ms: inOrder[Math.floor(inOrder.length / 2)] };
  }
"""
