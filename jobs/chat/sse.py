"""A turn as server-sent events, for a limited number of readers at a time."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _

from jobs.chat.generation import stream_text
from jobs.chat.models import Turn

MAX_STREAMS = 8
"""Of a worker's 12 threads; the others go on answering pages."""
RETRY_AFTER = 3
slots = threading.BoundedSemaphore(MAX_STREAMS)


class SlotHolder(Iterator[str]):
    """Events that hold a slot until they are closed, also if nobody ever read one."""

    def __init__(self, events: Generator[str, None, None]) -> None:
        self.events = events
        self.held = True

    def __next__(self) -> str:
        return next(self.events)

    def close(self) -> None:
        try:
            self.events.close()
        finally:
            if self.held:
                self.held = False
                slots.release()


def build_stream_response(turn: Turn, may_answer: bool) -> HttpResponse | StreamingHttpResponse:
    if not slots.acquire(blocking=False):
        return build_busy_response()
    response = StreamingHttpResponse(
        SlotHolder(events(turn, may_answer)), content_type="text/event-stream; charset=utf-8"
    )
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


def answer_without_stream(turn: Turn) -> bool:
    """For pages without JavaScript: brings the whole answer at once; False if all slots are taken."""
    if not slots.acquire(blocking=False):
        return False
    with closing(SlotHolder(stream_text(turn, may_answer=True))) as answer:
        for _text in answer:
            pass
    return True


def build_busy_response() -> HttpResponse:
    refusal = HttpResponse(get_busy_message(), status=503, content_type="text/plain; charset=utf-8")
    refusal["Retry-After"] = str(RETRY_AFTER)
    return refusal


def get_busy_message() -> str:
    return _("The server is at its limit of simultaneous chats. Retrying automatically.")


def events(turn: Turn, may_answer: bool) -> Generator[str, None, None]:
    """Text as `{"text": ...}`, a comment line while nothing comes, and an event named `end` at the end.

    The first bytes go out before the model has said a word, so that the browser knows the stream stands.
    """
    yield f"retry: {RETRY_AFTER * 1000}\n\n"
    with closing(stream_text(turn, may_answer)) as texts:
        for text in texts:
            yield format_event({"text": text}) if text else ":\n\n"
    yield format_event({}, "end")


def format_event(data: dict[str, Any], name: str = "message") -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
