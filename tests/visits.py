"""Pages of the live server in Chromium, with the test's database."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from tests.browser import open_watched_page


@pytest.fixture
def visit(
    request: pytest.FixtureRequest,
    chrome: Browser,
    live_server: LiveServer,
    tuner: User,
    browser_of: Callable[[User], Client],
) -> Iterator[Callable[[str], Page]]:
    """visit(path) -> a watched page; a test's parameters are the options of its browser."""
    session = browser_of(tuner).cookies["sessionid"].value
    with open_watched_page(chrome, **getattr(request, "param", {})) as page:
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])

        def go(path: str) -> Page:
            page.goto(live_server.url + path)
            return page

        yield go
