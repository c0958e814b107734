"""Chromium for tests: Debian's build without background traffic, and a page that records errors."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

expect.set_options(timeout=90_000)  # trainers, other workers and other work run beside the browser
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NOTE_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", event =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


def chromium_path() -> str:
    """The installed Chromium; `make test` installs it if it is missing.

    The headless shell comes first: a whole browser also draws its window, which takes as much processor time
    as the pages.
    """
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise AssertionError(
        "No Chromium is installed: `make test` installs Debian's package, or install it yourself."
    )


@contextmanager
def launch_chromium() -> Iterator[Browser]:
    # The driver keeps an event loop in this thread, where Django would refuse its database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_watched_page(
    browser: Browser, *, refusals: tuple[int, ...] = (), meant: tuple[str, ...] = (), **options: Any
) -> Iterator[Page]:
    """A page in a context of its own; leaving fails on any console error, page error or policy violation.
    Chromium reports a page that answers with an error as one: `refusals` are the statuses that are meant,
    `meant` the words of other errors."""
    context = browser.new_context(
        **{"locale": "en-US", "viewport": {"width": 1440, "height": 900}, **options}
    )
    context.add_init_script(NOTE_VIOLATIONS)
    page = context.new_page()
    page.set_default_timeout(90_000)
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    try:
        yield page
    finally:
        context.close()
    meant += tuple(f"the server responded with a status of {status}" for status in refusals)
    troubles = [trouble for trouble in troubles if not any(words in trouble for words in meant)]
    assert not troubles, troubles
