"""The list of tuning jobs."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jobs.job_list import bulk_actions
from jobs.job_list import filters as listing
from jobs.job_list.facets import facets
from jobs.lifecycle import polling
from jobs.lifecycle.stored_errors import deserialize
from jobs.models import JobListPoll, TuningJob
from studio.models import Project, Role
from studio.pages.error_messages import Banner, explain_error
from studio.people.access import Request, require_role

LIVE, IDLE_REFRESH_SECONDS = 4, 30
"""Seconds between two looks of an open list: while a job goes on, and while nothing does."""


@require_GET
@require_role(Role.VIEWER)
def list_jobs(request: Request, project: Project) -> HttpResponse:
    filters = listing.Filters.from_query(request.GET)
    everything = listing.list_visible_jobs(project, request.user)
    jobs = listing.apply_filters(everything, filters, request.user)
    page = Paginator(listing.select_rows(jobs, filters), listing.PAGE_SIZE).get_page(filters.page)
    polls, counts = polling.mark_watched(project), listing.count_by_status(jobs)
    context = {
        "filters": filters,
        "page": page,
        "counts": counts,
        "segments": build_status_segments(filters, counts),
        "facets": facets(everything, filters, request.user),
        "drafts": TuningJob.objects.drafts().filter(project=project).count(),
        "headings": listing.headings(filters),
        "best": listing.find_best_job(page.object_list),
        "stale": build_stale_notice(project, polls, counts["active"]),
        "least": bulk_actions.MIN_COMPARED,
        "most": bulk_actions.MAX_COMPARED,
        "every": LIVE if counts["active"] else IDLE_REFRESH_SECONDS,
    }
    return render(
        request, "jobs/job_list/list.html#jobs" if request.htmx else "jobs/job_list/list.html", context
    )


def build_status_segments(
    filters: listing.Filters, counts: dict[str, int]
) -> list[tuple[str, Any, int, str]]:
    """(key, label, count, query) of each status, those without a job left out unless they are chosen."""
    return [
        (key, label, counts[key], filters.query(status=key))
        for key, (label, _only) in listing.STATUSES.items()
        if counts[key] or key in {"all", filters.status}
    ]


def build_stale_notice(project: Project, polls: list[JobListPoll], active: int) -> dict[str, Any]:
    """Since when the rows are not fresh, and why; empty while they are."""
    failing = [poll for poll in polls if poll.failing_since and poll.failures > 1]
    if not failing:
        return build_worker_down_notice(polls) if active else {}
    banner = explain_error(deserialize(failing[0].last_error), on_engine=project.on_engine)
    return {"banner": banner, "read_at": failing[0].read_at, "since": failing[0].failing_since}


def build_worker_down_notice(polls: list[JobListPoll]) -> dict[str, Any]:
    """Nobody reads the lists, although they are long due."""
    late = [poll for poll in polls if polling.is_overdue(poll)]
    if not late:
        return {}
    title = _("Job states aren’t being updated right now.")
    meaning = _("This installation’s worker isn’t responding. Jobs keep running where they are.")
    return {"banner": Banner(title, meaning), "read_at": late[0].read_at, "since": late[0].due_at}
