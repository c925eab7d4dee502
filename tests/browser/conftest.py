"""One running shop and one browser for all journeys."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.acceptance.running_demo import Demo, demo, eventually
from tests.browser.browsing import browser as chromium
from tests.browser.browsing import person

expect.set_options(timeout=30_000)


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Weir with its shop, some dead letters, an admin, an operator and a viewer."""
    with demo(tmp_path_factory.mktemp("browser") / "data", RATE="15") as started:
        started.environment["DEMO_STATE_DIR"] = str(started.shop_folder)
        eventually(lambda: len(started.get("dead-letters")["items"]) > 3, seconds=90, what="some dead letters")
        for name, role in (("ada", "admin"), ("olga", "operator"), ("vera", "viewer")):
            person(started, name, role)
        yield started


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium, whose event loop would stand in the way of other tests in this thread."""
    with sync_playwright() as playwright, chromium(playwright) as started:
        yield started
