"""A finished answer is rendered Markdown; a question, and an answer that still streams, is plain text."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.chat.models import Conversation, Turn

TEXT = '**bold** <b>tag</b>\n\n- "quoted"'


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture
def show_turn(browser: Client, conversation: Conversation) -> Callable[..., str]:
    def read_turn(**fields: object) -> str:
        turn = Turn.objects.create(conversation=conversation, **fields)
        path = reverse("talk:turn", args=["local", conversation.pk, turn.pk])
        page = browser.get(path, headers={"HX-Request": "true"})
        assert page.status_code == 200
        return page.content.decode()

    return read_turn


@pytest.mark.parametrize("state", ["complete", "stopped", "broken"])
def test_finished_answer_is_rendered(show_turn: Callable[..., str], state: str) -> None:
    page = show_turn(prompt="hello", reply=TEXT, state=state)
    assert "<p><strong>bold</strong> &lt;b&gt;tag&lt;/b&gt;</p>" in page
    assert '<li>"quoted"</li>' in page


def test_streaming_answer_is_plain_text(show_turn: Callable[..., str]) -> None:
    page = show_turn(prompt="hello", reply=TEXT, state="streaming", touched_at=timezone.now())
    assert "**bold** &lt;b&gt;tag&lt;/b&gt;" in page
    assert "<strong>" not in page


def test_question_is_plain_text(show_turn: Callable[..., str]) -> None:
    page = show_turn(prompt=TEXT, reply="yes", state="complete")
    assert "**bold** &lt;b&gt;tag&lt;/b&gt;" in page
    assert "<strong>" not in page


def test_copy_button_holds_the_answer_as_the_model_wrote_it(show_turn: Callable[..., str]) -> None:
    page = show_turn(prompt="hello", reply=TEXT, state="complete")
    assert f'data-copy="{TEXT}"' in unescape(page)
