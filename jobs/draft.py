"""A draft as the wizard's views reach it: its owner's own, and the addresses of its steps."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import urlencode

from jobs.models import TuningJob
from studio.access import Request
from studio.models import Project


def draft_or_404(request: Request, project: Project, pk: int) -> TuningJob:
    rows = TuningJob.objects.visible_to(request.user).select_related(
        "project", "training__parent", "validation__parent"
    )
    return get_object_or_404(rows, project=project, pk=pk)


def to_dataset(job: TuningJob, purpose: str = "", **query: str) -> HttpResponse:
    address = reverse("jobs:dataset", args=[job.project.slug, job.pk])
    asked = f"?{urlencode(query)}" if query else ""
    return redirect(f"{address}{asked}#{purpose}" if purpose else f"{address}{asked}")
