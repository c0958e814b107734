"""The jobs list and one job's pages: Monitor (drawn by metrics), Details, Dataset, cancel."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HTMX_STOP_POLLING

from jobs.estimates.queue_position import waiting
from jobs.job_list import bulk_actions
from jobs.job_list import filters as listing
from jobs.job_list.facets import facets
from jobs.job_page import adapter_download, details_tab
from jobs.job_page.dataset_tab import Data
from jobs.lifecycle import polling
from jobs.lifecycle.stored_errors import revived
from jobs.models import Sweep, TuningJob
from jobs.request.panel import RequestPanel
from studio.models import Project, Role
from studio.pages.error_messages import Banner, explain
from studio.people.access import Request, member
from studio.vertex.errors import VertexError

LIVE, CALM = 4, 30
"""Seconds between two looks of an open list: while a job goes on, and while nothing does."""


@require_GET
@member(Role.VIEWER)
def list_jobs(request: Request, project: Project) -> HttpResponse:
    filters = listing.Filters.read(request.GET)
    everything = listing.shown(project, request.user)
    jobs = listing.narrowed(everything, filters, request.user)
    page = Paginator(listing.matching(jobs, filters), listing.PAGE).get_page(filters.page)
    sweeps, counts = polling.watch(project), listing.counts(jobs)
    context = {
        "filters": filters,
        "page": page,
        "counts": counts,
        "segments": segments(filters, counts),
        "facets": facets(everything, filters, request.user),
        "drafts": TuningJob.objects.drafts().filter(project=project).count(),
        "headings": listing.headings(filters),
        "best": listing.best_of(page.object_list),
        "stale": stale(project, sweeps, counts["active"]),
        "least": bulk_actions.LEAST,
        "most": bulk_actions.MOST,
        "every": LIVE if counts["active"] else CALM,
    }
    return render(
        request, "jobs/job_list/list.html#jobs" if request.htmx else "jobs/job_list/list.html", context
    )


def segments(filters: listing.Filters, counts: dict[str, int]) -> list[tuple[str, Any, int, str]]:
    """(key, label, count, query) of each status, those without a job left out unless they are chosen."""
    return [
        (key, label, counts[key], filters.query(status=key))
        for key, (label, _only) in listing.STATUSES.items()
        if counts[key] or key in {"all", filters.status}
    ]


def stale(project: Project, sweeps: list[Sweep], active: int) -> dict[str, Any]:
    """Since when the rows are not fresh, and why; empty while they are."""
    failing = [sweep for sweep in sweeps if sweep.failing_since and sweep.failures > 1]
    if not failing:
        return asleep(sweeps) if active else {}
    banner = explain(revived(failing[0].trouble), on_engine=project.on_engine)
    return {"banner": banner, "read_at": failing[0].read_at, "since": failing[0].failing_since}


def asleep(sweeps: list[Sweep]) -> dict[str, Any]:
    """Nobody reads the lists, although they are long due."""
    late = [sweep for sweep in sweeps if polling.overdue(sweep)]
    if not late:
        return {}
    title = _("The states are not being read at the moment.")
    meaning = _("The worker of this installation does not answer. Jobs go on where they run.")
    return {"banner": Banner(title, meaning), "read_at": late[0].read_at, "since": late[0].due_at}


def job_or_404(request: Request, project: Project, pk: int) -> TuningJob:
    rows = TuningJob.objects.visible_to(request.user).select_related(
        "project", "owner", "training", "validation"
    )
    return get_object_or_404(rows, project=project, pk=pk)


@require_GET
@member(Role.VIEWER)
def detail(request: Request, project: Project, pk: int) -> HttpResponse:
    """The Monitor tab; to htmx only the head, until the job is over."""
    job = job_or_404(request, project, pk)
    if job.is_draft:
        return redirect(job)
    polling.watch(project)
    context = head(request, job, "monitor")
    if not request.htmx:
        return render(request, "jobs/job_page/detail.html", context)
    return render(
        request, "jobs/job_page/_frame.html#head", context, status=HTMX_STOP_POLLING if job.is_final else 200
    )


def head(request: Request, job: TuningJob, tab: str) -> dict[str, Any]:
    """What every tab shows above it."""
    return {"job": job, "tab": tab, "trouble": trouble(job), "queue": waiting(job, request.user)}


def trouble(job: TuningJob) -> Banner | None:
    """Why the last call about this job failed, in the reader's words."""
    fault = job.trouble or (job.error if job.submission == "refused" else {})
    return explain(revived(fault), on_engine=job.project.on_engine) if fault else None


@require_GET
@member(Role.VIEWER)
def show_details(request: Request, project: Project, pk: int) -> HttpResponse:
    job = job_or_404(request, project, pk)
    if job.is_draft:
        return redirect(job)
    shown = {"sections": details_tab.sections(job), "answer": details_tab.answer(job)}
    context = head(request, job, "details") | shown
    return render(request, "jobs/job_page/details_tab.html", context)


@require_GET
@member(Role.VIEWER)
def show_request(request: Request, project: Project, pk: int) -> HttpResponse:
    """What will be sent of a draft, or was sent of a job, in every way of writing it."""
    job = job_or_404(request, project, pk)
    panel = RequestPanel(job, request.GET.get("as", ""))
    return render(request, "jobs/request/page.html", {"job": job, "panel": panel})


@require_GET
@member(Role.VIEWER)
def show_data(request: Request, project: Project, pk: int) -> HttpResponse:
    job = job_or_404(request, project, pk)
    if job.is_draft:
        return redirect(job)
    context = head(request, job, "data") | {"data": Data(job)}
    return render(request, "jobs/job_page/dataset_tab.html", context)


@require_GET
@member(Role.VIEWER)
def download_adapter(request: Request, project: Project, pk: int, checkpoint: int) -> HttpResponseBase:
    """What was tuned on the engine, as a file; Google keeps the weights of its models."""
    job = job_or_404(request, project, pk)
    if not project.on_engine or not job.name:
        raise Http404
    job_id = job.name.rpartition("/")[2]
    try:
        file = adapter_download.archive(project.storage(), job_id, checkpoint)
    except VertexError as error:
        banner = explain(error, on_engine=True)
        messages.error(request, banner.title)
        return redirect("jobs:details", project.slug, job.pk)
    return FileResponse(file, as_attachment=True, filename=f"adapter-{job_id}-{checkpoint}.zip")


@require_http_methods(["GET", "POST"])
@member(Role.TUNER)
def cancel(request: Request, project: Project, pk: int) -> HttpResponse:
    """GET asks whether it is meant, for whoever has no dialog."""
    job = job_or_404(request, project, pk)
    if request.method == "GET":
        return render(request, "jobs/job_page/cancel.html", {"job": job})
    if job.request_cancel(request.user):
        messages.success(request, _("Cancelling “%(job)s” was asked for.") % {"job": job})
    else:
        messages.warning(
            request, _("“%(job)s” is over, or its cancelling was asked for already.") % {"job": job}
        )
    job.refresh_from_db()
    return redirect(job)


@require_POST
@member(Role.TUNER)
def look_again(request: Request, project: Project, pk: int) -> HttpResponse:
    job = job_or_404(request, project, pk)
    job.look_again()
    return redirect(job)


@require_POST
@member(Role.TUNER)
def create_again(request: Request, project: Project, pk: int) -> HttpResponse:
    job = job_or_404(request, project, pk)
    if not job.create_again(request.user):
        messages.warning(request, _("The search for this job is not over yet."))
    return redirect(job)
