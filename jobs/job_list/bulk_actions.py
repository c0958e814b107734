"""Actions on several jobs selected in the list, given in the query as `run=1&run=2`."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from jobs.models import TuningJob
from studio.formats import join_list
from studio.models import Project, Role
from studio.pages.query_values import parse_pk
from studio.people.access import Request, require_role

MIN_COMPARED, MAX_COMPARED = 2, 50
"""Numbers of runs that the compare page accepts; 50 is the largest comparison in docs/benchmarks.md."""


@require_http_methods(["GET", "POST"])
@require_role(Role.TUNER)
def cancel_many(request: Request, project: Project) -> HttpResponse:
    """Request cancellation of the selected jobs. GET returns a confirmation page."""
    pks = parse_pks(request.GET if request.method == "GET" else request.POST)
    if not pks:
        messages.warning(request, _("Select the jobs to cancel."))
        return redirect("jobs:list", project.slug)
    jobs = get_jobs_or_404(request, project, pks)
    if request.method == "GET":
        going = [job for job in jobs if job.can_cancel]
        over = [job for job in jobs if not job.can_cancel]
        return render(request, "jobs/job_list/cancel_many.html", {"going": going, "over": over})
    report_cancelled(request, [job for job in jobs if job.request_cancel(request.user)])
    return redirect("jobs:list", project.slug)


def parse_pks(query: QueryDict) -> list[int]:
    return [number for number in map(parse_pk, query.getlist("run")) if number]


def get_jobs_or_404(request: Request, project: Project, pks: list[int]) -> list[TuningJob]:
    """Return the project's jobs among `asked`, newest first. Raise Http404 if there are none."""
    jobs = TuningJob.objects.visible_to(request.user).filter(project=project, pk__in=pks)
    found = list(jobs.select_related("project", "owner"))
    if not found:
        raise Http404
    return found


def report_cancelled(request: Request, cancelled: list[TuningJob]) -> None:
    if not cancelled:
        messages.warning(request, _("These jobs have all finished or are already being cancelled."))
        return
    words = ngettext(
        "Cancellation requested for %(n)d job: %(names)s.",
        "Cancellation requested for %(n)d jobs: %(names)s.",
        len(cancelled),
    )
    messages.success(request, words % {"n": len(cancelled), "names": join_list(cancelled)})
