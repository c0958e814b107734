"""Response bodies: a whole one within limits of time and size, or the elements of a streamed answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import requests
import urllib3.exceptions

from studio.vertex.errors import (
    DEADLINE,
    AnswerTooLarge,
    OutcomeUnknown,
    StreamBroken,
    from_error,
    from_exception,
)
from studio.vertex.storable import iter_items, parse_json

# Bytes per read: a small answer in one read, and little memory for each open stream.
PIECE = 65536
MAX_ANSWER = 32 * 1024 * 1024
"""Bytes of an answer, unpacked. The largest are a list of 100 jobs (some 5 MB) and a curve of 100,000 points
(10 MB); parsed, they take six times as much memory."""
MAX_ERROR = 1024 * 1024
"""Bytes of the body of an error. Google's have some thousand."""
MAX_STREAM = 64 * 1024 * 1024
"""Bytes of a streamed answer. 65,536 tokens, the longest answer of any model, are 32 MB if each comes in an
element of its own; none of them stays in memory."""
MAX_EVENT = 4 * 1024 * 1024
"""Bytes of one element of a stream: ten times the longest answer as one text."""
MEBIBYTE = 1024 * 1024
Json = dict[str, Any]


def read_all(response: requests.Response, seconds: float, most: int = MAX_ANSWER) -> bytes:
    """Return the body. The limits are for all of it: a timeout on silence never catches a server that drips.

    Raises OutcomeUnknown, and AnswerTooLarge for more than `most` bytes.
    """
    until = time.monotonic() + seconds
    body = bytearray()
    for piece in limit_bytes(iter_raw(response), most):
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


def limit_bytes(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Yield the pieces of a body; raise AnswerTooLarge once they have more than `most` bytes."""
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise AnswerTooLarge(f"The server's answer has more than {most // MEBIBYTE} MB.")
        yield piece


def iter_responses(response: requests.Response) -> Iterator[Json]:
    """Yield the GenerateContentResponses of a stream; raise StreamBroken if none of them is final, and
    AnswerTooLarge where it has no end. A text may go on in the next response, even inside a surrogate pair.

    https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints/streamGenerateContent
    """
    ended = False
    try:
        for data in events(limit_bytes(iter_raw(response), MAX_STREAM)):
            element = _parse_response(data)
            ended = ended or _is_final(element)
            yield element
    except AnswerTooLarge:
        raise
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
        if len(rest) > MAX_EVENT:
            raise AnswerTooLarge(f"An element of the stream has more than {MAX_EVENT // MEBIBYTE} MB.")
        for line in full:
            yield line.removesuffix(b"\r")


def _parse_response(data: bytes) -> Json:
    try:
        element = parse_json(data, in_pieces=True)
    except ValueError:
        raise StreamBroken("The server streamed something that is not JSON.") from None
    if not isinstance(element, dict):
        raise StreamBroken("The server streamed something that is not an answer.")
    if isinstance(element.get("error"), dict):
        raise from_error(element["error"])
    return element


def _is_final(element: Json) -> bool:
    """Whether a candidate has finished, or the prompt was blocked and gets no candidate."""
    feedback = element.get("promptFeedback")
    blocked = isinstance(feedback, Mapping) and feedback.get("blockReason")
    return bool(blocked) or any(
        candidate.get("finishReason") for candidate in iter_items(element, "candidates")
    )
