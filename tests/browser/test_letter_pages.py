"""Pages of dead letters in every state, without a barrier; sorted and archived by the keyboard alone.

WEIR_PICTURES names a folder for screenshots of everything that is drawn here.
"""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from collector.changes import announce
from tests.browser.browsing import Visit, visit_at
from tests.browser.hands import Keyboard
from tests.browser.own_server import beside_a_loop, browser, running
from tests.integration.letter_states import every_state
from tests.integration.letter_world import rows as rows_of
from tests.integration.people import PASSWORD, person
from tests.integration.retry_world import RetryWorld
from tests.integration.web_process import Web

__all__ = ["beside_a_loop", "browser", "running"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOOKS = (("light", 1440), ("dark", 390), ("dark", 1440), ("light", 390))
PAYLOADS = ("binary", "large", "many headers", "tombstone", "masked")
LISTS = (
    "", "?by=group", "?by=version", "?by=header&header=order-id", "?view=list", "?view=list&sort=expires",
    "?view=list&status=archived", "?view=list&status=all", "?q=nowhere", "?q=age>30", "?q=payload:amount",
)  # fmt: skip


@pytest.fixture
def states(clean_tables: None) -> dict[str, int]:
    """A letter in each state, and who looks."""
    for name, role in (("olga", "operator"), ("vera", "viewer"), ("ada", "admin")):
        person(name, role)
    found = every_state(RetryWorld())
    rows_of("insert into key_name (id, name) values (101, 'order-id') returning 1")
    rows_of(
        "update failure_group set trend_until = date_trunc('hour', now()) + interval '1 hour', trend ="
        " array(select mod(id * h * h, 37) from generate_series(1, 24) h) where mod(id, 4) > 0 returning 1"
    )
    return found


def an_operation_that_runs() -> int:
    """The newest one, as if it had begun five minutes ago: its target's group fell behind, then caught up."""
    ((number, topic),) = rows_of(
        "update retry_operation set created_at = now() - interval '5 minutes', started_at = null, ended_at = null,"
        " status = 1 where id = (select max(id) from retry_operation where status <> 6) returning id, target_topic_id"
    )
    rows_of("update retry_log set at = now() - interval '5 minutes' where operation_id = %s returning 1", number)
    rows_of(
        "insert into retry_log (operation_id, at, person_name, what) values (%s, now() - interval '3 minutes', 'olga',"
        " 'paused, 2 in flight'), (%s, now() - interval '2 minutes', '', 'step 1 passed') returning 1", number, number,
    )  # fmt: skip
    moments = "(select now() - make_interval(secs => n * 2) as moment, n from generate_series(0, 220) n) m"
    rows_of(
        "insert into scan (cluster_id, sampled_at, ok, n_topics, n_groups, wall_ms) select t.cluster_id, moment, true,"
        f" 1, 1, 5 from topic t, {moments} where t.id = %s returning 1", topic,
    )  # fmt: skip
    rows_of(
        "insert into topic_sample (sampled_at, topic_id, high, low) select moment, %s::int, array[9000 - n, 0], '{0,0}'"
        f" from {moments} returning 1", topic,
    )  # fmt: skip
    rows_of(
        "insert into group_sample (sampled_at, topic_id, group_id, committed) select moment, %s::int, g.id,"
        f" array[9000 - n - greatest(0, 60 - abs(n - 90)), 0] from consumer_group g, {moments} where g.name = 'billing'"
        " returning 1", topic,
    )  # fmt: skip
    rows_of(
        "insert into group_now (topic_id, group_id, sampled_at, committed) select %s::int, id, now(), '{9000,0}'"
        " from consumer_group where name = 'billing' on conflict do nothing returning 1", topic,
    )  # fmt: skip
    return int(str(number))


def test_each_state_is_shown_without_a_barrier_in_light_and_dark_wide_and_narrow(
    states: dict[str, int], running: Web, browser: Browser
) -> None:
    pages = {f"letter {name}": f"/dead-letters/{number}/" for name, number in states.items()}
    pages |= {f"payload {name}": f"/dead-letters/{states[name]}/?tab=payload" for name in PAYLOADS}
    pages |= {f"list {query}": f"/dead-letters/{query}" for query in LISTS}
    pages |= {"attempts": f"/dead-letters/{states['failed again']}/?tab=attempts", "audit": "/audit/?q=retry"}
    pages |= {"lag of a target": f"/retries/{an_operation_that_runs()}/?by=lag"}
    wrong = {}
    for at, (scheme, width) in enumerate(LOOKS):
        name = "ada" if at == 3 else "vera" if at == 2 else "olga"
        with visit_at(browser, running.origin, name, password=PASSWORD, scheme=scheme, width=width) as seen:
            for called, address in [*list(pages.items())[at :: len(LOOKS)], ("settings", "/settings/")]:
                seen.complaints.clear()
                seen.open(address)
                expect(seen.page.locator("h1")).to_be_visible()
                over = seen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                if found := [*seen.wrong(), *([f"{over} px too wide"] if over > 0 else [])]:
                    wrong[called, scheme, width] = found
                seen.picture(re.sub(r"\W+", "-", f"{called}-{width}-{scheme}"))
    assert wrong == {}


def test_letters_are_selected_archived_and_restored_and_a_failure_is_assigned_by_keyboard(
    states: dict[str, int], running: Web, browser: Browser
) -> None:
    hand = Keyboard()
    with visit_at(browser, running.origin, "olga", password=PASSWORD) as seen:
        page = seen.page
        seen.open(f"/dead-letters/{states['open']}/")
        hand.press(page, page.locator("#archive-letter summary"))
        hand.fill(page, page.get_by_label("Reason"), "PAY-311")
        hand.press(page, page.get_by_role("button", name="Archive it"))
        expect(page.locator("h1 + .status")).to_contain_text("Archived")
        hand.press(page, page.get_by_role("button", name="Restore"))
        expect(page.locator("h1 + .status")).to_contain_text("Open")
        hand.press(page, page.get_by_role("link", name="2 other dead letters"))
        expect(rows(page)).to_have_count(3)
        page.wait_for_load_state()  # keys are heard once the page's scripts ran
        page.locator(f"#pick-{states['open']}").focus()
        page.keyboard.press("x")
        expect(page.locator("[data-picked-count]")).to_have_text("1 selected")
        hand.press(page, page.locator("#archive summary"))
        hand.press(page, page.get_by_role("button", name="Archive selected"))
        expect(rows(page).filter(has_text="Archived")).to_have_count(2)
        seen.open("/dead-letters/?view=list&status=archived")
        hand.press(page, page.get_by_role("button", name="Restore all 2 matching"))
        expect(page.get_by_text("No dead letter stands at “Archived”.")).to_be_visible()
        seen.open(f"/dead-letters/{states['open']}/")
        hand.press(page, page.get_by_role("link", name=re.compile("CardDeclined at")).first)
        hand.fill(page, page.get_by_label("Assigned to"), "team-pay")
        hand.press(page, page.get_by_role("button", name="Assign"))
        expect(page.get_by_label("Assigned to")).to_have_value("team-pay")
        expect(page.get_by_role("button", name=re.compile(r"^Retry \d+…$"))).to_be_visible()
        failures_are_ticked_and_a_filter_is_completed(page, hand, seen)
        a_copy_is_sent_as_its_difference_was_seen(page, hand, seen, states["failed again"])
        assert (seen.violations(), seen.barriers()) == ([], [])


def test_a_list_lives_on_around_a_menu_in_which_somebody_writes(
    states: dict[str, int], running: Web, browser: Browser
) -> None:
    with visit_at(browser, running.origin, "olga", password=PASSWORD) as seen:
        page = seen.page
        seen.open("/dead-letters/")
        row = page.locator("article.failure").first
        number = row.get_attribute("data-key")
        row = page.locator(f"#failure-{number}")
        row.locator("summary").click()
        note = row.get_by_label("Note")
        note.press_sequentially("fix in 2.")
        rows_of("update failure_group set assignee = 'team-pay' where id = %s returning 1", number)
        rows_of(
            "insert into failure_group (title, first_at, last_at) values ('NewcomerError', now(), now()) returning 1"
        )
        announce("letters")
        expect(row.locator(".about")).to_contain_text("assigned to team-pay")
        expect(note).to_have_value("fix in 2.")
        expect(note).to_be_focused()
        page.get_by_role("button", name=re.compile("new · Show")).click()
        expect(page.get_by_role("link", name="NewcomerError")).to_be_visible()
        expect(note).to_have_value("fix in 2.")
        row.locator("summary").click()  # a click elsewhere had closed it
        note.press("End")
        note.press_sequentially("8.1")
        expect(note).to_have_value("fix in 2.8.1")
        row.get_by_role("button", name="Save note").click()
        expect(row.locator(".about")).to_contain_text("“fix in 2.8.1”")
        assert seen.violations() == []


def failures_are_ticked_and_a_filter_is_completed(page: Page, hand: Keyboard, seen: Visit) -> None:
    """On the page of failure groups."""
    seen.open("/dead-letters/")
    page.wait_for_load_state()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-picked-count]")).to_contain_text("1 failure group selected")
    expect(page.locator("#archive summary")).to_be_visible()
    seen.picture("failures-ticked")
    hand.press(page, page.get_by_role("button", name="Clear selection"))
    expect(page.locator("#archive summary")).not_to_be_visible()
    a_failure_is_noted_on_its_row(page, hand, seen)
    box = page.get_by_role("textbox", name="Filter", exact=True)
    box.focus()
    page.keyboard.type("gr")
    page.keyboard.press("Tab")
    page.keyboard.type("bil")
    page.keyboard.press("Tab")
    expect(box).to_have_value("group:billing")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=group**")
    page.wait_for_load_state()
    hand.press(page, page.get_by_role("link", name="Take group:billing out"))
    expect(box).to_have_value("")
    page.wait_for_load_state()
    box.focus()
    page.keyboard.press("ArrowUp")
    expect(box).to_have_value("group:billing")


