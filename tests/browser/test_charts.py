"""Charts as people see them: gaps, resets, marks side by side, thirty days, tables, one crosshair.

WEIR_PICTURES names a folder for screenshots of everything that is drawn here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from collector.clock import now
from tests.browser.browsing import Visit, visit_at
from tests.browser.chart_world import ChartWorld
from tests.browser.own_server import beside_a_loop, browser, running
from tests.integration.people import PASSWORD, person
from tests.integration.web_process import Web

__all__ = ["beside_a_loop", "browser", "running"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TOPIC, GROUP = "/topics/demo/orders/?from=now-1h", "/groups/demo/billing/?from=now-1h"
PAGES = {
    "topic": TOPIC,
    "again": "/topics/demo/payments/?from=now-1h",
    "group": GROUP,
    "service": "/services/billing-svc/?from=now-30m",
    "month": "/topics/demo/orders/?from=now-30d",
    "group-month": "/groups/demo/billing/?from=now-30d",
}
# How far the parts of any chart of the page reach beyond it.
BEYOND = """() => Math.max(...[...document.querySelectorAll("time-chart")].flatMap((chart) =>
  [...chart.querySelectorAll("canvas, .chart-legend, .caption, .chart-table, .chart-table .wide")].map((part) =>
    part.getBoundingClientRect().right - chart.getBoundingClientRect().right)))"""

# What is written beside and below each chart in its last drawing, with its place.
LABELS = """
  const written = (window.__written = {});
  const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
  const own = (context) => context.canvas.closest("time-chart")?.id;
  CanvasRenderingContext2D.prototype.clearRect = function (...place) {
    written[own(this)] = [];
    return clearRect.apply(this, place);
  };
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...more) {
    (written[own(this)] ??= []).push([text, Math.round(x), Math.round(y)]);
    return fillText.call(this, text, x, y, ...more);
  };
