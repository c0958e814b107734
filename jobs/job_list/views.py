"""The list of tuning jobs."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jobs.job_list import bulk_actions
from jobs.job_list import filters as job_filters
from jobs.job_list.facets import facets
from jobs.lifecycle import polling
from jobs.lifecycle.stored_errors import deserialize
from jobs.models import JobListPoll, TuningJob
from studio.models import Project, Role
from studio.pages.error_messages import Banner, explain_error
from studio.people.access import Request, require_role

ACTIVE_REFRESH_SECONDS, IDLE_REFRESH_SECONDS = 4, 30
"""Refresh intervals of an open list with and without active jobs; a watched list is polled every 10 s."""


@require_GET
@require_role(Role.VIEWER)
def list_jobs(request: Request, project: Project) -> HttpResponse:
    filters = job_filters.Filters.from_query(request.GET)
    everything = job_filters.list_visible_jobs(project, request.user)
    jobs = job_filters.apply_filters(everything, filters, request.user)
    page = Paginator(job_filters.select_rows(jobs, filters), job_filters.PAGE_SIZE).get_page(filters.page)
    polls, counts = polling.mark_watched(project), job_filters.count_by_status(jobs)
    context = {
        "filters": filters,
        "page": page,
        "earlier": filters.query(page=page.number - 1),
        "later": filters.query(page=page.number + 1),
        "counts": counts,
        "segments": build_status_segments(filters, counts),
        "facets": facets(everything, filters, request.user),
        "drafts": TuningJob.objects.drafts().filter(project=project).count(),
        "headings": job_filters.headings(filters),
        "best": job_filters.find_best_job(page.object_list),
        "stale": build_stale_notice(project, polls, counts["active"]),
        "least": bulk_actions.MIN_COMPARED,
        "most": bulk_actions.MAX_COMPARED,
        "every": ACTIVE_REFRESH_SECONDS if counts["active"] else IDLE_REFRESH_SECONDS,
    }
    return render(
        request, "jobs/job_list/list.html#jobs" if request.htmx else "jobs/job_list/list.html", context
    )


def build_status_segments(
    filters: job_filters.Filters, counts: dict[str, int]
) -> list[tuple[str, Any, int, str]]:
    """Return (key, label, count, query) per status. Statuses without jobs are left out unless selected."""
    return [
        (key, label, counts[key], filters.query(status=key))
        for key, (label, _only) in job_filters.STATUSES.items()
        if counts[key] or key in {"all", filters.status}
    ]


def build_stale_notice(project: Project, polls: list[JobListPoll], active: int) -> dict[str, Any]:
    """Return why and since when the rows are out of date, or {} if they aren't.

    One failed poll is ignored.
    """
    failing = [poll for poll in polls if poll.failing_since and poll.failures > 1]
    if not failing:
        return build_worker_down_notice(polls) if active else {}
    banner = explain_error(deserialize(failing[0].last_error), on_engine=project.on_engine)
    return {"banner": banner, "read_at": failing[0].read_at, "since": failing[0].failing_since}


def build_worker_down_notice(polls: list[JobListPoll]) -> dict[str, Any]:
    """Return a notice if the polls are overdue because no worker is running, else {}."""
    late = [poll for poll in polls if polling.is_overdue(poll)]
    if not late:
        return {}
    title = _("Job states aren’t being updated right now.")
    meaning = _("This installation’s worker isn’t responding. Jobs keep running where they are.")
    return {"banner": Banner(title, meaning), "read_at": late[0].read_at, "since": late[0].due_at}
