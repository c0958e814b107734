"""Access to drafts for the wizard's views, and the URLs of its steps."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from jobs.models import TuningJob
from jobs.preflight import list_tuning_regions
from jobs.wizard import conflicts
from studio.models import Project
from studio.people.access import Request
from studio.templatetags.studio import person
from studio.vertex import catalog

UNPROCESSABLE = 422


def draft_or_404(request: Request, project: Project, pk: int) -> TuningJob:
    """Return the user's draft, or the job it became (a stale page redirects to it).

    Raise Http404 otherwise.
    """
    rows = TuningJob.objects.with_related().select_related("training__parent", "validation__parent")
    job = get_object_or_404(rows, project=project, pk=pk)
    if job.is_draft and job.owner_id != request.user.pk:
        raise PermissionDenied(
            _("This draft belongs to %(owner)s. Copy it to your drafts to make changes.")
            % {"owner": person(job.owner)}
        )
    return job


def create_blank_draft(request: Request, project: Project) -> TuningJob:
    model = catalog.models(project.backend)[0]
    return TuningJob.objects.create(
        project=project,
        owner=request.user,
        base_model=model.id,
        location=list_tuning_regions(project, model)[0],
    )


def get_or_replace_draft(request: Request, project: Project, pk: int) -> TuningJob:
    """Return the draft, or a new one for input to a draft that was started or discarded."""
    is_post = request.method == "POST"
    try:
        job = draft_or_404(request, project, pk)
    except Http404:
        if not (is_post and conflicts.was_discarded(request, project, pk)):
            raise
        conflicts.warn_discarded(request)
        return create_blank_draft(request, project)
    return conflicts.copy_started_draft(request, job) if is_post and not job.is_draft else job


def redirect_to_dataset_step(job: TuningJob, purpose: str = "", **query: str) -> HttpResponse:
    address = reverse("jobs:dataset", args=[job.project.slug, job.pk])
    query_string = f"?{urlencode(query)}" if query else ""
    return redirect(f"{address}{query_string}#{purpose}" if purpose else f"{address}{query_string}")
