"""Step 2 of the wizard: datasets. Every source has its own form and redirects back to the step."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from jobs.datasets import ingest
from jobs.datasets.errors import Refusal, translate_storage_errors
from jobs.datasets.forms import ExistingFileForm, clean_form
from jobs.datasets.models import Dataset
from jobs.datasets.shortcuts import find_dataset
from jobs.datasets.transform import hold_out, split
from jobs.models import TuningJob
from jobs.wizard import conflicts
from jobs.wizard.dataset_step import draft_datasets
from jobs.wizard.dataset_step.forms import HoldOutForm
from jobs.wizard.dataset_step.page import get_purpose, render_dataset_step, render_refusal
from jobs.wizard.drafts import draft_or_404, redirect_to_dataset_step
from studio.models import Project, Role
from studio.people.access import Request, require_role


@require_safe
@require_role(Role.TUNER)
def edit_dataset(request: Request, project: Project, pk: int) -> HttpResponse:
    job = draft_or_404(request, project, pk)
    return render_dataset_step(request, job) if job.is_draft else redirect(job)


@require_POST
@require_role(Role.TUNER)
def choose_dataset(request: Request, project: Project, pk: int, way: str) -> HttpResponse:
    """Choose a dataset: `way` is `existing` for a file in Cloud Storage, or `library`."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.redirect_to_started_job(request, job)
    try:
        dataset = (
            find_in_storage(request, project) if way == "existing" else find_in_library(request, project)
        )
    except Refusal as refusal:
        return render_refusal(request, job, way, refusal)
    draft_datasets.attach_dataset(job, get_purpose(request), dataset)
    return redirect_to_dataset_step(job, get_purpose(request))


def find_in_storage(request: Request, project: Project) -> Dataset:
    """Return the file at the form's path as a dataset. Raise Refusal if it can't be read."""
    uri = clean_form(ExistingFileForm(request.POST))["uri"]
    with translate_storage_errors(project):
        return ingest.ingest_existing(project, request.user, uri)


def find_in_library(request: Request, project: Project) -> Dataset:
    """Return the dataset that the form names. Raise Refusal if it isn't in the library."""
    dataset = find_dataset(project, request.POST.get("dataset", ""))
    if dataset is None:
        raise Refusal(_("This dataset is no longer in the library. Choose another one."))
    return dataset


@require_POST
@require_role(Role.TUNER)
def use_sample(request: Request, project: Project, pk: int) -> HttpResponse:
    """Use the sample data called `name` in the form, or the first one."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.redirect_to_started_job(request, job)
    try:
        draft_datasets.attach_sample_data(request, job, request.POST.get("name", ""))
    except Refusal as refusal:
        return render_refusal(request, job, "library", refusal)
    return redirect_to_dataset_step(job)


@require_POST
@require_role(Role.TUNER)
def hold_out_validation(request: Request, project: Project, pk: int) -> HttpResponse:
    """Split the training file into a training and a validation dataset."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.redirect_to_started_job(request, job)
    try:
        training, validation = split_training_data(request, job)
    except Refusal as refusal:
        return render_refusal(request, job, "hold_out", refusal)
    draft_datasets.attach_both(job, training, validation)
    return redirect_to_dataset_step(job, "validation")


def split_training_data(request: Request, job: TuningJob) -> list[Dataset]:
    """Return the training and the validation part. Raise Refusal if the file can't be split."""
    form = clean_form(HoldOutForm(request.POST))
    if job.training is None:
        raise Refusal(_("Choose the training dataset first."), "percent")
    try:
        with translate_storage_errors(job.project):
            return hold_out.hold_out(request.user, job.training, form["percent"], form["seed"], job.upload_to)
    except hold_out.HasProblems:
        raise Refusal(_("The training file has problems. Fix them first."), "percent") from None
    except split.TooFew:
        raise Refusal(
            _("The training file has fewer than two different examples. Choose another file."), "percent"
        ) from None


@require_POST
@require_role(Role.TUNER)
def remove_dataset(request: Request, project: Project, pk: int) -> HttpResponse:
    """Remove a dataset from the draft. Its file and the other dataset stay."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.redirect_to_started_job(request, job)
    draft_datasets.detach_dataset(job, get_purpose(request))
    return redirect_to_dataset_step(job, get_purpose(request))


@require_POST
@require_role(Role.TUNER)
def switch_validation(request: Request, project: Project, pk: int) -> HttpResponse:
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.redirect_to_started_job(request, job)
    draft_datasets.switch_validation(job, enabled="enabled" in request.POST)
    return redirect_to_dataset_step(job, "validation")
