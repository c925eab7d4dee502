"""A web process and a browser of a module's own, on the database of this process: its tests write what pages show."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from pytest_django.plugin import DjangoDbBlocker

from stack.testing import Servers
from tests.browser.browsing import browser as chromium
from tests.integration.web_process import Web, database_url, web


@pytest.fixture(scope="module", autouse=True)
def beside_a_loop() -> Iterator[None]:
    """Playwright's loop runs in this thread, where Django would refuse to read; nothing here awaits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture(scope="module")
def running(
    beside_a_loop: None,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    postgres: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Web]:
    """The web process, with the libraries of its pages."""
    with django_db_blocker.unblock():
        where = database_url()
    with web(tmp_path_factory.mktemp("web"), database=where, WEIR_VENDOR_DIR=str(postgres.page_libraries)) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright, chromium(playwright) as started:
        yield started
