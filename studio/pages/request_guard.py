"""Answers what no view can read: charsets but UTF-8, NUL in an address, numbers larger than any key."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters

from studio.pages.views import bad_request

if TYPE_CHECKING:
    from django.http import QueryDict
    from django.utils.datastructures import MultiValueDict

CHARSETS = {"", "utf-8", "utf8", "ascii", "us-ascii"}
"""Browsers send forms in the charset of the page, which is UTF-8, and name none."""
UNREADABLE = "text/plain; charset=unreadable"
"""Stands for a Content-Type that Django can't parse, or with a charset that it must not use."""
MAX_KEY = 2**63 - 1
"""The largest primary key. SQLite fails for a larger number instead of finding no row."""


class RequestGuard:
    """Middleware. A page with 400 in words, or 404 for a path that can be no object's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_readable(request):
            return bad_request(request)
        request.parse_file_upload = partial(parse_file_upload, request)  # type: ignore[method-assign]
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        if any(isinstance(value, int) and value > MAX_KEY for value in kwargs.values()):
            raise Http404


def is_readable(request: HttpRequest) -> bool:
    """PostgreSQL stores no NUL. A form says so itself at its field, and keeps what was typed."""
    charset = (request.content_params or {}).get("charset", "")
    query = request.META.get("QUERY_STRING", "")
    return is_utf8(charset) and "%00" not in query and "\0" not in query + request.path


def is_utf8(charset: str) -> bool:
    return charset.strip().lower() in CHARSETS


def parse_file_upload(request: HttpRequest, *content: Any) -> tuple[QueryDict, MultiValueDict[str, Any]]:
    """Parse a multipart form. The head of a part may name a charset for the file's name."""
    try:
        return HttpRequest.parse_file_upload(request, *content)
    except (LookupError, TypeError, ValueError) as error:
        # Django reads the head of a part with Python's parser for e-mail, which raises any of these.
        raise MultiPartParserError(f"A part of the form can't be read: {error}") from error


def normalize_content_type(text: str) -> str:
    """Return the header without its charset, or UNREADABLE.

    Django decodes the query with that charset while it builds the request, also if it is none for text, such
    as `zip`.
    """
    try:
        kind, parameters = parse_header_parameters(text)
    except (LookupError, TypeError, ValueError):
        return UNREADABLE
    if "charset" not in parameters:
        return text
    if not is_utf8(parameters["charset"]):
        return UNREADABLE
    boundary = parameters.get("boundary", "")
    return f'{kind}; boundary="{boundary}"' if boundary else kind
