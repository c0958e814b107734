"""Views that belong to no other folder: the choice of language, and the error page."""

from __future__ import annotations

import sys

from django.contrib.auth.decorators import login_not_required
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.i18n import set_language

language = login_not_required(set_language)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return 500, or 503 if the database does not respond. Uses no database itself."""
    unreachable = isinstance(sys.exc_info()[1], OperationalError)
    page = render_to_string("500.html", {"unreachable": unreachable})
    headers = {"Retry-After": "5"} if unreachable else {}
    return HttpResponse(page, status=503 if unreachable else 500, headers=headers)
