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
from jobs.datasets.forms import TOO_BIG, AddressForm, HoldOutForm, LocationForm, UploadForm, first_error
from jobs.datasets.models import Dataset
from jobs.datasets.transform import hold_out as holdout
from jobs.datasets.transform import split
from jobs.datasets.uploads import filenames, resumable_upload, upload_handler
from jobs.datasets.uploads.resumable_upload import UploadSession
from jobs.models import TuningJob
from jobs.troubleshooting.views import fixing
from jobs.wizard import conflicts
from jobs.wizard.dataset_step.leakage import Comparison
from jobs.wizard.dataset_step.pending_files import waiting
from jobs.wizard.dataset_step.sections import Refused, choosing
from jobs.wizard.draft_summary import Preview
from jobs.wizard.drafts import UNPROCESSABLE, draft_or_404, to_dataset
from studio.models import Project, Role
from studio.people.access import Request, member


@require_safe
@member(Role.TUNER)
def edit_dataset(request: Request, project: Project, pk: int) -> HttpResponse:
    job = draft_or_404(request, project, pk)
    return dataset_page(request, job) if job.is_draft else redirect(job)


def dataset_page(request: Request, job: TuningJob, refused: Refused | None = None) -> HttpResponse:
    purposes: tuple[Purpose, Purpose] = ("training", "validation")
    pasted = waiting(request, job)
    sections = [choosing(job, purpose, request.GET, refused, pasted) for purpose in purposes]
    context = {"job": job, "preview": Preview(job), "sections": sections, "step": "dataset"}
    context |= {"fixing": fixing(request, job), "comparison": Comparison.of(job)}
    return render(
        request, "jobs/wizard/dataset_step/step.html", context, status=UNPROCESSABLE if refused else 200
    )


def purpose_of(request: Request) -> Purpose:
    return "validation" if request.POST.get("purpose") == "validation" else "training"


def refuse(
    request: Request, job: TuningJob, way: str, why: Refusal, arrived: UploadSession | None = None
) -> HttpResponse:
    """The same page, with what was typed and why it was not taken."""
    typed = {name: str(value) for name, value in request.POST.items()}
    return dataset_page(request, job, Refused(purpose_of(request), way, why, typed, arrived))


def choose(
    request: Request, job: TuningJob, way: str, take: Callable[[], Dataset], arrived: UploadSession | None = None
) -> HttpResponse:
    """Puts what `take` brings into the draft, or says on the same page why not."""
    purpose = purpose_of(request)
    try:
        chosen: dict[str, Any] = {purpose: translate_storage_errors(job.project, take)}
    except Refusal as refusal:
        return refuse(request, job, way, refusal, arrived)
    job.revise(**chosen, **({"validation_enabled": True} if purpose == "validation" else {}))
    return to_dataset(job, purpose)


# ---- upload ----


