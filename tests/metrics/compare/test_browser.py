"""The compare page in a real browser, under the site's strict policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from studio.models import Project
from tests.browser import watched_page
from tests.metrics.compare.runs import runs_of, team
from tests.metrics.test_browser import browser as browser

pytestmark = [
    pytest.mark.journey,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at"),
]


@pytest.fixture
def visit(
    browser: Browser,
    live_server: LiveServer,
    tuner: User,
    project: Project,
    browser_of: Callable[[User], Client],
) -> Iterator[Callable[..., Page]]:
    """visit(query, **options) -> the compare page, drawn."""
    session = browser_of(tuner).cookies["sessionid"].value
    pages: list[Any] = []

    def go(query: str, *, drawn: str = "eval_total_loss", theme: str = "", **options: Any) -> Page:
        context = watched_page(browser, **options)
        page = context.__enter__()
        pages.append(context)
        cookies = [{"name": "sessionid", "value": session, "url": live_server.url}]
        if theme:
            cookies.append({"name": "theme", "value": theme, "url": live_server.url})
        page.context.add_cookies(cookies)
        page.goto(live_server.url + reverse("compare:page", args=[project.slug]) + query)
        if drawn:
            page.wait_for_selector(f"[data-chart={drawn}].drawn .scatterlayer .trace")
        return page

    yield go
    for context in pages:
        context.__exit__(None, None, None)


def test_shots(visit: Callable[..., Page], project: Project) -> None:
    jobs = team(project)
    for width in (1440, 390):
        for theme in ("light", "dark"):
            page = visit(f"?runs={runs_of(jobs)}", viewport={"width": width, "height": 900}, theme=theme)
            page.wait_for_timeout(500)
            page.screenshot(path=f"/tmp/lab/shots/compare-{width}-{theme}.png", full_page=True)
