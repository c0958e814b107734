"""Generates a turn's answer, or follows the request that does; the text so far is stored in the row."""

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
"""Seconds between saves of the row, where a stop is noticed: short enough that Stop feels immediate."""
State = Turn.State
Ending = tuple[str, dict[str, Any]]


def stream_text(turn: Turn, may_answer: bool) -> Generator[str, None, None]:
    """Yield the answer's text as it arrives, and "" while waiting. Only one request generates a turn."""
    if may_answer and turn.claim(timezone.now()):
        return generate(turn)
    return tail(turn)


def generate(turn: Turn) -> Generator[str, None, None]:
    """Generate the answer of a claimed turn. Its end is always stored, even if this generator is closed."""
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
    """Return the prepared call to the endpoint, for a thread without database access."""
    conversation = turn.conversation
    body = build_generate_request([*conversation.turn_set.filter(pk__lt=turn.pk), turn], conversation)
    vertex = conversation.project.vertex()
    return lambda: vertex.stream_generate_content(conversation.resource, body)


def persist_while_streaming(
    turn: Turn, answer: StreamedAnswer, pump: BackgroundReader[dict[str, Any]]
) -> Iterator[str]:
    """Yield the text as it arrives and store it every TICK; end early if the turn was stopped."""
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
    """Yield the text that another request stores, until the turn ends."""
    sent_length = 0
    while True:
        drop_old_connection()
        this = Turn.objects.filter(pk=turn.pk)
        this.abandon_silent(timezone.now())
        state, reply = this.values_list("state", "reply").first() or (State.STOPPED, "")
        yield reply[sent_length:]
        sent_length = max(sent_length, len(reply))
        if state != State.STREAMING:
            return
        time.sleep(TICK)


def drop_old_connection() -> None:
    """Close an expired database connection: Django checks its age at the start of requests only."""
    if not connection.in_atomic_block:
        close_old_connections()