@require_POST
@member(Role.TUNER)
def upload(request: Request, project: Project, pk: int) -> HttpResponse:
    """A file in the form, or the token of one that came before in parts. It lies here until it was stored, so
    that a store that fails is tried again without sending the file again."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.unchanged(request, job)
    try:
        part = arrived(request, job)
    except Refusal as refusal:
        return refuse(request, job, "upload", refusal)
    return choose(request, job, "upload", lambda: keep(request, job, part), part)


def arrived(request: Request, job: TuningJob) -> UploadSession:
    if upload_handler.exceeds_limit(int(request.META.get("CONTENT_LENGTH") or 0)):
        raise Refusal(str(TOO_BIG), "file")
    if "token" in request.POST:
        return sent_before(request, job)
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        field, words = first_error(form)
        raise Refusal(words, field)
    job.upload_to = form.cleaned_data["upload_to"]
    job.revise(upload_to=job.upload_to)
    file = form.cleaned_data["file"]
    part = UploadSession(request.user.pk, job.pk, purpose_of(request), file.name, file.size)
    part.import_file(Path(file.temporary_file_path()))
    return part


def sent_before(request: Request, job: TuningJob) -> UploadSession:
    part = UploadSession.from_token(request.POST["token"])
    if not part or (part.user, part.job) != (request.user.pk, job.pk) or not part.is_whole:
        raise Refusal(_("This upload is no longer on the server. Choose the file again."), "file")
    return part


def keep(request: Request, job: TuningJob, part: UploadSession) -> Dataset:
    try:
        with part.locked() as file:
            dataset = ingest.ingest_upload(job.project, request.user, file, part.name, job.upload_to)
    except resumable_upload.UploadRefused:
        raise Refusal(_("This file is being checked already. Look again in a moment."), "file") from None
    part.drop()
    if filenames.has_txt_suffix(part.name):
        told = {"name": part.name, "mended": dataset}
        messages.info(
            request, _("“%(name)s” was stored as “%(mended)s”: the ending .txt was dropped.") % told
        )
    return dataset


@require_POST
@member(Role.TUNER)
def locate_uploads(request: Request, project: Project, pk: int) -> HttpResponse:
    """Where uploads go. htmx asks for the field alone, whenever it was changed."""
    job = draft_or_404(request, project, pk)
    form = LocationForm(request.POST)
    if form.is_valid():
        job.upload_to = form.cleaned_data["upload_to"]
        job.revise(upload_to=job.upload_to)
    why = None if form.is_valid() else Refusal(first_error(form)[1], "upload_to")
    if request.htmx:
        refused = Refused(purpose_of(request), "upload", why, request.POST.dict()) if why else None
        section = choosing(job, purpose_of(request), {}, refused)
        return render(request, "jobs/wizard/dataset_step/_location.html", {"job": job, "section": section})
    if why and job.is_draft:
        return refuse(request, job, "upload", why)
    return to_dataset(job, purpose_of(request), replace=purpose_of(request))


# ---- what lies on Cloud Storage already ----


@require_POST
@member(Role.TUNER)
def locate(request: Request, project: Project, pk: int) -> HttpResponse:
    """A file that lies on Cloud Storage already."""
    job = draft_or_404(request, project, pk)
    form = AddressForm(request.POST)

    def take() -> Dataset:
        if not form.is_valid():
            raise Refusal(first_error(form)[1], "uri")
        return ingest.ingest_existing(project, request.user, form.cleaned_data["uri"])

    return choose(request, job, "existing", take) if job.is_draft else conflicts.unchanged(request, job)


@require_POST
@member(Role.TUNER)
def pick(request: Request, project: Project, pk: int) -> HttpResponse:
    """A dataset that the project knows."""
    job = draft_or_404(request, project, pk)

    def take() -> Dataset:
        number = request.POST.get("dataset", "")
        pk = int(number) if number.isdecimal() and len(number) < 19 else 0
        dataset = Dataset.objects.filter(project=project, pk=pk).first()
        if dataset is None:
            raise Refusal(_("This dataset is no longer in the library. Choose another one."))
        return dataset

    return choose(request, job, "library", take) if job.is_draft else conflicts.unchanged(request, job)


@require_POST
@member(Role.TUNER)
def use_sample(request: Request, project: Project, pk: int) -> HttpResponse:
    """The sample data that the form's `name` names, or else the first."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.unchanged(request, job)
    try:
        take_sample(request, job, request.POST.get("name", ""))
    except Refusal as refusal:
        return refuse(request, job, "library", refusal)
    return to_dataset(job)


def take_sample(request: Request, job: TuningJob, name: str) -> None:
    """Training and validation together: a first run should have both curves."""
    training, validation = ingest_sample_parts(job.project, request.user, name)
    job.revise(training=training, validation=validation, validation_enabled=True)


# ---- validation ----


@require_POST
@member(Role.TUNER)
def hold_out(request: Request, project: Project, pk: int) -> HttpResponse:
    """A part of the training file becomes the validation dataset."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.unchanged(request, job)
    try:
        training, validation = translate_storage_errors(job.project, lambda: halves(request, job))
    except Refusal as refusal:
        return refuse(request, job, "hold_out", refusal)
    job.revise(training=training, validation=validation, validation_enabled=True)
    return to_dataset(job, "validation")


def halves(request: Request, job: TuningJob) -> list[Dataset]:
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
        raise Refusal(_("The training file has problems. Correct them first."), "percent") from None
    except split.TooFew:
        raise Refusal(
            _("The training file has fewer than two different examples. Choose another one."), "percent"
        ) from None


def whole_again(job: TuningJob) -> dict[str, Any]:
    """What undoes a hold-out: the parent file trains again, whole."""
    if not (job.training and holdout.are_halves(job.training, job.validation)):
        return {}
    return {"training": holdout.get_original(job.training), "validation": None}


@require_POST
@member(Role.TUNER)
def remove(request: Request, project: Project, pk: int) -> HttpResponse:
    """Takes the file out of the draft; the file itself stays, and so does the other one."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return conflicts.unchanged(request, job)
    purpose = purpose_of(request)
    job.revise(**({purpose: None} | (whole_again(job) if purpose == "validation" else {})))
    return to_dataset(job, purpose)


@require_POST
@member(Role.TUNER)
def switch_validation(request: Request, project: Project, pk: int) -> HttpResponse:
    """Off keeps the file for later; what was held out goes back to training."""
    job = draft_or_404(request, project, pk)
    enabled = "enabled" in request.POST
    job.revise(validation_enabled=enabled, **({} if enabled else whole_again(job)))
    return to_dataset(job, "validation") if job.is_draft else conflicts.unchanged(request, job)
