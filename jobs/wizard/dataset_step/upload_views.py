"""Upload of a file to a draft: it is received on this server, checked, stored and attached."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from jobs.datasets import ingest
from jobs.datasets.errors import Refusal, translate_storage_errors
from jobs.datasets.forms import UploadFolderForm, clean_form, clean_upload
from jobs.datasets.models import Dataset
from jobs.datasets.uploads import filenames, resumable_upload
from jobs.datasets.uploads.resumable_upload import UploadSession
from jobs.models import TuningJob
from jobs.wizard import conflicts
from jobs.wizard.dataset_step.draft_datasets import attach_dataset
from jobs.wizard.dataset_step.page import get_purpose, render_refusal
from jobs.wizard.dataset_step.sections import RejectedChoice, build_picker
from jobs.wizard.dataset_step.upload_api import TOO_MANY_UPLOADS, UPLOAD_GONE, find_upload
from jobs.wizard.drafts import draft_or_404, redirect_to_dataset_step
from studio.models import Project, Role
from studio.people.access import Request, require_role


@require_POST
@require_role(Role.TUNER)
def upload_dataset(request: Request, project: Project, pk: int) -> HttpResponse:
    """Upload a file of the form, or take a resumable upload by its token.

    The file stays on this server until it is stored, so that a retry doesn't have to send it again.
    """
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.redirect_to_started_job(request, job)
    upload = None
    try:
        upload = receive_upload(request, job)
        dataset = store_upload(request, job, upload)
    except Refusal as refusal:
        arrived = upload if upload and upload.is_whole else None
        return render_refusal(request, job, "upload", refusal, arrived)
    attach_dataset(job, get_purpose(request), dataset)
    return redirect_to_dataset_step(job, get_purpose(request))


def receive_upload(request: Request, job: TuningJob) -> UploadSession:
    """Return the upload, complete on this server. Raises Refusal."""
    if "token" in request.POST:
        upload = find_upload(request, job, request.POST["token"])
        if not upload or not upload.is_whole:
            raise Refusal(str(UPLOAD_GONE), "file")
        return upload
    form = clean_upload(request, job.project)
    set_folder(job, form["upload_to"])
    file = form["file"]
    upload = UploadSession(request.user.pk, job.pk, get_purpose(request), file.name, file.size)
    try:
        with translate_storage_errors(job.project):
            upload.import_file(Path(file.temporary_file_path()))
    except resumable_upload.TooManyUploads:
        raise Refusal(str(TOO_MANY_UPLOADS), "file", HTTPStatus.TOO_MANY_REQUESTS) from None
    return upload


def store_upload(request: Request, job: TuningJob, upload: UploadSession) -> Dataset:
    """Check the upload, store it in the draft's folder, and delete it here. Raises Refusal; then the upload
    stays for another try, unless it is in the way on a full disk."""
    try:
        with upload.locked() as file, translate_storage_errors(job.project):
            dataset = ingest.ingest_upload(job.project, request.user, file, upload.name, job.upload_to)
    except resumable_upload.UploadRefused:
        raise Refusal(_("This file is already being checked. Check back in a moment."), "file") from None
    except Refusal as refusal:
        if refusal.status == HTTPStatus.INSUFFICIENT_STORAGE:
            upload.drop()
        raise
    upload.drop()
    if filenames.has_txt_suffix(upload.name):
        names = {"name": upload.name, "mended": dataset}
        messages.info(request, _("“%(name)s” was stored as “%(mended)s”, without the .txt ending.") % names)
    return dataset


def set_folder(job: TuningJob, folder: str) -> None:
    job.upload_to = folder
    job.update_draft(upload_to=folder)


@require_POST
@require_role(Role.TUNER)
def set_upload_folder(request: Request, project: Project, pk: int) -> HttpResponse:
    """Set the upload folder. htmx posts after every change and gets only the field."""
    job = draft_or_404(request, project, pk)
    refusal = None
    try:
        set_folder(job, clean_form(UploadFolderForm(request.POST, project=project))["upload_to"])
    except Refusal as invalid:
        refusal = invalid
    if request.htmx:
        return render_folder_field(request, job, refusal)
    if refusal and job.is_draft:
        return render_refusal(request, job, "upload", refusal)
    return redirect_to_dataset_step(job, get_purpose(request), replace=get_purpose(request))


def render_folder_field(request: Request, job: TuningJob, refusal: Refusal | None) -> HttpResponse:
    purpose = get_purpose(request)
    rejected = RejectedChoice(purpose, "upload", refusal, request.POST.dict()) if refusal else None
    context = {"job": job, "section": build_picker(job, purpose, {}, rejected)}
    return render(request, "jobs/wizard/dataset_step/_location.html", context)
