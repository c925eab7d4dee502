"""What people do with Weir, in a real browser, on a real shop."""

import re
import threading
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.confluent_kafka import ConfluentKafkaInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from playwright.sync_api import Browser, Route, expect

from tests.acceptance.running_demo import Demo
from tests.browser.browsing import visit

pytestmark = [pytest.mark.browser, pytest.mark.acceptance]
PAGES = (
    "/", "/?view=table", "/topics/", "/topics/demo/orders.created/", "/topics/demo/orders.created/?tab=partitions",
    "/topics/demo/orders.created/?tab=config", "/groups/", "/groups/demo/billing/",
    "/groups/demo/billing/?tab=partitions&why=orders.created/0", "/groups/demo/billing/?tab=members", "/services/",
    "/services/billing-svc/", "/services/billing-svc/?tab=versions", "/services/billing-svc/?tab=events", "/events/",
    "/dead-letters/", "/retries/", "/audit/", "/health/",
)  # fmt: skip


def test_a_new_service_appears_without_a_reload(running: Demo, browser: Browser) -> None:
    with visit(browser, running, "vera") as seen:
        expect(seen.page.locator("[data-id='service:orders-svc']")).to_be_visible()
        sender = threading.Thread(target=send_as, args=(running.stack, "newcomer-svc", "newcomers.sent"))
        sender.start()
        expect(seen.page.locator("[data-id='service:newcomer-svc']")).to_be_attached(timeout=30_000)
        sender.join()
        assert seen.complaints == []
        assert seen.violations() == []


def test_s1_a_service_may_call_itself_what_it_likes(running: Demo, browser: Browser) -> None:
    name = "<img src=x onerror=alert(1)>\u202eevil"
    with visit(browser, running, "vera") as seen:
        seen.page.on("dialog", lambda dialog: seen.complaints.append(dialog.message))
        send_as(running.stack, name, "newcomers.named")
        node = seen.page.locator("g.node[data-id^='service:%3Cimg']")
        expect(node).to_be_attached(timeout=30_000)
        seen.open("/?view=table")
        expect(seen.page.locator("main table").get_by_text("\\u202eevil").first).to_be_attached(timeout=30_000)
        assert seen.page.locator("img").count() == 0
        assert seen.complaints == []
        assert seen.violations() == []


def test_a_list_that_cannot_be_read_anew_says_so_and_tries_again(running: Demo, browser: Browser) -> None:
    with visit(browser, running, "vera") as seen:
        seen.open("/dead-letters/?view=list")
        expect(seen.page.locator("[data-rows] tbody tr").first).to_be_visible()
        seen.page.route("**/dead-letters/**", lambda route: route.abort())
        seen.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(seen.page.get_by_text("Could not be read anew. This is the list from")).to_be_visible(timeout=30_000)
        seen.page.unroute("**/dead-letters/**")
        expect(seen.page.get_by_text("Could not be read anew.")).to_have_count(0, timeout=30_000)
        assert seen.violations() == []


def test_a_panel_that_cannot_be_read_anew_makes_the_page_late(running: Demo, browser: Browser) -> None:
    with visit(browser, running, "vera") as seen:
        seen.open("/?sel=topic:demo/orders.created")
        chip = seen.page.locator("live-chip [data-state]")
        expect(chip).to_have_attribute("data-state", "live", timeout=30_000)

        def refuse_panels(route: Route) -> None:
            if route.request.headers.get("x-weir-part") == "panel":
                route.abort()
            else:
                route.continue_()

        seen.page.route("**/*", refuse_panels)
        expect(chip).to_have_attribute("data-state", "delayed", timeout=30_000)
        seen.page.unroute("**/*")
        expect(chip).to_have_attribute("data-state", "live", timeout=30_000)


