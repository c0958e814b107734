"""The request panel in a real browser, with and without JavaScript."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from jobs.models import TuningJob
from jobs.request.panel import RequestPanel
from tests.browser import open_watched_page

pytestmark = [
    pytest.mark.journey,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at"),
]


@pytest.fixture
def signed_in(
    live_server: LiveServer, tuner: User, browser_of: Callable[[User], Client]
) -> Callable[[Page], None]:
    """signed_in(page): give the page the tuner's session."""

    def sign_in(page: Page) -> None:
        client = browser_of(tuner)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        page.context.add_cookies([cookie])  # type: ignore[list-item]

    return sign_in


def build_url(live_server: LiveServer, name: str, job: TuningJob) -> str:
    return f"{live_server.url}{reverse(name, args=[job.project.slug, job.pk])}"


def take_screenshot(page: Page, name: str) -> None:
    """Save a screenshot if the environment variable LOOK names a folder."""
    if folder := os.environ.get("LOOK"):
        page.screenshot(path=f"{folder}/{name}.png", full_page="-page" in name)


def make_size_params() -> list[Any]:
    return [
        pytest.param(width, theme, id=f"{width}-{theme}")
        for width in (1440, 390)
        for theme in ("light", "dark")
    ]


@pytest.mark.parametrize("width,theme", make_size_params())
def test_one_snippet_is_shown_and_copied_at_a_time(
    chrome: Browser,
    live_server: LiveServer,
    signed_in: Callable[[Page], None],
    draft: TuningJob,
    width: int,
    theme: str,
) -> None:
    draft.update_draft(labels={"team": "red"}, description="two\nlines", export_last_checkpoint_only=True)
    draft.refresh_from_db()
    texts = {snippet.key: snippet.text for snippet in RequestPanel(draft).snippets}
    permissions = {
        "permissions": ["clipboard-read", "clipboard-write"],
        "viewport": {"width": width, "height": 844},
    }
    with open_watched_page(chrome, **permissions) as page:
        signed_in(page)
        page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
        page.goto(build_url(live_server, "jobs:model", draft))
        page.get_by_role("link", name="View request").click()
        dialog = page.locator("#request")
        for key in texts:
            dialog.locator(f"label[for=as-{key}]").click()
            expect(dialog.locator(f"#request-{key}")).to_be_visible()
            assert dialog.locator("pre:visible").count() == 1
            take_screenshot(page, f"panel-{key}-{width}-{theme}")
            dialog.locator(".way:visible [data-copy-from]").click()
            expect(dialog.locator(".way:visible [data-copied]")).to_be_visible()
            assert page.evaluate("navigator.clipboard.readText()") == texts[key]
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_arrow_keys_switch_snippets(
    chrome: Browser, live_server: LiveServer, signed_in: Callable[[Page], None], draft: TuningJob
) -> None:
    with open_watched_page(chrome) as page:
        signed_in(page)
        page.goto(build_url(live_server, "jobs:request", draft))
        page.locator("#as-rest").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#request-curl")).to_be_visible()
        expect(page.locator("#request-rest")).to_be_hidden()


def test_label_is_explained_on_focus_and_hover_until_escape(
    chrome: Browser, live_server: LiveServer, signed_in: Callable[[Page], None], draft: TuningJob
) -> None:
    with open_watched_page(chrome) as page:
        signed_in(page)
        page.goto(build_url(live_server, "jobs:request", draft))
        label, tooltip = page.get_by_role("button", name="studio-submission"), page.locator("#tip-submission")
        expect(label).to_have_accessible_description(
            "Prevents creating the job twice if the connection drops."
        )
        expect(tooltip).to_be_hidden()
        label.focus()
        expect(tooltip).to_be_visible()
        page.keyboard.press("Escape")
        expect(tooltip).to_be_hidden()
        page.keyboard.press("Tab")
        label.hover()
        expect(tooltip).to_be_visible()


@pytest.mark.parametrize("width,theme", make_size_params())
def test_request_page_and_import_work_without_javascript(
    chrome: Browser,
    live_server: LiveServer,
    signed_in: Callable[[Page], None],
    draft: TuningJob,
    width: int,
    theme: str,
) -> None:
    # Not a watched page: Chromium logs the 422 that is asked for.
    viewport: Any = {"width": width, "height": 844}
    with chrome.new_context(java_script_enabled=False, locale="en-US", viewport=viewport) as context:
        page = context.new_page()
        signed_in(page)
        page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
        page.goto(build_url(live_server, "jobs:model", draft))
        page.get_by_role("link", name="View request").click()
        page.locator("label[for=as-curl]").click()
        command = page.locator("#request-curl").inner_text()
        take_screenshot(page, f"request-page-{width}-{theme}")
        page.get_by_role("link", name="Paste a request").click()
        take_screenshot(page, f"paste-page-{width}-{theme}")
        page.get_by_label("A curl command or the JSON of a job").fill(command + "'")
        page.get_by_role("button", name="Create draft").click()
        take_screenshot(page, f"paste-refused-page-{width}-{theme}")
        expect(page.get_by_role("alert")).to_contain_text("line")
        box = page.get_by_label("A curl command or the JSON of a job")
        box.fill(box.input_value().removesuffix("'"))
        page.get_by_role("button", name="Create draft").click()
        expect(page.get_by_label("Tuned model name")).to_have_value("intents")
        take_screenshot(page, f"pasted-page-{width}-{theme}")
    assert TuningJob.objects.count() == 2
