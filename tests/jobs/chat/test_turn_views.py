"""Ask, stream, stop, as a browser does it, against an endpoint that says what the test tells it to."""

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
from jobs.chat.models import SILENCE, Conversation, Turn
from studio.models import Role
from tests.jobs.chat.conftest import CUT, ENDPOINT, Endpoint, piece

State = Turn.State
HTMX = {"HX-Request": "true"}
LEAVES = pytest.mark.django_db(transaction=True)
"""Closing a response closes its database connection: no test in one transaction survives that."""


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def address(name: str, conversation: Conversation, *more: int) -> str:
    return reverse(f"talk:{name}", args=["local", conversation.pk, *more])


def ask(browser: Client, conversation: Conversation, prompt: str = "hello", **data: Any) -> Turn:
    """As the page with JavaScript does it: the turn is stored and waits for its stream."""
    page = browser.post(address("ask", conversation), {"prompt": prompt, **data}, headers=HTMX)
    assert page.status_code == 200
    return conversation.turn_set.latest("pk")


def stream(browser: Client, turn: Turn) -> Iterator[str]:
    """The events' blocks as they come."""
    response = browser.get(address("stream", turn.conversation, turn.pk))
    assert response.status_code == 200
    for block in response:
        yield block.decode()


def read(browser: Client, turn: Turn) -> str:
    """The text that a browser would show once the stream has ended."""
    blocks = list(stream(browser, turn))
    assert blocks[-1].startswith("event: end\n")
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("data: ")]
    return "".join(json.loads(line[6:]).get("text", "") for line in lines)


