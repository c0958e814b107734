"""Step 2 of a draft: where its datasets come from. Every way is a form of its own, and leads back here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from jobs.datasets import ingest
from jobs.datasets.check.model_limits import Purpose
from jobs.datasets.errors import Refusal, ingest_sample_parts, translate_storage_errors
from jobs.datasets.forms import (
    TOO_BIG,
    ExistingFileForm,
    HoldOutForm,
    UploadFolderForm,
    UploadForm,
    first_error,
)
from jobs.datasets.models import Dataset
from jobs.datasets.transform import hold_out as holdout
from jobs.datasets.transform import split
from jobs.datasets.uploads import filenames, resumable_upload, upload_handler
from jobs.datasets.uploads.resumable_upload import UploadSession
from jobs.models import TuningJob
from jobs.troubleshooting.views import read_fix_context
from jobs.wizard import conflicts
from jobs.wizard.dataset_step.leakage import LeakageCheck
from jobs.wizard.dataset_step.pending_files import get_pending_files
from jobs.wizard.dataset_step.sections import RejectedChoice, build_picker
from jobs.wizard.draft_summary import DraftSummary
from jobs.wizard.drafts import UNPROCESSABLE, draft_or_404, redirect_to_dataset_step
from studio.models import Project, Role
from studio.people.access import Request, require_role


@require_safe
@require_role(Role.TUNER)
def edit_dataset(request: Request, project: Project, pk: int) -> HttpResponse:
    job = draft_or_404(request, project, pk)
    return render_dataset_step(request, job) if job.is_draft else redirect(job)


def render_dataset_step(
    request: Request, job: TuningJob, refused: RejectedChoice | None = None
) -> HttpResponse:
    purposes: tuple[Purpose, Purpose] = ("training", "validation")
    pasted = get_pending_files(request, job)
    sections = [build_picker(job, purpose, request.GET, refused, pasted) for purpose in purposes]
    context = {"job": job, "preview": DraftSummary(job), "sections": sections, "step": "dataset"}
    context |= {"fixing": read_fix_context(request, job), "comparison": LeakageCheck.for_job(job)}
    return render(
        request, "jobs/wizard/dataset_step/step.html", context, status=UNPROCESSABLE if refused else 200
    )


def get_purpose(request: Request) -> Purpose:
    return "validation" if request.POST.get("purpose") == "validation" else "training"


def render_refusal(
    request: Request, job: TuningJob, way: str, why: Refusal, arrived: UploadSession | None = None
) -> HttpResponse:
    """The same page, with what was typed and why it was not taken."""
    typed = {name: str(value) for name, value in request.POST.items()}
    return render_dataset_step(request, job, RejectedChoice(get_purpose(request), way, why, typed, arrived))


def set_dataset(
    request: Request,
    job: TuningJob,
    way: str,
    take: Callable[[], Dataset],
    arrived: UploadSession | None = None,
) -> HttpResponse:
    """Puts what `take` brings into the draft, or says on the same page why not."""
    purpose = get_purpose(request)
    try:
        chosen: dict[str, Any] = {purpose: translate_storage_errors(job.project, take)}
    except Refusal as refusal:
        return render_refusal(request, job, way, refusal, arrived)
    job.update_draft(**chosen, **({"validation_enabled": True} if purpose == "validation" else {}))
    return redirect_to_dataset_step(job, purpose)


# ---- upload ----


@require_POST
@require_role(Role.TUNER)
def upload_dataset(request: Request, project: Project, pk: int) -> HttpResponse:
    """A file in the form, or the token of one that came before in parts. It lies here until it was stored, so
    that a store that fails is tried again without sending the file again."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.redirect_to_started_job(request, job)
    try:
        part = receive_upload(request, job)
    except Refusal as refusal:
        return render_refusal(request, job, "upload", refusal)
    return set_dataset(request, job, "upload", lambda: store_upload(request, job, part), part)


def receive_upload(request: Request, job: TuningJob) -> UploadSession:
    if upload_handler.exceeds_limit(int(request.META.get("CONTENT_LENGTH") or 0)):
        raise Refusal(str(TOO_BIG), "file")
    if "token" in request.POST:
        return get_finished_upload(request, job)
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        field, words = first_error(form)
        raise Refusal(words, field)
    job.upload_to = form.cleaned_data["upload_to"]
    job.update_draft(upload_to=job.upload_to)
    file = form.cleaned_data["file"]
    part = UploadSession(request.user.pk, job.pk, get_purpose(request), file.name, file.size)
    part.import_file(Path(file.temporary_file_path()))
    return part


def get_finished_upload(request: Request, job: TuningJob) -> UploadSession:
    part = UploadSession.from_token(request.POST["token"])
    if not part or (part.user, part.job) != (request.user.pk, job.pk) or not part.is_whole:
        raise Refusal(_("This upload is no longer on the server. Choose the file again."), "file")
    return part


def store_upload(request: Request, job: TuningJob, part: UploadSession) -> Dataset:
    try:
        with part.locked() as file:
            dataset = ingest.ingest_upload(job.project, request.user, file, part.name, job.upload_to)
    except resumable_upload.UploadRefused:
        raise Refusal(_("This file is already being checked. Check back in a moment."), "file") from None
    part.drop()
    if filenames.has_txt_suffix(part.name):
        told = {"name": part.name, "mended": dataset}
        messages.info(request, _("“%(name)s” was stored as “%(mended)s”, without the .txt ending.") % told)
    return dataset


