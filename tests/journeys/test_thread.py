"""The main path in a browser on the real stack: wizard, curves, cancellation, chat."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.browser import open_watched_page
from tests.journeys.conftest import PASSWORD
from tests.stack import Person, Stack, wait_until

pytestmark = pytest.mark.journey
EVAL_POINTS = """() => {
  const drawn = document.querySelector("[data-chart=loss]")?._fullData ?? [];
  return drawn.find(trace => trace.name === "Validation")?.x.length ?? 0;
}"""
LAST_STEP = """() => document.querySelector("[data-chart=loss]")._fullData
  .find(trace => trace.name === "Validation").x.at(-1)"""


@pytest.fixture
def page(browser: Browser, stack: Stack, admin: Person) -> Iterator[Page]:
    """A signed-in watched page; a console error or a policy violation fails the test."""
    with open_watched_page(browser) as page:
        page.set_default_timeout(90_000)
        page.goto(f"{stack.url}/sign-in/")
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        yield page


def walk_to_dataset(page: Page, name: str, epochs: int) -> None:
    page.get_by_role("button", name="Create tuned model").first.click()
    page.get_by_label("Tuned model name").fill(name)
    page.get_by_text("Advanced options").click()
    page.get_by_label("Number of epochs").fill(str(epochs))
    page.keyboard.press("Tab")
    expect(page.locator("#changes")).to_contain_text("1 changed")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("button", name="Start tuning")).to_be_disabled()
    page.locator("#missing").get_by_role("link", name="Choose a training dataset.").click()


def choose_file(page: Page, section: str, file: Path) -> None:
    place = page.locator(f"#{section}")
    place.get_by_label("Select JSONL file").set_input_files(file)
    place.get_by_role("button", name="Upload").click()
    expect(page.locator(f"#{section} .file .clip:not([data-name])").first).to_have_text(file.name)


def start_job(page: Page, name: str, epochs: int, train: Path, validation: Path | None) -> None:
    walk_to_dataset(page, name, epochs)
    choose_file(page, "training", train)
    if validation:
        page.get_by_label("Enable model validation").check()
        choose_file(page, "validation", validation)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Start tuning").dblclick()


def open_job(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def test_tuning_from_the_wizard_to_chat(page: Page, stack: Stack, dataset: Callable[..., Path]) -> None:
    start_job(page, "colours", 12, dataset("train.jsonl", 160), dataset("validation.jsonl", 12))
    if "/monitor" not in page.url and not re.search(r"/jobs/\d+/", page.url):
        open_job(page, "colours")
    # On a fast computer it may be through before the page asks.
    expect(page.locator("#job-head .st-chip")).to_have_text(re.compile("Running|Succeeded"), timeout=120_000)
    seen = wait_until(lambda: page.evaluate(EVAL_POINTS), every=0.5)
    expect(page.locator("#job-head .st-chip")).to_have_text("Succeeded", timeout=240_000)
    wait_until(lambda: page.evaluate(LAST_STEP) == 480)  # 12 x 160 examples in batches of 4
    assert page.evaluate(EVAL_POINTS) >= seen  # on a fast computer all points are there at once
    page.get_by_role("link", name="Details", exact=True).click()
    expect(page.locator(".facts")).to_contain_text("endpoints/")
    page.get_by_role("link", name="Dataset", exact=True).click()
    expect(page.locator("main")).to_contain_text("160")
    page.locator(".acts").get_by_role("button", name="Test").click()
    page.get_by_label("Output token limit").first.fill("24")
    page.locator("#composer textarea").fill("word 4")
    page.locator("#composer").get_by_role("button", name="Submit").click()
    expect(page.locator(".turn .reply-foot")).to_contain_text("tokens", timeout=90_000)
    page.reload()
    expect(page.locator(".turn .bubble-me")).to_have_text("word 4")
    page.goto(f"{stack.url}/p/local/jobs/")
    expect(page.get_by_role("link", name="colours", exact=True)).to_have_count(1)


def test_second_job_can_be_cancelled(page: Page, stack: Stack, dataset: Callable[..., Path]) -> None:
    page.goto(f"{stack.url}/p/local/jobs/")
    start_job(page, "stopped", 900, dataset("long.jsonl", 160), None)
    if not re.search(r"/jobs/\d+/", page.url):
        open_job(page, "stopped")
    expect(page.locator("#job-head .st-chip")).to_have_text("Running", timeout=120_000)
    page.locator(".acts").get_by_role("link", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel job").click()
    expect(page.locator("#job-head .st-chip")).to_have_text("Cancelled", timeout=120_000)
    expect(page.locator("main")).to_contain_text("This job was cancelled.")


def test_first_admin_requires_the_one_time_link(stack: Stack, admin: Person) -> None:
    """The used link and pages without sign-in are refused."""
    assert requests.get(stack.link, timeout=120).status_code in {404, 410}
    answer = requests.get(f"{stack.url}/p/local/jobs/", timeout=120, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"].startswith("/sign-in/")) == (302, True)
