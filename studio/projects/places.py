"""Which objects in Cloud Storage belong to a project: its places.

They are its own bucket or prefix, what an admin shares with it, Google's sample files, and exactly the
objects that its rows name. They bind the projects on the engine, which has one store for all, and the Google
projects that share credentials; a project with credentials of its own reaches whatever those may.

Every address, wherever it comes from, is held against them by the storage that `Project.storage` returns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from studio.formats import join_list
from studio.projects.credentials import has_own_credentials
from studio.vertex.auth import Place
from studio.vertex.errors import BadName
from studio.vertex.gs_folders import SCHEME, is_folder_uri
from studio.vertex.storage import OutsidePlaces, Storage, parse_gs_uri

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from studio.models import Project

ENGINE_BUCKET = "tuning-data"
"""Once the bucket of all projects on the engine: what lies there is theirs whose rows name it."""
ADAPTER_BUCKET = "studio-adapters"
"""The engine's read-only bucket with objects JOB/CHECKPOINT/FILE."""
SAMPLE_FILES = "gs://cloud-samples-data/"
"""The examples of Google's reference pages, which anybody may read."""
ENGINE_OWN = re.compile(rf"({ENGINE_BUCKET}|{ADAPTER_BUCKET})([-.].*)?")
"""Buckets of the engine that no project can name as its own."""
# As Cloud Storage takes it: https://cloud.google.com/storage/docs/buckets#naming
BUCKET_NAME = re.compile(r"(?!goog)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class Places:
    """The places of `project`. `pinned` is an object with its generation that a row in hand names."""

    project: Project
    pinned: tuple[str, int] | None = None

    @cached_property
    def unlimited(self) -> bool:
        return has_own_credentials(self.project)

    @cached_property
    def own(self) -> str:
        """The folder that holds what the project stores, or "" without a bucket. A bucket that several
        projects name has a prefix for each."""
        project = self.project
        if project.on_engine and (not project.bucket or ENGINE_OWN.fullmatch(project.bucket)):
            return f"{SCHEME}{name_engine_bucket(project)}/"
        if project.bucket and not self.unlimited and find_bucket_owners(project).exists():
            return f"{SCHEME}{project.bucket}/projects/{project.slug}/"
        return f"{SCHEME}{project.bucket}/" if project.bucket else ""

    @property
    def shared(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((SAMPLE_FILES, *filter(is_folder_uri, self.project.shared_places))))

    @property
    def shared_list(self) -> str:
        return join_list(self.shared)

    @cached_property
    def folders(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.own, *self.shared)))

    def contains(self, uri: str, generation: int | None = None) -> bool:
        """Whether the project may read this object; without a generation, whether it may read any version."""
        try:
            parse_gs_uri(uri)
        except BadName:
            return False
        return self.unlimited or uri.startswith(self.folders) or self.is_named(uri, generation)

    def contains_folder(self, folder: str) -> bool:
        """Whether all that begins with `folder` is the project's or shared with it."""
        return self.unlimited or (is_folder_uri(folder) and folder.startswith(self.folders))

    def is_named(self, uri: str, generation: int | None = None) -> bool:
        """Whether a row of the project names this object, or owns this folder."""
        if self.pinned and uri == self.pinned[0] and generation in (None, self.pinned[1]):
            return True
        return any(
            model.names_object(self.project, uri, generation) for model in iter_naming_models(self.project)
        )

    def require_object(self, uri: str, generation: int | None = None) -> None:
        """Raise OutsidePlaces, and BadName where `uri` is no address at all."""
        parse_gs_uri(uri)
        if not self.contains(uri, generation):
            raise OutsidePlaces(uri)

    def require_folder(self, folder: str) -> None:
        """Raise OutsidePlaces."""
        if not self.contains_folder(folder):
            raise OutsidePlaces(folder)


class ProjectStorage(Storage):
    """The storage of a project, which requests nothing outside its places."""

    def __init__(self, place: Place, places: Places) -> None:
        super().__init__(place)
        self.places = places

    def check_object(self, uri: str, generation: int | None = None, *, new: bool = False) -> None:
        if new:
            self.places.require_folder(f"{uri.rpartition('/')[0]}/")
        else:
            self.places.require_object(uri, generation)

    def check_folder(self, folder: str) -> None:
        if self.places.contains_folder(folder) or (is_folder_uri(folder) and self.places.is_named(folder)):
            return
        raise OutsidePlaces(folder)


def iter_naming_models(project: Project) -> Iterator[Any]:
    """Yield the models whose rows belong to a project and name objects: those that have `names_object`. They
    lie in apps that know this one, not the other way round."""
    for relation in type(project)._meta.related_objects:
        if hasattr(relation.related_model, "names_object"):
            yield relation.related_model


def name_engine_bucket(project: Project) -> str:
    """Return the bucket that the engine holds for this project alone; a slug has no dots."""
    name = f"{ENGINE_BUCKET}-{project.slug}"
    return name if BUCKET_NAME.fullmatch(name) else f"{ENGINE_BUCKET}.{project.pk}"


def find_bucket_owners(project: Project) -> QuerySet[Project]:
    """Return the other projects that name the same bucket."""
    return find_neighbors(project).filter(bucket=project.bucket)


def find_neighbors(project: Project) -> QuerySet[Project]:
    """Return the other projects on the same backend."""
    return type(project).objects.filter(backend=project.backend).exclude(pk=project.pk)


def is_foreign(project: Project, folder: str) -> bool:
    """Whether the folder holds, or could hold, what belongs to another project."""
    if folder.startswith((SAMPLE_FILES, f"{SCHEME}{name_engine_bucket(project)}/")):
        return False
    bucket = folder.removeprefix(SCHEME).partition("/")[0]
    if project.on_engine and ENGINE_OWN.fullmatch(bucket):
        return True
    neighbors = list(find_neighbors(project))
    theirs = [place for other in neighbors for place in Places(other).folders if place != SAMPLE_FILES]
    return any(place.startswith(folder) or folder.startswith(place) for place in theirs) or any(
        model.names_within(neighbors, folder)
        for model in iter_naming_models(project)
        if hasattr(model, "names_within")
    )