@require_POST
@require_role(Role.TUNER)
def set_upload_folder(request: Request, project: Project, pk: int) -> HttpResponse:
    """Where uploads go. htmx asks for the field alone, whenever it was changed."""
    job = draft_or_404(request, project, pk)
    form = UploadFolderForm(request.POST)
    if form.is_valid():
        job.upload_to = form.cleaned_data["upload_to"]
        job.update_draft(upload_to=job.upload_to)
    why = None if form.is_valid() else Refusal(first_error(form)[1], "upload_to")
    if request.htmx:
        refused = RejectedChoice(get_purpose(request), "upload", why, request.POST.dict()) if why else None
        section = build_picker(job, get_purpose(request), {}, refused)
        return render(request, "jobs/wizard/dataset_step/_location.html", {"job": job, "section": section})
    if why and job.is_draft:
        return render_refusal(request, job, "upload", why)
    return redirect_to_dataset_step(job, get_purpose(request), replace=get_purpose(request))


# ---- what lies on Cloud Storage already ----


@require_POST
@require_role(Role.TUNER)
def choose_existing_file(request: Request, project: Project, pk: int) -> HttpResponse:
    """A file that lies on Cloud Storage already."""
    job = draft_or_404(request, project, pk)
    form = ExistingFileForm(request.POST)

    def ingest_file() -> Dataset:
        if not form.is_valid():
            raise Refusal(first_error(form)[1], "uri")
        return ingest.ingest_existing(project, request.user, form.cleaned_data["uri"])

    return (
        set_dataset(request, job, "existing", ingest_file)
        if job.is_draft
        else conflicts.redirect_to_started_job(request, job)
    )


@require_POST
@require_role(Role.TUNER)
def choose_from_library(request: Request, project: Project, pk: int) -> HttpResponse:
    """A dataset that the project knows."""
    job = draft_or_404(request, project, pk)

    def find_dataset() -> Dataset:
        number = request.POST.get("dataset", "")
        pk = int(number) if number.isdecimal() and len(number) < 19 else 0
        dataset = Dataset.objects.filter(project=project, pk=pk).first()
        if dataset is None:
            raise Refusal(_("This dataset is no longer in the library. Choose another one."))
        return dataset

    return (
        set_dataset(request, job, "library", find_dataset)
        if job.is_draft
        else conflicts.redirect_to_started_job(request, job)
    )


@require_POST
@require_role(Role.TUNER)
def use_sample(request: Request, project: Project, pk: int) -> HttpResponse:
    """The sample data that the form's `name` names, or else the first."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.redirect_to_started_job(request, job)
    try:
        assign_sample_data(request, job, request.POST.get("name", ""))
    except Refusal as refusal:
        return render_refusal(request, job, "library", refusal)
    return redirect_to_dataset_step(job)


def assign_sample_data(request: Request, job: TuningJob, name: str) -> None:
    """Training and validation together: a first run should have both curves."""
    training, validation = ingest_sample_parts(job.project, request.user, name)
    job.update_draft(training=training, validation=validation, validation_enabled=True)


# ---- validation ----


@require_POST
@require_role(Role.TUNER)
def hold_out_validation(request: Request, project: Project, pk: int) -> HttpResponse:
    """A part of the training file becomes the validation dataset."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.redirect_to_started_job(request, job)
    try:
        training, validation = translate_storage_errors(
            job.project, lambda: split_training_data(request, job)
        )
    except Refusal as refusal:
        return render_refusal(request, job, "hold_out", refusal)
    job.update_draft(training=training, validation=validation, validation_enabled=True)
    return redirect_to_dataset_step(job, "validation")


def split_training_data(request: Request, job: TuningJob) -> list[Dataset]:
    form = HoldOutForm(request.POST)
    if not form.is_valid():
        field, words = first_error(form)
        raise Refusal(words, field)
    if job.training is None:
        raise Refusal(_("Choose the training dataset first."), "percent")
    chosen = form.cleaned_data
    try:
        return holdout.hold_out(request.user, job.training, chosen["percent"], chosen["seed"], job.upload_to)
    except holdout.HasProblems:
        raise Refusal(_("The training file has problems. Fix them first."), "percent") from None
    except split.TooFew:
        raise Refusal(
            _("The training file has fewer than two different examples. Choose another file."), "percent"
        ) from None


def fields_without_hold_out(job: TuningJob) -> dict[str, Any]:
    """What undoes a hold-out: the parent file trains again, whole."""
    if not (job.training and holdout.are_halves(job.training, job.validation)):
        return {}
    return {"training": holdout.get_original(job.training), "validation": None}


@require_POST
@require_role(Role.TUNER)
def remove_dataset(request: Request, project: Project, pk: int) -> HttpResponse:
    """Takes the file out of the draft; the file itself stays, and so does the other one."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.redirect_to_started_job(request, job)
    purpose = get_purpose(request)
    job.update_draft(**({purpose: None} | (fields_without_hold_out(job) if purpose == "validation" else {})))
    return redirect_to_dataset_step(job, purpose)


@require_POST
@require_role(Role.TUNER)
def switch_validation(request: Request, project: Project, pk: int) -> HttpResponse:
    """Off keeps the file for later; what was held out goes back to training."""
    job = draft_or_404(request, project, pk)
    enabled = "enabled" in request.POST
    job.update_draft(validation_enabled=enabled, **({} if enabled else fields_without_hold_out(job)))
    return (
        redirect_to_dataset_step(job, "validation")
        if job.is_draft
        else conflicts.redirect_to_started_job(request, job)
    )
