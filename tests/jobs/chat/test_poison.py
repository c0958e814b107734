"""Poisoned answers of an endpoint: the text is kept as far as it can be, and the turn always ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.chat.models import Conversation, Turn
from studio.vertex import streaming
from tests.jobs.chat.conftest import Endpoint, build_response
from tests.jobs.chat.test_turn_views import build_url, post_question, read_text

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
State = Turn.State


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def ask(browser: Client, conversation: Conversation) -> tuple[Turn, str, str]:
    """Return the turn, what was streamed, and the page that shows it afterwards."""
    turn = post_question(browser, conversation, "hi")
    streamed = read_text(browser, turn)
    turn.refresh_from_db()
    page = browser.get(build_url("conversation", conversation))
    assert page.status_code == 200
    return turn, streamed, page.content.decode()


def test_texts_that_no_row_holds_are_replaced(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    """A surrogate pair may be cut between two responses; anything else that is half is replaced."""
    endpoint.steps = [
        build_response("a\0\ud83d"),
        build_response("\ude00b\ud800"),
        build_response("c", "STOP"),
    ]
    turn, streamed, _page = ask(browser, conversation)
    assert streamed == turn.reply == "a\ufffd\N{GRINNING FACE}b\ufffdc"
    assert turn.state == State.COMPLETE


ODD_ENDS: dict[str, Any] = {
    "reason": {"candidates": [{"finishReason": "STOP\0\ud800" * 1000}]},
    "reason a list": {"candidates": [{"finishReason": ["STOP"]}]},
    "version": {"candidates": [{"finishReason": "STOP"}], "modelVersion": "v\0" * 1000},
    "version a number": {"candidates": [{"finishReason": "STOP"}], "modelVersion": 5},
    "usage": {
        "candidates": [{"finishReason": "STOP"}],
        "usageMetadata": {
            "totalTokenCount": 10**30,
            "promptTokenCount": "x",
            "a\0": 1,
            "b" * 9999: 2,
            "c": [1],
        },
    },
    "usage odd": {"candidates": [{"finishReason": "STOP"}], "usageMetadata": [1]},
    "blocked": {"promptFeedback": {"blockReason": "SAFETY\0" * 99, "blockReasonMessage": "m\ud800" * 9999}},
    "blocked odd": {"promptFeedback": {"blockReason": {"a": 1}, "blockReasonMessage": 5}},
    "error": {"error": {"code": 10**30, "message": "m\0\ud800", "status": "s\0" * 999, "details": "x"}},
    "error odd": {"error": {"code": "x", "message": {"a": 1}}},
}


@pytest.mark.parametrize("end", ODD_ENDS.values(), ids=ODD_ENDS)
def test_odd_ends_are_stored_and_shown(
    browser: Client, conversation: Conversation, endpoint: Endpoint, end: dict[str, Any]
) -> None:
    endpoint.steps = [build_response("some text"), end]
    turn, streamed, page = ask(browser, conversation)
    assert streamed == turn.reply == "some text" and "some text" in page
    assert turn.state in (State.COMPLETE, State.FAILED, State.BROKEN)
    assert len(json.dumps([turn.usage, turn.error])) < 10_000


@pytest.mark.parametrize("number", ["NaN", "1e999", "9" * 5000])
def test_numbers_that_no_row_holds_are_left_out(
    browser: Client, conversation: Conversation, endpoint: Endpoint, number: str
) -> None:
    last = '{"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"totalTokenCount": %s, "a": 3}}'
    endpoint.steps = [build_response("x"), f"data: {last % number}\r\n\r\n".encode()]
    turn, _streamed, _page = ask(browser, conversation)
    assert (turn.state, turn.usage) == (State.COMPLETE, {"a": 3})


def test_an_answer_without_end_is_broken_off_and_told(
    browser: Client, conversation: Conversation, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "MAX_STREAM", 2**20)
    endpoint.steps = [build_response("word ")] * 20_000
    turn, _streamed, page = ask(browser, conversation)
    assert (turn.state, turn.error["kind"]) == (State.BROKEN, "AnswerTooLarge")
    assert turn.reply.startswith("word word") and len(turn.reply) < 100_000
    assert "The server&#x27;s answer has more than 1 MB." in page
