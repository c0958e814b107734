"""The dataset library: its list, and how a dataset is added and deleted."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jobs.datasets import ingest, library
from jobs.datasets.errors import NO_BUCKET_ASK_ADMIN, Refusal, ingest_sample_parts, translate_storage_errors
from jobs.datasets.forms import ExistingFileForm, clean_form, clean_upload
from jobs.datasets.models import Dataset
from jobs.datasets.sample_data import samples
from jobs.datasets.shortcuts import dataset_or_404
from studio.models import Project, Role
from studio.pages.error_messages import explain_error
from studio.people.access import Request, require_role
from studio.vertex.errors import Conflict, VertexError


@require_GET
@require_role(Role.VIEWER)
def list_datasets(request: Request, project: Project) -> HttpResponse:
    filters = library.Filters.from_query(request.GET)
    found = library.filter_datasets(project, request.user, filters)
    page = Paginator(found, library.PAGE).get_page(filters.page)
    counts = library.count_by_owner(project, request.user)
    context = {
        "filters": filters,
        "page": page,
        "counts": counts,
        "segments": [
            (key, label, counts[key], filters.query(whose=key)) for key, label in library.WHOSE.items()
        ],
        "headings": library.headings(filters),
        "samples": samples(),
        "earlier": filters.query(page=page.number - 1),
        "later": filters.query(page=page.number + 1),
    }
    return render(request, "jobs/datasets/library/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(Role.TUNER)
def add_dataset(request: Request, project: Project) -> HttpResponse:
    """A file of the person's own: uploaded, or found in Cloud Storage by its path."""
    if request.method != "POST":
        return render_add_page(request)
    try:
        with translate_storage_errors(project, NO_BUCKET_ASK_ADMIN):
            add = add_existing_file if "uri" in request.POST else add_upload
            dataset = add(request, project)
    except Refusal as refusal:
        return render_add_page(request, refusal)
    return redirect(dataset)


def render_add_page(request: Request, refusal: Refusal | None = None) -> HttpResponse:
    """`refused` names the form that the refusal belongs to."""
    refused = ("existing" if "uri" in request.POST else "upload") if refusal else ""
    context = {
        "refused": refused,
        "refusal": str(refusal or ""),
        "uri": request.POST.get("uri", ""),
        "samples": samples(),
    }
    status = refusal.status if refusal else HTTPStatus.OK
    return render(request, "jobs/datasets/library/add.html", context, status=status)


def add_existing_file(request: Request, project: Project) -> Dataset:
    uri = clean_form(ExistingFileForm(request.POST))["uri"]
    return ingest.ingest_existing(project, request.user, uri)


def add_upload(request: Request, project: Project) -> Dataset:
    file = clean_upload(request, project)["file"]
    return ingest.ingest_upload(project, request.user, file, file.name)


@require_POST
@require_role(Role.TUNER)
def add_sample(request: Request, project: Project) -> HttpResponse:
    """Add both parts of the sample data called `name`, unless they are already there."""
    try:
        training, _validation = ingest_sample_parts(project, request.user, request.POST.get("name", ""))
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return redirect("datasets:list", project.slug)
    messages.success(
        request, _("“%(file)s” and its validation dataset are in the library.") % {"file": training}
    )
    return redirect("datasets:list", project.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(Role.TUNER)
def delete_dataset(request: Request, project: Project, pk: int) -> HttpResponse:
    """GET asks for confirmation. A dataset in use isn't deleted; the page says by which jobs."""
    dataset = dataset_or_404(project, pk)
    if not library.can_change(dataset, request.user, request.role):
        raise PermissionDenied(_("Only the owner or a project admin can delete a dataset."))
    if request.method == "POST" and delete_row(request, dataset):
        messages.success(request, _("“%(file)s” was deleted from the library.") % {"file": dataset})
        delete_object(request, dataset)
        return redirect("datasets:list", project.slug)
    users = library.find_usage(dataset, request.user)
    context = {"dataset": dataset, "users": users, "erases": library.can_delete_object(dataset)}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if request.method == "POST" else HTTPStatus.OK
    return render(request, "jobs/datasets/library/delete.html", context, status=status)


def delete_row(request: Request, dataset: Dataset) -> bool:
    """Delete the row. Return False if a job uses it, including one that was created this moment."""
    pk = dataset.pk
    try:
        with transaction.atomic():
            dataset.audit("dataset.delete", request.user, generation=dataset.generation)
            Dataset.objects.filter(pk=pk).delete()
    except (ProtectedError, IntegrityError):
        return False
    return True


def delete_object(request: Request, dataset: Dataset) -> None:
    """Delete the file that the studio stored, unless it was replaced since it was checked."""
    if not library.can_delete_object(dataset):
        return
    try:
        dataset.storage().delete(dataset.uri, int(dataset.generation))
    except Conflict:
        messages.warning(
            request, _("The file was replaced in the meantime, so it wasn’t deleted from the bucket.")
        )
    except VertexError as error:
        banner = explain_error(error, on_engine=dataset.project.on_engine)
        messages.warning(
            request,
            _("The file %(uri)s is still in the bucket: %(why)s") % {"uri": dataset.uri, "why": banner},
        )
