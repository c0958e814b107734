"""What the frame of every page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest

from studio.models import Project

if TYPE_CHECKING:
    pass


def frame_context(request: HttpRequest) -> dict[str, Any]:
    """What the frame of every page shows: the project, the person's role, the other projects, the theme."""
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
