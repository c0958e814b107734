"""Faults on demand, for tests: only where ENGINE_FAULTS=1 is set.

The header `X-Engine-Fault` makes the answer to its request go wrong, in one way or several:

    status=503    answer with this status instead: in the service's error envelope where the service has
                  such an answer itself, otherwise in HTML, as front ends do (502)
    delay=2       wait so many seconds first
    cut=100       send only the first 100 bytes of the answer's body, then drop the connection
    drop=1        drop the connection without an answer
    after=1       carry the request out first: with status or drop, the client does not learn the outcome

Example: `X-Engine-Fault: drop=1; after=1` creates a tuning job and loses the answer.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator

from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from engine.protojson.errors import STATUSES, ApiError, error_response


class FaultMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if os.environ.get("ENGINE_FAULTS") != "1":
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        fault = parse_faults(request.headers.get("X-Engine-Fault", ""))
        time.sleep(fault.get("delay", 0))
        if fault.get("after"):
            self.get_response(request).close()
        if fault.get("drop"):
            drop_connection(request)
            return HttpResponse()
        if "status" in fault:
            return force_status(request, int(fault["status"]))
        response = self.get_response(request)
        return cut_response(request, response, int(fault["cut"])) if "cut" in fault else response


def parse_faults(header: str) -> dict[str, float]:
    pairs = (part.partition("=") for part in header.split(";") if "=" in part)
    return {name.strip(): float(value) for name, _, value in pairs}


def force_status(request: HttpRequest, code: int) -> HttpResponse:
    names = {http: name for name, (http, _) in reversed(STATUSES.items())}
    text = f"Injected fault: {code}."
    if code in names:
        return error_response(request, ApiError(names[code], text))
    return HttpResponse(f"<!DOCTYPE html><title>Error {code}</title><p>{text}", status=code)


def drop_connection(request: HttpRequest) -> None:
    connection: socket.socket = request.META["gunicorn.socket"]
    connection.shutdown(socket.SHUT_RDWR)


def cut_response(request: HttpRequest, response: HttpResponseBase, length: int) -> HttpResponseBase:
    """The same answer, whose body ends early; its headers still promise all of it."""
    whole = b"".join(map(response.make_bytes, response))
    short = StreamingHttpResponse(_send_then_drop(request, whole[:length]), status=response.status_code)
    for name, value in response.items():
        short[name] = value
    short["Content-Length"] = str(len(whole))
    return short


def _send_then_drop(request: HttpRequest, content: bytes) -> Iterator[bytes]:
    yield content
    drop_connection(request)
