"""Choice of a model's default checkpoint, which the model's own endpoint serves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from jobs.models import TuningJob
from jobs.shortcuts import job_or_404
from jobs.tuning_job_resource import Checkpoint
from studio.models import Project, Role
from studio.pages.error_messages import explain_error
from studio.people.access import Request, require_role
from studio.vertex.errors import OutcomeUnknown, VertexError

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = logging.getLogger(__name__)


@require_http_methods(["GET", "POST"])
@require_role(Role.TUNER)
def set_default(request: Request, project: Project, pk: int, checkpoint: str) -> HttpResponse:
    """Set the default checkpoint. GET returns a confirmation page for browsers without JavaScript."""
    job = job_or_404(request, project, pk)
    found = next((one for one in job.checkpoints if one.id == checkpoint), None)
    if reason := explain_unavailable(job, found):
        messages.warning(request, reason)
        return redirect(job)
    if found is None:
        raise Http404
    context = {"job": job, "checkpoint": found}
    if request.method == "GET":
        return render(request, "jobs/job_page/default_checkpoint.html", context)
    try:
        update_default_checkpoint(job, found, request.user)
    except VertexError as error:
        banner = explain_error(error, on_engine=project.on_engine)
        return render(request, "jobs/job_page/default_checkpoint.html", context | {"banner": banner})
    messages.success(request, describe_success(job, found))
    return redirect(job)


def explain_unavailable(job: TuningJob, checkpoint: Checkpoint | None) -> str:
    """Return why this checkpoint can't be made the default, or "" if it can."""
    if not job.checkpoints:
        return _("This model has no checkpoints to choose from.")
    if not job.can_choose_default:
        return _(
            "You can choose a default checkpoint once the job has produced a model with several checkpoints."
        )
    if checkpoint and job.is_default(checkpoint):
        return _("Checkpoint %(id)s is already the default.") % {"id": checkpoint.id}
    return ""


def update_default_checkpoint(job: TuningJob, checkpoint: Checkpoint, user: User) -> None:
    """Set the default checkpoint at the service and read the job again, since its endpoint changes as
    well."""
    try:
        job.project.vertex().set_default_checkpoint(job.tuned_model, checkpoint.id)
    except OutcomeUnknown:
        refresh_job(job)
        if not job.is_default(checkpoint):
            raise
    else:
        refresh_job(job)
    job.add_audit_entry("tuning_job.set_default", user, checkpoint=checkpoint.id)


def refresh_job(job: TuningJob) -> None:
    """Read the job again. On failure the row stays unchanged: the choice itself has already succeeded."""
    try:
        job.update_from_remote(job.project.vertex().get_tuning_job(str(job.name)))
    except VertexError as error:
        log.warning("job %s could not be read again: %s", job.pk, error)


def describe_success(job: TuningJob, checkpoint: Checkpoint) -> str:
    if job.is_default(checkpoint):
        return _("Checkpoint %(id)s is now the default.") % {"id": checkpoint.id}
    return _(
        "Checkpoint %(id)s is now the model’s default, but the job still points to another endpoint."
    ) % {"id": checkpoint.id}
