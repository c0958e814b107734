"""Few passwords are hashed at once: each takes a core for a while, so that a crowd would stop every page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

PLACES = 4
"""Of a process: one whose password is hashed, and three that wait for about a second at most. They hold four
of its 12 threads, so that pages go on."""
RETRY_AFTER = 3
"""Seconds: until then the places have been given several times."""

_places = threading.BoundedSemaphore(PLACES)
_turn = threading.Lock()


class TooBusy(Exception):
    """All places are taken."""


@contextmanager
def take_turn() -> Iterator[None]:
    """Wait for the turn and hold it. Raise TooBusy at once if no place to wait is free."""
    if not _places.acquire(blocking=False):
        raise TooBusy
    try:
        with _turn:
            yield
    finally:
        _places.release()


def queue_passwords(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let the forms of a view wait for their turn; answer with 503 where too many wait already."""

    @wraps(view)
    def view_wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        try:
            with take_turn():
                return view(request, *args, **kwargs)
        except TooBusy:
            response = render(request, "studio/people/busy.html", status=503)
            response["Retry-After"] = str(RETRY_AFTER)
            return response

    return view_wrapper
