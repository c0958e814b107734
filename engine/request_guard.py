"""Access: requests from this machine, or with the token; never from a web page."""

import hmac
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from engine.protojson.errors import ApiError, as_api_error, error_response

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
HEALTH = "/healthz"
CONTENT_TYPE = "engine.content_type"


class RequestGuard:
    """Middleware. ENGINE_HOSTS: further Host names; ENGINE_TOKEN_FILE: the token that callers must send.

    A page of another site reaches a server on this machine through the visitor's browser: with an Origin
    header, or under a Host name that only looks local after a change of its DNS entry.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.hosts = LOOPBACK | {
            name.strip().lower() for name in os.environ.get("ENGINE_HOSTS", "").split(",")
        }
        self.token = read_token(os.environ.get("ENGINE_TOKEN_FILE", ""))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            error = self.check_request(request)
        except SuspiciousOperation as refusal:
            error = as_api_error(refusal)
        return error_response(request, error) if error else self.get_response(request)

    def check_request(self, request: HttpRequest) -> ApiError | None:
        if parse_host_name(request.headers.get("Host", "")) not in self.hosts:
            return ApiError("PERMISSION_DENIED", "Unknown Host header. Add it to ENGINE_HOSTS to allow it.")
        if "Origin" in request.headers:
            return ApiError("PERMISSION_DENIED", "Requests from web pages are not allowed.")
        if self.token and request.path != HEALTH and not self.has_valid_token(request):
            message = (
                "Request had invalid authentication credentials. Send the engine's token as a Bearer token."
            )
            return ApiError("UNAUTHENTICATED", message)
        return None

    def has_valid_token(self, request: HttpRequest) -> bool:
        shown = (
            request.headers.get("Authorization", "").removeprefix("Bearer ").strip(),
            request.headers.get("X-Goog-Api-Key", ""),
            request.GET.get("access_token", ""),
            request.GET.get("key", ""),
        )
        return any(hmac.compare_digest(text.encode(), self.token.encode()) for text in shown)


def hide_content_type(application: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the WSGI application: Django would decode the query with the header's charset, and fail on some
    before any middleware sees the request. The views of uploads find the header in the environment."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        environ[CONTENT_TYPE] = environ.pop("CONTENT_TYPE", "")
        return application(environ, start_response)

    return serve


def read_token(file: str) -> str:
    return Path(file).read_text().strip() if file else ""


def parse_host_name(header: str) -> str:
    """The name in a Host header, without port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()
