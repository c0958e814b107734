"""The template context of every page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from studio.models import Project


def frame_context(request: HttpRequest) -> dict[str, Any]:
    """Return the project, the person's role in it, their other projects, and the theme."""
    user = getattr(request, "user", None)
    project = getattr(request, "project", None)
    theme = request.COOKIES.get("theme", "")
    context: dict[str, Any] = {
        "project": project,
        "role": getattr(request, "role", None),
        "theme": theme if theme in {"light", "dark"} else "",
        "plain_http_notice": settings.PLAIN_HTTP,
    }
    if user and user.is_authenticated:
        context["projects"] = Project.objects.visible_to(user)
    return context
