"""The jobs list and one job's pages."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from jobs.models import TuningJob
from studio.access import Request, member
from studio.models import Project, Role


@member(Role.VIEWER)
def list_jobs(request: Request, project: Project) -> HttpResponse:
    return render(request, "jobs/list.html", {"jobs": TuningJob.objects.filter(project=project)})


@member(Role.VIEWER)
def detail(request: Request, project: Project, pk: int) -> HttpResponse:
    job = get_object_or_404(TuningJob, project=project, pk=pk)
    return render(request, "jobs/detail.html", {"job": job})
