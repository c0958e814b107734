"""The WSGI application that gunicorn serves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
serve = get_wsgi_application()

# After the settings, which its imports read.
from studio.pages.request_guard import normalize_content_type  # noqa: E402


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django fails on an odd Content-Type before any middleware sees the request."""
    environ["CONTENT_TYPE"] = normalize_content_type(environ.get("CONTENT_TYPE", ""))
    return serve(environ, start_response)
