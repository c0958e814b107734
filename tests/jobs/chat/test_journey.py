"""The chat page in a real browser, with an endpoint that gives the answers set by the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from jobs.chat import sse
from jobs.chat.models import Conversation, Turn
from jobs.models import TuningJob
from tests.browser import open_watched_page
from tests.jobs.chat.conftest import Endpoint, build_response

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def session(live_server: LiveServer, tuner: User, browser_of: Callable[[User], Client]) -> dict[str, str]:
    value = browser_of(tuner).cookies["sessionid"].value
    return {"name": "sessionid", "value": value, "url": live_server.url}


@pytest.fixture
def page(chrome: Browser, live_server: LiveServer, session: dict[str, str]) -> Iterator[Page]:
    with open_watched_page(chrome, base_url=live_server.url) as page:
        page.context.add_cookies([session])
        yield page


def test_ask_stream_stop_and_reopen(page: Page, job: TuningJob, endpoint: Endpoint) -> None:
    go_on = Event()
    endpoint.steps = [
        build_response("The sky "),
        build_response("<b>scatters</b> "),
        go_on,
        build_response("blue light.", "STOP"),
    ]
    page.goto("/p/local/chats/")
    page.get_by_role("button", name="Test").click()
    page.get_by_placeholder("Ask something").fill("Why is sky blue?")
    page.wait_for_load_state()  # the key is heard by the page's script
    page.keyboard.press("Control+Enter")

    reply = page.locator("[data-reply]")
    expect(reply).to_have_text("The sky <b>scatters</b> ")
    expect(page.get_by_role("button", name="Submit")).to_have_count(0)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped")).to_be_visible()
    expect(page.get_by_role("button", name="Submit")).to_be_visible()

    page.reload()
    expect(page.locator(".turn .bubble").last).to_have_text("The sky <b>scatters</b> ")
    go_on.set()
    endpoint.set_answer("Rayleigh.", promptTokenCount=9, candidatesTokenCount=3, totalTokenCount=12)
    page.get_by_role("button", name="Regenerate").click()
    expect(page.locator(".turn .bubble").last).to_have_text("Rayleigh.")
    expect(page.get_by_text("9 input · 3 output tokens")).to_be_visible()
    assert Turn.objects.get().state == Turn.State.COMPLETE


def test_slider_and_box_agree_and_errors_show_beside_their_field(
    page: Page, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.set_answer("fine")
    page.goto(f"/p/local/chats/{conversation.pk}/")
    box = page.get_by_role("spinbutton", name="Temperature")
    slider = page.get_by_role("slider", name="Temperature")
    slider.fill("0.7")
    expect(box).to_have_value("0.7")
    box.fill("1.5")
    expect(slider).to_have_value("1.5")
    box.fill("9")
    page.get_by_placeholder("Ask something").fill("hello")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Enter a temperature from 0 to 2.")).to_be_visible()
    expect(page.get_by_placeholder("Ask something")).to_have_value("hello")

    page.get_by_role("spinbutton", name="Temperature").fill("1")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".turn .bubble").last).to_have_text("fine")
    assert endpoint.bodies[0]["generationConfig"]["temperature"] == 1


@pytest.fixture
def full_server() -> Iterator[Callable[[], None]]:
    """Occupy all stream slots, including those that an earlier page is still releasing; call it to free
    them."""
    taken = [sse.slots.acquire(timeout=120) for _ in range(sse.MAX_STREAMS)]

    def free() -> None:
        while taken:
            if taken.pop():
                sse.slots.release()

    try:
        assert all(taken)
        yield free
    finally:
        free()


def test_a_full_server_is_reported_and_retried(
    chrome: Browser,
    live_server: LiveServer,
    session: dict[str, str],
    conversation: Conversation,
    endpoint: Endpoint,
    full_server: Callable[[], None],
) -> None:
    """On a page that nobody watches: a browser notes every 503 in its console."""
    endpoint.set_answer("at last")
    context = chrome.new_context(base_url=live_server.url, locale="en-US")
    context.add_cookies([session])
    page = context.new_page()
    page.goto(f"/p/local/chats/{conversation.pk}/")
    page.get_by_placeholder("Ask something").fill("hello")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("limit of simultaneous chats")).to_be_visible()
    full_server()
    expect(page.locator(".turn .bubble").last).to_have_text("at last")
    context.close()
