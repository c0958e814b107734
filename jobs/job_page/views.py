"""Pages of one job: Monitor (drawn by metrics), Details, Dataset, request, download and cancel."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HTMX_STOP_POLLING

from jobs.estimates.queue_position import get_queue_if_waiting
from jobs.job_page import adapter_download, details_tab
from jobs.job_page.dataset_tab import DatasetTab
from jobs.lifecycle import polling
from jobs.lifecycle.stored_errors import deserialize
from jobs.models import TuningJob
from jobs.request.panel import RequestPanel
from jobs.shortcuts import job_or_404
from studio.models import Project, Role
from studio.pages.error_messages import Banner, explain_error
from studio.people.access import Request, require_role
from studio.vertex.errors import VertexError


@require_GET
@require_role(Role.VIEWER)
def show_monitor(request: Request, project: Project, pk: int) -> HttpResponse:
    """The Monitor tab. htmx polls the head only, until the job has ended."""
    job = job_or_404(request, project, pk)
    if job.is_draft:
        return redirect(job)
    polling.mark_watched(project)
    context = build_page_head(request, job, "monitor")
    if not request.htmx:
        return render(request, "jobs/job_page/detail.html", context)
    return render(
        request, "jobs/job_page/_frame.html#head", context, status=HTMX_STOP_POLLING if job.is_final else 200
    )


def build_page_head(request: Request, job: TuningJob, tab: str) -> dict[str, Any]:
    """Return the context of the head shared by all tabs."""
    return {
        "job": job,
        "tab": tab,
        "trouble": explain_last_error(job),
        "queue": get_queue_if_waiting(job, request.user),
    }


def explain_last_error(job: TuningJob) -> Banner | None:
    """Return the explanation of the last failed call for this job, or None."""
    fault = job.last_error or (job.error if job.submission == "refused" else {})
    return explain_error(deserialize(fault), on_engine=job.project.on_engine) if fault else None


@require_GET
@require_role(Role.VIEWER)
def show_details(request: Request, project: Project, pk: int) -> HttpResponse:
    job = job_or_404(request, project, pk)
    if job.is_draft:
        return redirect(job)
    shown = {"sections": details_tab.sections(job), "answer": details_tab.format_remote(job)}
    context = build_page_head(request, job, "details") | shown
    return render(request, "jobs/job_page/details_tab.html", context)


@require_GET
@require_role(Role.VIEWER)
def show_request(request: Request, project: Project, pk: int) -> HttpResponse:
    """The request of a draft or job as JSON and as code samples."""
    job = job_or_404(request, project, pk)
    panel = RequestPanel(job, request.GET.get("as", ""))
    return render(request, "jobs/request/page.html", {"job": job, "panel": panel})


@require_GET
@require_role(Role.VIEWER)
def show_dataset(request: Request, project: Project, pk: int) -> HttpResponse:
    job = job_or_404(request, project, pk)
    if job.is_draft:
        return redirect(job)
    context = build_page_head(request, job, "data") | {"data": DatasetTab(job)}
    return render(request, "jobs/job_page/dataset_tab.html", context)


@require_GET
@require_role(Role.VIEWER)
def download_adapter(request: Request, project: Project, pk: int, checkpoint: int) -> HttpResponseBase:
    """Download the adapter of an engine job. Google doesn't give out the weights of its models."""
    job = job_or_404(request, project, pk)
    if not project.on_engine or not job.name:
        raise Http404
    job_id = job.name.rpartition("/")[2]
    try:
        file = adapter_download.zip_adapter(project.storage(), job_id, checkpoint)
    except VertexError as error:
        banner = explain_error(error, on_engine=True)
        messages.error(request, banner.title)
        return redirect("jobs:details", project.slug, job.pk)
    return FileResponse(file, as_attachment=True, filename=f"adapter-{job_id}-{checkpoint}.zip")


@require_http_methods(["GET", "POST"])
@require_role(Role.TUNER)
def cancel_job(request: Request, project: Project, pk: int) -> HttpResponse:
    """Request cancellation. GET returns a confirmation page for browsers without JavaScript."""
    job = job_or_404(request, project, pk)
    if request.method == "GET":
        return render(request, "jobs/job_page/cancel.html", {"job": job})
    if job.request_cancel(request.user):
        messages.success(request, _("Cancellation requested for “%(job)s”.") % {"job": job})
    else:
        messages.warning(request, _("“%(job)s” has finished or is already being cancelled.") % {"job": job})
    job.refresh_from_db()
    return redirect(job)


@require_POST
@require_role(Role.TUNER)
def search_again(request: Request, project: Project, pk: int) -> HttpResponse:
    job = job_or_404(request, project, pk)
    job.search_again()
    return redirect(job)


@require_POST
@require_role(Role.TUNER)
def create_again(request: Request, project: Project, pk: int) -> HttpResponse:
    job = job_or_404(request, project, pk)
    if not job.create_again(request.user):
        messages.warning(request, _("The search for this job is still in progress."))
    return redirect(job)
