"""J6, a viewer. J3, a group is retried safely: it stops itself while the bug is there, and completes after the fix."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.running_demo import Demo, eventually
from tests.browser.browsing import Visit, visit
from tests.browser.hands import Hand, Keyboard, Mouse

pytestmark = [pytest.mark.browser, pytest.mark.acceptance, pytest.mark.timeout(420)]

ENOUGH = 8  # open letters, so that there is a rest behind the first steps
OUTCOME_MS = 60_000


def test_j6_a_viewer_is_told_who_may_retry_and_a_forced_one_is_noted(running: Demo, browser: Browser) -> None:
    letter = running.get("dead-letters")["items"][0]
    with visit(browser, running, "vera") as seen:
        page = seen.page
        seen.open(f"/dead-letters/groups/{letter['failure_group']}/")
        expect(page.get_by_role("button", name=re.compile("^Retry"))).to_have_count(0)
        page.keyboard.press("r")
        expect(page.locator("#announcer")).to_contain_text("Retry needs the operator role.")
        copy = page.get_by_role("button", name="Copy request").first
        for hand in (Mouse(), Keyboard()):
            hand.press(page, page.get_by_text("Who can?").first)
            expect(page.get_by_text("olga").first).to_be_visible()
            expect(copy).to_be_visible()
            hand.press(page, copy)
            page.keyboard.press("Escape")
            expect(copy).not_to_be_visible()
        assert (seen.complaints, seen.violations(), seen.barriers()) == ([], [], [])
        seen.open(f"{letter['url']}?tab=payload")
        expect(page.get_by_text("Payloads need the operator role.").first).to_be_visible()
        answer = forced(page, letter)
        assert answer["status"] == 403
        assert "Retry needs the operator role." in answer["text"]
    with visit(browser, running, "ada") as admin:
        admin.open("/audit/")
        row = admin.page.get_by_role("row").filter(has_text="vera").filter(has_text="refused").first
        expect(row).to_be_visible()


def test_j3_a_retry_of_a_group_stops_itself_while_the_bug_is_there_and_completes_after_the_fix(
    running: Demo, browser: Browser, request: pytest.FixtureRequest
) -> None:
    running.command("demo.control", "break")
    eventually(lambda: len(declined(running)) >= ENOUGH, seconds=120, what="declined cards")
    request.addfinalizer(lambda: running.command("demo.control", "break"))  # others look for failures, too
    with visit(browser, running, "olga") as seen:
        page, hand = seen.page, Keyboard()
        stopped = [stops_by_itself(seen, running, each) for each in (Mouse(), hand)][-1]
        running.command("demo.control", "fix")
        plan = planned(seen, hand)
        hand.press(page, page.get_by_role("link", name="2 Blast radius"))
        page.wait_for_url("**step=2")
        hand.press(page, page.get_by_role("link", name="4 Confirm"))
        confirm(page, hand)
        expect(page.get_by_text("Step 1 passed. The rest waits for you.")).to_be_visible(timeout=OUTCOME_MS)
        hand.press(page, page.get_by_role("button", name="Continue"))
        expect(page.locator("h1 + .status")).to_contain_text("Done", timeout=3 * OUTCOME_MS)
        address, number = page.url, operation_in(page.url)
        with visit(browser, running, "vera") as other:
            other.page.goto(address)
            expect(other.page.locator("h1 + .status")).to_contain_text("Done")
        page.goto(plan)
        expect(page.get_by_text(f"Already sent as operation #{number}.")).to_be_visible()
        assert (seen.complaints, seen.violations(), seen.barriers()) == ([], [], [])
    answer = running.get(f"retries/{number}")
    counts = answer["counts"]
    assert (counts["processed"] + counts["passed"], counts["failed_again"]) == (counts["items"], 0), answer
    assert counts["processed"] > 0
    assert [step["stand"] for step in answer["steps"]] == ["passed"] * len(answer["steps"])
    assert operations_in_audit(running, browser, stopped) == ["cancel retry", "stop retry", "retry", "freeze"]


def stops_by_itself(seen: Visit, running: Demo, hand: Hand) -> int:
    """The variant: the fix is absent. The operation that stopped, its rest cancelled."""
    page = seen.page
    plan = planned(seen, hand)
    expect(page.get_by_text("New failures are not added.")).to_be_visible()
    number = int(re.search(r"/retries/(\d+)/plan/", plan)[1])  # type: ignore[index]
    hand.press(page, page.get_by_role("link", name="2 Blast radius"))
    own = page.get_by_role("radio", name=re.compile("billing only"))
    expect(own).to_be_checked()
    hand.choose(page, page.get_by_role("radio", name=re.compile(r"^orders\.created: 3 groups read it")))
    hand.press(page, page.get_by_role("button", name="Update"))
    groups = page.get_by_role("region", name="Groups that will get copies")
    expect(groups.get_by_role("row")).to_have_count(4)
    hand.choose(page, own)
    hand.press(page, page.get_by_role("button", name="Next: sending plan"))
    expect(page.get_by_text("You chose another target.")).to_be_visible()
    hand.press(page, page.get_by_role("button", name="Next: sending plan"))
    assert running.ask("GET", f"retries/{number}")[0] == 404, "a draft is no operation: nothing was sent"
    hand.press(page, page.get_by_role("button", name="Next: confirm"))
    confirm(page, hand)
    alarm = page.get_by_role("alert").filter(has_text="Stopped: 1 of 1 failed again with CardDeclined")
    expect(alarm).to_be_visible(timeout=OUTCOME_MS)
    expect(alarm).to_contain_text("(same fingerprint)")
    assert (seen.violations(), seen.barriers()) == ([], [])
    hand.press(page, page.locator("#cancel-rest summary"))
    hand.press(page, page.get_by_role("button", name=re.compile(r"^Cancel \d")))
    expect(page.locator("h1 + .status")).to_contain_text("Cancelled")
    return number


def planned(seen: Visit, hand: Hand) -> str:
    """From anywhere to a plan of the group CardDeclined; its address."""
    page = seen.page
    page.wait_for_load_state()  # before that nobody listens to keys
    page.keyboard.press("g")
    page.keyboard.press("d")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Dead letters")
    hand.press(page, page.get_by_role("link", name=re.compile("CardDeclined at Gateway.charge")).first)
    button = page.get_by_role("button", name=re.compile(r"^Retry \d"))
    expect(button).to_be_visible()
    if isinstance(hand, Mouse):
        button.click()
    else:
        page.wait_for_load_state()
        page.keyboard.press("r")
    page.wait_for_url("**/plan/")
    return page.url


def confirm(page: Page, hand: Hand) -> None:
    """Step 4, with the number where it is asked for."""
    page.wait_for_url("**step=4")
    asked = re.search(r"Type (\d+) to confirm", page.locator("main").inner_text())
    hand.fill(page, page.get_by_label("Name"), "browser test")
    if asked:
        hand.fill(page, page.get_by_label(asked[0]), asked[1])
    hand.press(page, page.get_by_role("button", name=re.compile("^Send")))
    page.wait_for_url(re.compile(r"/retries/\d+/$"))


def forced(page: Page, letter: dict[str, Any]) -> dict[str, Any]:
    """A POST that no button of the page offers."""
    found: dict[str, Any] = page.evaluate(
        """async (letter) => {
          const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
          const body = new URLSearchParams({ csrfmiddlewaretoken: token, token: "t", letter });
          const answer = await fetch("/retries/", { method: "POST", body });
          return { status: answer.status, text: await answer.text() };
        }""",
        str(letter["id"]),
    )
    return found


def declined(running: Demo) -> list[dict[str, Any]]:
    """Open letters of declined cards."""
    items = running.get("dead-letters", status="open", limit="500")["items"]
    return [item for item in items if item["exception"]["class"].endswith("CardDeclined")]


def operation_in(url: str) -> int:
    """The number in an operation's address."""
    return int(url.split("/retries/")[1].split("/")[0])


def operations_in_audit(running: Demo, browser: Browser, number: int) -> list[str]:
    """What was done with this operation, newest first, as the admin's log says."""
    with visit(browser, running, "ada") as admin:
        admin.open("/audit/")
        rows = admin.page.get_by_role("row").filter(has=admin.page.get_by_text(f"retry {number}", exact=True)).all()
        return [row.get_by_role("cell").nth(2).inner_text().strip() for row in rows]