def test_an_answer_is_streamed_and_stored_with_its_facts(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.says("pending", "_top_up", promptTokenCount=33, candidatesTokenCount=5, totalTokenCount=38)
    turn = ask(browser, conversation, "where is my money?")
    assert turn.state == State.WAITING
    assert read(browser, turn) == "pending_top_up"

    turn.refresh_from_db()
    assert (turn.state, turn.reply, turn.finish_reason) == (State.COMPLETE, "pending_top_up", "STOP")
    assert turn.usage["totalTokenCount"] == 38
    assert turn.seconds is not None and 0 < turn.seconds < 10
    assert endpoint.paths == [f"/v1/{ENDPOINT}:streamGenerateContent?alt=sse"]
    shown = browser.get(address("conversation", conversation)).content.decode()
    assert "33 in · 5 out tokens" in shown
    assert "studio-tiny" in shown
    assert "STOP" in shown


def test_the_stream_is_for_nobodys_cache_and_passes_proxies_unbuffered(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.says("x")
    response = browser.get(address("stream", conversation, ask(browser, conversation).pk))
    assert response["Content-Type"].startswith("text/event-stream")
    assert (response["Cache-Control"], response["X-Accel-Buffering"]) == ("no-store", "no")
    list(response)


def test_a_question_goes_out_with_the_history_and_the_settings_of_its_page(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.says("one")
    read(browser, ask(browser, conversation, "first"))
    settings = {
        "system_instruction": "Be brief.",
        "temperature": "0.5",
        "top_k": "3",
        "stop_sequences": "END",
    }
    read(browser, ask(browser, conversation, "second", **settings))

    body = endpoint.bodies[1]
    said = [(content["role"], content["parts"][0]["text"]) for content in body["contents"]]
    assert said == [("user", "first"), ("model", "one"), ("user", "second")]
    assert body["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert body["generationConfig"] == {"temperature": 0.5, "topK": 3, "stopSequences": ["END"]}
    conversation.refresh_from_db()
    assert (conversation.title, conversation.generation_config["topK"]) == ("first", 3)


def test_an_answered_turn_is_told_again_without_a_second_answer(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.says("once")
    turn = ask(browser, conversation)
    assert [read(browser, turn), read(browser, turn)] == ["once", "once"]
    assert len(endpoint.bodies) == 1


def test_without_javascript_the_answer_is_there_when_the_next_page_comes(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.says("Because ", "of Rayleigh.")
    page = browser.post(address("ask", conversation), {"prompt": "Why is sky blue?"}, follow=True)
    assert page.redirect_chain[0][0].startswith(conversation.get_absolute_url())
    assert "Because of Rayleigh." in page.content.decode()
    assert "data-stream" not in page.content.decode()


def test_markup_in_questions_and_answers_is_shown_as_text(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.says("<script>alert(1)</script>")
    page = browser.post(address("ask", conversation), {"prompt": "<img onerror=x>"}, follow=True).content
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert b"&lt;img onerror=x&gt;" in page
    assert b"<script>alert" not in page


@pytest.mark.parametrize("prompt", ["", " \n "])
def test_a_blank_message_is_refused_in_words(
    browser: Client, conversation: Conversation, prompt: str
) -> None:
    page = browser.post(address("ask", conversation), {"prompt": prompt}, headers=HTMX)
    assert "Write a message first." in page.content.decode()
    assert not Turn.objects.exists()


def test_a_message_of_a_megabyte_is_refused_in_words_and_kept_to_be_shortened(
    browser: Client, conversation: Conversation
) -> None:
    page = browser.post(address("ask", conversation), {"prompt": "é" * 500_000}, headers=HTMX)
    assert "This text has 1000 kB; up to 100 kB can be sent. Shorten it." in page.content.decode()
    assert not Turn.objects.exists()


def test_a_second_question_waits_for_the_first_answer(browser: Client, conversation: Conversation) -> None:
    ask(browser, conversation)
    page = browser.post(address("ask", conversation), {"prompt": "and?"}, headers=HTMX)
    assert "An answer is still on its way." in page.content.decode()
    assert conversation.turn_set.count() == 1


# ---- how answers end ----


def test_an_answer_that_is_cut_keeps_its_text_and_says_so(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.steps = [
        piece("half of "),
        b'data: {"candidates": [{"content": {"parts": [{"text": "\xe3\x81',
        CUT,
    ]
    turn = ask(browser, conversation)
    assert read(browser, turn) == "half of "
    turn.refresh_from_db()
    assert (turn.state, turn.reply, turn.error["kind"]) == (State.BROKEN, "half of ", "StreamBroken")
    shown = browser.get(address("conversation", conversation)).content.decode()
    assert "half of" in shown
    assert "The answer was cut off." in shown
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
        ({"candidates": []}, "The answer was cut off."),
        (piece("some", "NEW_REASON"), "NEW_REASON"),
    ],
)
def test_answers_without_a_proper_end_say_why(
    browser: Client, conversation: Conversation, endpoint: Endpoint, step: dict[str, Any], words: str
) -> None:
    endpoint.steps = [step]
    read(browser, ask(browser, conversation))
    assert words in browser.get(address("conversation", conversation)).content.decode()


def test_an_endpoint_that_refuses_is_quoted_and_can_be_asked_again(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.status = 404
    endpoint.steps = [{"error": {"code": 404, "message": "no such endpoint", "status": "NOT_FOUND"}}]
    turn = ask(browser, conversation)
    assert read(browser, turn) == ""
    turn.refresh_from_db()
    assert (turn.state, turn.error["kind"], turn.error["code"]) == (State.FAILED, "NotFound", 404)
    assert "no such endpoint" in browser.get(address("conversation", conversation)).content.decode()

    endpoint.status = 200
    endpoint.says("now it works")
    page = browser.post(address("ask_again", conversation), follow=True).content.decode()
    assert "now it works" in page
    assert [turn.prompt for turn in conversation.turn_set.all()] == ["hello"]


def test_asking_again_takes_the_pages_settings_and_keeps_what_is_being_typed(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.says("one")
    read(browser, ask(browser, conversation))
    again = address("ask_again", conversation)
    refused = browser.post(again, {"temperature": "9", "prompt": "half a"}, headers=HTMX).content.decode()
    assert "Temperature is a number from 0 to 2." in refused
    assert "half a</textarea>" in refused
    assert conversation.turn_set.get().reply == "one"

    taken = browser.post(again, {"temperature": "1", "prompt": "half a"}, headers=HTMX).content.decode()
    assert "half a</textarea>" in taken
    read(browser, conversation.turn_set.get())
    assert endpoint.bodies[1]["generationConfig"] == {"temperature": 1.0}


def test_a_turn_that_nobody_streams_can_be_answered_without_javascript(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.says("here it is")
    ask(browser, conversation)
    assert "Get the answer" in browser.get(conversation.get_absolute_url()).content.decode()
    page = browser.post(address("ask_again", conversation), follow=True).content.decode()
    assert "here it is" in page
    assert conversation.turn_set.count() == 1


def test_an_endpoint_that_cannot_be_reached_is_said_to_be(
    browser: Client, conversation: Conversation, settings: Any
) -> None:
    settings.ENGINE_URL = "http://127.0.0.1:9"
    turn = ask(browser, conversation)
    read(browser, turn)
    turn.refresh_from_db()
    assert (turn.state, turn.error["kind"]) == (State.FAILED, "NotSent")
    assert (
        "The local engine is not answering."
        in browser.get(turn.conversation.get_absolute_url()).content.decode()
    )


def test_an_error_in_the_middle_keeps_the_text(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.steps = [piece("so far"), {"error": {"code": 500, "message": "boom", "status": "INTERNAL"}}]
    turn = ask(browser, conversation)
    read(browser, turn)
    turn.refresh_from_db()
    assert (turn.state, turn.reply, turn.error["message"]) == (State.BROKEN, "so far", "boom")


# ---- stop, leave, two readers ----


def test_stop_keeps_the_text_and_lets_go_of_the_endpoint(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    go_on = Event()
    endpoint.steps = [piece("one "), go_on, *[piece("more ") for _ in range(2000)]]
    turn = ask(browser, conversation)
    blocks = stream(browser, turn)
    assert any("one " in block for block in [next(blocks), next(blocks)])
    assert browser.post(address("stop", conversation, turn.pk), headers=HTMX).status_code == 204
    rest = list(blocks)
    assert rest[-1].startswith("event: end\n")

    turn.refresh_from_db()
    assert (turn.state, turn.reply) == (State.STOPPED, "one ")
    assert turn.seconds is not None
    go_on.set()
    assert endpoint.hung_up.wait(5)
    assert "Stopped" in browser.get(address("conversation", conversation)).content.decode()


@LEAVES
def test_a_reader_who_leaves_stops_the_answer_and_keeps_the_text(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    go_on = Event()
    endpoint.steps = [piece("one "), go_on, *[piece("more ") for _ in range(2000)]]
    turn = ask(browser, conversation)
    response = browser.get(address("stream", conversation, turn.pk))
    blocks = iter(response)
    while b"one " not in next(blocks):
        pass
    response.close()

    turn.refresh_from_db()
    assert (turn.state, turn.reply, turn.error) == (State.STOPPED, "one ", {"kind": "Left"})
    go_on.set()
    assert endpoint.hung_up.wait(5)
    shown = browser.get(address("conversation", conversation)).content.decode()
    assert "The page was closed before it ended." in shown


def test_a_turn_stopped_before_it_began_is_never_answered(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    turn = ask(browser, conversation)
    browser.post(address("stop", conversation, turn.pk))
    assert read(browser, turn) == ""
    turn.refresh_from_db()
    assert turn.state == State.STOPPED
    assert endpoint.bodies == []


def test_a_silent_endpoint_gets_signs_of_life_through_to_the_reader(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    go_on = Event()
    endpoint.steps = [go_on, piece("late", "STOP")]
    blocks = stream(browser, ask(browser, conversation))
    assert next(blocks).startswith("retry:")
    assert next(blocks) == ":\n\n"
    go_on.set()
    assert "late" in "".join(blocks)


def test_an_answer_whose_process_died_is_settled_as_cut_off(
    browser: Client, conversation: Conversation
) -> None:
    turn = Turn.objects.create(
        conversation=conversation,
        prompt="hello",
        reply="so far",
        state=State.STREAMING,
        touched_at=timezone.now() - 2 * SILENCE,
    )
    assert read(browser, turn) == "so far"
    turn.refresh_from_db()
    assert turn.state == State.BROKEN
    assert conversation.ask("next") is not None


def test_a_living_answer_is_followed_and_not_settled(browser: Client, conversation: Conversation) -> None:
    turn = Turn.objects.create(
        conversation=conversation, prompt="hello", state=State.STREAMING, touched_at=timezone.now()
    )
    blocks = stream(browser, turn)
    next(blocks)
    next(blocks)
    turn.keep("first", timezone.now())
    assert '"first"' in next(blocks)
    turn.settle(State.COMPLETE, reply="first second")
    assert '" second"' in next(blocks)
    assert next(blocks).startswith("event: end\n")


@LEAVES
def test_a_worker_answers_so_many_chats_and_then_says_when_to_come_again(
    browser: Client, conversation: Conversation, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.steps = [Event()]
    wait_for_all_slots()
    turns = [ask(browser, other_like(conversation)) for _ in range(sse.STREAMS + 1)]
    *served, refused = [open_stream(browser, turn) for turn in turns]
    assert {response.status_code for response in served} == {200}
    assert (refused.status_code, refused["Retry-After"]) == (503, "3")
    assert "It tries again by itself." in refused.content.decode()
    turns[-1].refresh_from_db()
    assert turns[-1].state == State.WAITING

    without_script = browser.post(
        address("ask", other_like(conversation)), {"prompt": "hi"}, follow=True
    ).content.decode()
    assert "as many chats as it can" in without_script
    for response in served:
        response.close()
    again = open_stream(browser, turns[-1])
    assert again.status_code == 200
    again.close()


def wait_for_all_slots() -> None:
    """A stream that an earlier test left gives its slot back a moment later."""
    gc.collect()
    taken = [sse.slots.acquire(timeout=20) for _ in range(sse.STREAMS)]
    for _slot in filter(None, taken):
        sse.slots.release()
    assert all(taken)


def other_like(conversation: Conversation) -> Conversation:
    return Conversation.objects.create(
        project=conversation.project,
        owner=conversation.owner,
        job=conversation.job,
        resource=conversation.resource,
    )


def open_stream(browser: Client, turn: Turn) -> Any:
    return browser.get(address("stream", turn.conversation, turn.pk))


def test_a_viewer_reads_what_is_answered_and_never_starts_an_answer(
    browser: Client,
    conversation: Conversation,
    endpoint: Endpoint,
    person: Callable[..., User],
    browser_of: Callable[[User], Client],
) -> None:
    endpoint.says("the answer")
    turn = ask(browser, conversation)
    viewer = browser_of(person(Role.VIEWER))
    assert read(viewer, turn) == ""
    turn.refresh_from_db()
    assert turn.state == State.WAITING
    assert "data-stream" not in viewer.get(address("conversation", conversation)).content.decode()
    read(browser, turn)
    assert read(viewer, turn) == "the answer"


def test_the_turn_alone_is_a_fragment_and_a_link_to_its_page(
    browser: Client, conversation: Conversation, endpoint: Endpoint
) -> None:
    endpoint.says("done")
    turn = ask(browser, conversation)
    live = browser.get(address("turn", conversation, turn.pk), headers=HTMX).content.decode()
    assert 'aria-busy="true"' in live
    assert "Stop" in live
    read(browser, turn)
    ended = browser.get(address("turn", conversation, turn.pk), headers=HTMX).content.decode()
    assert "aria-busy" not in ended
    assert "Submit" in ended
    assert "<html" not in ended
    plain = browser.get(address("turn", conversation, turn.pk))
    assert plain.url == f"{conversation.get_absolute_url()}#turn-{turn.pk}"
