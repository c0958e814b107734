"""Views that belong to no other folder: the choice of language, and two error pages."""

from __future__ import annotations

import sys
from http import HTTPStatus

from django.contrib.auth.decorators import login_not_required
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.i18n import set_language

from studio import disk_space

language = login_not_required(set_language)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Return 400. Reads nothing of the request's body, which may be what can't be read."""
    return render(request, "400.html", status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return 507 if a disk is full, 503 if the database does not respond, else 500. Uses no database."""
    error = sys.exc_info()[1]
    full = disk_space.is_out_of_space(error)
    if full:
        disk_space.record_failed_write()
    unreachable = isinstance(error, OperationalError) and not full
    page = render_to_string("500.html", {"full": full, "unreachable": unreachable})
    headers = {"Retry-After": "5"} if unreachable or full else {}
    return HttpResponse(page, status=choose_status(full, unreachable), headers=headers)


def choose_status(full: bool, unreachable: bool) -> HTTPStatus:
    if full:
        return HTTPStatus.INSUFFICIENT_STORAGE
    return HTTPStatus.SERVICE_UNAVAILABLE if unreachable else HTTPStatus.INTERNAL_SERVER_ERROR
