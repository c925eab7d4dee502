"""How a person works a page: with the mouse, or with the keyboard alone."""

from typing import Protocol

from playwright.sync_api import Locator, Page, expect

MOST_TABS = 150
_HAS_FOCUS = "element => element === document.activeElement"


class Hand(Protocol):
    """What a journey needs of one."""

    def press(self, page: Page, what: Locator) -> None:
        """A link, a button or a summary."""

    def choose(self, page: Page, what: Locator) -> None:
        """One of several radio buttons."""

    def fill(self, page: Page, what: Locator, text: str) -> None:
        """Into a field that is empty."""


class Mouse:
    """Clicks."""

    def press(self, page: Page, what: Locator) -> None:  # noqa: ARG002  the keyboard belongs to the page
        """A click."""
        what.click()

    def choose(self, page: Page, what: Locator) -> None:  # noqa: ARG002
        """A click."""
        what.check()

    def fill(self, page: Page, what: Locator, text: str) -> None:  # noqa: ARG002
        """A click into the field, and the text."""
        what.fill(text)


class Keyboard:
    """Tab until it has the focus, then the key that works it."""

    def press(self, page: Page, what: Locator) -> None:
        """Enter."""
        reach(page, what)
        page.keyboard.press("Enter")

    def choose(self, page: Page, what: Locator) -> None:
        """Tab leads to the chosen one of a group, arrows to the others."""
        name = what.get_attribute("name")
        reach(page, page.locator(f'input[type=radio][name="{name}"]:checked'))
        for _ in range(page.locator(f'input[type=radio][name="{name}"]').count()):
            if what.is_checked():
                break
            page.keyboard.press("ArrowDown")
        expect(what).to_be_checked()

    def fill(self, page: Page, what: Locator, text: str) -> None:
        """Typed."""
        reach(page, what)
        page.keyboard.type(text)


def reach(page: Page, what: Locator) -> None:
    """Tab until it has the focus."""
    expect(what).to_be_visible()
    for _ in range(MOST_TABS):
        if what.evaluate(_HAS_FOCUS):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{what} is not reached by {MOST_TABS} tabs")
