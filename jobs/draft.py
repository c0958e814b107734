"""A draft as the wizard's views reach it: its owner's own, and the addresses of its steps."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from jobs.models import TuningJob
from studio.access import Request
from studio.models import Project
from studio.templatetags.studio import person


def draft_or_404(request: Request, project: Project, pk: int) -> TuningJob:
    """A draft of the person's own, or a job that it became, so that a stale page can lead there."""
    rows = TuningJob.objects.with_all().select_related("training__parent", "validation__parent")
    job = get_object_or_404(rows, project=project, pk=pk)
    if job.is_draft and job.owner_id != request.user.pk:
        raise PermissionDenied(
            _("This draft belongs to %(owner)s. Copy it to your drafts to change it.")
            % {"owner": person(job.owner)}
        )
    return job


def to_dataset(job: TuningJob, purpose: str = "", **query: str) -> HttpResponse:
    address = reverse("jobs:dataset", args=[job.project.slug, job.pk])
    asked = f"?{urlencode(query)}" if query else ""
    return redirect(f"{address}{asked}#{purpose}" if purpose else f"{address}{asked}")