"""
# Two minutes in which one group lags by two messages at most.
FEW = """(chart) => {
  const at = Array.from({ length: 13 }, (_none, index) => 1764400000 + 10 * index);
  const values = at.map((_one, index) => index % 3);
  chart.show({ at, lines: [{ name: "billing", values }], unit: "offsets", step: 10 });
}"""


@pytest.fixture
def world(clean_tables: None) -> ChartWorld:
    """As of now."""
    made = ChartWorld(now())
    person("vera", "viewer")
    return made


@contextmanager
def seen_by(browser: Browser, running: Web, *, scheme: str = "light", width: int = 1440) -> Iterator[Visit]:
    """What the overview complains of after signing in is not of here."""
    with visit_at(browser, running.origin, "vera", password=PASSWORD, scheme=scheme, width=width) as seen:
        seen.complaints.clear()
        yield seen


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_charts_and_their_tables_stay_within_their_cards(
    world: ChartWorld, running: Web, browser: Browser, scheme: str, width: int
) -> None:
    world.month()
    with seen_by(browser, running, scheme=scheme, width=width) as seen:
        page = seen.page
        for name, address in PAGES.items():
            seen.open(address)
            expect(page.locator("time-chart canvas").first).to_be_visible()
            for fold in page.locator("time-chart .chart-table summary").all():
                fold.click()
            expect(page.locator("time-chart .chart-table[open] tbody tr").first).to_be_visible()
            assert page.evaluate(BEYOND) <= 1, name
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
            seen.picture(f"charts-{name}-{width}-{scheme}")
            assert seen.wrong() == [], name


def test_a_gap_is_empty_and_no_line_falls_through_a_reset(world: ChartWorld, running: Web, browser: Browser) -> None:
    with seen_by(browser, running) as seen:
        page = seen.page
        for address, chart in (
            (TOPIC, "rates"),
            (GROUP, "rates"),
            (TOPIC, "lags"),
            ("/topics/demo/payments/", "rates"),
        ):
            seen.open(address)
            table = rows(page, chart)
            assert not any("−" in cell or cell.startswith("-") for cells in table for cell in cells[1:])
        seen.open(TOPIC)
        written = [cells[1] for cells in rows(page, "rates")]
        assert "0/s" not in written
        assert 12 <= written.count("–") <= 26  # 400 seconds in which nobody looked, and the step of the reset
        expect(page.locator("#rates .caption")).to_contain_text("an end fell: records were lost")
        seen.open("/topics/demo/payments/?from=now-1h")
        expect(page.locator("#rates .caption")).not_to_contain_text("fell")
        expect(page.locator("#rates .mark[aria-label*='payments was created again']")).to_be_visible()
        assert seen.wrong() == []


def rows(page: Page, chart: str) -> list[list[str]]:
    """The cells of a chart's table, newest first."""
    page.locator(f"#{chart} .chart-table summary").click()
    expect(page.locator(f"#{chart} tbody tr").nth(20)).to_be_attached()
    found: list[list[str]] = page.locator(f"#{chart} tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    return found


def test_marks_side_by_side_stand_as_one_that_tells_and_opens_all(
    world: ChartWorld, running: Web, browser: Browser
) -> None:
    with seen_by(browser, running) as seen:
        page = seen.page
        seen.open(TOPIC)
        many = page.locator("#ages .mark[aria-label*='; '][aria-label*='billing-svc 2.8.0 seen first']")
        expect(many).to_have_count(1)
        n = len((many.get_attribute("aria-label") or "").split("; "))
        assert n >= 3
        assert many.evaluate("mark => mark.firstChild.textContent") == str(n)
        many.focus()
        expect(many.locator(".told")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.locator("#changes tr[data-chosen]")).to_have_count(n)
        assert seen.wrong() == []


@pytest.mark.parametrize("width", [1440, 390])
def test_one_crosshair_by_mouse_and_by_keyboard(world: ChartWorld, running: Web, browser: Browser, width: int) -> None:
    with seen_by(browser, running, width=width) as seen:
        page = seen.page
        for address in (TOPIC, GROUP):
            seen.open(address)
            over = page.locator("#rates .u-over")
            expect(over).to_be_visible()
            over.scroll_into_view_if_needed()
            over.hover(position={"x": 60, "y": 40})
            same_moment(page)
            page.mouse.move(2, 2)
            expect(page.locator(".chart-legend .when").first).to_have_text("")
            page.locator("#ages .plot").focus()
            page.keyboard.press("ArrowLeft")
            page.keyboard.press("ArrowLeft")
            same_moment(page)
            page.keyboard.press("Escape")
            expect(page.locator(".chart-legend .when").first).to_have_text("")
        assert seen.wrong() == []


@pytest.mark.parametrize("width", [1440, 390])
def test_no_two_ticks_of_an_axis_are_written_alike(
    world: ChartWorld, running: Web, browser: Browser, width: int
) -> None:
    with seen_by(browser, running, width=width) as seen:
        seen.page.add_init_script(LABELS)
        seen.open("/groups/demo/billing/?from=now-1h&to=now-10s")
        lags = seen.page.locator("time-chart#lags")
        expect(lags.locator(".u-over")).to_be_visible()
        lags.evaluate(FEW)
        seen.page.wait_for_timeout(300)
        written = seen.page.evaluate("window.__written.lags")
        beside = [text for text, x, _ in written if x == min(each[1] for each in written)]
        below = [text for text, _, y in written if y == max(each[2] for each in written)]
        assert beside == ["0", "1", "2"]
        assert len(set(below)) == len(below) > 1
        assert {text.count(":") for text in below} == {2 if width > 1000 else 1}, "to the second where there is room"


def same_moment(page: Page) -> None:
    """Every chart tells of the same moment."""
    expect(page.locator(".chart-legend .when").first).to_contain_text("UTC")
    moments = page.locator(".chart-legend .when").all_inner_texts()
    assert len(moments) == 3
    assert len(set(moments)) == 1
