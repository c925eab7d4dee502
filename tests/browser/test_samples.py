"""A sample of a topic's payloads, asked for and read by the keyboard alone, and seen in every look."""

import json

import pytest
from django.db import connection
from playwright.sync_api import Browser, expect

from tests.browser.browsing import visit_at
from tests.browser.hands import Keyboard
from tests.browser.own_server import beside_a_loop, browser, running
from tests.integration.people import PASSWORD, person
from tests.integration.test_lookups import World, ruled, world
from tests.integration.web_process import Web

__all__ = ["beside_a_loop", "browser", "ruled", "running", "world"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOOKS = (("light", 1440), ("dark", 390), ("dark", 1440), ("light", 390))
EVENTS = "/topics/local/orders/?tab=events"


@pytest.fixture
def shop(clean_tables: None, ruled: World) -> World:
    """Records of every kind, and who looks."""
    for name, role in (("olga", "operator"), ("vera", "viewer"), ("ada", "admin")):
        person(name, role)
    for n in range(5):
        order = {"id": n, "customer": f"c-{n}", "items": [{"sku": "A-7", "amount": n * 10}], "mail": "ada@example.org"}
        ruled.write(json.dumps(order).encode(), headers=(("traceparent", b"00-0af7-b7ad-01"), ("x-user", b"ada")))
    ruled.write(None, b"", b"\x00\x01\xff" * 40, json.dumps({"rows": ["x" * 60] * 300}).encode())
    return ruled


def test_a_payload_is_sampled_by_the_keyboard_and_continued(shop: World, running: Web, browser: Browser) -> None:
    hand = Keyboard()
    for n in range(300):
        shop.write(b'{"number": %d}' % n)
    with visit_at(browser, running.origin, "olga", password=PASSWORD) as seen:
        page = seen.page
        seen.open(EVENTS)
        hand.press(page, page.locator("#sample-payload summary"))
        hand.choose(page, page.get_by_label("at offset"))
        hand.fill(page, page.get_by_role("textbox", name="Offset"), "9")
        hand.press(page, page.get_by_role("button", name="Sample", exact=True))
        expect(page.get_by_role("alert").first).to_contain_text("Nothing was asked.")
        assert seen.barriers() == []
        seen.complaints.clear()  # of the answer 400
        hand.fill(page, page.get_by_label("Partition"), "0")
        hand.press(page, page.get_by_role("button", name="Sample", exact=True))
        expect(page.get_by_text("No worker is running")).to_be_visible()
        seen.picture("sample-waiting")
        assert seen.wrong() == []
        shop.work()
        expect(page.locator("#read-title")).to_have_text("100 records")
        expect(page.get_by_role("region", name="How far each partition was read")).to_contain_text("100 records")
        hand.press(page, page.locator("#record-0 summary"))
        expect(page.get_by_role("region", name="Value of 0/9")).to_contain_text('"number": 0')
        seen.picture("sample-answer")
        assert seen.wrong() == []
        hand.press(page, page.get_by_role("button", name="Continue from there"))
        expect(page.locator("#answer")).to_contain_text("No worker is running")
        shop.work()
        expect(page.locator("#record-0")).to_contain_text("0/109")
        seen.open(EVENTS)
        expect(page.get_by_text("Your samples")).to_be_visible()
        assert seen.wrong() == []


def test_each_stand_of_a_sample_is_without_a_barrier_in_light_and_dark_wide_and_narrow(
    shop: World, running: Web, browser: Browser
) -> None:
    wrong = {}
    for scheme, width in LOOKS:
        with visit_at(browser, running.origin, "ada", password=PASSWORD, scheme=scheme, width=width) as seen:
            page = seen.page

            def check(name: str) -> None:
                over = page.evaluate("document.documentElement.scrollWidth - innerWidth")  # noqa: B023
                if found := [*seen.wrong(), *([f"{over} px too wide"] if over > 0 else [])]:
                    wrong[name, scheme, width] = found  # noqa: B023
                seen.complaints.clear()
                seen.picture(f"{name}-{width}-{scheme}")  # noqa: B023

            seen.open(EVENTS)
            page.locator("#sample-payload summary").click()
            check("events")
            page.get_by_role("button", name="Sample", exact=True).click()
            expect(page.get_by_text("No worker is running")).to_be_visible()
            check("waiting")
            shop.work()
            expect(page.locator("#read-title")).to_have_text("9 records")
            page.locator("#record-1 summary").click()
            page.locator("#record-4 summary").click()
            check("answer")
            page.locator("#record-0 summary").click()
            page.get_by_role("link", name="Whole value").click()
            expect(page.get_by_role("link", name="All of this sample")).to_be_visible()
            check("alone")
            shop.broker.up = False
            seen.open(EVENTS)
            page.locator("#sample-payload summary").click()
            page.get_by_role("button", name="Sample", exact=True).click()
            shop.work()
            expect(page.get_by_text("Nothing could be read.")).to_be_visible()
            check("trouble")
            shop.broker.up = True
            with connection.cursor() as cursor:
                cursor.execute("delete from lookup")
    with visit_at(browser, running.origin, "vera", password=PASSWORD) as seen:
        seen.open(EVENTS)
        expect(seen.page.get_by_text("Payloads need the operator role.").first).to_be_visible()
        if found := seen.wrong():
            wrong["viewer", "light", 1440] = found
    assert wrong == {}
