"""Create tuned model, in two steps. The draft is a row: each step has an address, and survives a reload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from jobs.datasets import intake
from jobs.datasets.limits import Purpose
from jobs.forms import AddressForm, ModelDetailsForm, UploadForm
from jobs.models import Dataset, TuningJob
from jobs.pasting.waiting import waiting
from jobs.preview import Preview, Section
from jobs.readiness import obstacles, regions
from studio.access import Request, member
from studio.models import Project, Role
from studio.vertex import catalog
from studio.vertex.errors import NotFound, VertexError
from studio.words import explain

UNPROCESSABLE = 422
PURPOSES: tuple[Purpose, ...] = ("training", "validation")


class Refusal(Exception):
    """Why a dataset was not taken, in the person's words."""


def draft_or_404(request: Request, project: Project, pk: int) -> TuningJob:
    rows = TuningJob.objects.visible_to(request.user).select_related("project", "training", "validation")
    return get_object_or_404(rows, project=project, pk=pk)


def new_draft(request: Request, project: Project) -> TuningJob:
    model = catalog.models(project.backend)[0]
    return TuningJob.objects.create(
        project=project, owner=request.user, base_model=model.id, location=regions(project, model)[0]
    )


@require_POST
@member(Role.TUNER)
def create(request: Request, project: Project) -> HttpResponse:
    """A new draft; with `sample`, one that has the sample data already."""
    job = new_draft(request, project)
    if "sample" in request.POST:
        try:
            take_sample(request, job)
        except Refusal as refusal:
            messages.error(request, str(refusal))
    return redirect("jobs:model", project.slug, job.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@member(Role.TUNER)
def edit_model(request: Request, project: Project, pk: int) -> HttpResponse:
    """Step 1. htmx asks with the values in the form what they would mean; nothing is saved then."""
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return redirect(job)
    values = request.POST if request.method == "POST" else request.GET if request.htmx else None
    form = ModelDetailsForm(values, instance=job, live=request.path)
    valid = values is None or form.is_valid()
    if request.method == "POST" and valid:
        job.revise(**form.cleaned_data)
        return redirect("jobs:dataset", project.slug, job.pk)
    context = {"job": job, "form": form, "preview": Preview(job), "step": "model"}
    template = "jobs/model.html#live" if request.htmx else "jobs/model.html"
    context["swaps_choices"] = request.htmx and request.htmx.trigger_name == "base_model"
    return render(request, template, context, status=200 if valid or request.htmx else UNPROCESSABLE)


@require_safe
@member(Role.TUNER)
def edit_dataset(request: Request, project: Project, pk: int) -> HttpResponse:
    """Step 2."""
    job = draft_or_404(request, project, pk)
    return dataset_page(request, job) if job.is_draft else redirect(job)


def dataset_page(
    request: Request, job: TuningJob, purpose: str = "", refusal: str = "", **typed: str
) -> HttpResponse:
    wanted = waiting(request, job) | ({purpose: typed.get("uri", "")} if purpose else {})
    sections = [Section(job, purpose, wanted.get(purpose, "")) for purpose in PURPOSES]
    context = {"job": job, "preview": Preview(job), "sections": sections, "step": "dataset"}
    context |= {
        "refused": purpose,
        "refusal": refusal,
        "replaced": request.GET.get("replace", ""),
    }
    return render(request, "jobs/dataset.html", context, status=UNPROCESSABLE if refusal else 200)


def purpose_of(request: Request) -> Purpose:
    return "validation" if request.POST.get("purpose") == "validation" else "training"


def to_dataset(job: TuningJob, purpose: str = "") -> HttpResponse:
    address = reverse("jobs:dataset", args=[job.project.slug, job.pk])
    return redirect(f"{address}#{purpose}" if purpose else address)


def choose(request: Request, job: TuningJob, take: Callable[[], Dataset]) -> HttpResponse:
    """Puts what `take` brings into the draft, or says on the same page why not."""
    if not job.is_draft:
        return redirect(job)
    purpose = purpose_of(request)
    try:
        chosen: dict[str, Any] = {purpose: taken(job, take)}
    except Refusal as refusal:
        return dataset_page(request, job, purpose, str(refusal), uri=request.POST.get("uri", ""))
    job.revise(**chosen, **({"validation_enabled": True} if purpose == "validation" else {}))
    return to_dataset(job, purpose)


def taken(job: TuningJob, take: Callable[[], Dataset]) -> Dataset:
    """What went wrong on the way to the store, in words."""
    try:
        return take()
    except intake.TooBig:
        raise Refusal(_("The file is larger than 1 GB. Leave out examples, or split it.")) from None
    except intake.NoBucket:
        raise Refusal(
            _("This project has no bucket for uploads. An admin can name one in Settings.")
        ) from None
    except NotFound:
        raise Refusal(_("There is no such file. Check the path, or upload the file.")) from None
    except VertexError as error:
        raise Refusal(str(explain(error, on_engine=job.project.on_engine))) from None


@require_POST
@member(Role.TUNER)
def upload(request: Request, project: Project, pk: int) -> HttpResponse:
    job = draft_or_404(request, project, pk)
    form = UploadForm(request.POST, request.FILES)

    def take() -> Dataset:
        if not form.is_valid():
            raise Refusal(form.errors["file"][0])
        file = form.cleaned_data["file"]
        return intake.upload(project, request.user, file, file.name)

    return choose(request, job, take)


@require_POST
@member(Role.TUNER)
def locate(request: Request, project: Project, pk: int) -> HttpResponse:
    """A file that lies on Cloud Storage already."""
    job = draft_or_404(request, project, pk)
    form = AddressForm(request.POST)

    def take() -> Dataset:
        if not form.is_valid():
            raise Refusal(form.errors["uri"][0])
        return intake.existing(project, request.user, form.cleaned_data["uri"])

    return choose(request, job, take)


@require_POST
@member(Role.TUNER)
def use_sample(request: Request, project: Project, pk: int) -> HttpResponse:
    job = draft_or_404(request, project, pk)
    if not job.is_draft:
        return redirect(job)
    try:
        take_sample(request, job)
    except Refusal as refusal:
        return dataset_page(request, job, "training", str(refusal))
    return to_dataset(job)


def take_sample(request: Request, job: TuningJob) -> None:
    """Training and validation together: a first run should have both curves."""
    training = taken(job, lambda: intake.sample(job.project, request.user, "train"))
    validation = taken(job, lambda: intake.sample(job.project, request.user, "validation"))
    job.revise(training=training, validation=validation, validation_enabled=True)


@require_POST
@member(Role.TUNER)
def remove(request: Request, project: Project, pk: int) -> HttpResponse:
    """Takes the file out of the draft; the file itself stays."""
    job = draft_or_404(request, project, pk)
    job.revise(**{purpose_of(request): None})
    return to_dataset(job, purpose_of(request)) if job.is_draft else redirect(job)


@require_POST
@member(Role.TUNER)
def switch_validation(request: Request, project: Project, pk: int) -> HttpResponse:
    job = draft_or_404(request, project, pk)
    job.revise(validation_enabled="enabled" in request.POST)
    return to_dataset(job, "validation") if job.is_draft else redirect(job)


@require_POST
@member(Role.TUNER)
def start(request: Request, project: Project, pk: int) -> HttpResponse:
    """A second click finds no draft and leads to the same job."""
    job = draft_or_404(request, project, pk)
    hindrances = obstacles(job) if job.is_draft else []
    if hindrances:
        messages.error(request, " ".join(map(str, hindrances)))
        return to_dataset(job)
    if job.start(request.user):
        messages.success(
            request, _("“%(job)s” was handed over. It appears below as soon as it starts.") % {"job": job}
        )
    return redirect("jobs:detail", project.slug, job.pk)


@require_POST
@member(Role.TUNER)
def discard(request: Request, project: Project, pk: int) -> HttpResponse:
    draft_or_404(request, project, pk).discard(request.user)
    return redirect("jobs:list", project.slug)


@require_POST
@member(Role.TUNER)
def tune_again(request: Request, project: Project, pk: int) -> HttpResponse:
    """The same settings as a new draft; `validation` leads straight to where its dataset is chosen."""
    draft = draft_or_404(request, project, pk).copy_to_draft(request.user)
    if "validation" in request.POST:
        draft.revise(validation_enabled=True)
        return to_dataset(draft, "validation")
    return redirect("jobs:model", project.slug, draft.pk)
