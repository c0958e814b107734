"""The cleaned copy of a dataset: downloaded, or saved as a dataset of its own."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jobs.datasets import ingest
from jobs.datasets.downloads import attachment, open_chunks, redirect_with_error, stem
from jobs.datasets.errors import NO_BUCKET_ASK_ADMIN, Refusal, translate_storage_errors
from jobs.datasets.models import Dataset
from jobs.datasets.shortcuts import dataset_or_404
from jobs.datasets.transform.clean import clean_file
from studio.models import Project, Role
from studio.people.access import Request, require_role

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@require_GET
@require_role(Role.VIEWER)
def download_cleaned(request: Request, project: Project, pk: int) -> HttpResponseBase:
    dataset = dataset_or_404(project, pk)
    try:
        lines = clean_file(open_chunks(dataset))
    except Refusal as refusal:
        return redirect_with_error(request, dataset, refusal)
    return attachment(lines, f"{stem(dataset)}-cleaned.jsonl", ingest.CONTENT_TYPE)


@require_POST
@require_role(Role.TUNER)
def keep_cleaned(request: Request, project: Project, pk: int) -> HttpResponse:
    """Add the cleaned file to the library."""
    dataset = dataset_or_404(project, pk)
    try:
        with translate_storage_errors(project, NO_BUCKET_ASK_ADMIN):
            copy = ingest_cleaned_copy(dataset, request.user)
    except Refusal as refusal:
        return redirect_with_error(request, dataset, refusal)
    messages.success(request, _("“%(file)s” was added to the library.") % {"file": copy})
    return redirect(copy)


def ingest_cleaned_copy(dataset: Dataset, user: User) -> Dataset:
    """Raises Refusal where no line is usable, and what ingest_derived raises."""
    how = "converted" if dataset.parsed_report.convertible else "cleaned"
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
        copy.writelines(clean_file(dataset.iter_chunks()))
        if not copy.tell():
            raise Refusal(_("This file has no usable lines, so the cleaned file would be empty."))
        return ingest.ingest_derived(dataset, user, copy, f"{stem(dataset)}-{how}.jsonl", {"how": how})
