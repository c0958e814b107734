"""The library's pages in a real browser, under the site's own strict policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from jobs.datasets.models import Dataset
from jobs.datasets.report_page.page import ReportPage
from tests.axe import grave_problems
from tests.jobs.datasets.check.lines import COMMA, GOOD, example, line
from tests.visits import visit as visit

pytestmark = [
    pytest.mark.journey,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at"),
]
CONTENT = b"".join(line(example("word " * (1 + n % 17))) for n in range(80)) + COMMA * 3 + GOOD
DRAWN = """id => {
  const box = document.querySelector(`[data-spread=figure-${id}]`);
  return box._fullData && {y: Array.from(box._fullData[0].y), color: box._fullData[0].marker.color,
    labels: box._fullLayout.annotations.map(one => one.text)};
}"""
SIDEWAYS = "() => document.documentElement.scrollWidth - window.innerWidth"


def wait_until(page: Page, look: Callable[[], Any], seconds: float = 120) -> Any:
    """Waits from outside: a condition that the page itself evaluates is refused by its policy."""
    for _ in range(round(seconds * 10)):
        if found := look():
            return found
        page.wait_for_timeout(100)
    raise AssertionError(f"not within {seconds} s")


@pytest.mark.parametrize(
    "visit",
    [{}, {"viewport": {"width": 390, "height": 844}}],
    ids=["wide", "narrow"],
    indirect=True,
)
def test_distributions_are_drawn_and_follow_the_theme(
    visit: Callable[[str], Page], make: Callable[..., Dataset]
) -> None:
    dataset = make("words.jsonl", CONTENT)
    page = visit(dataset.get_absolute_url())
    for spread in ReportPage(dataset).spreads:
        drawn = wait_until(page, lambda id=spread.id: page.evaluate(DRAWN, id))
        assert drawn["y"] == spread.figure["data"][0]["y"]
        assert drawn["labels"] == [note["text"] for note in spread.figure["layout"]["annotations"]]
    light = page.evaluate(DRAWN, "tokens")["color"]
    page.locator("[data-theme-switch]").click()
    wait_until(page, lambda: page.evaluate(DRAWN, "tokens")["color"] != light)
    assert page.evaluate(SIDEWAYS) <= 0


def test_problems_expand_and_uri_is_copied(
    visit: Callable[[str], Page], make: Callable[..., Dataset]
) -> None:
    dataset = make("words.jsonl", CONTENT)
    page = visit(dataset.get_absolute_url())
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.get_by_text("Line 81")).to_be_visible()
    page.get_by_role("button", name="Copy URI").click()
    wait_until(page, lambda: page.evaluate("navigator.clipboard.readText()") == dataset.uri)


@pytest.mark.parametrize("visit", [{"java_script_enabled": False}], indirect=True)
def test_report_page_works_without_javascript(
    visit: Callable[[str], Page], make: Callable[..., Dataset]
) -> None:
    dataset = make("words.jsonl", CONTENT)
    page = visit(dataset.get_absolute_url())
    expect(page.locator("#tokens-figures td").nth(2)).to_have_text(
        ReportPage(dataset).spreads[0].figures[2][1]
    )
    assert page.locator(".h-spread svg.bars").first.is_visible()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Tune with this dataset").click()
    expect(page.get_by_role("heading", name="Create tuned model")).to_be_visible()


@pytest.mark.parametrize("visit", [{"viewport": {"width": 390, "height": 844}}], indirect=True)
def test_rows_are_compact_on_a_phone(visit: Callable[[str], Page], make: Callable[..., Dataset]) -> None:
    made = make("a-name-that-is-far-too-long-for-a-phone-and-has-to-be-cut-somewhere.jsonl", CONTENT)
    page = visit("/p/local/datasets/")
    assert page.evaluate(SIDEWAYS) <= 0
    row = page.locator(f"#dataset-{made.pk}")
    expect(row).to_contain_text("3 problems")
    expect(row.locator(".unit")).to_be_visible()
    page.get_by_text("Sample data").last.click()
    expect(page.get_by_role("button", name="Add Orders in Japanese")).to_be_visible()


@pytest.mark.parametrize(
    "visit",
    [
        {"locale": locale, "color_scheme": theme}
        for locale in ("en-US", "ja-JP")
        for theme in ("light", "dark")
    ],
    ids=["en-light", "en-dark", "ja-light", "ja-dark"],
    indirect=True,
)
def test_pages_have_no_layout_or_accessibility_errors(
    visit: Callable[[str], Page], make: Callable[..., Dataset]
) -> None:
    empty = visit("/p/local/datasets/")
    assert grave_problems(empty) == []
    dataset = make("words.jsonl", CONTENT)
    address = dataset.get_absolute_url()
    for path in ("/p/local/datasets/", address, "/p/local/datasets/add/", f"{address}delete/"):
        page = visit(path)
        if path == address:
            wait_until(page, lambda: page.evaluate(DRAWN, "turns"))  # noqa: B023
        assert grave_problems(page) == [], path
