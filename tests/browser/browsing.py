"""A real browser on a running Weir: signed in, and with everything it complained about written down."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright

from tests.acceptance.running_demo import ROOT, Demo

PASSWORD = "a long walk over the weir at noon"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_COUNT_VIOLATIONS = """
  window.__violations = [];
  document.addEventListener("securitypolicyviolation", (event) =>
    window.__violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


@dataclass
class Visit:
    """A page of a signed-in person, and what went wrong on it."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Go to an address of Weir."""
        self.page.goto(self.url + path)

    def violations(self) -> list[str]:
        """Breaches of the content security policy on the page that is open."""
        return list(self.page.evaluate("window.__violations"))

    def barriers(self) -> list[str]:
        """What axe finds against WCAG 2.2 AA on the page that is open."""
        found = Axe().run(self.page, options={"runOnly": _TAGS, "rules": {"target-size": {"enabled": True}}})
        return [f"{each['id']}: {each['nodes'][0]['target']}" for each in found.response["violations"]]

    def wrong(self) -> list[str]:
        """Everything of the three on the page that is open."""
        return [*self.barriers(), *self.violations(), *self.complaints]

    def picture(self, name: str) -> None:
        """Keep a screenshot, where somebody wants to look: WEIR_PICTURES names the folder."""
        if folder := os.environ.get("WEIR_PICTURES"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def note(self, name: str, figures: dict[str, float]) -> None:
        """Keep what was measured, there too."""
        if folder := os.environ.get("WEIR_PICTURES"):
            (Path(folder) / f"{name}.json").write_text(json.dumps(figures))


def browser_path() -> str | None:
    """A browser on this machine; None where Playwright brought its own. Skips (fails in CI) where there is none."""
    named = os.environ.get("WEIR_CHROMIUM")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = named or next((found for name in names if (found := shutil.which(name))), None)
    return path


@contextmanager
def browser(playwright: Playwright, *more: str) -> Iterator[Browser]:
    """A headless Chromium."""
    path = browser_path()
    if path is None and not Path(playwright.chromium.executable_path).exists():
        reason = "no Chromium here: install the package chromium, or name one in WEIR_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *more])
    try:
        yield started
    finally:
        started.close()


def person(running: Demo, name: str, role: str) -> None:
    """Make somebody who may sign in."""
    stack = running.stack
    subprocess.run(
        [sys.executable, "manage.py", "create_person", name, "--role", role, "--password-stdin"],
        cwd=ROOT,
        check=True,
        input=PASSWORD,
        text=True,
        capture_output=True,
        env={**os.environ, "DATABASE_URL": stack["database_url"], "SECRET_KEY": "k" * 60},
    )


@contextmanager
def visit(browser: Browser, running: Demo, name: str, *, scheme: str = "light", width: int = 1440) -> Iterator[Visit]:
    """Sign in to the shop's Weir as `name`, and see what happens."""
    with visit_at(browser, running.stack["url"].rstrip("/"), name, scheme=scheme, width=width) as seen:
        yield seen


@contextmanager
def visit_at(
    browser: Browser, url: str, name: str, *, password: str = PASSWORD, scheme: str = "light", width: int = 1440
) -> Iterator[Visit]:
    """Sign in as `name` to whatever runs at `url`, and see what happens."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    context.add_init_script(_COUNT_VIOLATIONS)
    context.set_default_timeout(30_000)
    page = context.new_page()
    seen = Visit(page, url)
    page.on("console", lambda line: seen.complaints.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    try:
        page.goto(f"{url}/login/")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{url}/")
        yield seen
    finally:
        context.close()
