"""A region of a Google Cloud project, or of the engine, belongs to one project of this installation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from studio.models import Project


def lock_regions() -> None:
    """Let one transaction at a time compare and change the regions of projects. On SQLite, every transaction
    that writes has the database to itself from its beginning."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE studio_project IN SHARE ROW EXCLUSIVE MODE")


@dataclass(frozen=True, slots=True)
class RegionOwner:
    """Another project that has a region on the same backend, with the same project ID."""

    region: str
    project: Project

    def describe(self, reader: User | AnonymousUser) -> str:
        """Return a sentence; the project's name is for its members only."""
        facts = {"region": self.region, "id": self.project.project_id, "name": self.project.title}
        if self.project.role_of(reader):
            return _("%(region)s of %(id)s belongs to the project “%(name)s”.") % facts
        return _("%(region)s of %(id)s belongs to another project.") % facts


def find_region_owners(project: Project, regions: Collection[str]) -> list[RegionOwner]:
    same = type(project).objects.filter(backend=project.backend, project_id=project.project_id)
    return [
        RegionOwner(region, other)
        for other in same.exclude(pk=project.pk)
        for region in other.regions
        if region in regions
    ]
