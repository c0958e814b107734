"""A conversation with a model tuned by the real engine (with random weights, so its answers are
meaningless)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from jobs.chat.models import Conversation, Turn
from jobs.models import TuningJob
from studio.models import Project
from tests.engine.running_engine import Engine

State = Turn.State


@pytest.fixture
def project(project: Project) -> Project:
    """The project of the engine's jobs."""
    project.project_id = "myproject"
    project.save()
    return project


@pytest.fixture
def conversation(
    project: Project,
    tuner: User,
    browser_of: Callable[[User], Client],
    engine: Engine,
    tuned: dict[str, Any],
    settings: Settings,
) -> Conversation:
    settings.ENGINE_URL = engine.url
    job = TuningJob.objects.create(project=project, owner=tuner, submission="created", remote=tuned)
    browser_of(tuner).post("/p/local/chats/new/", {"job": job.pk})
    conversation = Conversation.objects.get()
    assert conversation.resource == tuned["tunedModel"]["endpoint"]
    return conversation


def ask_and_read(browser: Client, conversation: Conversation, **data: Any) -> tuple[str, Turn]:
    path = conversation.get_absolute_url()
    browser.post(f"{path}ask/", data, headers={"HX-Request": "true"})
    turn = conversation.turn_set.latest("pk")
    response = browser.get(f"{path}turns/{turn.pk}/stream/")
    blocks = b"".join(response).decode()
    pieces = [json.loads(line[6:]) for line in blocks.splitlines() if line.startswith("data: ")]
    turn.refresh_from_db()
    return "".join(piece.get("text", "") for piece in pieces), turn


def test_the_tuned_model_answers_names_itself_and_gets_the_history(
    conversation: Conversation, tuner: User, browser_of: Callable[[User], Client]
) -> None:
    browser = browser_of(tuner)
    asked = {"prompt": "word 1", "temperature": "0", "max_output_tokens": "6"}
    first, turn = ask_and_read(browser, conversation, **asked)
    assert (turn.state, turn.error) == (State.COMPLETE, {})
    assert turn.reply == first
    assert turn.finish_reason in {"STOP", "MAX_TOKENS"}
    assert turn.model_version.startswith("studio-tiny")
    assert 0 < turn.usage["candidatesTokenCount"] <= 6

    _, second = ask_and_read(browser, conversation, **asked)
    assert second.usage["promptTokenCount"] > turn.usage["promptTokenCount"]


def test_a_missing_endpoint_is_reported(
    conversation: Conversation, tuner: User, browser_of: Callable[[User], Client]
) -> None:
    conversation.resource += "9"
    conversation.save()
    text, turn = ask_and_read(browser_of(tuner), conversation, prompt="hello")
    assert (text, turn.state, turn.error["kind"]) == ("", State.FAILED, "NotFound")
    assert turn.error["message"] in browser_of(tuner).get(conversation.get_absolute_url()).content.decode()


def test_a_too_long_message_shows_the_engines_refusal(
    conversation: Conversation, tuner: User, browser_of: Callable[[User], Client]
) -> None:
    text, turn = ask_and_read(browser_of(tuner), conversation, prompt="word " * 500)
    assert (text, turn.state, turn.error["kind"]) == ("", State.FAILED, "BadRequest")