def test_a_topic_is_opened_and_one_of_its_events_followed(running: Demo, browser: Browser) -> None:
    with visit(browser, running, "olga") as seen:
        page = seen.page
        page.get_by_role("link", name="Topics").first.click()
        page.locator("main").get_by_role("link", name="orders.created", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("orders.created")
        page.locator("nav.tabs").get_by_role("link", name="Events").click()
        page.locator("a[href*='/events/demo/orders.created/']").first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("orders.created/")
        table = page.locator("main table").first
        expect(table).to_contain_text("orders-svc")
        assert seen.complaints == []
        assert seen.violations() == []


def test_a_payload_is_sampled_from_kafka_by_the_worker(running: Demo, browser: Browser) -> None:
    with visit(browser, running, "olga") as seen:
        seen.open("/topics/demo/orders.created/?tab=events")
        seen.page.locator("#sample-payload summary").click()
        seen.page.get_by_role("button", name="Sample", exact=True).click()
        found = seen.page.locator("#read-title")
        expect(found).to_have_text(re.compile(r"^\d+ records$"), timeout=30_000)  # it may read for five seconds
        seen.page.locator("details.found summary").first.click()
        expect(seen.page.get_by_role("region", name=re.compile("^Value of")).first).to_be_visible()
        assert seen.wrong() == []


def test_a_service_is_found_by_keyboard_and_leads_to_its_topics_versions_and_events(
    running: Demo, browser: Browser
) -> None:
    with visit(browser, running, "vera") as seen:
        page = seen.page
        page.keyboard.press("g")
        page.keyboard.press("s")
        expect(page).to_have_url(re.compile("/services/"))
        page.locator("main").get_by_role("link", name="billing-svc", exact=True).press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("billing-svc")
        expect(page.locator("#took")).to_contain_text("Processing p95")
        expect(page.locator("#failures")).to_contain_text("CardDeclined")
        page.locator("#tab-versions").press("Enter")
        expect(page.locator("#versions")).to_contain_text("2.7.3")
        expect(page.locator("#instances tbody tr[data-key]").first).to_be_visible()
        assert seen.barriers() == []
        page.locator("#tab-events").press("Enter")
        page.locator("#recent a[href*='/events/demo/orders.created/']").first.press("Enter")
        page.locator("#hops").get_by_role("link", name="billing-svc").first.click()
        page.locator("[data-key='topic:demo/orders.created/billing'] th a").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("orders.created")
        page.locator("#flow").get_by_role("link", name="billing-svc").first.click()
        expect(page).to_have_url(re.compile("/services/billing-svc/"))
        assert seen.complaints == []
        assert seen.violations() == []


def test_a_dead_letter_is_sent_again_and_processed_after_the_fix(running: Demo, browser: Browser) -> None:
    running.environment["DEMO_STATE_DIR"] = str(running.shop_folder)
    running.command("demo.control", "fix")
    letters = running.get("dead-letters", status="open", limit="500")["items"]
    letter = next(item for item in letters if item["exception"]["class"].endswith("CardDeclined"))
    with visit(browser, running, "olga") as seen:
        page = seen.page
        seen.open(letter["url"])
        page.get_by_role("link", name="Retry").first.click()
        expect(page.get_by_text("nothing is sent before you confirm")).to_be_visible()
        expect(page.get_by_role("button", name="Send 1 event")).to_be_visible()
        for asked in (page.get_by_label("Type 1 to confirm"), page.get_by_label("Send it anyway")):
            if asked.count():  # where its order is not known, or others get it, too
                asked.check() if asked.get_attribute("type") == "checkbox" else asked.fill("1")
        page.get_by_role("button", name="Send 1 event").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Retry #")
        expect(page.locator("main table")).to_contain_text("Processed", timeout=60_000)
        assert seen.complaints == []
        assert seen.violations() == []
        number = page.url.split("/retries/")[1].split("/")[0]
    item = running.get(f"retries/{number}")["items"][0]
    assert (item["dead_letter"], item["outcome"]) == (letter["id"], "processed")


def test_a_viewer_is_told_who_may_retry(running: Demo, browser: Browser) -> None:
    letter = running.get("dead-letters", status="open")["items"][0]
    with visit(browser, running, "vera") as seen:
        seen.open(letter["url"])
        expect(seen.page.get_by_text("Retry needs the operator role.").first).to_be_visible()
        expect(seen.page.get_by_role("button", name="Retry")).to_have_count(0)


def test_new_rows_wait_until_they_are_asked_for(running: Demo, browser: Browser) -> None:
    with visit(browser, running, "vera") as seen:
        seen.open("/events/")
        page = seen.page
        first = page.locator("#events tbody tr").first.get_attribute("data-key")
        pill = page.get_by_role("button", name="new · Show")
        expect(pill).to_be_visible()
        assert page.locator("#events tbody tr").first.get_attribute("data-key") == first
        pill.click()
        expect(page.locator("#events tbody tr").first).not_to_have_attribute("data-key", first or "")
        cells = page.locator("#events tbody tr").evaluate_all("rows => rows.map((row) => row.cells.length)")
        assert set(cells) == {6}


def test_rows_stay_the_same_elements_and_in_their_order_while_they_are_pointed_at(
    running: Demo, browser: Browser
) -> None:
    keys = "[...document.querySelectorAll('#partitions tr[data-key]')].map((row) => row.dataset.key)"
    kept = "[...document.querySelectorAll('#partitions tr[data-key]')].every((row) => row.isKnown)"
    know = "() => document.querySelectorAll('#partitions tr[data-key]').forEach((row) => (row.isKnown = true))"
    changed = "(text) => document.getElementById('partitions').innerText !== text"
    with visit(browser, running, "vera") as seen:
        page = seen.page
        for address in (
            "/groups/demo/billing/?tab=partitions",
            "/topics/demo/orders.created/?tab=partitions&sort=-rate",
        ):
            seen.open(address)
            page.locator("#partitions tr[data-key]").nth(3).hover()
            page.evaluate(know)
            before, text = page.evaluate(keys), page.locator("#partitions").inner_text()
            page.wait_for_function(changed, arg=text)
            assert page.evaluate(keys) == before
            page.mouse.move(0, 0)
            expect(page.get_by_role("button", name="Changed · Show")).to_have_count(0, timeout=30_000)
            assert page.evaluate(kept)
        assert seen.complaints == []
        assert seen.violations() == []


def test_the_graph_is_narrowed_and_a_link_shows_the_same(running: Demo, browser: Browser) -> None:
    with visit(browser, running, "vera") as seen:
        page = seen.page
        node = "[data-id='topic:demo/orders.created']"
        expect(page.locator(node)).to_be_visible()
        page.get_by_label("Find").fill("billing")
        page.get_by_label("Hide").fill("mailer")
        page.get_by_label("Hide").press("Enter")
        expect(page.locator("[data-id='service:billing-svc'].found")).to_be_visible()
        expect(page.locator("[data-id='service:mailer']")).to_have_count(0)
        page.get_by_role("button", name="Next match").click()
        expect(page.locator(".node.active.found")).to_have_count(1)
        page.locator(node).dblclick()
        expect(page.get_by_text("around orders.created, 2 hops")).to_be_visible()
        expect(page.locator("[data-id='service:ledger-svc']")).to_have_count(0)
        expect(page.locator(node)).to_be_visible()
        there = page.url
        assert "focus=topic" in there
        seen.open(there.removeprefix(seen.url))
        expect(page.locator("[data-id='service:orders-svc']")).to_be_visible()
        expect(page.locator("[data-id='service:ledger-svc']")).to_have_count(0)
        page.get_by_role("application").focus()
        page.keyboard.press("Escape")
        expect(page.locator("[data-id='service:ledger-svc']")).to_be_visible()
        page.get_by_role("link", name="Take mailer out").click()
        expect(page.locator("[data-id='service:mailer']")).to_be_visible()
        assert seen.complaints == []
        assert seen.violations() == []


def test_tidying_up_moves_everybody_and_can_be_undone(running: Demo, browser: Browser) -> None:
    with visit(browser, running, "olga") as seen:
        page = seen.page
        page.get_by_role("button", name="Tidy up").click()
        undo = page.get_by_role("button", name="Undo")
        expect(undo).to_be_visible()
        undo.click()
        expect(page.get_by_role("button", name="Tidy up")).to_be_visible()
        assert seen.complaints == []
        assert seen.violations() == []
    with visit(browser, running, "vera") as seen:
        expect(seen.page.locator("[data-id='service:orders-svc']")).to_be_visible()
        expect(seen.page.get_by_role("button", name="Tidy up")).to_have_count(0)


def test_nobody_moves_under_the_pointer_unless_that_was_asked_for(running: Demo, browser: Browser) -> None:
    lower = """(element, asked) => {
      const { nodes, edges } = JSON.parse(document.getElementById("graph-data").textContent);
      element.show({ nodes: nodes.map((node) => ({ ...node, y: node.y + 500 })), edges, asked });
    }"""
    with visit(browser, running, "vera") as seen:
        page, graph = seen.page, seen.page.locator("service-graph")
        outline = page.locator("[data-id='service:orders-svc'] .shape")
        expect(outline).to_be_visible()
        page.keyboard.press("p")
        stood = outline.get_attribute("d")
        graph.hover()
        graph.evaluate(lower, False)
        page.wait_for_timeout(600)  # longer than nodes glide
        assert outline.get_attribute("d") == stood
        graph.evaluate(lower, True)
        expect(outline).not_to_have_attribute("d", stood or "")
        assert seen.complaints == []


def test_the_map_covers_no_node_unless_it_is_asked_for(running: Demo, browser: Browser) -> None:
    covered = """(map) => {
      const { left, right, top, bottom } = map.getBoundingClientRect();
      const shapes = [...document.querySelectorAll("service-graph .node .shape")].map((shape) => shape.getBoundingClientRect());
      return shapes.filter((box) => box.left < right && box.right > left && box.top < bottom && box.bottom > top).length;
    }"""  # noqa: E501
    with visit(browser, running, "vera") as seen:
        page, shown = seen.page, seen.page.locator("canvas.minimap")
        expect(page.locator("[data-id='service:orders-svc']")).to_be_visible()
        for _ in range(5):
            page.get_by_role("button", name="Zoom in").click()
        button = page.get_by_role("button", name="Map of the whole")
        expect(button).to_be_visible()
        page.wait_for_timeout(500)  # longer than the drawing takes to settle
        by_itself = shown.is_visible()
        if by_itself:
            assert shown.evaluate(covered) == 0
        expect(button).to_have_attribute("aria-pressed", str(by_itself).lower())
        for is_shown in (not by_itself, by_itself):
            button.press("Enter")
            expect(shown).to_be_visible(visible=is_shown)
            expect(button).to_have_attribute("aria-pressed", str(is_shown).lower())
        page.get_by_role("button", name="Fit").click()
        assert seen.barriers() == []
        assert seen.complaints == []


def test_what_is_selected_in_a_closed_group_is_marked_on_that_group(running: Demo, browser: Browser) -> None:
    with visit(browser, running, "vera") as seen:
        seen.open("/?by=domain&view=graph&sel=service:orders-svc")
        expect(seen.page.get_by_role("heading", name="orders-svc")).to_be_visible()
        expect(seen.page.locator("g.node.box.selected")).to_have_count(1)
        assert seen.complaints == []


def test_no_group_closes_under_the_pointer(running: Demo, browser: Browser) -> None:
    grown = """async () => {
      const { live } = await import("/static/js/lib/live.js");
      const { isWaiting } = await import("/static/js/overview/fetching.js");
      while (isWaiting()) await new Promise((resolve) => setTimeout(resolve, 50));
      window.fetch = () => new Promise(() => {}); // the shop's own view does not come between
      const { nodes } = JSON.parse(document.getElementById("graph-data").textContent);
      const view = { of: Object.fromEntries(nodes.map(({ id }) => [id, "domain:shop"])), boxes: [{ id: "domain:shop", by: "domain", name: "shop" }], frames: [], places: {}, routes: {} };
      live.dispatchEvent(new CustomEvent("message", { detail: { stream: "graph:900", kind: "delta", view } }));
    }"""  # noqa: E501
    with visit(browser, running, "vera") as seen:
        page, box = seen.page, seen.page.locator("g.node.box")
        expect(page.locator("[data-id='service:orders-svc']")).to_be_visible()
        page.locator("service-graph").hover()
        page.evaluate(grown)
        expect(page.locator("#counts")).to_contain_text("Groups open and close when nobody points at the graph")
        expect(box).to_have_count(0)
        page.get_by_role("link", name="Health").first.hover()
        expect(box).not_to_have_count(0)
        expect(page.locator("#counts")).not_to_contain_text("Groups open and close")
        assert seen.complaints == []


def test_an_older_page_takes_nothing_back_that_the_socket_said_meanwhile(running: Demo, browser: Browser) -> None:
    overtaken = """async () => {
      const { live } = await import("/static/js/lib/live.js");
      const ask = window.fetch;
      const nodes = { "service:orders-svc": { health: "failing", sentence: "failed while the page was on its way" } };
      window.fetch = async (...about) => {
        const answer = await ask(...about);
        live.dispatchEvent(new CustomEvent("message", { detail: { stream: "graph:900", kind: "delta", nodes } }));
        return answer;
      };
      live.dispatchEvent(new CustomEvent("poll", { detail: {} }));
    }"""
    with visit(browser, running, "vera") as seen:
        page = seen.page
        expect(page.locator("[data-id='service:orders-svc']")).to_be_visible()
        with page.expect_response(lambda answer: answer.request.headers.get("x-weir-part") == "graph"):
            page.evaluate(overtaken)
        page.wait_for_timeout(1_500)  # until what was fetched is drawn
        expect(page.locator("[data-id='service:orders-svc'] .health")).to_have_attribute("data-level", "failing")
        assert seen.complaints == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_no_page_has_a_barrier_or_breaks_its_policy(running: Demo, browser: Browser, scheme: str, width: int) -> None:
    letter = running.get("dead-letters")["items"][0]
    found: dict[str, Any] = {}
    with visit(browser, running, "olga", scheme=scheme, width=width) as seen:
        for path in (*PAGES, letter["url"], f"{letter['url']}retry/"):
            seen.open(path)
            seen.page.wait_for_timeout(800)
            wrong = [*seen.barriers(), *seen.violations(), *seen.complaints]
            if (over := seen.page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
                wrong.append(f"{over} px wider than the screen")
            seen.complaints.clear()
            if wrong:
                found[path] = wrong
    assert found == {}


def send_as(stack: dict[str, Any], service: str, topic: str) -> None:
    """A few traced records of a service nobody has seen before."""
    client = {"bootstrap.servers": stack["kafka_bootstrap"], **stack["kafka_client"]}
    admin = AdminClient(client)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(20)
    provider = TracerProvider(resource=Resource({"service.name": service}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"{stack['otlp_http']}/v1/traces")))
    producer = ConfluentKafkaInstrumentor.instrument_producer(Producer(client), tracer_provider=provider)
    for number in range(5):
        producer.produce(topic, value=b"{}", key=str(number))
    producer.flush(20)
    provider.shutdown()
