"""Lookups for views that raise Http404."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from jobs.models import TuningJob
from studio.models import Project
from studio.people.access import Request


def job_or_404(request: Request, project: Project, pk: int) -> TuningJob:
    rows = TuningJob.objects.visible_to(request.user).select_related(
        "project", "owner", "training", "validation"
    )
    return get_object_or_404(rows, project=project, pk=pk)
