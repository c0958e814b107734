"""Create the default project once the database is migrated."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate


class StudioConfig(AppConfig):
    name = "studio"

    def ready(self) -> None:
        post_migrate.connect(make_default_project, sender=self)


def make_default_project(using: str, **kwargs: Any) -> None:
    """Create the project "Local engine" in a new installation."""
    from studio.models import FIRST_PROJECT_NAME, Project

    if settings.ENGINE and not Project.objects.using(using).exists():
        Project.objects.using(using).create(
            slug="local", name=FIRST_PROJECT_NAME, project_id="local", regions=["us-central1"]
        )