def a_failure_is_noted_on_its_row(page: Page, hand: Keyboard, seen: Visit) -> None:
    """Its menu opens and closes by the keyboard, and leads back to the row."""
    row = page.locator("article.failure").first
    menu = row.locator("summary")
    hand.press(page, menu)
    expect(row.get_by_label("Assigned to")).to_be_visible()
    seen.picture("failure-row-deeds")
    page.keyboard.press("Escape")
    expect(row.get_by_label("Assigned to")).not_to_be_visible()
    expect(menu).to_be_focused()
    hand.press(page, menu)
    hand.fill(page, row.get_by_label("Note"), "fix in 2.8.1")
    hand.press(page, row.get_by_role("button", name="Save note"))
    expect(row).to_contain_text("“fix in 2.8.1”")
    assert page.url.split("#")[1] == row.get_attribute("id")
    page.wait_for_load_state()


def a_copy_is_sent_as_its_difference_was_seen(page: Page, hand: Keyboard, seen: Visit, letter: int) -> None:
    """Enter sends nothing, nor does the button once something else was typed; where the order is unknown 1 is typed."""
    seen.open(f"/dead-letters/{letter}/edit/")
    value, reason = page.locator("#value"), page.get_by_label("Reason (required)")
    value.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type('{"amount": ')
    hand.press(page, page.get_by_role("button", name="Check"))
    expect(page.locator("#problem")).to_contain_text("Not valid JSON")
    expect(value).to_be_focused()
    seen.picture("edit-with-a-problem")
    page.keyboard.press("Control+End")
    page.keyboard.type("13}")
    hand.fill(page, reason, "PAY-311")
    page.keyboard.press("Enter")
    hand.press(page, page.get_by_role("button", name="Check"))
    send = page.get_by_role("button", name="Send edited copy")
    expect(send).to_be_visible()
    seen.picture("edit-checked")
    hand.fill(page, page.get_by_label("Type 1 to confirm"), "1")
    value.focus()
    page.keyboard.press("Control+Home")
    page.keyboard.press("Delete")
    page.keyboard.type('{"vat": 2, ')
    hand.press(page, send)
    expect(page.get_by_role("alert")).to_contain_text("You changed it since the check.")
    expect(page.get_by_label("Difference of the values")).to_contain_text("vat")
    typed = page.get_by_label("Type 1 to confirm")
    typed.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("1")
    hand.press(page, send)
    expect(page.locator("h1")).to_contain_text("Retry #")


def rows(page: Page) -> Locator:
    """Lines of the list."""
    return page.locator("table.rows tbody tr")
