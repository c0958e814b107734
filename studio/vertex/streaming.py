"""Response bodies: a whole one within a time limit, or the elements of a streamed answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import requests
import urllib3.exceptions

from studio.vertex.errors import DEADLINE, OutcomeUnknown, StreamBroken, from_error, from_exception

# Bytes per read: a small answer in one read, and little memory for each open stream.
PIECE = 65536
Json = dict[str, Any]


def read_all(response: requests.Response, seconds: float) -> bytes:
    """Return the body. The limit is for all of it: a timeout on silence never catches a server that drips."""
    until = time.monotonic() + seconds
    body = bytearray()
    for piece in iter_raw(response):
        body += piece
        if time.monotonic() > until:
            raise OutcomeUnknown("The server took too long to answer.", status=DEADLINE)
    return bytes(body)


def iter_raw(response: requests.Response) -> Iterator[bytes]:
    """Yield the decoded body in the portions in which it arrives."""
    try:
        while piece := response.raw.read1(PIECE, decode_content=True):
            yield piece
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise from_exception(error) from None


def iter_responses(response: requests.Response) -> Iterator[Json]:
    """Yield the GenerateContentResponses of a stream; raise StreamBroken if none of them is final.

    https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints/streamGenerateContent
    """
    ended = False
    try:
        for data in events(iter_raw(response)):
            element = _parse_response(data)
            ended = ended or _is_final(element)
            yield element
    except OutcomeUnknown as error:
        raise StreamBroken(error.message, code=error.code, status=error.status) from None
    if not ended:
        raise StreamBroken("The answer stopped before its end.")


def events(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the data of each server-sent event; one that is cut off by the end of the stream is dropped."""
    lines: list[bytes] = []
    for line in _lines(chunks):
        if line.startswith(b"data:"):
            lines.append(line[5:].removeprefix(b" "))
        elif not line and lines:
            yield b"\n".join(lines)
            lines.clear()


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *full, rest = (rest + chunk).split(b"\n")
        for line in full:
            yield line.removesuffix(b"\r")


def _parse_response(data: bytes) -> Json:
    try:
        element = json.loads(data)
    except (ValueError, RecursionError):
        raise StreamBroken("The server streamed something that is not JSON.") from None
    if not isinstance(element, dict):
        raise StreamBroken("The server streamed something that is not an answer.")
    if isinstance(element.get("error"), dict):
        raise from_error(element["error"])
    return element


def _is_final(element: Json) -> bool:
    """Whether a candidate has finished, or the prompt was blocked and gets no candidate."""
    finished = any(candidate.get("finishReason") for candidate in element.get("candidates") or [])
    return finished or bool((element.get("promptFeedback") or {}).get("blockReason"))
