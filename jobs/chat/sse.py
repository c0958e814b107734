"""Server-sent events of a turn, for a limited number of simultaneous streams."""

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
"""Of a worker's 16 threads. 4 more may read uploads (studio/operation/web_worker.py); 4 remain for pages."""
RETRY_AFTER = 3
"""Seconds until the browser asks again, as Retry-After and as the stream's `retry`. A choice: short for a
reader who waits, and at most one more request in three seconds from each page."""
slots = threading.BoundedSemaphore(MAX_STREAMS)


class SlotHolder(Iterator[str]):
    """Events that hold a slot until they are closed, even if they were never read."""

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
    """Generate the whole answer, for pages without JavaScript. Return False if no slot is free."""
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
    """Yield events with `{"text": ...}`, comment lines while waiting, and finally an event named `end`.

    The first bytes are sent before the model responds, so that the browser knows the stream is open.
    """
    yield f"retry: {RETRY_AFTER * 1000}\n\n"
    with closing(stream_text(turn, may_answer)) as texts:
        for text in texts:
            yield format_event({"text": text}) if text else ":\n\n"
    yield format_event({}, "end")


def format_event(data: dict[str, Any], name: str = "message") -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
