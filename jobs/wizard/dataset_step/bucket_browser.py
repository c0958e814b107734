"""Browser of buckets and folders in step 2, for choosing a dataset or an upload folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from jobs.datasets import gcs_paths
from jobs.datasets.check.model_limits import Purpose
from jobs.datasets.gcs_paths import Folder, FolderListing
from jobs.models import TuningJob
from jobs.wizard.drafts import draft_or_404
from studio.models import Project, Role
from studio.pages.error_messages import explain_error
from studio.people.access import Request, require_role
from studio.projects.places import Places
from studio.vertex.errors import BadName, NotFound, PermissionDenied, VertexError
from studio.vertex.gs_folders import is_folder_uri, parse_folder_uri, split_folder_uri


@require_safe
@require_role(Role.TUNER)
def browse_bucket(request: Request, project: Project, pk: int) -> HttpResponse:
    """Return the page, or the dialog's content for htmx."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return redirect(job)
    context = {"job": job, "walk": BucketBrowser(job, request.GET.dict())}
    return render(request, f"jobs/wizard/dataset_step/browse.html{'#shelf' if request.htmx else ''}", context)


@dataclass(frozen=True)
class BucketBrowser:
    """State of the browser.

    Keys of `asked`: `choose` (file or folder), `for` (training or validation), `at` (gs:// path), `new` (name
    of a new folder) and `page`. Without `at` it starts near `uri` or `upload_to`.
    """

    job: TuningJob
    asked: dict[str, str]

    @property
    def chooses_folder(self) -> bool:
        return self.asked.get("choose") == "folder"

    @property
    def choose(self) -> str:
        return "folder" if self.chooses_folder else "file"

    @property
    def address(self) -> str:
        return reverse("jobs:browse", args=[self.job.project.slug, self.job.pk])

    @property
    def purpose(self) -> Purpose:
        return "validation" if self.asked.get("for") == "validation" else "training"

    @property
    def typed(self) -> str:
        return self.asked.get("at", "") if self.path_error else ""

    @cached_property
    def place(self) -> str:
        return "" if self.path_error else self._resolve_path()

    @cached_property
    def path_error(self) -> str:
        """Error message of an invalid path, or ""."""
        try:
            self._resolve_path()
        except BadName:
            return _("This isn’t a bucket or folder. Enter a path like gs://bucket/folder/.")
        return ""

    def _resolve_path(self) -> str:
        at = parse_folder_uri(self.asked["at"]) if "at" in self.asked else self.find_start_path()
        return gcs_paths.join_folder(at, self.asked["new"]) if at and self.asked.get("new") else at

    def find_start_path(self) -> str:
        """Return the folder of the form's value, else that of the chosen file, else the project's own. What
        lies outside its places can't be browsed."""
        chosen = getattr(self.job, self.purpose)
        near = (
            [self.asked.get("upload_to", ""), self.job.upload_to]
            if self.chooses_folder
            else [
                gcs_paths.get_parent_folder(self.asked.get("uri", "")),
                gcs_paths.get_parent_folder(chosen.uri) if chosen else "",
            ]
        )
        known = (place for place in near if is_folder_uri(place) and self.places.contains_folder(place))
        return next(known, self.places.own)

    @cached_property
    def places(self) -> Places:
        return self.job.project.storage_places()

    @cached_property
    def listing_or_error(self) -> tuple[FolderListing, str]:
        """The folder's content and "", or an empty listing and the error message."""
        if self.path_error:
            return FolderListing(""), self.path_error
        if not self.place and not self.places.unlimited:
            return gcs_paths.list_places(self.places), ""
        try:
            return gcs_paths.list_folder(
                self.job.project.storage(), self.place, self.asked.get("page", "")
            ), ""
        except VertexError as error:
            return FolderListing(self.place), explain_listing_error(
                error, self.place, self.job.project.on_engine
            )

    @property
    def shelf(self) -> FolderListing:
        return self.listing_or_error[0]

    @property
    def listing_error(self) -> str:
        return self.listing_or_error[1]

    @property
    def is_new(self) -> bool:
        return bool(self.place and self.shelf.is_empty and not self.listing_error and self.asked.get("new"))

    @property
    def crumbs(self) -> list[Folder]:
        """The folders on the way that can be opened."""
        steps = gcs_paths.build_breadcrumbs(self.place)
        return [step for step in steps if self.places.contains_folder(step.uri)]


def explain_listing_error(error: VertexError, place: str, on_engine: bool) -> str:
    """Return which role is missing on which bucket, and how to continue without it."""
    if isinstance(error, PermissionDenied) and not place:
        return _(
            "This project’s service account can’t list buckets: it needs the storage.buckets.list "
            "permission. Enter the bucket name instead."
        )
    bucket = split_folder_uri(place)[0] if place else ""
    if isinstance(error, PermissionDenied):
        return _(
            "This project’s service account can’t list the files in %(bucket)s. Grant it the Storage "
            "Object Viewer role on this bucket."
        ) % {"bucket": bucket}
    if isinstance(error, NotFound):
        return _("Bucket %(bucket)s doesn’t exist. Check its name.") % {"bucket": bucket}
    return str(explain_error(error, on_engine=on_engine))
