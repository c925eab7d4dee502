"""A lead compares the topology before and after a deploy, and replays what happened (J5); by mouse and by keyboard.

WEIR_PICTURES names a folder for screenshots of everything that is drawn here.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from django.db import connection
from playwright.sync_api import Browser, Page, expect

from collector.clock import now
from dashboard.past import text
from dashboard.queries.edges import BUCKET, floor
from tests.browser.browsing import Visit, visit_at
from tests.browser.own_server import beside_a_loop, browser, running
from tests.integration.people import PASSWORD, person
from tests.integration.time_world import TwoMoments
from tests.integration.web_process import Web

__all__ = ["beside_a_loop", "browser", "running"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOUR, MINUTES_15 = timedelta(hours=1), timedelta(minutes=15)
PLACES = {
    "service:orders-svc": (0, 0), "topic:demo/orders.created": (250, 0), "service:billing-svc": (500, 0),
    "topic:demo/payments.captured": (750, 0), "service:mailer": (1000, 0),
}  # fmt: skip


@pytest.fixture
def at(clean_tables: None) -> datetime:
    """When the later of the two windows ended; everybody of then and now has a place."""
    moment = floor(now(), BUCKET)
    TwoMoments(moment)
    person("vera", "viewer")
    with connection.cursor() as cursor:
        cursor.execute("delete from layout_node")
        for number, (node, (x, y)) in enumerate(PLACES.items()):
            cursor.execute("insert into layout_node (node, layer, x, y) values (%s, %s, %s, %s)", [node, number, x, y])
    return moment


@contextmanager
def seen_by(browser: Browser, running: Web, *, scheme: str = "light", width: int = 1440) -> Iterator[Visit]:
    """As vera, from the live overview on."""
    with visit_at(browser, running.origin, "vera", password=PASSWORD, scheme=scheme, width=width) as seen:
        yield seen


def window(at: datetime, *, vs: datetime | None = None, **more: str) -> str:
    """The address of the 15 minutes up to a moment."""
    words = {"from": text(at - MINUTES_15), "to": text(at), **({"vs": text(vs)} if vs else {}), **more}
    return "/?" + "&".join(f"{name}={value}" for name, value in words.items())


LABELS_OVER_NODES = """() => {
  const boxes = [...document.querySelectorAll("g.node .shape")].map((shape) => shape.getBoundingClientRect());
  const over = (a) => boxes.some((b) => a.right - 4 > b.left && a.left + 4 < b.right && a.bottom - 4 > b.top && a.top + 4 < b.bottom);
  return [...document.querySelectorAll(".labels .label")].filter((label) => over(label.getBoundingClientRect())).map((label) => label.textContent);
}"""  # noqa: E501


def places(page: Page) -> dict[str, str]:
    """Where the nodes stand that stand in the layout."""
    shown = page.locator("g.node").evaluate_all(
        "all => all.map((node) => [node.dataset.id, node.querySelector('.shape').getAttribute('d')])"
    )
    return {name: where for name, where in shown if name in PLACES}


def test_j5_two_moments_are_compared_with_the_mouse(running: Web, browser: Browser, at: datetime) -> None:
    with seen_by(browser, running) as seen:
        page = seen.page
        seen.open(window(at, vs=at - HOUR))
        listed = page.get_by_role("region", name="Differences").first
        expect(listed).to_contain_text("5 differences between")
        expect(listed).to_contain_text("billing-svc → fraud.check is new: 1.0/s in")
        expect(listed).to_contain_text("processing p95 slower ×8.1: 1.2 s in")
        expect(page.locator("g.node.diff-gone[data-id='service:legacy-mailer']")).to_contain_text("− gone")
        expect(page.locator("g.node.diff-new[data-id='service:fraud-svc']")).to_contain_text("+ ")
        expect(page.locator("g.edge.diff-new")).to_have_count(2)
        assert seen.wrong() == []
        assert page.evaluate(LABELS_OVER_NODES) == []
        seen.picture("compare")
        both = places(page)
        listed.get_by_role("link", name=re.compile("processing p95")).click()
        panel = page.get_by_role("complementary", name="Selection")
        expect(panel).to_contain_text("Then and now")
        expect(panel).to_contain_text("140 ms")
        expect(panel).to_contain_text("1.2 s")
        expect(page).to_have_url(re.compile("sel=edge"))
        assert seen.wrong() == []
        for moment in (at, at - HOUR):
            seen.open(window(moment))
            expect(page.locator("g.node[data-id='service:mailer']")).to_be_visible()
            alone = places(page)
            assert len(alone) == len(PLACES)
            spread = {name: x_of(where) for name, where in alone.items()}
            assert sorted(spread, key=spread.__getitem__) == sorted(both, key=lambda name: x_of(both[name]))


def x_of(outline: str) -> float:
    """The x where an outline begins to be drawn from: the middle of its node."""
    found = re.match(r"M(-?[\d.]+) ", outline)
    assert found, outline
    return float(found[1])


def test_j5_and_with_the_keyboard_then_replayed_and_back_to_live(running: Web, browser: Browser, at: datetime) -> None:
    with seen_by(browser, running) as seen:
        page = seen.page
        frames: list[str] = []
        page.on("request", lambda request: frames.append(request.url) if "/replay/frames/" in request.url else None)
        seen.open(window(at, vs=at - HOUR))
        expect(page.locator("g.node.diff-gone")).to_have_count(1)
        page.keyboard.press("v")
        rows = page.locator("tr[data-difference]")
        expect(rows).to_have_count(5)
        expect(rows.first).to_be_visible()
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.get_by_role("complementary", name="Selection")).to_contain_text("Then and now")
        page.keyboard.press("Escape")
        page.keyboard.press("v")
        seen.open(window(at - HOUR))
        moment = page.get_by_role("slider", name="Moment")
        expect(moment).to_have_attribute("aria-valuetext", re.compile(r"\d\d:\d\d(:\d\d)?–"))
        assert seen.wrong() == []
        seen.picture("moment")
        before = int(moment.input_value())
        moment.focus()
        page.keyboard.press("ArrowLeft")
        expect(page).to_have_url(re.compile("to=" + re.escape(stamped(text(at - HOUR - timedelta(seconds=10))))))
        expect(page.get_by_role("slider", name="Moment")).to_be_focused()
        shown = f"{at - HOUR - timedelta(seconds=10):%H:%M:%S}".removesuffix(":00")  # whole minutes are said without
        expect(page.locator(".moment [data-moment]")).to_contain_text(shown)
        page.get_by_label("Speed").select_option("60")
        page.get_by_role("slider", name="Moment").focus()
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        page.wait_for_function(
            "value => Number(document.querySelector('[data-scrub]').value) >= value", arg=before + 12
        )
        expect(page.locator("service-graph")).to_have_class("unseen")  # two minutes later nobody looked
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("button", name="Play")).to_be_visible()
        expect(page.locator(".chip-live")).to_contain_text("Past ·")
        moved = int(page.get_by_role("slider", name="Moment").input_value()) - before
        assert 1 <= len(frames) <= moved / 10 + 2, "a batch of frames, not a request for each"
        page.emulate_media(reduced_motion="reduce")
        stood = int(page.get_by_role("slider", name="Moment").input_value())
        page.get_by_label("Speed").select_option("60")
        page.get_by_role("button", name="Play").click()
        page.wait_for_function("value => Number(document.querySelector('[data-scrub]').value) > value", arg=stood)
        assert (int(page.get_by_role("slider", name="Moment").input_value()) - stood) % 6 == 0, "a picture a second"
        page.keyboard.press("p")
        expect(page.locator("live-chip")).to_contain_text("as of")
        assert page.url.rstrip("?") == f"{running.origin}/"
        assert seen.complaints == []


def test_what_is_narrowed_is_played_from_where_it_stands(running: Web, browser: Browser, at: datetime) -> None:
    with seen_by(browser, running) as seen:
        page = seen.page
        seen.open(window(at - HOUR))
        moment, play = page.get_by_role("slider", name="Moment"), page.get_by_role("button", name="Play")
        expect(play).to_be_visible()
        stood = int(moment.input_value())
        page.locator("#narrow [name=find]").fill("billing")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("find=billing"))
        expect(page.locator("#content, main").first).to_contain_text("billing-svc")
        moment.focus()
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        expect(page).to_have_url(re.compile("to=" + re.escape(stamped(text(at - HOUR - timedelta(seconds=30))))))
        page.go_back()
        expect(page).not_to_have_url(re.compile("find="))
        expect(moment).to_have_value(str(stood))
        expect(play).to_be_visible()
        play.click()
        page.wait_for_function("value => Number(document.querySelector('[data-scrub]').value) !== value", arg=stood)
        assert int(moment.input_value()) > stood
        assert seen.complaints == []


def stamped(moment: str) -> str:
    """As an address of the page's script has it."""
    return moment.replace(":", "%3A")


@pytest.mark.parametrize(
    ("scheme", "width", "names"),
    [("light", 390, ("compare", "before")), ("dark", 1440, ("table", "unseen"))],
)
def test_the_past_is_drawn_without_a_barrier(
    running: Web, browser: Browser, at: datetime, scheme: str, width: int, names: tuple[str, ...]
) -> None:
    paths = {
        "compare": window(at, vs=at - HOUR),
        "table": window(at, vs=at - HOUR, view="table"),
        "unseen": window(at - timedelta(minutes=30)),
        "before": window(at - timedelta(days=3)),
    }
    with seen_by(browser, running, scheme=scheme, width=width) as seen:
        for name in names:
            seen.open(paths[name])
            expect(seen.page.locator("#replay [data-play]")).to_be_visible()
            assert seen.wrong() == [], name
            seen.picture(f"{name}-{width}-{scheme}")
        if "before" in names:
            expect(seen.page.locator(".moment")).to_contain_text("This is before what Weir keeps")
        else:
            expect(seen.page.locator("#empty")).to_contain_text("Nobody looked then")
            expect(seen.page.locator("#attention")).to_contain_text("Nobody looked: what flowed is unknown.")
