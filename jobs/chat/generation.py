"""Brings a turn's answer from its endpoint, or follows the one who does; the row holds what has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

from django.db import close_old_connections, connection
from django.utils import timezone

from jobs.chat.background_reader import Pump
from jobs.chat.models import Turn
from jobs.chat.request import generate_request
from jobs.chat.response_parser import Answer
from studio.vertex.errors import StreamBroken, VertexError

TICK = 0.5
"""Seconds after which a silent endpoint lets the reader look at the row and give a sign of life."""
State = Turn.State
Ending = tuple[str, dict[str, Any]]


def pieces(turn: Turn, may_answer: bool) -> Generator[str, None, None]:
    """The answer's text as it comes, "" while nothing does. Only one reader of a turn generates."""
    if may_answer and turn.claim(timezone.now()):
        return generate(turn)
    return follow(turn)


def generate(turn: Turn) -> Generator[str, None, None]:
    """For the one who has claimed the turn: its end is stored however it comes, also when this is closed."""
    answer, started = Answer(), time.monotonic()
    ending: Ending = (State.BROKEN, {"kind": "Interrupted"})
    try:
        with closing(Pump(source(turn), TICK)) as pump:
            yield from kept(turn, answer, pump)
        ending = outcome(answer)
    except GeneratorExit:
        ending = (State.STOPPED, {"kind": "Left"})
        raise
    except VertexError as error:
        ending = failure(error, answer)
    finally:
        store(turn, answer, ending, time.monotonic() - started)


def source(turn: Turn) -> Callable[[], Iterator[dict[str, Any]]]:
    """The call to the endpoint, ready to be made from a thread that has no database."""
    conversation = turn.conversation
    body = generate_request([*conversation.turn_set.filter(pk__lt=turn.pk), turn], conversation)
    vertex = conversation.project.vertex()
    return lambda: vertex.stream_generate_content(conversation.resource, body)


def kept(turn: Turn, answer: Answer, pump: Pump[dict[str, Any]]) -> Iterator[str]:
    """Text as it comes, stored every TICK; ends early when somebody has stopped the turn."""
    next_time = time.monotonic() + TICK
    for element in pump:
        text = answer.absorb(element) if element is not None else ""
        if time.monotonic() >= next_time:
            drop_old_connection()
            if not turn.keep(answer.text, timezone.now()):
                return
            next_time = time.monotonic() + TICK
        yield text
    yield answer.end()


def outcome(answer: Answer) -> Ending:
    if answer.block_reason:
        blocked = {"kind": "PromptBlocked", "reason": answer.block_reason, "message": answer.block_message}
        return State.FAILED, blocked
    return State.COMPLETE, {}


def failure(error: VertexError, answer: Answer) -> Ending:
    state = State.BROKEN if answer.text or isinstance(error, StreamBroken) else State.FAILED
    facts = {"message": error.message, "code": error.code, "status": error.status, "reason": error.reason}
    return state, {"kind": type(error).__name__, **facts}


def store(turn: Turn, answer: Answer, ending: Ending, seconds: float) -> None:
    state, error = ending
    drop_old_connection()
    turn.settle(
        state,
        error=error,
        reply=answer.text,
        finish_reason=answer.finish_reason[:40],
        usage=answer.usage,
        model_version=answer.model_version,
        seconds=seconds,
    )


def follow(turn: Turn) -> Generator[str, None, None]:
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
