"""The body of a request: read within a limit, and with an API error where it breaks off or is malformed."""

from typing import Protocol

from django.http import HttpRequest
from gunicorn.http.errors import NoMoreData, ParseException

from engine.protojson.errors import invalid_argument

MAX_BODY = 32 * 2**20  # bytes: more than a chat at a model's longest context, and 16 at once fit in memory


class ByteStream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class RequestBody:
    """The raw bytes; Django's own reader takes a body of unknown length for an empty one."""

    def __init__(self, request: HttpRequest) -> None:
        self._stream: ByteStream = request.META["wsgi.input"]

    def read(self, size: int, /) -> bytes:
        """Raises INVALID_ARGUMENT for a broken chunk, and for a client that left."""
        try:
            return self._stream.read(size)
        except (NoMoreData, ParseException):
            raise invalid_argument("The body of the request is malformed or incomplete.") from None


def read_body_text(request: HttpRequest) -> str:
    body = RequestBody(request).read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise invalid_argument(f"Request payload size exceeds the limit: {MAX_BODY} bytes.")
    try:
        return str(body, "utf-8").strip()
    except UnicodeDecodeError as error:
        raise invalid_argument(f"Invalid JSON payload received. Byte {error.start} is not UTF-8.") from None
