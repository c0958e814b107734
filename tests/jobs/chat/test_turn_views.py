"""Ask, stream and stop like a browser, with an endpoint that gives the answers set by the test."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.chat import sse
from jobs.chat.models import SILENCE_TIMEOUT, Conversation, Turn
from studio.models import Role
from tests.jobs.chat.conftest import CUT, ENDPOINT, MORE, Endpoint, build_response

pytestmark = pytest.mark.sql

State = Turn.State
HTMX = {"HX-Request": "true"}
LEAVES = pytest.mark.django_db(transaction=True)
"""Closing a response closes its database connection: no test in one transaction survives that."""


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def build_url(name: str, conversation: Conversation, *more: int) -> str:
    return reverse(f"talk:{name}", args=["local", conversation.pk, *more])


def post_question(browser: Client, conversation: Conversation, prompt: str = "hello", **data: Any) -> Turn:
    """Post a question like the page with JavaScript: the turn is stored and waits for its stream."""
    page = browser.post(build_url("ask", conversation), {"prompt": prompt, **data}, headers=HTMX)
    assert page.status_code == 200
    return conversation.turn_set.latest("pk")


def iter_blocks(browser: Client, turn: Turn) -> Iterator[str]:
    """Yield the blocks of the event stream as they arrive."""
    response = browser.get(build_url("stream", turn.conversation, turn.pk))
    assert response.status_code == 200
    for block in response:
        yield block.decode()


def read_text(browser: Client, turn: Turn) -> str:
    """Return the text that a browser shows after the end of the stream."""
    blocks = list(iter_blocks(browser, turn))
    assert blocks[-1].startswith("event: end\n")
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("data: ")]
    return "".join(json.loads(line[6:]).get("text", "") for line in lines)


def test_an_answer_is_streamed_and_stored_with_its_metadata(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.set_answer("pending", "_top_up", promptTokenCount=33, candidatesTokenCount=5, totalTokenCount=38)
    turn = post_question(browser, conversation, "where is my money?")
    assert turn.state == State.WAITING
    assert read_text(browser, turn) == "pending_top_up"

    turn.refresh_from_db()
    assert (turn.state, turn.reply, turn.finish_reason) == (State.COMPLETE, "pending_top_up", "STOP")
    assert turn.usage["totalTokenCount"] == 38
    assert turn.seconds is not None and 0 < turn.seconds < 100
    assert endpoint.paths == [f"/v1/{ENDPOINT}:streamGenerateContent?alt=sse"]
    shown = browser.get(build_url("conversation", conversation)).content.decode()
    assert "33 input · 5 output tokens" in shown
    assert "studio-tiny" in shown
    assert "STOP" in shown


def test_the_stream_is_neither_cached_nor_buffered(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.set_answer("x")
    response = browser.get(build_url("stream", conversation, post_question(browser, conversation).pk))
    assert response["Content-Type"].startswith("text/event-stream")
    assert (response["Cache-Control"], response["X-Accel-Buffering"]) == ("no-store", "no")
    list(response)


def test_a_question_is_sent_with_the_history_and_the_settings(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.set_answer("one")
    read_text(browser, post_question(browser, conversation, "first"))
    settings = {
        "system_instruction": "Be brief.",
        "temperature": "0.5",
        "top_k": "3",
        "stop_sequences": "END",
    }
    read_text(browser, post_question(browser, conversation, "second", **settings))

    body = endpoint.bodies[1]
    said = [(content["role"], content["parts"][0]["text"]) for content in body["contents"]]
    assert said == [("user", "first"), ("model", "one"), ("user", "second")]
    assert body["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert body["generationConfig"] == {"temperature": 0.5, "topK": 3, "stopSequences": ["END"]}
    conversation.refresh_from_db()
    assert (conversation.title, conversation.generation_config["topK"]) == ("first", 3)


def test_a_finished_turn_is_replayed_without_a_second_call(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.set_answer("once")
    turn = post_question(browser, conversation)
    assert [read_text(browser, turn), read_text(browser, turn)] == ["once", "once"]
    assert len(endpoint.bodies) == 1


def test_without_javascript_the_next_page_shows_the_answer(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.set_answer("Because ", "of Rayleigh.")
    page = browser.post(build_url("ask", conversation), {"prompt": "Why is sky blue?"}, follow=True)
    assert page.redirect_chain[0][0].startswith(conversation.get_absolute_url())
    assert "Because of Rayleigh." in page.content.decode()
    assert "data-stream" not in page.content.decode()


def test_markup_in_questions_and_answers_is_escaped(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.set_answer("<script>alert(1)</script>")
    page = browser.post(build_url("ask", conversation), {"prompt": "<img onerror=x>"}, follow=True).content
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert b"&lt;img onerror=x&gt;" in page
    assert b"<script>alert" not in page


@pytest.mark.parametrize("prompt", ["", " \n "])
def test_a_blank_message_gets_an_error_message(
    browser: Client, conversation: Conversation, prompt: str
) -> None:
    page = browser.post(build_url("ask", conversation), {"prompt": prompt}, headers=HTMX)
    assert "Enter a message." in page.content.decode()
    assert not Turn.objects.exists()


def test_a_too_long_message_gets_an_error_and_stays_in_the_form(
    browser: Client, conversation: Conversation
) -> None:
    page = browser.post(build_url("ask", conversation), {"prompt": "é" * 500_000}, headers=HTMX)
    assert "The text is 1000 kB; the limit is 100 kB. Shorten it." in page.content.decode()
    assert not Turn.objects.exists()


def test_a_second_question_waits_for_the_first_answer(browser: Client, conversation: Conversation) -> None:
    post_question(browser, conversation)
    page = browser.post(build_url("ask", conversation), {"prompt": "and?"}, headers=HTMX)
    assert "An answer is in progress." in page.content.decode()
    assert conversation.turn_set.count() == 1


# ---- how answers end ----


def test_a_cut_off_answer_keeps_its_text_and_shows_a_notice(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.steps = [
        build_response("half of "),
        b'data: {"candidates": [{"content": {"parts": [{"text": "\xe3\x81',
        CUT,
    ]
    turn = post_question(browser, conversation)
    assert read_text(browser, turn) == "half of "
    turn.refresh_from_db()
    assert (turn.state, turn.reply, turn.error["kind"]) == (State.BROKEN, "half of ", "StreamBroken")
    shown = browser.get(build_url("conversation", conversation)).content.decode()
    assert "half of" in shown
    assert "The answer was interrupted." in shown
    assert "Retry" in shown


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "The message was blocked."),
        ({"candidates": [{"finishReason": "SAFETY"}]}, "The answer was blocked."),
        ({"candidates": [{"finishReason": "STOP"}]}, "The answer is empty."),
        (
            {"candidates": [{"content": {}, "finishReason": "MAX_TOKENS"}]},
            "The output token limit was reached.",
        ),
        ({"candidates": []}, "The answer was interrupted."),
        (build_response("some", "NEW_REASON"), "NEW_REASON"),
    ],
)
def test_an_answer_with_an_unusual_end_shows_the_reason(
    browser: Client, conversation: Conversation, endpoint: Endpoint, step: dict[str, Any], words: str
) -> None:
    endpoint.steps = [step]
    read_text(browser, post_question(browser, conversation))
    assert words in browser.get(build_url("conversation", conversation)).content.decode()


def test_a_refusal_is_quoted_and_can_be_retried(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.status = 404
    endpoint.steps = [{"error": {"code": 404, "message": "no such endpoint", "status": "NOT_FOUND"}}]
    turn = post_question(browser, conversation)
    assert read_text(browser, turn) == ""
    turn.refresh_from_db()
    assert (turn.state, turn.error["kind"], turn.error["code"]) == (State.FAILED, "NotFound", 404)
    assert "no such endpoint" in browser.get(build_url("conversation", conversation)).content.decode()

    endpoint.status = 200
    endpoint.set_answer("now it works")
    page = browser.post(build_url("ask_again", conversation), follow=True).content.decode()
    assert "now it works" in page
    assert [turn.prompt for turn in conversation.turn_set.all()] == ["hello"]


def test_ask_again_uses_the_pages_settings_and_keeps_the_typed_text(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.set_answer("one")
    read_text(browser, post_question(browser, conversation))
    again = build_url("ask_again", conversation)
    refused = browser.post(again, {"temperature": "9", "prompt": "half a"}, headers=HTMX).content.decode()
    assert "Enter a temperature from 0 to 2." in refused
    assert "half a</textarea>" in refused
    assert conversation.turn_set.get().reply == "one"

    taken = browser.post(again, {"temperature": "1", "prompt": "half a"}, headers=HTMX).content.decode()
    assert "half a</textarea>" in taken
    read_text(browser, conversation.turn_set.get())
    assert endpoint.bodies[1]["generationConfig"] == {"temperature": 1.0}


def test_a_waiting_turn_can_be_answered_without_javascript(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.set_answer("here it is")
    post_question(browser, conversation)
    assert "Get answer" in browser.get(conversation.get_absolute_url()).content.decode()
    page = browser.post(build_url("ask_again", conversation), follow=True).content.decode()
    assert "here it is" in page
    assert conversation.turn_set.count() == 1


def test_an_unreachable_endpoint_is_reported(
    browser: Client, conversation: Conversation, settings: Any
) -> None:
    settings.ENGINE_URL = "http://127.0.0.1:9"
    turn = post_question(browser, conversation)
    read_text(browser, turn)
    turn.refresh_from_db()
    assert (turn.state, turn.error["kind"]) == (State.FAILED, "NotSent")
    assert (
        "The local engine isn’t responding."
        in browser.get(turn.conversation.get_absolute_url()).content.decode()
    )


def test_an_error_in_the_middle_keeps_the_text(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.steps = [
        build_response("so far"),
        {"error": {"code": 500, "message": "boom", "status": "INTERNAL"}},
    ]
    turn = post_question(browser, conversation)
    read_text(browser, turn)
    turn.refresh_from_db()
    assert (turn.state, turn.reply, turn.error["message"]) == (State.BROKEN, "so far", "boom")


# ---- stop, leave, two readers ----


def test_stop_keeps_the_text_and_closes_the_call(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    go_on = Event()
    endpoint.steps = [build_response("one "), go_on, *MORE]
    turn = post_question(browser, conversation)
    blocks = iter_blocks(browser, turn)
    assert any("one " in block for block in blocks)
    assert browser.post(build_url("stop", conversation, turn.pk), headers=HTMX).status_code == 204
    rest = list(blocks)
    assert rest[-1].startswith("event: end\n")

    turn.refresh_from_db()
    assert (turn.state, turn.reply) == (State.STOPPED, "one ")
    assert turn.seconds is not None
    go_on.set()
    assert endpoint.hung_up.wait(60)
    assert "Stopped" in browser.get(build_url("conversation", conversation)).content.decode()


@LEAVES
def test_a_leaving_reader_stops_the_answer_and_keeps_the_text(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    go_on = Event()
    endpoint.steps = [build_response("one "), go_on, *MORE]
    turn = post_question(browser, conversation)
    response = browser.get(build_url("stream", conversation, turn.pk))
    blocks = iter(response)
    while b"one " not in next(blocks):
        pass
    response.close()

    turn.refresh_from_db()
    assert (turn.state, turn.reply, turn.error) == (State.STOPPED, "one ", {"kind": "Left"})
    go_on.set()
    assert endpoint.hung_up.wait(60)
    shown = browser.get(build_url("conversation", conversation)).content.decode()
    assert "The page was closed before the answer was complete." in shown


def test_a_turn_stopped_before_it_starts_is_never_answered(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    turn = post_question(browser, conversation)
    browser.post(build_url("stop", conversation, turn.pk))
    assert read_text(browser, turn) == ""
    turn.refresh_from_db()
    assert turn.state == State.STOPPED
    assert endpoint.bodies == []


def test_a_silent_endpoint_sends_keep_alive_comments(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    go_on = Event()
    endpoint.steps = [go_on, build_response("late", "STOP")]
    blocks = iter_blocks(browser, post_question(browser, conversation))
    assert next(blocks).startswith("retry:")
    assert next(blocks) == ":\n\n"
    go_on.set()
    assert "late" in "".join(blocks)


def test_an_abandoned_answer_is_marked_cut_off(browser: Client, conversation: Conversation) -> None:
    turn = Turn.objects.create(
        conversation=conversation,
        prompt="hello",
        reply="so far",
        state=State.STREAMING,
        touched_at=timezone.now() - 2 * SILENCE_TIMEOUT,
    )
    assert read_text(browser, turn) == "so far"
    turn.refresh_from_db()
    assert turn.state == State.BROKEN
    assert conversation.ask("next") is not None


def test_a_live_answer_is_tailed_and_not_abandoned(browser: Client, conversation: Conversation) -> None:
    turn = Turn.objects.create(
        conversation=conversation, prompt="hello", state=State.STREAMING, touched_at=timezone.now()
    )
    blocks = iter_blocks(browser, turn)
    next(blocks)
    next(blocks)
    turn.save_progress("first", timezone.now())
    assert '"first"' in next(blocks)
    turn.finish(State.COMPLETE, reply="first second")
    assert '" second"' in next(blocks)
    assert next(blocks).startswith("event: end\n")


@LEAVES
def test_a_busy_worker_answers_503_with_retry_after(
    browser: Client, conversation: Conversation, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.steps = [Event()]
    wait_for_all_slots()
    turns = [post_question(browser, copy_conversation(conversation)) for _ in range(sse.MAX_STREAMS + 1)]
    *served, refused = [open_stream(browser, turn) for turn in turns]
    assert {response.status_code for response in served} == {200}
    assert (refused.status_code, refused["Retry-After"]) == (503, "3")
    assert "Retrying automatically." in refused.content.decode()
    turns[-1].refresh_from_db()
    assert turns[-1].state == State.WAITING

    without_script = browser.post(
        build_url("ask", copy_conversation(conversation)), {"prompt": "hi"}, follow=True
    ).content.decode()
    assert "limit of simultaneous chats" in without_script
    for response in served:
        response.close()
    again = open_stream(browser, turns[-1])
    assert again.status_code == 200
    again.close()


def wait_for_all_slots() -> None:
    """Wait until streams of earlier tests have released their slots."""
    gc.collect()
    taken = [sse.slots.acquire(timeout=120) for _ in range(sse.MAX_STREAMS)]
    for _slot in filter(None, taken):
        sse.slots.release()
    assert all(taken)


def copy_conversation(conversation: Conversation) -> Conversation:
    return Conversation.objects.create(
        project=conversation.project,
        owner=conversation.owner,
        job=conversation.job,
        resource=conversation.resource,
    )


def open_stream(browser: Client, turn: Turn) -> Any:
    return browser.get(build_url("stream", turn.conversation, turn.pk))


def test_a_viewer_tails_an_answer_but_never_starts_one(
    browser: Client,
    conversation: Conversation,
    endpoint: Endpoint,
    person: Callable[..., User],
    browser_of: Callable[[User], Client],
) -> None:
    endpoint.set_answer("the answer")
    turn = post_question(browser, conversation)
    viewer = browser_of(person(Role.VIEWER))
    assert read_text(viewer, turn) == ""
    turn.refresh_from_db()
    assert turn.state == State.WAITING
    assert "data-stream" not in viewer.get(build_url("conversation", conversation)).content.decode()
    read_text(browser, turn)
    assert read_text(viewer, turn) == "the answer"


def test_a_turn_is_a_fragment_for_htmx_and_a_redirect_otherwise(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.set_answer("done")
    turn = post_question(browser, conversation)
    live = browser.get(build_url("turn", conversation, turn.pk), headers=HTMX).content.decode()
    assert 'aria-busy="true"' in live
    assert "Stop" in live
    read_text(browser, turn)
    ended = browser.get(build_url("turn", conversation, turn.pk), headers=HTMX).content.decode()
    assert "aria-busy" not in ended
    assert "Submit" in ended
    assert "<html" not in ended
    plain = browser.get(build_url("turn", conversation, turn.pk))
    assert plain.url == f"{conversation.get_absolute_url()}#turn-{turn.pk}"
