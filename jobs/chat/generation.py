"""Brings a turn's answer from its endpoint, or follows the one who does; the row holds what has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

from django.db import close_old_connections, connection
from django.utils import timezone

from jobs.chat.background_reader import BackgroundReader
from jobs.chat.models import Turn
from jobs.chat.request import build_generate_request
from jobs.chat.response_parser import StreamedAnswer
from studio.vertex.errors import StreamBroken, VertexError

TICK = 0.5
"""Seconds after which a silent endpoint lets the reader look at the row and give a sign of life."""
State = Turn.State
Ending = tuple[str, dict[str, Any]]


def stream_text(turn: Turn, may_answer: bool) -> Generator[str, None, None]:
    """The answer's text as it comes, "" while nothing does. Only one reader of a turn generates."""
    if may_answer and turn.claim(timezone.now()):
        return generate(turn)
    return tail(turn)


def generate(turn: Turn) -> Generator[str, None, None]:
    """For the one who has claimed the turn: its end is stored however it comes, also when this is closed."""
    answer, started = StreamedAnswer(), time.monotonic()
    ending: Ending = (State.BROKEN, {"kind": "Interrupted"})
    try:
        with closing(BackgroundReader(prepare_call(turn), TICK)) as pump:
            yield from persist_while_streaming(turn, answer, pump)
        ending = classify_end(answer)
    except GeneratorExit:
        ending = (State.STOPPED, {"kind": "Left"})
        raise
    except VertexError as error:
        ending = classify_error(error, answer)
    finally:
        store_ending(turn, answer, ending, time.monotonic() - started)


def prepare_call(turn: Turn) -> Callable[[], Iterator[dict[str, Any]]]:
    """The call to the endpoint, ready to be made from a thread that has no database."""
    conversation = turn.conversation
    body = build_generate_request([*conversation.turn_set.filter(pk__lt=turn.pk), turn], conversation)
    vertex = conversation.project.vertex()
    return lambda: vertex.stream_generate_content(conversation.resource, body)


def persist_while_streaming(
    turn: Turn, answer: StreamedAnswer, pump: BackgroundReader[dict[str, Any]]
) -> Iterator[str]:
    """Text as it comes, stored every TICK; ends early when somebody has stopped the turn."""
    next_time = time.monotonic() + TICK
    for element in pump:
        text = answer.add_response(element) if element is not None else ""
        if time.monotonic() >= next_time:
            drop_old_connection()
            if not turn.save_progress(answer.text, timezone.now()):
                return
            next_time = time.monotonic() + TICK
        yield text
    yield answer.finish_text()


def classify_end(answer: StreamedAnswer) -> Ending:
    if answer.block_reason:
        blocked = {"kind": "PromptBlocked", "reason": answer.block_reason, "message": answer.block_message}
        return State.FAILED, blocked
    return State.COMPLETE, {}


def classify_error(error: VertexError, answer: StreamedAnswer) -> Ending:
    state = State.BROKEN if answer.text or isinstance(error, StreamBroken) else State.FAILED
    facts = {"message": error.message, "code": error.code, "status": error.status, "reason": error.reason}
    return state, {"kind": type(error).__name__, **facts}


def store_ending(turn: Turn, answer: StreamedAnswer, ending: Ending, seconds: float) -> None:
    state, error = ending
    drop_old_connection()
    turn.finish(
        state,
        error=error,
        reply=answer.text,
        finish_reason=answer.finish_reason[:40],
        usage=answer.usage,
        model_version=answer.model_version,
        seconds=seconds,
    )


def tail(turn: Turn) -> Generator[str, None, None]:
    """The text that another reader's stream stores, until it ends."""
    sent = 0
    while True:
        drop_old_connection()
        this = Turn.objects.filter(pk=turn.pk)
        this.abandon_silent(timezone.now())
        state, reply = this.values_list("state", "reply").first() or (State.STOPPED, "")
        yield reply[sent:]
        sent = max(sent, len(reply))
        if state != State.STREAMING:
            return
        time.sleep(TICK)


def drop_old_connection() -> None:
    """A stream may outlive its database connection's age, and no request begins inside it to look at that."""
    if not connection.in_atomic_block:
        close_old_connections()
