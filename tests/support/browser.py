"""A real headless Chromium for the tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import PATIENCE

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)

NO_CHROMIUM = "no Chromium is installed"

needs_browser = pytest.mark.usefixtures("chromium")
"""The fixture comes before all others of a test, and skips where there is no browser."""


def lacks_browser(report: Any) -> bool:
    """Whether the report is of a test that was skipped because there is no browser."""
    return isinstance(report.longrepr, tuple) and NO_CHROMIUM in report.longrepr[2]


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, with nothing of a user's in it. Without one, tests are skipped; on continuous integration, where .ci/run installs
    it, they fail."""
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip(NO_CHROMIUM)
    from playwright.sync_api import sync_playwright

    assert CHROMIUM is not None, "no Chromium, though continuous integration promised one"
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=1000 * PATIENCE)
        try:
            yield found
        finally:
            found.close()


def patient(context: Any) -> Any:
    """The browser context, with time for whatever its pages are asked to do."""
    context.set_default_timeout(1000 * PATIENCE)
    return context


class Visit:
    """An open tab, with everything its page said or asked for."""

    def __init__(self, found: Any, path: Path | None = None, fragment: str = "", **context: Any) -> None:
        self.context = patient(found.new_context(**context))
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        if path is not None:
            self.open(path, fragment)

    def open(self, path: Path, fragment: str = "") -> None:
        """Load a page, with nothing left of the one before, be it the same."""
        self.page.goto("about:blank")
        self.said.clear()
        self.asked.clear()
        self.page.goto(path.as_uri() + fragment)
        if self.page.locator("#controls").count():
            self.page.wait_for_function("document.body.dataset.updated || document.body.dataset.fault === 'yes'")
        self.asked[:] = [url for url in self.asked if not url.startswith(path.as_uri())]

    def go_to(self, fragment: str) -> None:
        """Follow a link within the page to another fragment, and wait until the page has heard of it."""
        self.page.evaluate(
            "fragment => new Promise(heard => {"
            " addEventListener('hashchange', () => heard(), { once: true }); location.hash = fragment })",
            fragment,
        )

    def address(self) -> str:
        """What the page itself says; the driver hears of a new fragment later."""
        return str(self.page.evaluate("location.href"))

    def drawn(self) -> int:
        """Draw every picture, and count them."""
        return int(self.page.evaluate("accelbenchDrawAll()"))

    def set(self, name: str, value: str) -> None:
        """Give a control a value as a user does, and wait until the page has answered."""
        before = self.page.evaluate("document.body.dataset.updated")
        control = self.page.locator(f"#controls [name='{name}']")
        if control.evaluate("element => element.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(value)
        self.page.wait_for_function(
            "before => document.body.dataset.updated !== before || document.body.dataset.fault === 'yes'", arg=before
        )

    def table(self, selector: str) -> list[list[str]]:
        """The cells of a table's body."""
        rows = self.page.evaluate(
            "selector => [...document.querySelector(selector).tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent))",
            selector,
        )
        return [list(row) for row in rows]

    def close(self) -> None:
        self.context.close()
