"""Create tuned model, in two steps. The draft is a row: each step has an address, and survives a reload.

The second step, where the datasets are chosen, is in dataset_step.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from jobs import stale
from jobs.dataset_step import take_sample
from jobs.datasets.refusal import Refusal
from jobs.draft import draft_or_404, to_dataset
from jobs.focus import focus
from jobs.forms import ADVANCED, ModelDetailsForm
from jobs.mending import Fixing, fixing
from jobs.models import TuningJob
from jobs.preview import Preview
from jobs.readiness import obstacles, regions
from studio.access import Request, member
from studio.models import Project, Role
from studio.vertex import catalog

UNPROCESSABLE = 422


def new_draft(request: Request, project: Project) -> TuningJob:
    model = catalog.models(project.backend)[0]
    return TuningJob.objects.create(
        project=project, owner=request.user, base_model=model.id, location=regions(project, model)[0]
    )


def draft_or_new(request: Request, project: Project, pk: int) -> TuningJob:
    """The draft; a new one for what is sent to a draft that is none any more, so that it is not lost."""
    sent = request.method == "POST"
    try:
        job = draft_or_404(request, project, pk)
    except Http404:
        if not (sent and stale.was_discarded(request, project, pk)):
            raise
        stale.tell_discarded(request)
        return new_draft(request, project)
    return stale.carried_over(request, job) if sent and not job.is_draft else job


@require_POST
@member(Role.TUNER)
def create(request: Request, project: Project) -> HttpResponse:
    """A new draft; with `sample`, one that has the sample data of that name already."""
    job = new_draft(request, project)
    if "sample" in request.POST:
        try:
            take_sample(request, job, request.POST["sample"])
        except Refusal as refusal:
            messages.error(request, str(refusal))
    return redirect("jobs:model", project.slug, job.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@member(Role.TUNER)
def edit_model(request: Request, project: Project, pk: int) -> HttpResponse:
    """Step 1. htmx asks with the values in the form what they would mean; nothing is saved then."""
    job = draft_or_new(request, project, pk)
    if not job.is_draft:
        return redirect(job)
    values = request.POST if request.method == "POST" else request.GET if request.htmx else None
    form = ModelDetailsForm(values, instance=job, live=reverse("jobs:model", args=[project.slug, job.pk]))
    valid = values is None or form.is_valid()
    if request.method == "POST" and valid:
        job.revise(**form.cleaned_data)
        return redirect("jobs:dataset", project.slug, job.pk)
    context = {"job": job, "form": form, "preview": Preview(job), "step": "model", **pointed(request, form)}
    template = "jobs/model.html#live" if request.htmx else "jobs/model.html"
    context["swaps_choices"] = request.htmx and request.htmx.trigger_name == "base_model"
    return render(request, template, context, status=200 if valid or request.htmx else UNPROCESSABLE)


def pointed(request: Request, form: ModelDetailsForm) -> dict[str, Any]:
    """Where the cursor stands, and what a mended copy says of its changes; not while htmx asks."""
    fix = Fixing() if request.htmx else fixing(request, form.instance)
    focused = "" if request.htmx else focus(form, fix.field, fix.notes)
    return {
        "opened": form.advanced_errors or bool(ADVANCED & {focused, *fix.notes}),
        "unplaced": [note for name, note in fix.notes.items() if name not in form.fields],
    }


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
