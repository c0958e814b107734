"""The template context of every page."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from studio import disk_space
from studio.models import Project, Role


def frame_context(request: HttpRequest) -> dict[str, Any]:
    """Return the project, the person's role in it, their other projects, the theme and the notices; for an
    admin, also the regions that another project has, too."""
    user = getattr(request, "user", None)
    project = getattr(request, "project", None)
    role = getattr(request, "role", None)
    theme = request.COOKIES.get("theme", "")
    context: dict[str, Any] = {
        "project": project,
        "role": role,
        "theme": theme if theme in {"light", "dark"} else "",
        "plain_http_notice": settings.PLAIN_HTTP,
        "disk_is_full": disk_space.is_full(),
    }
    if user and user.is_authenticated:
        context["projects"] = Project.objects.visible_to(user)
    if project and user and role == Role.ADMIN:
        # A callable, since only whole pages show it.
        context["contested_regions"] = partial(project.describe_contested_regions, user)
    return context
