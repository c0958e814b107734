"""Create, discard and copy drafts. A draft is a row in the database, so that its steps survive a reload.

The steps are in model_step, dataset_step and review_step.
"""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from jobs.datasets.errors import Refusal
from jobs.datasets.shortcuts import dataset_or_404
from jobs.models import TuningJob
from jobs.wizard import conflicts
from jobs.wizard.dataset_step.draft_datasets import attach_sample_data
from jobs.wizard.drafts import create_blank_draft, redirect_to_dataset_step
from studio.models import Project, Role
from studio.people.access import Request, require_role


@require_POST
@require_role(Role.TUNER)
def create_draft(request: Request, project: Project) -> HttpResponse:
    """Create a draft; with `sample`, it uses the sample data of that name."""
    job = create_blank_draft(request, project)
    if "sample" in request.POST:
        try:
            attach_sample_data(request, job, request.POST["sample"])
        except Refusal as refusal:
            messages.error(request, str(refusal))
    return redirect("jobs:model", project.slug, job.pk)


@require_http_methods(["GET", "POST"])
@require_role(Role.TUNER)
def discard_draft(request: Request, project: Project, pk: int) -> HttpResponse:
    """Discard a draft after a confirmation. Admins can discard any draft; a missing one is no error."""
    job = TuningJob.objects.with_related().filter(project=project, pk=pk).first()
    if job is None and (request.method == "GET" or not conflicts.was_discarded(request, project, pk)):
        raise Http404
    if job and not job.is_draft:
        messages.warning(
            request, _("“%(job)s” was already started. You can cancel it, but not discard it.") % {"job": job}
        )
        return redirect(job)
    if job and job.owner_id != request.user.pk and request.role != Role.ADMIN:
        raise PermissionDenied(_("Only the owner or a project admin can discard this draft."))
    if request.method == "GET":
        return render(request, "jobs/wizard/discard.html", {"job": job})
    if job:
        job.discard(request.user)
    messages.success(request, _("Draft discarded."))
    return redirect("jobs:drafts", project.slug)


@require_POST
@require_role(Role.TUNER)
def tune_again(request: Request, project: Project, pk: int) -> HttpResponse:
    """Copy any job or draft of the project to a new draft. `validation` opens the choice of its dataset."""
    draft = get_object_or_404(TuningJob, project=project, pk=pk).copy_to_draft(request.user)
    if "validation" in request.POST:
        draft.update_draft(validation_enabled=True)
        return redirect_to_dataset_step(draft, "validation")
    return redirect("jobs:model", project.slug, draft.pk)


@require_POST
@require_role(Role.TUNER)
def tune_dataset(request: Request, project: Project, pk: int) -> HttpResponse:
    """Create a draft with this dataset as training data."""
    dataset = dataset_or_404(project, pk)
    job = create_blank_draft(request, project)
    job.update_draft(training=dataset)
    return redirect("jobs:model", project.slug, job.pk)
