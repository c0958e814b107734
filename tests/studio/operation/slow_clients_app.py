"""A small application for a real gunicorn: a page, a large answer, and the number of bytes of a body."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from studio.operation import paced_socket, web_worker

LARGE = b"x" * 16_000_000
# Tests of lateness wait for less.
if seconds := float(os.environ.get("TEST_PATIENCE", "0")):
    paced_socket.PATIENCE = web_worker.PATIENCE = seconds


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = environ["wsgi.input"]
    received = 0
    while block := body.read(65536):
        received += len(block)
    answer = LARGE if environ["PATH_INFO"] == "/large" else str(received).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
